/** Makes the model that the browser tests load: a real architecture with random weights, a few hundred kilobytes. */

import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * @param {{ paddingBytes?: number }} [options] bytes, a multiple of 4, that make the file larger and leave the model as
 *   it is
 * @returns {string} the path of the GGUF file
 */
export function makeTinyModel({ paddingBytes = 0 } = {}) {
  const path = resolve(`target/test-models/tiny${paddingBytes ? "_padded" : ""}.gguf`);
  mkdirSync(dirname(path), { recursive: true });
  const args = ["--out", path, "--padding-bytes", String(paddingBytes)];
  execFileSync("cargo", ["run", "--locked", "--quiet", "--example", "tiny_model", "--", ...args], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  return path;
}
