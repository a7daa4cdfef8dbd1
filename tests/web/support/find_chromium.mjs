/** Finds the browser that the tests drive. Run as a program, it prints the path, or what to install. */

import { accessSync, constants } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

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
 * @returns {string} the path of Chromium or Chrome: what the variable CHROMIUM says, otherwise the first of the usual
 * names on the PATH
 */
export function findChromium() {
  const chosen = process.env.CHROMIUM;
  if (chosen && !isExecutable(chosen)) throw new Error(`CHROMIUM=${chosen} is not a program`);
  const folders = (process.env.PATH ?? "").split(delimiter);
  const found = chosen ?? NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
  if (!found) {
    throw new Error(
      "There is no Chromium to test in. Install it (Debian: apt-get install chromium), " +
        "or set the variable CHROMIUM to the path of one.",
    );
  }
  return found;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    console.log(findChromium());
  } catch (error) {
    console.error(/** @type {Error} */ (error).message);
    process.exit(1);
  }
}
