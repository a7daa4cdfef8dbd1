/** Measures a build of Qwisp in Chromium, on WebGPU or the processor: loading, memory, speed, counters. */

import { withPage } from "./browser_page.mjs";

/**
 * @typedef {import("../../www/bench/measure.js").Plan} Plan
 * @typedef {import("../../www/bench/measure.js").LengthResult} LengthResult
 */

/**
 * What was found out about one target. What a target cannot say is missing.
 *
 * @typedef {object} Result
 * @property {string} [browser]
 * @property {string} [adapter]
 * @property {string} [tier]
 * @property {number[]} networkLoadMs
 * @property {number[]} storedLoadMs
 * @property {number} [wasmBytes] The most that the module's memory ever was.
 * @property {number} [bandwidth] In bytes per second.
 * @property {LengthResult[]} lengths
 * @property {string[]} notes
 */

/**
 * @param {object} options
 * @param {string} options.distDir
 * @param {string} options.modelPath
 * @param {"webgpu" | "cpu"} options.backend
 * @param {string} options.tier
 * @param {Plan} options.plan
 * @param {number} options.timeoutMs
 * @param {(step: string) => void} options.log
 * @returns {Promise<Result>}
 */
export function measureInChromium({ distDir, modelPath, backend, tier, plan, timeoutMs, log }) {
  return withPage({ distDir, modelPath, timeoutMs, log }, async (page, url) => {
    /** @type {number[]} */
    const networkLoadMs = [];
    /** @type {number[]} */
    const storedLoadMs = [];
    for (let run = 1; run <= plan.runs; run++) {
      networkLoadMs.push(await load(page, url, { backend, tier, fromStore: false }));
      storedLoadMs.push(await load(page, url, { backend, tier, fromStore: true }));
      const [network, stored] = [networkLoadMs, storedLoadMs].map((times) => (times[run - 1] / 1000).toFixed(1));
      log(`load ${run} of ${plan.runs}: ${network} s from the network, ${stored} s from IndexedDB`);
    }
    const measured = await page.evaluate(measureInPage, plan);
    return { networkLoadMs, storedLoadMs, ...measured, wasmBytes: await readWasmBytes(page) };
  });
}

/**
 * Loads the model into the page, in place of the engine that is there.
 * @param {import("playwright-core").Page} page
 * @param {string} url
 * @param {{ backend: string, tier: string, fromStore: boolean }} options without `fromStore`, what is stored is removed first
 * @returns {Promise<number>} how many milliseconds it took
 */
function load(page, url, { backend, tier, fromStore }) {
  return page.evaluate(
    async ({ url, backend, tier, fromStore }) => {
      const global = /** @type {any} */ (globalThis);
      const { Engine } = await import(`${url}qwisp.js`);
      await global.engine?.unload();
      if (!fromStore) {
        for (const { name = "" } of await indexedDB.databases()) {
          await new Promise((resolve, reject) => {
            Object.assign(indexedDB.deleteDatabase(name), { onsuccess: resolve, onerror: reject });
          });
        }
      }
      /** @type {Set<boolean>} */
      const sources = new Set();
      const onProgress = (/** @type {{ fromCache: boolean }} */ progress) => sources.add(progress.fromCache);
      const started = performance.now();
      // Builds from before there were tiers refuse the option.
      const tierOption = tier === "auto" ? {} : { tier };
      global.engine = await Engine.load({ model: `${url}model.gguf`, backend, ...tierOption, onProgress });
      const loadMs = performance.now() - started;
      if (sources.has(!fromStore)) throw new Error(`the bytes came ${fromStore ? "not " : ""}from IndexedDB`);
      return loadMs;
    },
    { url, backend, tier, fromStore },
  );
}

/**
 * Runs in the page, with the engine that is loaded there.
 * @param {Plan} plan
 */
async function measureInPage(plan) {
  const { engine, benchStep } = /** @type {any} */ (globalThis);
  const importFrom = (/** @type {string} */ path) => import(new URL(path, location.href).href);
  const [{ answerWith }, { measure }] = await Promise.all([
    importFrom("bench/answer.js"),
    importFrom("bench/measure.js"),
  ]);
  const bandwidth = await engine.measureBandwidth?.();
  /** @type {{ lengths: LengthResult[], notes: string[] }} */
  const { lengths, notes } = await measure(answerWith(engine), plan, benchStep);
  return { adapter: engine.info.adapter, tier: engine.info.tier, bandwidth, lengths, notes };
}

/**
 * The size of the module's memory now. It never shrinks, so this is the most that it was.
 * @param {import("playwright-core").Page} page
 */
async function readWasmBytes(page) {
  const worker = page.workers().find((candidate) => candidate.url().endsWith("/engine/worker.js"));
  // Starting the module a second time gives the exports of the first.
  return await worker?.evaluate(async () => {
    const { default: start } = await import(new URL("wasm/qwisp.js", location.href).href);
    return (await start()).memory.buffer.byteLength;
  });
}
