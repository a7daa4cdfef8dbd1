/** Makes the model that the browser tests load: a real architecture with random weights, a few hundred kilobytes. */

import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** @returns {string} the path of the GGUF file */
export function makeTinyModel() {
  const path = resolve("target/test-models/tiny.gguf");
  mkdirSync(dirname(path), { recursive: true });
  execFileSync("cargo", ["run", "--locked", "--quiet", "--example", "tiny_model", "--", "--out", path], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  return path;
}
