/** Two tabs that want the same model download it once. */

import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { describeInEachBrowser } from "./support/browser.mjs";
import { putWorkersToSleep } from "./support/devtools.mjs";
import { EnginePage } from "./support/engine_page.mjs";
import { ModelBench, RECORD_BYTES } from "./support/model_bench.mjs";
import { storedRecords } from "./support/stored_records.mjs";

const TIMEOUT_MS = 60_000;
const SLOW = 20_000_000;

describeInEachBrowser("two tabs", { timeout: 4 * TIMEOUT_MS }, (browserName) => {
  const bench = new ModelBench();
  before(() => bench.open(browserName));
  after(() => bench.close());

  it("download once, and the second one shows the first one's progress", { timeout: TIMEOUT_MS }, async () => {
    const url = bench.server.imperfectUrl({ bytesPerSecond: SLOW });
    const second = await EnginePage.open(bench.browser.context, bench.server.url);
    await bench.startLoad(url);
    await bench.waitForProgress(({ loadedBytes }) => loadedBytes > 0);
    await bench.startLoad(url, {}, second);
    await bench.waitForProgress(({ phase, loadedBytes }) => phase === "wait" && loadedBytes > RECORD_BYTES, second);
    await bench.finishLoad();
    await bench.finishLoad(second);
    assert.equal(await bench.ask(), bench.answer);
    assert.equal(await bench.ask(second), bench.answer);
    assert.equal(bench.sentBytes(url), bench.modelBytes);

    const progress = await bench.progressOf(second);
    const phases = [...new Set(progress.map(({ phase }) => phase))];
    assert.deepEqual(phases, ["wait", "upload", "verify", "compile", "ready"]);
    const waits = progress.filter(({ phase }) => phase === "wait");
    assert.equal(waits.at(-1)?.totalBytes, bench.modelBytes);
    for (const [index, { loadedBytes }] of waits.entries()) {
      assert.ok(loadedBytes >= (waits[index - 1]?.loadedBytes ?? 0), "progress never goes back");
    }
    await second.close();
  });

  it("hand over when the first one is closed in the middle", { timeout: TIMEOUT_MS }, async () => {
    /** @type {import("./support/imperfect_server.mjs").Flaws} */
    const flaws = { stallOffset: 2.5 * RECORD_BYTES };
    const url = bench.server.imperfectUrl(flaws);
    const first = await EnginePage.open(bench.browser.context, bench.server.url);
    await bench.startLoad(url, {}, first);
    await bench.waitForProgress(({ loadedBytes }) => loadedBytes >= 2 * RECORD_BYTES, first);
    await bench.startLoad(url);
    await bench.waitForProgress(({ phase }) => phase === "wait");
    flaws.stallOffset = undefined;
    await first.close();
    await bench.finishLoad();
    assert.equal(await bench.ask(), bench.answer);
    assert.equal((await bench.stored(url))?.isComplete, true);
    const again = bench.sentBytes(url) - bench.modelBytes;
    assert.ok(again <= RECORD_BYTES, `${again} bytes were sent again`);
  });

  it("end their waiting when they are told to", { timeout: TIMEOUT_MS }, async () => {
    const url = bench.server.imperfectUrl({ stallOffset: 2.5 * RECORD_BYTES });
    const first = await EnginePage.open(bench.browser.context, bench.server.url);
    await bench.startLoad(url, {}, first);
    await bench.waitForProgress(({ loadedBytes }) => loadedBytes >= 2 * RECORD_BYTES, first);
    await bench.startLoad(url);
    await bench.waitForProgress(({ phase }) => phase === "wait");
    assert.equal((await bench.abortLoad()).kind, "aborted");
    assert.equal((await bench.abortLoad(first)).kind, "aborted");
    assert.deepEqual(first.uncaught, []);
    await first.close();
  });

  it("don't wait for ever for one that was put to sleep", { timeout: 2 * TIMEOUT_MS }, async (test) => {
    if (browserName !== "chromium") return test.skip("only Chromium's driver can put a worker to sleep");
    /** @type {import("./support/imperfect_server.mjs").Flaws} */
    const flaws = { stallOffset: 2.5 * RECORD_BYTES };
    const url = bench.server.imperfectUrl(flaws);
    const sleeper = await EnginePage.open(bench.browser.context, bench.server.url);
    await bench.startLoad(url, {}, sleeper);
    await bench.waitForProgress(({ loadedBytes }) => loadedBytes >= 2 * RECORD_BYTES, sleeper);
    const wake = await putWorkersToSleep(sleeper.page);
    flaws.stallOffset = undefined;
    await bench.startLoad(url);
    await bench.waitForProgress(({ phase }) => phase === "wait");
    await bench.finishLoad();
    assert.equal(await bench.ask(), bench.answer);
    assert.equal((await bench.stored(url))?.isComplete, true);
    const phases = [...new Set((await bench.progressOf()).map(({ phase }) => phase))];
    assert.deepEqual(phases, ["wait", "upload", "download", "verify", "compile", "ready"]);

    // What the other one has stored meanwhile is what the first one goes on with.
    await wake();
    await bench.finishLoad(sleeper);
    assert.equal(await bench.ask(sleeper), bench.answer);
    assert.equal((await bench.progressOf(sleeper)).at(-1)?.notice, null);
    assert.equal((await bench.stored(url))?.sha256, bench.sha256);
    const again = bench.sentBytes(url) - bench.modelBytes;
    assert.ok(again <= RECORD_BYTES, `${again} bytes were sent again`);
    assert.deepEqual(sleeper.uncaught, []);
    await sleeper.close();
  });

  it("say so when a file waits to be imported", { timeout: TIMEOUT_MS }, async () => {
    const url = bench.server.imperfectUrl({ stallOffset: 2.5 * RECORD_BYTES });
    const first = await EnginePage.open(bench.browser.context, bench.server.url);
    await bench.startLoad(url, {}, first);
    await bench.waitForProgress(({ loadedBytes }) => loadedBytes >= 2 * RECORD_BYTES, first);
    const importing = { fileUrl: bench.server.modelUrl, address: url };
    const waited = await bench.page.page.evaluate(importWhileWaiting, { ...importing, aborts: true });
    assert.equal(waited.kind, "aborted");
    assert.ok(waited.progress.every(({ phase }) => phase === "wait"));
    const { loadedBytes = 0, totalBytes } = waited.progress.at(-1) ?? {};
    assert.ok(loadedBytes >= 2 * RECORD_BYTES && totalBytes === bench.modelBytes, "the other tab's progress is shown");
    assert.deepEqual(await storedRecords(bench.page.page, url), [0, 1]);

    const finished = bench.page.page.evaluate(importWhileWaiting, { ...importing, aborts: false });
    while (await bench.page.page.evaluate(() => /** @type {any} */ (globalThis).importProgress.length === 0))
      await sleep(20);
    await first.close();
    const { kind, progress } = await finished;
    assert.equal(kind, "imported");
    assert.deepEqual([...new Set(progress.map(({ phase }) => phase))], ["wait", "verify", "store"]);
    assert.equal((await bench.stored(url))?.sha256, bench.sha256);
  });

  it("go on each for itself when the first one keeps nothing", { timeout: TIMEOUT_MS }, async () => {
    const url = bench.server.imperfectUrl({ bytesPerSecond: SLOW });
    const second = await EnginePage.open(bench.browser.context, bench.server.url);
    await bench.startLoad(url, { cache: false });
    await bench.waitForProgress(({ loadedBytes }) => loadedBytes > 0);
    await bench.startLoad(url, {}, second);
    await bench.finishLoad(second);
    await bench.finishLoad();
    assert.equal(await bench.ask(second), bench.answer);
    assert.equal((await bench.stored(url))?.isComplete, true);
    await second.close();
  });

  it("left nothing uncaught in the page", () => assert.deepEqual(bench.page.uncaught, []));
});

/**
 * Runs in the page: imports what is at an address as a file of this device, for another address. `aborts` as soon as the progress
 * of the tab that is waited for is known.
 * @param {{ fileUrl: string, address: string, aborts: boolean }} options
 */
async function importWhileWaiting({ fileUrl, address, aborts }) {
  /** @type {import("../../www/engine/qwisp.d.ts").ImportProgress[]} */
  const progress = [];
  Object.assign(globalThis, { importProgress: progress });
  const { storedModels } = await import(new URL("qwisp.js", location.href).href);
  const file = new File([await (await fetch(fileUrl)).blob()], "model.gguf");
  const abort = new AbortController();
  const onProgress = (/** @type {import("../../www/engine/qwisp.d.ts").ImportProgress} */ step) => {
    progress.push(step);
    if (aborts && step.totalBytes > 0) abort.abort();
  };
  try {
    await storedModels.importFile(file, { address, onProgress, signal: abort.signal });
    return { kind: "imported", progress };
  } catch (error) {
    return { kind: /** @type {any} */ (error).kind, progress };
  }
}
