/** Several tabs that want the same file: it is downloaded once, and whoever waits takes over when a tab goes away. */

import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { after, before, it } from "node:test";
import { describeInEachBrowser, openBrowser } from "./support/browser.mjs";
import { EnginePage } from "./support/engine_page.mjs";
import { storedRecords } from "./support/stored_records.mjs";
import { startTestServer } from "./support/test_server.mjs";
import { makeTinyModel } from "./support/tiny_model.mjs";

const TIMEOUT_MS = 120_000;
const RECORD_BYTES = 4 << 20;
/** Two records are there by then. */
const STALL_OFFSET = 9 << 20;

describeInEachBrowser("two tabs", { timeout: 4 * TIMEOUT_MS }, (browserName) => {
  const modelPath = makeTinyModel({ paddingBytes: 10_000_000 });
  const modelBytes = statSync(modelPath).size;
  /** @type {import("./support/browser.mjs").TestBrowser} */
  let browser;
  /** @type {import("./support/test_server.mjs").TestServer} */
  let server;

  before(async () => {
    server = await startTestServer({ modelPath });
    browser = await openBrowser(browserName);
  });

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  const openTab = () => EnginePage.open(browser.context, server.url);
  const countDownloads = (/** @type {string} */ url) =>
    server.downloads().filter((path) => path === new URL(url).pathname).length;

  /**
   * Begins to load in a tab; its reports are then in the tab's `reports`, the outcome in `outcome`.
   * @param {EnginePage} tab
   * @param {string} url
   */
  async function startLoading(tab, url) {
    await tab.page.evaluate(async (url) => {
      const { Engine } = await import(new URL("qwisp.js", location.href).href);
      const abort = new AbortController();
      /** @type {any[]} */
      const reports = [];
      const loading = Engine.load({
        model: url,
        backend: "cpu",
        signal: abort.signal,
        onProgress: (/** @type {any} */ progress) => reports.push(progress),
      });
      const outcome = loading.then(
        (/** @type {any} */ engine) => engine.info,
        (/** @type {any} */ error) => ({ kind: error.kind }),
      );
      Object.assign(globalThis, { reports, outcome, abort });
    }, url);
  }

  /**
   * Waits until a report is of this phase, with so many bytes.
   * @param {EnginePage} tab
   * @param {string} phase
   * @param {number} bytes
   */
  async function waitForReport(tab, phase, bytes) {
    await tab.page.evaluate(
      async ({ phase, bytes }) => {
        const { reports } = /** @type {any} */ (globalThis);
        const isThere = () =>
          reports.some((/** @type {any} */ report) => report.phase === phase && report.loadedBytes >= bytes);
        while (!isThere()) await new Promise((resolve) => setTimeout(resolve, 20));
      },
      { phase, bytes },
    );
  }

  const outcomeIn = (/** @type {EnginePage} */ tab) =>
    tab.page.evaluate(async () => {
      const { outcome, reports } = /** @type {any} */ (globalThis);
      return { info: await outcome, reports };
    });

  it("download once, and the second shows how far the first is", { timeout: TIMEOUT_MS }, async () => {
    /** @type {import("./support/imperfect_server.mjs").Flaws} */
    const flaws = { isSlow: true };
    const url = server.imperfectUrl(flaws);
    const [first, second] = [await openTab(), await openTab()];
    await startLoading(first, url);
    await waitForReport(first, "download", 1);
    await startLoading(second, url);
    await waitForReport(second, "wait", 1);
    flaws.isSlow = false;
    const [one, two] = [await outcomeIn(first), await outcomeIn(second)];
    assert.equal(one.info.stored, true);
    assert.equal(two.info.stored, true);
    assert.equal(countDownloads(url), 2, "the head, and the rest");
    const waits = two.reports.filter((/** @type {any} */ { phase }) => phase === "wait");
    assert.equal(waits.at(-1).totalBytes, modelBytes);
    assert.ok(two.reports.every((/** @type {any} */ { phase }) => phase !== "download"));
    assert.equal(two.reports.at(-1).fromCache, true);
    await first.close();
    await second.close();
  });

  it("hand over when one is closed in the middle", { timeout: TIMEOUT_MS }, async () => {
    /** @type {import("./support/imperfect_server.mjs").Flaws} */
    const flaws = { stallOffset: STALL_OFFSET };
    const url = server.imperfectUrl(flaws);
    const [first, second] = [await openTab(), await openTab()];
    await startLoading(first, url);
    await waitForReport(first, "download", 2 * RECORD_BYTES);
    assert.deepEqual(await storedRecords(second.page, url), [0, 1]);
    await startLoading(second, url);
    await waitForReport(second, "wait", 0);
    flaws.stallOffset = undefined;
    await first.close();
    const { info, reports } = await outcomeIn(second);
    assert.equal(info.stored, true);
    const downloads = reports.filter((/** @type {any} */ { phase }) => phase === "download");
    assert.ok(downloads[0].loadedBytes >= 2 * RECORD_BYTES, "it goes on where the other one was");
    await second.close();
  });

  it("end their waiting when they are told to", { timeout: TIMEOUT_MS }, async () => {
    const url = server.imperfectUrl({ stallOffset: STALL_OFFSET });
    const [first, second] = [await openTab(), await openTab()];
    await startLoading(first, url);
    await waitForReport(first, "download", 2 * RECORD_BYTES);
    await startLoading(second, url);
    await waitForReport(second, "wait", 0);
    await second.page.evaluate(() => /** @type {any} */ (globalThis).abort.abort());
    assert.equal((await outcomeIn(second)).info.kind, "aborted");
    await first.page.evaluate(() => /** @type {any} */ (globalThis).abort.abort());
    assert.equal((await outcomeIn(first)).info.kind, "aborted");
    for (const tab of [first, second]) {
      assert.deepEqual(tab.uncaught, []);
      await tab.close();
    }
  });
});
