/** Downloads through a network and from servers that fail: what comes out is the right model, or the right error. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after, before, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { describeInEachBrowser } from "./support/browser.mjs";
import { ModelBench, RECORD_BYTES } from "./support/model_bench.mjs";
import { randomOffsets } from "./support/random.mjs";
import { flipStoredBit, storedRecords } from "./support/stored_records.mjs";
import { startTestServer } from "./support/test_server.mjs";

const TIMEOUT_MS = 60_000;
/** So that something can be done in the middle. */
const SLOW = 25_000_000;

describeInEachBrowser("a download", { timeout: 10 * TIMEOUT_MS }, (browserName) => {
  const bench = new ModelBench();
  before(() => bench.open(browserName));
  after(() => bench.close());

  /** @typedef {import("./support/imperfect_server.mjs").Flaws} Flaws */

  /**
   * @param {Flaws} flaws
   */
  const serve = (flaws) => bench.server.imperfectUrl(flaws);

  /**
   * @param {string} url
   * @param {number} interruptions
   */
  function assertLittleWasSentTwice(url, interruptions) {
    const again = bench.sentBytes(url) - bench.modelBytes;
    const limit = interruptions * RECORD_BYTES;
    console.log(`${interruptions} interruptions: ${again} bytes sent again of ${bench.modelBytes}`);
    assert.ok(again >= 0 && again <= limit, `${again} bytes were sent again, at most ${limit} may be`);
  }

  /**
   * Waits until so many records are stored.
   * @param {string} url
   * @param {number} count
   */
  async function waitForRecords(url, count) {
    while ((await storedRecords(bench.page.page, url)).length < count) await sleep(20);
  }

  it("that breaks off at 20 places goes on where it was", { timeout: TIMEOUT_MS }, async () => {
    /** @type {Flaws} */
    const flaws = { cuts: randomOffsets(20, bench.modelBytes) };
    const url = serve(flaws);
    const { progress } = await bench.loadWhole(url);
    assert.deepEqual(flaws.cuts, []);
    assertLittleWasSentTwice(url, 20);
    const waits = progress.filter(({ retryInMs }) => retryInMs !== null);
    assert.ok(waits.length >= 20, `${waits.length} waits were reported`);
    for (const [index, { loadedBytes }] of progress.entries()) {
      assert.ok(loadedBytes >= (progress[index - 1]?.loadedBytes ?? 0), "progress never goes back");
    }
  });

  it("whose every attempt fails goes on at the next one", { timeout: TIMEOUT_MS }, async () => {
    const cuts = randomOffsets(5, bench.modelBytes);
    const url = serve({ cuts });
    /** Where each attempt has to begin. */
    const firsts = [0];
    for (const cut of cuts) {
      await assert.rejects(bench.load(url, { patienceMs: 0 }), { kind: "network" });
      const kept = (await storedRecords(bench.page.page, url)).length;
      assert.ok(kept <= Math.floor(cut / RECORD_BYTES), `${kept} records after a cut at ${cut}`);
      firsts.push(kept * RECORD_BYTES);
    }
    await bench.loadWhole(url, { patienceMs: 0 });
    const asked = bench.server.answersOf(url).map(({ first }) => first);
    assert.ok(
      firsts.every((first) => asked.includes(first)),
      `${asked}, expected ${firsts} among them`,
    );
    assertLittleWasSentTwice(url, 5);
  });

  it("goes on after its tab was closed", { timeout: TIMEOUT_MS }, async () => {
    /** @type {Flaws} */
    const flaws = {};
    const url = serve(flaws);
    const stops = randomOffsets(3, bench.modelBytes);
    for (const stop of stops) {
      flaws.stallOffset = stop;
      await bench.startLoad(url);
      await waitForRecords(url, Math.floor(stop / RECORD_BYTES));
      await bench.replacePage();
    }
    flaws.stallOffset = undefined;
    await bench.loadWhole(url);
    assertLittleWasSentTwice(url, stops.length);
  });

  it("goes on after an abort, which is answered at once", { timeout: TIMEOUT_MS }, async () => {
    /** @type {Flaws} */
    const flaws = { stallOffset: 2.5 * RECORD_BYTES };
    const url = serve(flaws);
    await bench.startLoad(url);
    await waitForRecords(url, 2);
    const { kind, tookMs } = await bench.abortLoad();
    assert.equal(kind, "aborted");
    assert.ok(tookMs < 500, `the abort was answered after ${tookMs} ms`);
    flaws.stallOffset = undefined;
    const { progress } = await bench.loadWhole(url);
    assert.equal(progress[0].fromCache, true);
    assert.ok(progress.some(({ phase }) => phase === "download"));
    assertLittleWasSentTwice(url, 1);
  });

  for (const etag of ['"first"', null]) {
    const names = etag ? "an ETag" : "no validator";
    it(`of a file that changed in between is one of the new file: ${names}`, { timeout: TIMEOUT_MS }, async () => {
      /** @type {Flaws} */
      const flaws = { etag, cuts: [2.5 * RECORD_BYTES] };
      const url = serve(flaws);
      await assert.rejects(bench.load(url, { patienceMs: 0 }), { kind: "network" });
      Object.assign(flaws, { path: bench.otherPath, etag: etag && '"second"' });
      const { progress } = await bench.loadWhole(url, {}, bench.otherSha256);
      assert.equal(progress.at(-1)?.notice?.kind, "changed");
    });
  }

  it("of a version that has lost its name is proved by what is there", { timeout: TIMEOUT_MS }, async () => {
    // To another origin a browser doesn't say which version it wants.
    const other = await startTestServer({ modelPath: bench.modelPath });
    try {
      for (const wrongOffset of [undefined, 2 * RECORD_BYTES - 1]) {
        /** @type {Flaws} */
        const flaws = { cuts: [2.5 * RECORD_BYTES] };
        const url = other.imperfectUrl(flaws);
        await assert.rejects(bench.load(url, { patienceMs: 0 }), { kind: "network" });
        assert.deepEqual(await storedRecords(bench.page.page, url), [0, 1]);
        Object.assign(flaws, { etag: null, wrongOffset });
        const { progress } = await bench.loadWhole(url, {}, await sha256With(wrongOffset));
        assert.equal(progress.at(-1)?.notice?.kind, wrongOffset && "changed");
      }
    } finally {
      await other.close();
    }
  });

  for (const [name, wrongOffset] of /** @type {const} */ ([
    ["the same file, which is all compared", undefined],
    ["another one of that length", RECORD_BYTES - 1],
  ])) {
    it(`goes on at a mirror that nothing vouches for with ${name}`, { timeout: TIMEOUT_MS }, async () => {
      /** @type {Flaws} */
      const first = { cuts: [2.5 * RECORD_BYTES] };
      /** @type {Flaws} */
      const mirror = { status: 503, wrongOffset };
      const urls = [serve(first), serve(mirror)];
      bench.server.offerModel({ id: "mirrored", urls });
      await assert.rejects(bench.load("mirrored", { patienceMs: 0 }), { kind: "network" });
      assert.deepEqual(await storedRecords(bench.page.page, urls[0]), [0, 1]);

      first.status = 404;
      mirror.status = undefined;
      const { progress } = await bench.load("mirrored");
      assert.equal(await bench.ask(), bench.answer);
      const stored = await bench.stored(urls[0]);
      assert.equal(stored?.isComplete, true);
      assert.equal(stored?.sha256, await sha256With(wrongOffset));
      assert.equal(progress.at(-1)?.notice?.kind, wrongOffset && "changed");
      if (wrongOffset === undefined) assert.equal(bench.sentBytes(urls[1]), bench.modelBytes);
    });
  }

  /**
   * The hash of the model with one byte that isn't what it is.
   * @param {number | undefined} wrongOffset
   */
  async function sha256With(wrongOffset) {
    if (wrongOffset === undefined) return bench.sha256;
    const model = await readFile(bench.modelPath);
    model[wrongOffset] ^= 1;
    return createHash("sha256").update(model).digest("hex");
  }

  it("of a file that changes at each request is network", { timeout: TIMEOUT_MS }, async () => {
    const url = serve({ changes: true });
    await assert.rejects(bench.load(url), { kind: "network", message: /changed on the server/ });
  });

  it("of a file that is shorter than its server says is network", { timeout: TIMEOUT_MS }, async () => {
    const url = serve({ claimedBytes: bench.modelBytes + 1000 });
    await assert.rejects(bench.load(url, { patienceMs: 1000 }), { kind: "network" });
    // All of its whole records are good, and stay.
    assert.deepEqual(await storedRecords(bench.page.page, url), bench.recordIndexes.slice(0, -1));
  });

  it("of a file that is longer than its server says is bad-file", { timeout: TIMEOUT_MS }, async () => {
    const url = serve({ claimedBytes: bench.modelBytes - 1000 });
    await assert.rejects(bench.load(url), { kind: "bad-file" });
    assert.equal((await bench.stored(url))?.isComplete ?? false, false);
  });

  it("of bytes that are wrong is integrity, and is repeated in full", { timeout: TIMEOUT_MS }, async () => {
    /** @type {Flaws} */
    const flaws = { wrongOffset: 3 * RECORD_BYTES + 5 };
    const url = serve(flaws);
    const { sha256 } = bench;
    await assert.rejects(bench.load(url, { sha256 }), { kind: "integrity", message: new RegExp(sha256) });
    assert.equal((await bench.stored(url))?.isComplete ?? false, false);
    flaws.wrongOffset = undefined;
    await bench.loadWhole(url, { sha256 });
  });

  it("of a model with a flipped bit is one of that record alone", { timeout: TIMEOUT_MS }, async () => {
    const url = serve({});
    await bench.loadWhole(url);
    await flipStoredBit(bench.page.page, url, 2);
    const before = bench.server.answersOf(url).length;
    await bench.loadWhole(url);
    const answers = bench.server.answersOf(url).slice(before);
    assert.deepEqual(
      answers.map(({ first, sentBytes }) => ({ first, sentBytes })),
      [{ first: 2 * RECORD_BYTES, sentBytes: RECORD_BYTES }],
    );
    const { progress } = await bench.loadWhole(url);
    assert.ok(progress.every(({ fromCache }) => fromCache));
  });

  for (const status of [403, 404]) {
    it(`that is answered with ${status} is network, and isn't tried again`, { timeout: TIMEOUT_MS }, async () => {
      const url = serve({ status });
      await assert.rejects(bench.load(url), { kind: "network", message: new RegExp(String(status)) });
      assert.equal(bench.server.answersOf(url).length, 1);
    });
  }

  it("waits as long as Retry-After of a 429 says", { timeout: TIMEOUT_MS }, async () => {
    const url = serve({ status: 429, refusals: 1, retryAfter: "2" });
    const started = performance.now();
    const { progress } = await bench.loadWhole(url);
    assert.ok(performance.now() - started >= 2000);
    const wait = progress.find(({ retryInMs }) => retryInMs !== null)?.retryInMs ?? 0;
    assert.ok(wait > 1900 && wait <= 2000, `a wait of ${wait} ms was reported`);
  });

  it("goes on after 500 in the middle", { timeout: TIMEOUT_MS }, async () => {
    /** @type {Flaws} */
    const flaws = { cuts: [3.5 * RECORD_BYTES], bytesPerSecond: SLOW };
    const url = serve(flaws);
    await bench.startLoad(url);
    await bench.waitForProgress(({ loadedBytes }) => loadedBytes > 2.5 * RECORD_BYTES);
    Object.assign(flaws, { status: 500, refusals: 2 });
    await bench.finishLoad();
    assert.equal(await bench.ask(), bench.answer);
    assert.equal(flaws.refusals, 0);
    assertLittleWasSentTwice(url, 1);
  });

  it("that is answered with 500 for ever is network", { timeout: TIMEOUT_MS }, async () => {
    const url = serve({ status: 500 });
    await assert.rejects(bench.load(url, { patienceMs: 2000 }), { kind: "network", message: /500/ });
    assert.ok(bench.server.answersOf(url).length > 1, "it was tried again");
  });

  it("follows redirects, also to another origin", { timeout: TIMEOUT_MS }, async () => {
    await bench.loadWhole(serve({ redirect: bench.server.modelUrl }));
    const other = await startTestServer({ modelPath: bench.modelPath });
    try {
      await bench.loadWhole(serve({ redirect: other.imperfectUrl({ cuts: [2.5 * RECORD_BYTES] }) }));
    } finally {
      await other.close();
    }
  });

  it("of which nothing comes any more is asked for again", { timeout: TIMEOUT_MS }, async () => {
    const url = serve({ stallOffset: 2.5 * RECORD_BYTES, stallsOnce: true });
    await bench.loadWhole(url, { patienceMs: 6000 });
    assertLittleWasSentTwice(url, 1);
  });

  it("of which nothing comes for ever is network, and keeps what came", { timeout: TIMEOUT_MS }, async () => {
    /** @type {Flaws} */
    const flaws = { stallOffset: 2.5 * RECORD_BYTES };
    const url = serve(flaws);
    await assert.rejects(bench.load(url, { patienceMs: 1000 }), { kind: "network" });
    assert.deepEqual(await storedRecords(bench.page.page, url), [0, 1]);
    flaws.stallOffset = undefined;
    await bench.loadWhole(url);
  });

  it("of compressed bytes is network", { timeout: TIMEOUT_MS }, async () => {
    await assert.rejects(bench.load(serve({ compresses: true })), {
      kind: "network",
      message: /Content-Encoding|can't be fetched/,
    });
  });

  it("from a server without ranges starts over and keeps what is verified", { timeout: TIMEOUT_MS }, async () => {
    // Not a break: Chromium drops all that the page has not read by then, and how much that is depends on the machine.
    /** @type {Flaws} */
    const flaws = { ignoresRanges: true, stallOffset: 2.5 * RECORD_BYTES };
    const url = serve(flaws);
    await assert.rejects(bench.load(url, { patienceMs: 0 }), { kind: "network" });
    assert.deepEqual(await storedRecords(bench.page.page, url), [0, 1]);
    flaws.stallOffset = undefined;
    await bench.loadWhole(url);
    assert.ok(bench.sentBytes(url) <= 2 * bench.modelBytes);
  });

  it("left nothing uncaught in the page", () => assert.deepEqual(bench.page.uncaught, []));
});
