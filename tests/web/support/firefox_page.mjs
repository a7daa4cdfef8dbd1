/**
 * A tab of Firefox with the interface of `browser.mjs`. Clicks and keys are real ones. Elements are found by simple rules,
 * enough for this project's pages; that their roles and names are right is for Playwright to say, in Chromium.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { findElements } from "./find_elements.mjs";

/**
 * @typedef {import("./browser.mjs").TestLocator} TestLocator
 * @typedef {import("./browser.mjs").TestPage} TestPage
 * @typedef {import("./browser.mjs").Role} Role
 * @typedef {import("./find_elements.mjs").Step} Step
 * @typedef {import("puppeteer-core").ElementHandle<HTMLElement>} Handle
 */

const POLL_MS = 50;

/** @implements {TestLocator} */
class FirefoxLocator {
  #page;
  #steps;
  #timeoutMs;

  /**
   * @param {import("puppeteer-core").Page} page
   * @param {Step[]} steps each looks within what the one before found
   * @param {number} timeoutMs
   */
  constructor(page, steps, timeoutMs) {
    this.#page = page;
    this.#steps = steps;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * @param {Role} role
   * @param {{ name?: string | RegExp, exact?: boolean }} [options]
   */
  getByRole(role, { name, exact } = {}) {
    return this.within({ by: "role", value: role, ...(name === undefined ? {} : { text: wanted(name, exact) }) });
  }

  /**
   * @param {string | RegExp} text
   * @param {{ exact?: boolean }} [options]
   */
  getByText(text, { exact } = {}) {
    return this.within({ by: "text", text: wanted(text, exact) });
  }

  /** @param {string} selector */
  locator(selector) {
    return this.within({ by: "selector", value: selector });
  }

  first() {
    return this.within({ by: "place", value: 0 });
  }

  last() {
    return this.within({ by: "place", value: -1 });
  }

  /** @param {Step} step */
  within(step) {
    return new FirefoxLocator(this.#page, [...this.#steps, step], this.#timeoutMs);
  }

  async waitFor() {
    await this.#act(async () => {});
  }

  async click() {
    await this.#act((element) => element.click());
  }

  async hover() {
    await this.#act((element) => element.hover());
  }

  async focus() {
    await this.#act((element) => element.focus());
  }

  /** @param {string} text */
  async fill(text) {
    await this.#act(async (element) => {
      await element.evaluate((field) => /** @type {HTMLTextAreaElement} */ (field).select());
      await element.press("Backspace");
      // Typed, the end of a line would be the Enter that sends.
      if (text.includes("\n"))
        await element.evaluate((_, pasted) => document.execCommand("insertText", false, pasted), text);
      else await element.type(text);
    });
  }

  /** @param {string} value */
  async selectOption(value) {
    await this.#act((element) => element.select(value));
  }

  /** @param {string} key */
  async press(key) {
    await this.#act((element) => element.press(/** @type {import("puppeteer-core").KeyInput} */ (key)));
  }

  /** @param {string} path */
  async setInputFiles(path) {
    await this.#act((element) => /** @type {any} */ (element).uploadFile(path), { visible: false });
  }

  innerText() {
    return this.#act((element) => element.evaluate(({ innerText }) => innerText));
  }

  inputValue() {
    return this.#act((element) => element.evaluate((field) => /** @type {HTMLInputElement} */ (field).value));
  }

  /** @param {string} name */
  getAttribute(name) {
    return this.#act((element) => element.evaluate((found, name) => found.getAttribute(name), name));
  }

  textContent() {
    return this.#act((element) => element.evaluate(({ textContent }) => textContent));
  }

  allTextContents() {
    return this.evaluateAll((elements) => elements.map(({ textContent }) => textContent ?? ""));
  }

  async isVisible() {
    return (await this.count()) > 0;
  }

  allInnerTexts() {
    return this.evaluateAll((elements) => elements.map((element) => /** @type {HTMLElement} */ (element).innerText));
  }

  async count() {
    return await this.evaluateAll((elements) => elements.length);
  }

