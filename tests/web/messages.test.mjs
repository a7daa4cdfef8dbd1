/** The page's texts: every language has every message, with the same placeholders; the HTML has the English ones. */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { PRESETS } from "../../www/app/presets.js";
import { NUMBER_NAMES } from "../../www/app/settings.js";
import { LANGUAGES, pickLanguage, setMessages, translate } from "../../www/app/i18n.js";

/** @typedef {import("../../www/app/i18n.js").Message} Message */

const FOLDER = "www/app/messages";
const languages = /** @type {(keyof typeof LANGUAGES)[]} */ (Object.keys(LANGUAGES));
/** @type {Record<string, Record<string, Message>>} */
const messages = Object.fromEntries(
  languages.map((language) => [language, JSON.parse(readFileSync(`${FOLDER}/${language}.json`, "utf8"))]),
);

const types = readFileSync("www/engine/qwisp.d.ts", "utf8");
/** The texts of a union of the public types. @param {RegExp} union */
const textsOfUnion = (union) => [...(union.exec(types)?.[1] ?? "").matchAll(/"([^"]+)"/g)].map(([, text]) => text);

const tasks = textsOfUnion(/type Task =([^;]+);/);
const kinds = textsOfUnion(/type ErrorKind =([^;]+);/);
const { models } = JSON.parse(readFileSync("www/models.json", "utf8"));

/**
 * Keys that the code puts together, and of what.
 * @type {Record<string, readonly string[]>}
 */
const FAMILIES = {
  "failure.${kind}.title": kinds,
  "failure.${kind}.advice": kinds,
  "loading.${phase}": textsOfUnion(/phase: ("wait"[^;]+);/),
  "health.fallback.${reason}": textsOfUnion(/interface Fallback {[^}]*reason:([^;]+);/),
  "health.${level}": ["healthy", "degraded", "failing"],
  "models.${entry?.id}.description": models.map((/** @type {{ id: string }} */ { id }) => id),
  "preset.${name}": ["none", ...Object.keys(PRESETS), "own"],
  "settings.${name}": NUMBER_NAMES,
  "settings.${name}.help": NUMBER_NAMES,
  "task.${task}": tasks,
  "task.${TASKS[index]}": tasks,
};

/** @param {Message} message @returns {string[]} */
const textsOf = (message) => (typeof message === "string" ? [message] : Object.values(message));

/** @param {string} text */
const placeholdersOf = (text) => [...new Set(text.match(/\{\w+\}/g))].sort();

describe("the messages", () => {
  it("are one file for each language", () => {
    assert.deepEqual(readdirSync(FOLDER).sort(), languages.map((language) => `${language}.json`).sort());
  });

  for (const language of languages) {
    it(`are complete in ${language}, and in order`, () => {
      const keys = Object.keys(messages[language]);
      assert.deepEqual(keys, [...keys].sort(), "sorted, so that two changes seldom meet");
      assert.deepEqual(keys, Object.keys(messages.en));
      const { pluralCategories } = new Intl.PluralRules(language).resolvedOptions();
      for (const [key, message] of Object.entries(messages[language])) {
        const expected = [...new Set(textsOf(messages.en[key]).flatMap(placeholdersOf))].sort();
        for (const text of textsOf(message)) {
          assert.notEqual(text.trim(), "", key);
          // The form for one may leave the number out.
          const got = placeholdersOf(text).concat(typeof message === "object" ? ["{count}"] : []);
          assert.deepEqual([...new Set(got)].sort(), expected, `${language}: ${key}: "${text}"`);
        }
        if (typeof message === "object") {
          assert.ok("other" in message, `${key} has the form that all languages have`);
          for (const category of Object.keys(message)) {
            assert.ok(
              pluralCategories.some((known) => known === category),
              `${language}: ${key} has ${category}`,
            );
          }
        }
      }
    });
  }

  it("are what the HTML says in English", () => {
    const html = readFileSync("www/index.html", "utf8");
    const unescaped = (/** @type {string} */ text) =>
      text.replaceAll("&amp;", "&").replaceAll("&lt;", "<").replace(/\s+/g, " ").trim();
    let found = 0;
    for (const [, tag, key, text] of html.matchAll(/<(\w+)\b[^>]*?\sdata-message="([^"]+)"[^>]*>([^<]*)<\/\1/g)) {
      assert.equal(unescaped(text), messages.en[key], `<${tag} data-message="${key}">`);
      found++;
    }
    assert.equal(found, html.match(/\sdata-message="/g)?.length, "no element with a message has elements in it");
    for (const [attribute, target] of [
      ["label", "aria-label"],
      ["placeholder", "placeholder"],
      ["title", "title"],
    ]) {
      for (const [tag, key] of html.matchAll(new RegExp(`<[^>]*\\sdata-message-${attribute}="([^"]+)"[^>]*>`, "g"))) {
        assert.ok(tag.includes(` ${target}="${messages.en[key]}"`), `${attribute} ${key}: ${tag}`);
      }
    }
  });

  it("are all used, and none is missing", () => {
    const names = readdirSync("www", { recursive: true, encoding: "utf8" });
    const files = names.filter((name) => /^(app|bench)\b.*\.js$|^[^/]+\.html$/.test(name));
    const code = files.map((name) => readFileSync(`www/${name}`, "utf8")).join("\n");
    const built = [...code.matchAll(/`([a-z]+\.[^`\s]*\$\{[^`\s]+)`/g)].map(([, template]) => template);
    assert.deepEqual(
      built.filter((template) => !(template in FAMILIES)),
      [],
      "keys that are put together are listed above",
    );
    const inFamilies = Object.entries(FAMILIES).flatMap(([template, names]) => {
      assert.ok(built.includes(template), `${template} is in no code`);
      return names.map((name) => template.replace(/\$\{[^}]+\}/, name));
    });
    const keys = Object.keys(messages.en);
    assert.deepEqual(
      inFamilies.filter((key) => !keys.includes(key)),
      [],
      "missing",
    );
    const isUsed = (/** @type {string} */ key) => inFamilies.includes(key) || code.includes(`"${key}"`);
    assert.deepEqual(
      keys.filter((key) => !isUsed(key)),
      [],
      "unused",
    );
  });

  it("write numbers and plurals as the language does", () => {
    setMessages("es", messages.es);
    assert.equal(translate("tokens", { count: 1 }), "1 token");
    assert.equal(translate("tokens", { count: 12345 }), "12.345 tokens");
    assert.equal(translate("start.download", { size: "491 MB" }), "Descargar 491 MB");
    setMessages("en", messages.en);
    assert.equal(translate("tokens", { count: 12345 }), "12,345 tokens");
  });

  for (const [asked, expected] of /** @type {const} */ ([
    [{ address: null, stored: null, browser: ["fr-FR", "es-MX", "en"] }, "es"],
    [{ address: null, stored: "zh", browser: ["es"] }, "zh"],
    [{ address: "tl", stored: "zh", browser: [] }, "tl"],
    [{ address: "xx", stored: null, browser: ["fil-PH"] }, "tl"],
    [{ address: null, stored: null, browser: ["fr"] }, "en"],
  ])) {
    it(`choose ${expected} for ${JSON.stringify(asked)}`, () => assert.equal(pickLanguage(asked), expected));
  }
});
