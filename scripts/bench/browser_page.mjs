/** A page of a fresh Chromium in which something is measured, with an end to all patience. */

import { launchChromium } from "../../tests/web/support/browser.mjs";
import { startBenchServer } from "./bench_server.mjs";

/**
 * @template T
 * @param {{ distDir: string, modelPath: string, timeoutMs: number, log: (step: string) => void }} options `log` is told
 *   what the page passes to `benchStep`
 * @param {(page: import("playwright-core").Page, url: string) => Promise<T>} work `url` ends with a slash
 * @returns {Promise<T & { browser: string }>}
 */
export async function withPage({ distDir, modelPath, timeoutMs, log }, work) {
  const server = await startBenchServer({ distDir, modelPath });
  try {
    const chromium = await launchChromium();
    try {
      const page = await chromium.context.newPage();
      page.on("console", (message) => {
        if (message.type() === "error") log(`the page complains: ${message.text()}`);
      });
      await page.exposeFunction("benchStep", log);
      await page.goto(`${server.url}blank.html`);
      const browser = `Chromium ${chromium.context.browser()?.version() ?? ""}`.trim();
      return { ...(await within(timeoutMs, work(page, server.url))), browser };
    } finally {
      await within(30_000, chromium.close()).catch((error) => log(`closing Chromium: ${error.message}`));
    }
  } finally {
    await server.close();
  }
}

/**
 * @template T
 * @param {number} ms
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
function within(ms, promise) {
  /** @type {NodeJS.Timeout} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no result after ${Math.round(ms / 60_000)} minutes`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
