/** Measures the same engine natively, with `examples/bench.rs`. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * @typedef {import("../../www/bench/measure.js").Plan} Plan
 * @typedef {import("./chromium.mjs").Result} Result
 */

/**
 * @param {{ modelPath: string, tier: string, plan: Plan, timeoutMs: number, log: (step: string) => void }} options
 * @returns {Promise<Result>}
 */
export async function measureNatively({ modelPath, tier, plan, timeoutMs, log }) {
  const cargo = ["--locked", "--quiet", "--release", "--example", "bench"];
  log("building the example");
  await run("cargo", ["build", ...cargo], { timeout: timeoutMs });
  const { prompts, generate, runs, patienceMs } = plan;
  const options = Object.entries({ model: modelPath, prompts, generate, runs, tier, patience: patienceMs / 1000 });
  const words = options.flatMap(([name, value]) => [`--${name}`, String(value)]);
  const measuring = run("cargo", ["run", ...cargo, "--", ...words], { timeout: timeoutMs });
  measuring.child.stderr?.on("data", (/** @type {string} */ text) => {
    for (const line of text.split("\n")) if (line && !line.includes("XDG_RUNTIME_DIR")) log(line);
  });
  const { loadMs, ...measured } = JSON.parse((await measuring).stdout);
  // A file on disk is neither in the network nor in IndexedDB, but nearer to the latter.
  return { ...measured, networkLoadMs: [], storedLoadMs: [loadMs] };
}