  /**
   * @template R
   * @param {(elements: Element[]) => R} read
   * @returns {Promise<R>}
   */
  async evaluateAll(read) {
    const elements = await this.#page.evaluateHandle(findElements, this.#steps, true);
    const result = await elements.evaluate(/** @type {any} */ (read));
    await elements.dispose();
    return /** @type {R} */ (result);
  }

  /**
   * Does something to the first element, as soon as there is one.
   * @template T
   * @param {(element: Handle) => Promise<T>} action
   * @param {{ visible?: boolean }} [options]
   */
  async #act(action, { visible = true } = {}) {
    const deadline = performance.now() + this.#timeoutMs;
    for (;;) {
      const elements = await this.#page.evaluateHandle(findElements, this.#steps, visible);
      const first = /** @type {Handle | null} */ ((await elements.evaluateHandle(([element]) => element)).asElement());
      await elements.dispose();
      if (first) return await action(first).finally(() => first.dispose());
      if (performance.now() > deadline) {
        throw new Error(`after ${this.#timeoutMs} ms there is still no ${JSON.stringify(this.#steps)}`);
      }
      await sleep(POLL_MS);
    }
  }
}

/** @implements {TestPage} */
export class FirefoxPage {
  #page;
  #timeoutMs = 30_000;

  /** @param {import("puppeteer-core").Page} page */
  constructor(page) {
    this.#page = page;
    /** @type {TestPage["on"]} */
    this.on = (event, listener) => page.on(event, /** @type {any} */ (listener));
  }

  /** @param {number} ms */
  setDefaultTimeout(ms) {
    this.#timeoutMs = ms;
    this.#page.setDefaultTimeout(ms);
  }

  /** @param {string} url */
  goto(url) {
    return this.#page.goto(url);
  }

  reload() {
    return this.#page.reload();
  }

  /**
   * @template R
   * @template [A=undefined]
   * @param {(argument: A) => R | Promise<R>} run
   * @param {A} [argument]
   * @returns {Promise<R>}
   */
  async evaluate(run, argument) {
    return await this.#page.evaluate(/** @type {any} */ (run), argument);
  }

  /**
   * @template [A=undefined]
   * @param {(argument: A) => unknown} test
   * @param {A} [argument]
   */
  waitForFunction(test, argument) {
    return this.#page.waitForFunction(/** @type {any} */ (test), { polling: POLL_MS }, argument);
  }

  /** @param {{ width: number, height: number }} size */
  setViewportSize(size) {
    return this.#page.setViewport(size);
  }

  url() {
    return this.#page.url();
  }

  title() {
    return this.#page.title();
  }

  get keyboard() {
    return /** @type {TestPage["keyboard"]} */ (this.#page.keyboard);
  }

  /**
   * @param {Role} role
   * @param {{ name?: string | RegExp, exact?: boolean }} [options]
   */
  getByRole(role, options) {
    return this.#document().getByRole(role, options);
  }

  /**
   * @param {string | RegExp} text
   * @param {{ exact?: boolean }} [options]
   */
  getByText(text, options) {
    return this.#document().getByText(text, options);
  }

  /** @param {string} text */
  getByLabel(text) {
    return this.#document().within({ by: "label", text: wanted(text) });
  }

  /** @param {string} selector */
  locator(selector) {
    return this.#document().locator(selector);
  }

  async close() {
    await this.#page.close();
  }

  #document() {
    return new FirefoxLocator(this.#page, [], this.#timeoutMs);
  }
}

/**
 * As Playwright compares: a text is looked for anywhere and in any case, unless exactly this one is wanted.
 * @param {string | RegExp} text
 * @param {boolean} [exact]
 * @returns {import("./find_elements.mjs").WantedText}
 */
function wanted(text, exact = false) {
  if (text instanceof RegExp) return { pattern: text.source, flags: text.flags };
  const escaped = text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return exact ? { pattern: `^${escaped}$`, flags: "" } : { pattern: escaped, flags: "i" };
}
