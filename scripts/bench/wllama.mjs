/** Measures wllama in Chromium, on the same file: a reference from outside for what a CPU does in a browser. */

import { withPage } from "./browser_page.mjs";

/**
 * @typedef {import("../../www/bench/measure.js").Plan} Plan
 * @typedef {import("./chromium.mjs").Result} Result
 */

/**
 * @param {{ distDir: string, modelPath: string, plan: Plan, timeoutMs: number, log: (step: string) => void }} options
 * @returns {Promise<Result>}
 */
export function measureWllama({ distDir, modelPath, plan, timeoutMs, log }) {
  return withPage({ distDir, modelPath, timeoutMs, log }, (page, url) =>
    page.evaluate(
      async ({ url, plan }) => {
        const { benchStep } = /** @type {any} */ (globalThis);
        const { answerWithWllama, loadWllama } = await import(`${url}scripts/bench/wllama_answer.js`);
        const { measure } = await import(`${url}bench/measure.js`);
        const started = performance.now();
        let wllama = await loadWllama(url);
        const networkLoadMs = [performance.now() - started];
        await wllama.exit();
        const startedAgain = performance.now();
        wllama = await loadWllama(url);
        const storedLoadMs = [performance.now() - startedAgain];
        const { lengths, notes } = await measure(answerWithWllama(wllama), plan, benchStep);
        await wllama.exit();
        return { networkLoadMs, storedLoadMs, lengths, notes };
      },
      { url, plan },
    ),
  );
}
