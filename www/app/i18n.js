/**
 * The page's texts in the language of its reader. English is also in the HTML, so that the first paint waits for nothing;
 * all else comes from one file per language in `messages/`.
 *
 * A message is a text with `{placeholders}`, or, where its form depends on `{count}`, an object of such texts by plural
 * category (`one`, `other`, ...; see Intl.PluralRules). Numbers are written as the language writes them.
 *
 * @typedef {keyof typeof LANGUAGES} Language
 * @typedef {keyof typeof import("./messages/en.json")} MessageKey
 * @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Message
 */
import { readStored, writeStored } from "./stored_choice.js";

/** The languages there are, each by its own name. */
export const LANGUAGES = /** @type {const} */ ({ en: "English", zh: "中文", es: "Español", tl: "Tagalog" });

const STORED_AS = "qwisp.language";

/** Attributes of an element that name a message, and what of the element it becomes. */
const TARGETS = /** @type {const} */ ({
  "data-message": "textContent",
  "data-message-label": "ariaLabel",
  "data-message-placeholder": "placeholder",
  "data-message-title": "title",
});

/** @type {Language} */
let current = "en";
/** @type {Record<string, Message>} */
let messages = {};
let numbers = new Intl.NumberFormat(current);
let plurals = new Intl.PluralRules(current);
/** @type {Set<() => void>} */
const listeners = new Set();

/** The language of the page's texts. */
export function currentLanguage() {
  return current;
}

/**
 * The first language that exists here: the address's `lang`, then the stored choice, then the browser's languages.
 *
 * @param {object} asked
 * @param {string | null} asked.address
 * @param {string | null} asked.stored
 * @param {readonly string[]} asked.browser
 * @returns {Language}
 */
export function pickLanguage({ address, stored, browser }) {
  for (const tag of [address, stored, ...browser]) {
    const found = findLanguage(tag);
    if (found) return found;
  }
  return "en";
}

/** Brings a language's texts into the page. @param {Language} language */
export async function useLanguage(language) {
  setMessages(language, await fetchMessages(language));
  document.documentElement.lang = language;
  translateElements(document);
  for (const listener of listeners) listener();
}

/** Brings the texts of the reader's language into the page. To be awaited before anything asks for a message. */
export async function startMessages() {
  const address = new URLSearchParams(location.search).get("lang");
  await useLanguage(pickLanguage({ address, stored: readStored(STORED_AS), browser: navigator.languages }));
}

/** Changes the language now and for later visits. @param {Language} language */
export async function chooseLanguage(language) {
  await useLanguage(language);
  writeStored(STORED_AS, language);
}

/** Calls `listener` whenever the language has changed, for texts that no attribute names. @param {() => void} listener */
export function onLanguageChange(listener) {
  listeners.add(listener);
}

/**
 * Takes these messages for those of a language, without a page around.
 *
 * @param {Language} language
 * @param {Record<string, Message>} loaded
 */
export function setMessages(language, loaded) {
  current = language;
  messages = loaded;
  numbers = new Intl.NumberFormat(language);
  plurals = new Intl.PluralRules(language);
}

/**
 * A text in the page's language. A value that is a number is written as the language does; `count` also decides the plural.
 *
 * @param {MessageKey} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function translate(key, values = {}) {
  const message = messages[key];
  if (message === undefined) return key;
  const text = typeof message === "string" ? message : (message[plurals.select(Number(values.count))] ?? message.other);
  return (text ?? key).replace(/\{(\w+)\}/g, (placeholder, name) => {
    const value = values[name];
    return value === undefined ? placeholder : typeof value === "number" ? numbers.format(value) : value;
  });
}

/** @param {string} key @returns {key is MessageKey} Whether there is such a message. */
export function hasMessage(key) {
  return key in messages;
}

/** Translates all that attributes name. @param {ParentNode} root */
export function translateElements(root) {
  for (const [attribute, property] of Object.entries(TARGETS)) {
    for (const found of root.querySelectorAll(`[${attribute}]`)) {
      Object.assign(found, { [property]: translate(/** @type {MessageKey} */ (found.getAttribute(attribute))) });
    }
  }
}

/** @param {Language} language @returns {Promise<Record<string, Message>>} */
async function fetchMessages(language) {
  const url = new URL(`messages/${language}.json`, import.meta.url);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: expected the page's texts, got HTTP ${response.status}`);
  return response.json();
}

/** @param {string | null} tag For example `es-MX`. */
function findLanguage(tag) {
  // Filipino is the standard form of Tagalog, and what browsers call it.
  const base = tag?.toLowerCase().split("-")[0].replace(/^fil$/, "tl");
  return /** @type {Language[]} */ (Object.keys(LANGUAGES)).find((language) => language === base);
}
