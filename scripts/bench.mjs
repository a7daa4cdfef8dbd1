/**
 * Measures Qwisp and prints one table: in Chromium, natively, wllama beside it, and an older build where one is given.
 * Progress goes to standard error.
 *
 *     node scripts/bench.mjs --model FILE.gguf [options]
 *
 * - `--targets chromium,cpu,wllama,native`: what to measure; `chromium` is on WebGPU, `cpu` the same on the processor
 * - `--baseline DIST`: another build, measured in the same Chromium, for ratios before and after
 * - `--prompts 64,256,1024`, `--generate 32`, `--runs 3`: lengths of prompts, tokens of an answer, repetitions
 * - `--tier auto`: which tier of kernels to use
 * - `--patience 360`: seconds that one length of prompt may take on a target; on a software adapter the long ones are
 *   measured less often or left out, and the notes below the table say so
 * - `--timeout 60`: minutes after which a target is given up
 * - `--dist dist`: the build
 * - `--out FILE.json`: where to write everything that was measured
 */

import { writeFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { parseArgs } from "node:util";
import { measureInChromium } from "./bench/chromium.mjs";
import { describeMachine } from "./bench/machine.mjs";
import { measureNatively } from "./bench/native.mjs";
import { TARGET_NAMES, table } from "./bench/table.mjs";
import { measureWllama } from "./bench/wllama.mjs";

/**
 * @typedef {import("./bench/table.mjs").Results} Results
 * @typedef {[keyof Results, (log: (step: string) => void) => Promise<import("./bench/chromium.mjs").Result>]} Measurement
 */

const TARGETS = ["chromium", "cpu", "wllama", "native"];

function readOptions() {
  const { values } = parseArgs({
    options: {
      model: { type: "string" },
      targets: { type: "string", default: TARGETS.join(",") },
      baseline: { type: "string" },
      prompts: { type: "string", default: "64,256,1024" },
      generate: { type: "string", default: "32" },
      runs: { type: "string", default: "3" },
      tier: { type: "string", default: "auto" },
      patience: { type: "string", default: "360" },
      timeout: { type: "string", default: "60" },
      dist: { type: "string", default: "dist" },
      out: { type: "string" },
    },
  });
  if (!values.model) throw new Error("--model FILE.gguf is needed");
  const targets = values.targets.split(",");
  const unknown = targets.find((target) => !TARGETS.includes(target));
  if (unknown !== undefined) throw new Error(`--targets: expected some of ${TARGETS.join(", ")}, got "${unknown}"`);
  return {
    modelPath: resolve(values.model),
    targets,
    baseline: values.baseline && resolve(values.baseline),
    distDir: resolve(values.dist),
    tier: values.tier,
    plan: {
      prompts: values.prompts.split(",").map((count) => readCount("prompts", count)),
      generate: readCount("generate", values.generate),
      runs: readCount("runs", values.runs),
      patienceMs: 1000 * readCount("patience", values.patience),
    },
    timeoutMs: 60_000 * readCount("timeout", values.timeout),
    out: values.out,
  };
}

/**
 * @param {string} name
 * @param {string} text
 */
function readCount(name, text) {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new Error(`--${name}: expected a whole number, got "${text}"`);
  return count;
}

async function main() {
  const options = readOptions();
  const { baseline, plan } = options;
  const started = performance.now();
  const wanted = (/** @type {string} */ target) => options.targets.includes(target);
  /** @type {Measurement[]} */
  const measurements = [];
  if (wanted("native")) measurements.push(["native", (log) => measureNatively({ ...options, log })]);
  if (wanted("chromium")) {
    measurements.push(["chromium", (log) => measureInChromium({ ...options, backend: "webgpu", log })]);
  }
  if (baseline) {
    const older = /** @type {const} */ ({ ...options, distDir: baseline, backend: "webgpu", tier: "auto" });
    measurements.push(["baseline", (log) => measureInChromium({ ...older, log })]);
  }
  if (wanted("cpu")) {
    measurements.push(["cpu", (log) => measureInChromium({ ...options, backend: "cpu", tier: "auto", log })]);
  }
  if (wanted("wllama")) measurements.push(["wllama", (log) => measureWllama({ ...options, log })]);

  /** @type {Results} */
  const results = {};
  /** @type {string[]} */
  const notes = [];
  for (const [target, measure] of measurements) {
    const name = TARGET_NAMES[target];
    const log = (/** @type {string} */ step) => {
      const seconds = Math.round((performance.now() - started) / 1000);
      console.error(`${String(seconds).padStart(5)} s  ${name}: ${step}`);
    };
    try {
      log("starting");
      const result = await measure(log);
      results[target] = result;
      notes.push(...result.notes.map((note) => `${name}: ${note}`));
    } catch (error) {
      const [reason] = /** @type {Error} */ (error).message.split("\n");
      log(`failed: ${/** @type {Error} */ (error).message}`);
      notes.push(`${name}: not measured: ${reason}`);
      process.exitCode = 1;
    }
  }

  const minutes = ((performance.now() - started) / 60_000).toFixed(0);
  const facts = [...describeMachine(), ...describeTargets(results), ...describeMethod(options, minutes)];
  if (Object.keys(results).length > 0) console.log(`${table(results, plan.prompts)}\n`);
  console.log(`${[...facts, ...notes].map((line) => `- ${line}`).join("\n")}`);
  if (options.out) {
    const all = { model: basename(options.modelPath), plan, facts, notes, results };
    await writeFile(options.out, `${JSON.stringify(all, null, 2)}\n`);
  }
}

/** @param {Results} results */
function describeTargets({ native, chromium, cpu, baseline, wllama }) {
  const lines = [];
  const tier = (/** @type {string | undefined} */ name) => (name ? `, tier ${name}` : "");
  if (chromium) lines.push(`Chromium: ${chromium.browser}, adapter ${chromium.adapter}${tier(chromium.tier)}`);
  if (baseline) lines.push(`before: the older build in the same browser${tier(baseline.tier)}`);
  if (cpu) lines.push(`Chromium, CPU: the same build on the processor, in one thread: ${cpu.adapter}`);
  if (wllama) lines.push("wllama: llama.cpp as WebAssembly in the same browser, CPU, one thread");
  if (native) lines.push(`native: the same engine on ${native.adapter}${tier(native.tier)}; its load is from the disk`);
  return lines;
}

/**
 * @param {ReturnType<typeof readOptions>} options
 * @param {string} minutes
 */
function describeMethod({ modelPath, plan: { generate, runs } }, minutes) {
  return [
    `Model: ${basename(modelPath)}; ${generate} tokens generated greedily; nothing of a prompt is in the KV cache`,
    `Speeds and loads are medians of ${runs} runs unless noted, wllama's loads single; in all it took ${minutes} min`,
    "Ratios say how many times better Chromium is, on WebGPU unless noted, also where less is better. Costs of a token are those at the shortest prompt",
  ];
}

await main().catch((error) => {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
});
