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
 * Elements on a page, looked for anew at each use. What does or reads something waits until there is one that can be seen;
 * what reads of all of them doesn't wait.
 * @typedef {object} TestLocator
 * @property {(role: Role, options?: { name?: string | RegExp, exact?: boolean }) => TestLocator} getByRole
 * @property {(text: string | RegExp, options?: { exact?: boolean }) => TestLocator} getByText
 * @property {(selector: string) => TestLocator} locator
 * @property {() => TestLocator} first
 * @property {() => TestLocator} last
 * @property {() => Promise<void>} waitFor
 * @property {() => Promise<void>} click
 * @property {() => Promise<void>} hover
 * @property {() => Promise<void>} focus
 * @property {(text: string) => Promise<void>} fill replaces what is in a field
 * @property {(key: string) => Promise<void>} press
 * @property {(value: string) => Promise<unknown>} selectOption
 * @property {(path: string) => Promise<void>} setInputFiles
 * @property {() => Promise<string>} innerText
 * @property {() => Promise<string | null>} textContent
 * @property {() => Promise<string>} inputValue
 * @property {(name: string) => Promise<string | null>} getAttribute
 * @property {() => Promise<number>} count
 * @property {() => Promise<boolean>} isVisible
 * @property {() => Promise<string[]>} allInnerTexts
 * @property {() => Promise<string[]>} allTextContents
 * @property {<R>(read: (elements: Element[]) => R) => Promise<R>} evaluateAll
 *
 * @typedef {"alert" | "banner" | "button" | "combobox" | "dialog" | "heading" | "log" | "main" | "menuitem" | "searchbox"
 *   | "spinbutton" | "status" | "textbox"} Role
 */

/**
 * One tab.
 * @typedef {object} TestPage
 * @property {(url: string) => Promise<unknown>} goto
 * @property {() => Promise<unknown>} reload
 * @property {() => string} url
 * @property {() => Promise<string>} title
 * @property {{ press(key: string): Promise<void>, type(text: string): Promise<void> }} keyboard
 * @property {<R, A = undefined>(run: (argument: A) => R | Promise<R>, argument?: A) => Promise<R>} evaluate runs in the
 *   page
 * @property {<A = undefined>(test: (argument: A) => unknown, argument?: A) => Promise<unknown>} waitForFunction waits until
 *   it is true in the page
 * @property {(size: { width: number, height: number }) => Promise<void>} setViewportSize
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
 *   (event: "request", listener: (request: { url(): string }) => void): unknown;
 *   (event: "popup", listener: (page: { url(): string }) => void): unknown;
 * }} TestPageEvents
 */

/** @typedef {{ newPage(): Promise<TestPage> }} TestContext the tabs of one profile */

/**
 * @typedef {object} TestBrowser
 * @property {TestContext} context
 * @property {string} version its name and version
 * @property {() => Promise<void>} close
 */

/**
 * @typedef {object} LaunchOptions
 * @property {boolean} [webgpu] false is a browser without an adapter
 * @property {boolean} [serviceWorkers] true lets pages have them; else whatever the server gives is what a page gets
 */

/** @type {Record<BrowserName, { title: string, launch: (options?: LaunchOptions) => Promise<TestBrowser> }>} */
const BROWSERS = {
  chromium: { title: "Chromium", launch: launchChromium },
  firefox: { title: "Firefox", launch: launchFirefox },
};

/**
 * Starts a browser with an empty profile, in which pages may use the clipboard.
 * @param {BrowserName} name
 * @param {LaunchOptions} [options]
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
