/** Makes the model that the browser tests load: a real architecture with random weights, a few hundred kilobytes. */

import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * @param {{ paddingBytes?: number, architecture?: string, headDim?: number }} [options] `paddingBytes`, a multiple of 4,
 *   make the file larger and leave the model as it is
 * @returns {string} the path of the GGUF file
 */
export function makeTinyModel({ paddingBytes = 0, architecture = "qwen2", headDim = 64 } = {}) {
  const name = `tiny${architecture === "qwen2" ? "" : `_${architecture}`}${paddingBytes ? "_padded" : ""}`;
  const path = resolve(`target/test-models/${name}.gguf`);
  mkdirSync(dirname(path), { recursive: true });
  const args = ["--out", path, "--padding-bytes", String(paddingBytes)];
  args.push("--architecture", architecture, "--head-dim", String(headDim));
  execFileSync("cargo", ["run", "--locked", "--quiet", "--example", "tiny_model", "--", ...args], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  return path;
}
