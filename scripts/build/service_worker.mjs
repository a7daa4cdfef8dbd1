/** Writes into the built service worker which files the page consists of. */

import { createHash } from "node:crypto";
import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";

/** What the page does not need to open: types, pictures for shops, and the service worker itself. */
const NOT_KEPT = [/^sw\.js$/, /\.d\.ts$/, /^screenshots\//, /LICENSE/, /^app\/icons\/.*512/];

const PLACEHOLDER = '{ version: "", files: {} }';

/**
 * The files of the page by path, `""` being the page, with the beginning of their SHA-256.
 * @param {string} folder
 * @returns {Record<string, string>}
 */
export function listShellFiles(folder) {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => statSync(join(folder, path)).isFile())
    .map((path) => relative(folder, join(folder, path)).split(sep).join("/"))
    .filter((path) => !NOT_KEPT.some((pattern) => pattern.test(path)))
    .sort();
  return Object.fromEntries(
    paths.map((path) => [path === "index.html" ? "" : path, hash(readFileSync(join(folder, path)))]),
  );
}

/**
 * To be called when all other files are as they will be served.
 * @param {string} folder
 */
export function writeServiceWorker(folder) {
  const files = listShellFiles(folder);
  const path = join(folder, "sw.js");
  const source = readFileSync(path, "utf8");
  if (!source.includes(PLACEHOLDER)) throw new Error(`${path}: expected ${PLACEHOLDER} for the build to fill in`);
  const version = hash(JSON.stringify(files) + source);
  writeFileSync(path, source.replace(PLACEHOLDER, JSON.stringify({ version, files })));
}

/** @param {string | Uint8Array} bytes */
function hash(bytes) {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}
