/**
 * The browsers that the tests run in, behind one interface: the part of Playwright's that the tests use. Playwright
 * drives Chromium; a stock Firefox it can't drive, so `firefox_page.mjs` does the same through Puppeteer.
 */

import { describe } from "node:test";
import { launchChromium } from "./chromium.mjs";
import { launchFirefox } from "./firefox.mjs";

export { launchChromium };

/** @typedef {"chromium" | "firefox"} BrowserName */

/**
 * Elements on a page, looked for anew at each use. What does something waits until there is one that can be seen.
 * @typedef {object} TestLocator
 * @property {(role: Role, options?: { name?: string | RegExp, exact?: boolean }) => TestLocator} getByRole
 * @property {(text: string | RegExp) => TestLocator} getByText
 * @property {() => Promise<void>} waitFor
 * @property {() => Promise<void>} click
 * @property {(text: string) => Promise<void>} fill replaces what is in a field
 * @property {(key: string) => Promise<void>} press
 * @property {(path: string) => Promise<void>} setInputFiles
 * @property {() => Promise<string>} innerText
 * @property {() => Promise<number>} count does not wait
 * @property {<R>(read: (elements: Element[]) => R) => Promise<R>} evaluateAll does not wait
 *
 * @typedef {"alert" | "banner" | "button" | "heading" | "log" | "main" | "status" | "textbox"} Role
 */

/**
 * One tab.
 * @typedef {object} TestPage
 * @property {(url: string) => Promise<unknown>} goto
 * @property {() => Promise<unknown>} reload
 * @property {<R, A = undefined>(run: (argument: A) => R | Promise<R>, argument?: A) => Promise<R>} evaluate runs in the
 *   page
 * @property {TestPageEvents} on
 * @property {(ms: number) => void} setDefaultTimeout
 * @property {TestLocator["getByRole"]} getByRole
 * @property {TestLocator["getByText"]} getByText
 * @property {(text: string) => TestLocator} getByLabel
 * @property {(selector: string) => TestLocator} locator
 * @property {() => Promise<void>} close
 *
 * @typedef {{
 *   (event: "pageerror", listener: (error: Error) => void): unknown;
 *   (event: "console", listener: (message: { type(): string, text(): string }) => void): unknown;
 * }} TestPageEvents
 */

/** @typedef {{ newPage(): Promise<TestPage> }} TestContext the tabs of one profile */

/**
 * @typedef {object} TestBrowser
 * @property {TestContext} context
 * @property {string} version its name and version
 * @property {() => Promise<void>} close
 */

/** @type {Record<BrowserName, { title: string, launch: (options?: { webgpu?: boolean }) => Promise<TestBrowser> }>} */
const BROWSERS = {
  chromium: { title: "Chromium", launch: launchChromium },
  firefox: { title: "Firefox", launch: launchFirefox },
};

/**
 * Starts a browser with an empty profile, in which pages may use the clipboard.
 * @param {BrowserName} name
 * @param {{ webgpu?: boolean }} [options] `webgpu: false` is a browser without an adapter
 * @returns {Promise<TestBrowser>}
 */
export function openBrowser(name, options) {
  return BROWSERS[name].launch(options);
}

/**
 * The names of browsers in a text, separated by commas.
 * @param {string} names
 * @returns {BrowserName[]}
 */
export function readBrowserNames(names) {
  const known = /** @type {BrowserName[]} */ (Object.keys(BROWSERS));
  return names.split(",").map((name) => {
    const found = known.find((candidate) => candidate === name.trim());
    if (!found) throw new Error(`browsers: expected some of ${known.join(", ")}, got "${name}"`);
    return found;
  });
}

/**
 * The same tests in each browser, or in those that the variable BROWSERS names.
 * @param {string} title
 * @param {{ timeout: number }} options
 * @param {(browser: BrowserName) => void} define
 */
export function describeInEachBrowser(title, options, define) {
  for (const name of readBrowserNames(process.env.BROWSERS || "chromium,firefox")) {
    describe(`${title} in ${BROWSERS[name].title}`, options, () => define(name));
  }
}
