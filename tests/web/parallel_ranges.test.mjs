/** Several ranges at the same time, in a browser: from servers that limit each connection, and through a slow line. */

import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { describeInEachBrowser } from "./support/browser.mjs";
import { ModelBench, RECORD_BYTES } from "./support/model_bench.mjs";

const TIMEOUT_MS = 120_000;
/** Enough records for a trial after the head and five slow seconds. */
const PADDING_BYTES = 64_000_000;
/** Slower than what one body is content with. */
const BYTES_PER_SECOND = 2_000_000;
/** So many ranges are asked for at the same time. */
const PARALLEL = 4;

describeInEachBrowser("a download that is slow", { timeout: 5 * TIMEOUT_MS }, (browserName) => {
  const bench = new ModelBench();
  before(() => bench.open(browserName, { paddingBytes: PADDING_BYTES }));
  after(() => bench.close());

  /** @typedef {import("./support/imperfect_server.mjs").Flaws} Flaws */

  /**
   * The records that were asked for one by one, and what was asked for after the last of them.
   * @param {string} url
   */
  function requestsOf(url) {
    const answers = bench.server.answersOf(url);
    const isSingle = answers.map(({ askedBytes }) => askedBytes <= RECORD_BYTES);
    return {
      singles: answers.filter((_, index) => isSingle[index]).map(({ first }) => first / RECORD_BYTES),
      after: answers.slice(isSingle.lastIndexOf(true) + 1),
    };
  }

  /**
   * Records in a row up to the last one of the file.
   * @param {number} first
   */
  const recordsFrom = (first) => bench.recordIndexes.slice(first);

  it("because its server limits each connection is faster", { timeout: TIMEOUT_MS }, async () => {
    const url = bench.server.imperfectUrl({ bytesPerSecond: BYTES_PER_SECOND });
    const { progress } = await bench.loadWhole(url, { sha256: bench.sha256 });
    const { singles, after } = requestsOf(url);
    assert.ok(singles.length >= 8, `${singles}`);
    assert.deepEqual(singles, recordsFrom(singles[0]));
    assert.deepEqual(after, []);
    const fastest = Math.max(...progress.map(({ bytesPerSecond }) => bytesPerSecond ?? 0));
    console.log(`${(fastest / 1e6).toFixed(1)} MB/s from connections of at most ${BYTES_PER_SECOND / 1e6} MB/s`);
    assert.ok(fastest > 1.5 * BYTES_PER_SECOND, `${fastest} bytes per second at most`);
    for (const [index, { loadedBytes }] of progress.entries()) {
      assert.ok(loadedBytes >= (progress[index - 1]?.loadedBytes ?? 0), "progress never goes back");
    }
    const again = bench.sentBytes(url) - bench.modelBytes;
    console.log(`${again} bytes were sent in vain`);
    assert.ok(again < RECORD_BYTES, `${again} bytes were sent in vain`);
  });

  it("because of the line has one body again", { timeout: TIMEOUT_MS }, async () => {
    const url = bench.server.imperfectUrl({ lineBytesPerSecond: BYTES_PER_SECOND });
    await bench.loadWhole(url, { sha256: bench.sha256 });
    const { singles, after } = requestsOf(url);
    assert.deepEqual(singles, recordsFrom(singles[0]).slice(0, PARALLEL));
    assert.deepEqual(
      after.map(({ first }) => first / RECORD_BYTES),
      [singles[0] + PARALLEL],
    );
    const again = bench.sentBytes(url) - bench.modelBytes;
    console.log(`${again} bytes were sent in vain`);
    assert.ok(again < RECORD_BYTES, `${again} bytes were sent in vain`);
  });

  it("goes on with one body after a range breaks off, and cancels the others", { timeout: TIMEOUT_MS }, async () => {
    /** @type {Flaws} */
    const flaws = { bytesPerSecond: BYTES_PER_SECOND, cuts: [8.5 * RECORD_BYTES], stallOffset: 10 * RECORD_BYTES };
    const url = bench.server.imperfectUrl(flaws);
    await bench.startLoad(url, { sha256: bench.sha256 });
    const { answersOf } = bench.server;
    while (flaws.cuts?.length) await sleep(20);
    // Not even the head of these has come.
    const hanging = answersOf(url).filter(({ first }) => first >= 10 * RECORD_BYTES);
    assert.ok(hanging.length > 0);
    const start = performance.now();
    while (hanging.some(({ isOpen }) => isOpen)) await sleep(20);
    // After 20 seconds without a byte they would be given up anyway.
    assert.ok(performance.now() - start < 5000, "they weren't cancelled");
    flaws.stallOffset = undefined;
    await bench.finishLoad();
    assert.equal(await bench.ask(), bench.answer);
    assert.equal((await bench.stored(url))?.sha256, bench.sha256);
  });

  it("is aborted at once, with all its requests", { timeout: TIMEOUT_MS }, async () => {
    const url = bench.server.imperfectUrl({ bytesPerSecond: BYTES_PER_SECOND });
    await bench.startLoad(url, { sha256: bench.sha256 });
    while (requestsOf(url).singles.length < PARALLEL) await sleep(20);
    await sleep(500);
    const { kind, tookMs } = await bench.abortLoad();
    assert.equal(kind, "aborted");
    assert.ok(tookMs < 500, `the abort was answered after ${tookMs} ms`);
    while (bench.server.answersOf(url).some(({ isOpen }) => isOpen)) await sleep(20);
  });

  it("left nothing uncaught in the page", () => assert.deepEqual(bench.page.uncaught, []));
});
