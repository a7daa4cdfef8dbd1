/**
 * Lets the real model answer in a browser, on its software adapter or on the processor, through the public module: a case
 * of the reference answers, word for word, first from the network and then from IndexedDB with no server to ask for it. On
 * SwiftShader it takes minutes.
 *
 *     node scripts/verify_browser.mjs --model FILE.gguf --golden CASES.json [--browser chromium] [--case multi-turn]
 *       [--tier NAME] [--backend cpu]
 */

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { openBrowser, readBrowserNames } from "../tests/web/support/browser.mjs";
import { EnginePage } from "../tests/web/support/engine_page.mjs";
import { startTestServer } from "../tests/web/support/test_server.mjs";

const TIMEOUT_MS = 40 * 60_000;
/** What the module may take besides the weights and the cache, where these are in its memory. */
const WASM_BUDGET_BYTES = 128 << 20;

/**
 * @typedef {object} GoldenCase
 * @property {string} name
 * @property {import("../tests/web/support/engine_page.mjs").Message[]} messages
 * @property {string} text
 * @property {unknown[]} steps
 * @property {"eos" | null} stop
 */

/**
 * @param {string} path
 * @param {string} name
 * @returns {Promise<GoldenCase>}
 */
async function readGoldenCase(path, name) {
  /** @type {GoldenCase[]} */
  const cases = JSON.parse(await readFile(path, "utf8"));
  const found = cases.find((candidate) => candidate.name === name);
  if (!found)
    throw new Error(`${path} has no case ${name}, only ${cases.map((candidate) => candidate.name).join(", ")}`);
  return found;
}

/**
 * @param {boolean} condition
 * @param {string} message
 */
function check(condition, message) {
  if (!condition) throw new Error(message);
}

/**
 * Loads the model into the page, lets it answer, and checks both.
 * @param {EnginePage} page
 * @param {GoldenCase} golden
 * @param {import("../tests/web/support/engine_page.mjs").LoadOptions} source
 * @param {{ fromCache: boolean }} expected
 */
async function verifyAnswer(page, golden, source, { fromCache }) {
  const started = performance.now();
  const { info, progress } = await page.load(source);
  const loadSeconds = (performance.now() - started) / 1000;
  console.log(`  ${info.model.name} on ${[info.backend, info.adapter].filter(Boolean).join(", ")}, tier ${info.tier}`);
  console.log(`  loaded in ${loadSeconds.toFixed(1)} s`);
  check(info.backend === source.backend, `the backend: got ${info.backend}, expected ${source.backend}`);
  const { wasmBytes, weightsBytes, kvCacheBytes } = info.memory;
  const wasmLimit = WASM_BUDGET_BYTES + (info.backend === "cpu" ? weightsBytes + kvCacheBytes : 0);
  const mebibytes = (/** @type {number} */ bytes) => `${(bytes / (1 << 20)).toFixed(1)} MiB`;
  console.log(
    `  wasm memory ${mebibytes(wasmBytes)} (limit ${mebibytes(wasmLimit)}), ` +
      `weights ${mebibytes(weightsBytes)}, KV cache ${mebibytes(kvCacheBytes)}`,
  );
  check(wasmBytes < wasmLimit, `wasm memory: got ${wasmBytes} bytes, expected under ${wasmLimit}`);
  const cached = progress.some((step) => step.fromCache);
  check(cached === fromCache, `the bytes: got fromCache ${cached}, expected ${fromCache}`);

  // An answer that ends by itself gets room to go on, so that a wrong end shows.
  const [maxTokens, finishReason] =
    golden.stop === "eos" ? [golden.steps.length + 8, "stop"] : [golden.steps.length, "length"];
  const { result } = await page.chat(golden.messages, { temperature: 0, repetitionPenalty: 1, maxTokens });
  const { usage, timings } = result;
  console.log(
    `  prefill ${usage.promptTokens} tokens at ${timings.prefillTokensPerSecond.toFixed(2)} tok/s, ` +
      `decode ${usage.completionTokens} tokens at ${timings.decodeTokensPerSecond.toFixed(2)} tok/s`,
  );
  console.log(`  answer: ${JSON.stringify(result.text)} (${result.finishReason})`);
  check(result.text === golden.text, `the answer: got ${JSON.stringify(result.text)}, expected "${golden.text}"`);
  check(
    result.finishReason === finishReason,
    `the end of the answer: got ${result.finishReason}, expected ${finishReason}`,
  );
  check(page.uncaught.length === 0, `uncaught in the page: ${page.uncaught.join("; ")}`);
}

async function main() {
  const { values } = parseArgs({
    options: {
      model: { type: "string" },
      golden: { type: "string" },
      case: { type: "string", default: "multi-turn" },
      tier: { type: "string", default: "auto" },
      browser: { type: "string", default: "chromium" },
      backend: { type: "string", default: "webgpu" },
    },
  });
  if (!values.model || !values.golden) throw new Error("--model and --golden are needed");
  const golden = await readGoldenCase(values.golden, values.case);
  const server = await startTestServer({ modelPath: resolve(values.model) });
  const [name] = readBrowserNames(values.browser);
  const browser = await openBrowser(name);
  try {
    console.log(browser.version);
    const { models } = await (await fetch(`${server.url}models.json`)).json();
    // What is no tier or no backend, the engine itself refuses.
    const tier = /** @type {import("../www/engine/qwisp.js").Tier} */ (values.tier);
    const backend = /** @type {import("../www/engine/qwisp.js").Backend} */ (values.backend);
    const source = { model: server.modelUrl, sha256: models[0].sha256, backend, tier };
    const page = await EnginePage.open(browser.context, server.url);
    console.log(`${golden.name}, over HTTP:`);
    await verifyAnswer(page, golden, source, { fromCache: false });

    server.goOffline();
    await page.page.reload();
    console.log(`${golden.name}, from IndexedDB, with no server to ask for it:`);
    await verifyAnswer(page, golden, source, { fromCache: true });
  } finally {
    await browser.close();
    await server.close();
  }
}

setTimeout(() => {
  console.error(`error: no answer after ${TIMEOUT_MS / 60_000} minutes`);
  process.exit(1);
}, TIMEOUT_MS).unref();
await main().catch((error) => {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
});
