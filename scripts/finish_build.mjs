/**
 * Trunk's last step, on the staged files before they become dist/: optimises the wasm module of a release build, leaves
 * one copy of the public module, at the root, takes comments out of scripts, and tells the service worker what the page consists of.
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { removeComments } from "./build/comments.mjs";
import { writeServiceWorker } from "./build/service_worker.mjs";
import { copyVendor } from "./build/vendor.mjs";

// What every browser with WebGPU has had for years; wasm-opt must know them to read the module.
const WASM_FEATURES = [
  "bulk-memory",
  "multivalue",
  "mutable-globals",
  "nontrapping-float-to-int",
  "reference-types",
  "sign-ext",
  "simd",
];
const WASM_OPT_ARGUMENTS = ["-O3", ...WASM_FEATURES.map((feature) => `--enable-${feature}`)];
const WASM_OPT = "node_modules/binaryen/bin/wasm-opt";

/**
 * Optimises a module in place. The result is kept under the hash of what it was made from, because wasm-opt takes
 * much longer than the rest of a build in which no Rust changed.
 * @param {string} wasmPath
 */
function optimiseWasm(wasmPath) {
  const { version } = JSON.parse(readFileSync("node_modules/binaryen/package.json", "utf8"));
  const key = createHash("sha256").update(`${version} ${WASM_OPT_ARGUMENTS}`).update(readFileSync(wasmPath));
  const cacheDir = "target/wasm-opt";
  const cached = join(cacheDir, `${key.digest("hex")}.wasm`);
  if (!existsSync(cached)) {
    rmSync(cacheDir, { recursive: true, force: true });
    mkdirSync(cacheDir, { recursive: true });
    execFileSync(process.execPath, [WASM_OPT, ...WASM_OPT_ARGUMENTS, wasmPath, "-o", `${cached}.tmp`], {
      stdio: "inherit",
    });
    renameSync(`${cached}.tmp`, cached);
  }
  const [before, after] = [wasmPath, cached].map((path) => statSync(path).size);
  copyFileSync(cached, wasmPath);
  console.log(`wasm-opt: ${before} to ${after} bytes`);
}

const staging = process.env.TRUNK_STAGING_DIR;
if (!staging) throw new Error("TRUNK_STAGING_DIR is not set: this is a hook of trunk, see Trunk.toml");
if (process.env.TRUNK_PROFILE === "release") optimiseWasm(join(staging, "engine/wasm/qwisp_bg.wasm"));
for (const file of ["qwisp.js", "qwisp.d.ts"]) renameSync(join(staging, "engine", file), join(staging, file));
copyVendor(staging);
removeComments(staging);
writeServiceWorker(staging); // last: it lists and hashes all other files
