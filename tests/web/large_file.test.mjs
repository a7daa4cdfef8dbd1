/**
 * A file of several records that needs several requests, from servers good and bad. The model in it is the tiny one, so
 * its scores have to be the same; its weights lie behind padding, at the end of the file.
 */

import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { after, before, it } from "node:test";
import { describeInEachBrowser, openBrowser } from "./support/browser.mjs";
import { EnginePage } from "./support/engine_page.mjs";
import { deleteStoredRecord, storedRecords } from "./support/stored_records.mjs";
import { startTestServer } from "./support/test_server.mjs";
import { makeTinyModel } from "./support/tiny_model.mjs";

const TIMEOUT_MS = 120_000;
const PADDING_BYTES = 10_000_000;
/** As the engine stores files. */
const RECORD_BYTES = 4 << 20;
/** Inside the second request: the first one asks for 8 MiB. */
const BEHIND_FIRST_REQUEST = 9 << 20;

describeInEachBrowser("a file of several records", { timeout: 4 * TIMEOUT_MS }, (browserName) => {
  const modelPath = makeTinyModel({ paddingBytes: PADDING_BYTES });
  const modelBytes = statSync(modelPath).size;
  const recordIndexes = [0, 1, 2];
  assert.equal(Math.ceil(modelBytes / RECORD_BYTES), recordIndexes.length);

  /** @type {import("./support/browser.mjs").TestBrowser} */
  let browser;
  /** @type {import("./support/test_server.mjs").TestServer} */
  let server;
  /** @type {EnginePage} */
  let page;
  /** What the tiny model says without any padding. @type {unknown} */
  let plainScores;

  before(async () => {
    server = await startTestServer({ modelPath });
    browser = await openBrowser(browserName);
    page = await EnginePage.open(browser.context, server.url);
    const plainUrl = await server.addFile("plain.gguf", readFileSync(makeTinyModel()));
    await page.load({ model: plainUrl, backend: "webgpu" });
    plainScores = await score();
  });

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  const score = () =>
    page.page.evaluate(async () => {
      const { engine } = /** @type {any} */ (globalThis);
      return await engine.score(await engine.tokenize("Hello there, brown fox"), { topK: 3 });
    });

  // One attempt shows what a single failure does.
  const load = (/** @type {string} */ model) => page.load({ model, backend: "webgpu", patienceMs: 0 });

  /** @param {string} url */
  async function assertLoadsWhole(url) {
    const { info, progress } = await load(url);
    assert.equal(info.stored, true);
    assert.equal(progress.at(-1)?.totalBytes, modelBytes);
    assert.deepEqual(await score(), plainScores);
    assert.deepEqual(await storedRecords(page.page, url), recordIndexes);
    return progress;
  }

  const countDownloads = (/** @type {string} */ url, from = server) =>
    from.downloads().filter((path) => path === new URL(url).pathname).length;

  it("comes in several ranges", { timeout: TIMEOUT_MS }, async () => {
    await assertLoadsWhole(server.modelUrl);
    assert.equal(countDownloads(server.modelUrl), 2);
  });

  it("comes from a server without ranges", { timeout: TIMEOUT_MS }, async () => {
    const url = server.imperfectUrl({ ignoresRanges: true });
    await assertLoadsWhole(url);
    assert.equal(countDownloads(url), 1);
  });

  it("comes from another origin that hides Content-Range", { timeout: TIMEOUT_MS }, async () => {
    const other = await startTestServer({ modelPath });
    try {
      const url = other.imperfectUrl({ hidesHeaders: true });
      await assertLoadsWhole(url);
      // Chromium may split the second request, to use what it cached of the first.
      assert.ok(countDownloads(url, other) >= 2, "a range, and then the whole file");
    } finally {
      await other.close();
    }
  });

  it("that changes between all requests is network, and never taken for a model", { timeout: TIMEOUT_MS }, async () => {
    const url = server.imperfectUrl({ changes: true });
    await assert.rejects(load(url), { kind: "network", message: /changed on the server/ });
    assert.ok(countDownloads(url) >= 4, "it was begun again");
    // What came of a version stays until the first record of the next one is there.
    const models = await page.page.evaluate(async () => {
      const moduleUrl = new URL("qwisp.js", location.href).href;
      const { storedModels } = await import(moduleUrl);
      return /** @type {import("../../www/engine/qwisp.d.ts").StoredModel[]} */ (await storedModels.list());
    });
    assert.ok(!models.some(({ address, isComplete }) => address === url && isComplete));
  });

  it("that breaks off in the second range is network, and goes on there later", { timeout: TIMEOUT_MS }, async () => {
    /** @type {import("./support/imperfect_server.mjs").Flaws} */
    const flaws = { cutOffset: BEHIND_FIRST_REQUEST };
    const url = server.imperfectUrl(flaws);
    await assert.rejects(load(url), { kind: "network" });
    assert.deepEqual(await storedRecords(page.page, url), [0, 1]);
    flaws.cutOffset = undefined;
    const downloads = countDownloads(url);
    const progress = await assertLoadsWhole(url);
    assert.equal(countDownloads(url), downloads + 1);
    const first = progress.find(({ phase }) => phase === "download");
    assert.ok(first && first.loadedBytes >= 2 * RECORD_BYTES, "the download begins behind what is stored");
  });

  it(
    "keeps what it has when its loading is aborted, and can be loaded right away",
    { timeout: TIMEOUT_MS },
    async () => {
      /** @type {import("./support/imperfect_server.mjs").Flaws} */
      const flaws = { stallOffset: BEHIND_FIRST_REQUEST };
      const url = server.imperfectUrl(flaws);
      await startAndWaitForBytes(url, 2 * RECORD_BYTES);
      assert.deepEqual(await storedRecords(page.page, url), [0, 1]);
      const { kind, tookMs } = await abortStarted();
      assert.equal(kind, "aborted");
      assert.ok(tookMs < 500, `the abort was answered after ${tookMs} ms`);
      assert.deepEqual(await storedRecords(page.page, url), [0, 1]);
      flaws.stallOffset = undefined;
      await assertLoadsWhole(url);
    },
  );

  /**
   * Begins to load, and goes on when so many bytes are reported.
   * @param {string} url
   * @param {number} bytes
   */
  async function startAndWaitForBytes(url, bytes) {
    await page.page.evaluate(
      async ({ url, bytes }) => {
        const { Engine } = await import(new URL("qwisp.js", location.href).href);
        const abort = new AbortController();
        await new Promise((resolve, reject) => {
          const loading = Engine.load({
            model: url,
            backend: "webgpu",
            signal: abort.signal,
            onProgress: (/** @type {{ loadedBytes: number }} */ { loadedBytes }) => {
              if (loadedBytes >= bytes) resolve(undefined);
            },
          });
          Object.assign(globalThis, { started: { abort, loading } });
          loading.catch(reject);
        });
      },
      { url, bytes },
    );
  }

  async function abortStarted() {
    return await page.page.evaluate(async () => {
      const { abort, loading } = /** @type {any} */ (globalThis).started;
      const start = performance.now();
      abort.abort();
      const kind = await loading.catch((/** @type {any} */ error) => error.kind);
      return { kind, tookMs: performance.now() - start };
    });
  }

  it("is fetched again when the browser lost a part of it", { timeout: TIMEOUT_MS }, async () => {
    const url = server.imperfectUrl({});
    await assertLoadsWhole(url);
    const downloads = countDownloads(url);
    await deleteStoredRecord(page.page, url, 1);
    assert.deepEqual(await storedRecords(page.page, url), [0, 2]);
    const progress = await assertLoadsWhole(url);
    assert.equal(countDownloads(url), downloads + 1);
    assert.equal(progress.at(-1)?.fromCache, false);
  });

  it("loads from IndexedDB when its server is gone", { timeout: TIMEOUT_MS }, async () => {
    await assertLoadsWhole(server.modelUrl);
    server.goOffline();
    await page.page.reload();
    const progress = await assertLoadsWhole(server.modelUrl);
    for (const { fromCache } of progress) assert.ok(fromCache);
    assert.deepEqual(page.uncaught, []);
  });
});
