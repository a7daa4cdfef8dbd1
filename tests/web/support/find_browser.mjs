/** Finds the browsers that the tests drive. Run as a program with a browser's name, it prints the path, or what to install. */

import { accessSync, constants } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * What is looked for: a program of one of these names, unless the variable says another path.
 * @type {Record<import("./browser.mjs").BrowserName, { title: string, variable: string, names: string[], debian: string }>}
 */
const PROGRAMS = {
  chromium: {
    title: "Chromium",
    variable: "CHROMIUM",
    names: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
    debian: "chromium",
  },
  firefox: { title: "Firefox", variable: "FIREFOX", names: ["firefox-esr", "firefox"], debian: "firefox-esr" },
};

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * @param {import("./browser.mjs").BrowserName} browser
 * @returns {string} the path of the browser: what its variable says, otherwise the first of its usual names on the PATH
 */
export function findBrowser(browser) {
  const { title, variable, names, debian } = PROGRAMS[browser];
  const chosen = process.env[variable];
  if (chosen && !isExecutable(chosen)) throw new Error(`${variable}=${chosen} is not a program`);
  const folders = (process.env.PATH ?? "").split(delimiter);
  const found = chosen || names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
  if (!found) {
    throw new Error(
      `There is no ${title} to test in. Install it (Debian: apt-get install ${debian}), ` +
        `or set the variable ${variable} to the path of one.`,
    );
  }
  return found;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    const browser = process.argv[2];
    if (browser !== "chromium" && browser !== "firefox")
      throw new Error(`expected chromium or firefox, got ${browser}`);
    console.log(findBrowser(browser));
  } catch (error) {
    console.error(/** @type {Error} */ (error).message);
    process.exit(1);
  }
}
