/** `storedModels`, and what of a model survives what. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after, before, it } from "node:test";
import { describeInEachBrowser } from "./support/browser.mjs";
import { EnginePage } from "./support/engine_page.mjs";
import { ModelBench, RECORD_BYTES } from "./support/model_bench.mjs";
import {
  ageStoredFile,
  deleteStoredRecord,
  flipStoredBit,
  orphanStoredRecords,
  storedRecords,
} from "./support/stored_records.mjs";
import { startTestServer } from "./support/test_server.mjs";

const TIMEOUT_MS = 60_000;

describeInEachBrowser("stored models", { timeout: 10 * TIMEOUT_MS }, (browserName) => {
  const bench = new ModelBench();
  before(() => bench.open(browserName));
  after(() => bench.close());

  it("are listed with what is to be known of them, and removed", { timeout: TIMEOUT_MS }, async () => {
    const started = Date.now();
    assert.deepEqual(await bench.call("list", []), []);
    const url = bench.server.imperfectUrl({});
    const partUrl = bench.server.imperfectUrl({ cuts: [3.5 * RECORD_BYTES] });
    await bench.loadWhole(url);
    await assert.rejects(bench.load(partUrl, { patienceMs: 0 }), { kind: "network" });

    const [part, whole] = await bench.call("list", []);
    assert.deepEqual(
      { ...whole, storedAt: 0, lastUsedAt: 0 },
      {
        address: url,
        name: new URL(url).pathname.split("/").at(-1),
        totalBytes: bench.modelBytes,
        storedBytes: bench.modelBytes,
        isComplete: true,
        sha256: bench.sha256,
        storedAt: 0,
        lastUsedAt: 0,
      },
    );
    assert.deepEqual([part.address, part.isComplete, part.storedBytes], [partUrl, false, 3 * RECORD_BYTES]);
    assert.ok(started <= whole.storedAt && whole.storedAt <= whole.lastUsedAt && whole.lastUsedAt <= part.lastUsedAt);

    // What is loaded becomes the one that was used last.
    await bench.loadWhole(url);
    assert.deepEqual(
      (await bench.call("list", [])).map((/** @type {{ address: string }} */ { address }) => address),
      [url, partUrl],
    );
    const { usedBytes, quotaBytes, isPersistent } = await bench.call("usage", []);
    assert.ok(usedBytes >= bench.modelBytes && quotaBytes > usedBytes && typeof isPersistent === "boolean");

    await bench.call("remove", [`${partUrl}#part`]);
    await bench.call("remove", ["nothing.gguf"]);
    assert.deepEqual(await storedRecords(bench.page.page, partUrl), []);
    assert.equal((await bench.call("list", [])).length, 1);
    // Its engine goes on.
    await bench.call("clear", []);
    assert.deepEqual(await bench.call("list", []), []);
    assert.deepEqual(await storedRecords(bench.page.page, url), []);
    assert.equal(await bench.ask(), bench.answer);
    await bench.loadWhole(url);
    await bench.call("clear", []);
  });

  it("go out as a file, and into another origin from it", { timeout: TIMEOUT_MS }, async () => {
    const url = bench.server.imperfectUrl({});
    await bench.loadWhole(url);
    const exported = await exportToBase64(bench.page, url);
    assert.equal(exported.name, new URL(url).pathname.split("/").at(-1));
    assert.equal(exported.sha256, bench.sha256);

    const other = await startTestServer({ modelPath: bench.modelPath });
    try {
      const page = await EnginePage.open(bench.browser.context, other.url);
      assert.deepEqual(await bench.call("list", [], page), []);
      // The file of the first origin is that of the disk, byte for byte: the hash says so.
      const stored = await importInto(page, other.modelUrl, { address: url, sha256: bench.sha256 });
      assert.deepEqual(
        [stored.model.address, stored.model.isComplete, stored.model.sha256, stored.model.storedBytes],
        [url, true, bench.sha256, bench.modelBytes],
      );
      const phases = stored.progress.map(({ phase }) => phase);
      assert.deepEqual([...new Set(phases)], ["verify", "store"]);
      assert.equal(stored.progress.at(-1)?.loadedBytes, bench.modelBytes);

      const before = bench.server.answersOf(url).length;
      const { info, progress } = await page.load({ model: url, backend: "cpu" });
      assert.equal(info.stored, true);
      assert.ok(progress.every(({ fromCache }) => fromCache));
      assert.equal(bench.server.answersOf(url).length, before, "nobody asked the network");
      assert.equal(await bench.ask(page), bench.answer);
      assert.equal((await exportToBase64(page, url)).sha256, bench.sha256);
      await page.close();
    } finally {
      await other.close();
    }
  });

  it("are files that were loaded, if that is wished", { timeout: TIMEOUT_MS }, async () => {
    await bench.call("clear", []);
    const file = { url: bench.server.modelUrl, name: "My model.gguf", lastModified: 1_700_000_000_000 };
    assert.equal((await loadFile(bench.page, file, {})).stored, false);
    assert.deepEqual(await bench.call("list", []), []);

    assert.equal((await loadFile(bench.page, file, { cache: true })).stored, true);
    assert.equal(await bench.ask(), bench.answer);
    const [stored] = await bench.call("list", []);
    assert.equal(stored.name, file.name);
    assert.equal(stored.sha256, bench.sha256);
    assert.match(stored.address, /^file:/);
    await bench.replacePage();
    const { progress } = await bench.load(stored.address);
    assert.ok(progress.every(({ fromCache }) => fromCache));
    assert.equal(await bench.ask(), bench.answer);

    // Importing the same file finds the same place.
    const imported = await importInto(bench.page, file.url, {}, file);
    assert.equal(imported.model.address, stored.address);
    assert.equal((await bench.call("list", [])).length, 1);
    // Another file of the same name has a place of its own.
    const another = await importInto(bench.page, file.url, {}, { ...file, lastModified: 5 });
    assert.notEqual(another.model.address, stored.address);
    await bench.call("clear", []);
  });

  it("refuse files that aren't what they should be", { timeout: TIMEOUT_MS }, async () => {
    await bench.call("clear", []);
    const noise = await bench.server.addFile("noise.gguf", Buffer.alloc(100_000, "noise"));
    await assert.rejects(importInto(bench.page, noise, {}), { kind: "bad-file", message: /begins with "nois"/ });
    const empty = await bench.server.addFile("empty.gguf", Buffer.alloc(0));
    await assert.rejects(importInto(bench.page, empty, {}), { kind: "bad-file", message: /empty/ });
    const sha256 = "0".repeat(64);
    await assert.rejects(importInto(bench.page, bench.server.modelUrl, { sha256 }), { kind: "integrity" });
    await assert.rejects(importInto(bench.page, bench.server.modelUrl, {}, { abortAt: "verify" }), { kind: "aborted" });
    await assert.rejects(importInto(bench.page, bench.server.modelUrl, {}, { abortAt: "store" }), { kind: "aborted" });
    assert.deepEqual(await bench.call("list", []), []);
    await assert.rejects(bench.call("exportFile", ["nothing.gguf"]), { kind: "invalid-argument" });
    await assert.rejects(bench.call("importFile", ["nothing.gguf"]), { kind: "invalid-argument" });
  });

  it("take the place of a part of another file that begins alike", { timeout: TIMEOUT_MS }, async () => {
    await bench.call("clear", []);
    const url = bench.server.imperfectUrl({ stallOffset: 2.5 * RECORD_BYTES });
    await assert.rejects(bench.load(url, { patienceMs: 0, sha256: bench.sha256 }), { kind: "network" });
    assert.deepEqual(await storedRecords(bench.page.page, url), [0, 1]);
    const bytes = await readFile(bench.modelPath);
    bytes[3 * RECORD_BYTES - 1] ^= 1;
    const alike = await bench.server.addFile("alike.gguf", bytes);
    const { model } = await importInto(bench.page, alike, { address: url });
    assert.equal(model.isComplete, true);
    assert.equal(model.sha256, createHash("sha256").update(bytes).digest("hex"));
    assert.deepEqual(await storedRecords(bench.page.page, url), bench.recordIndexes);
    await bench.call("clear", []);
  });

  it("that are rotten aren't exported, and are healed by an import", { timeout: TIMEOUT_MS }, async () => {
    const url = bench.server.imperfectUrl({});
    await bench.loadWhole(url);
    await flipStoredBit(bench.page.page, url, 1);
    await assert.rejects(bench.call("exportFile", [url]), { kind: "integrity", message: /record 1 / });
    await importInto(bench.page, bench.server.modelUrl, { address: url });
    assert.equal((await exportToBase64(bench.page, url)).sha256, bench.sha256);
  });

  it("survive an import that fails", { timeout: TIMEOUT_MS }, async () => {
    const url = bench.server.imperfectUrl({});
    await bench.loadWhole(url);
    await assert.rejects(importInto(bench.page, bench.server.modelUrl, { address: url, sha256: bench.otherSha256 }), {
      kind: "integrity",
    });
    await assert.rejects(importInto(bench.page, bench.server.modelUrl, { address: url }, { abortAt: "store" }), {
      kind: "aborted",
    });
    const { progress } = await bench.loadWhole(url);
    assert.ok(progress.every(({ fromCache }) => fromCache));
  });

  it("of which the browser lost a record fetch it again", { timeout: TIMEOUT_MS }, async () => {
    const url = bench.server.imperfectUrl({});
    await bench.loadWhole(url);
    await deleteStoredRecord(bench.page.page, url, 1);
    const before = bench.sentBytes(url);
    await bench.loadWhole(url);
    assert.equal(bench.sentBytes(url) - before, RECORD_BYTES);
  });

  it("that nobody can use any more go before a download", { timeout: TIMEOUT_MS }, async () => {
    await bench.call("clear", []);
    const addPart = async () => {
      const url = bench.server.imperfectUrl({ cuts: [2.5 * RECORD_BYTES] });
      await assert.rejects(bench.load(url, { patienceMs: 0 }), { kind: "network" });
      assert.deepEqual(await storedRecords(bench.page.page, url), [0, 1]);
      return url;
    };
    const [forgotten, recent, orphaned] = [await addPart(), await addPart(), await addPart()];
    const whole = bench.server.imperfectUrl({});
    await bench.loadWhole(whole);
    await ageStoredFile(bench.page.page, forgotten, 31);
    await ageStoredFile(bench.page.page, recent, 29);
    await ageStoredFile(bench.page.page, whole, 400);
    await orphanStoredRecords(bench.page.page, orphaned);

    const now = bench.server.imperfectUrl({});
    await bench.loadWhole(now);
    const listed = (await bench.call("list", [])).map((/** @type {{ address: string }} */ { address }) => address);
    assert.deepEqual(listed, [now, recent, whole]);
    assert.deepEqual(await storedRecords(bench.page.page, forgotten), []);
    assert.deepEqual(await storedRecords(bench.page.page, orphaned), []);
    assert.deepEqual(await storedRecords(bench.page.page, recent), [0, 1]);
    assert.deepEqual(await storedRecords(bench.page.page, whole), bench.recordIndexes);
    await bench.call("clear", []);
  });

  it("are nothing where IndexedDB is refused, and models load all the same", { timeout: TIMEOUT_MS }, async () => {
    const refuse = `Object.defineProperty(globalThis, "indexedDB", { value: { open() { throw new DOMException("not in this window", "SecurityError"); } } });`;
    const restore = ["/qwisp.js", "/engine/worker.js"].map((path) => bench.server.prepend(path, refuse));
    try {
      const page = await EnginePage.open(bench.browser.context, bench.server.url);
      const url = bench.server.imperfectUrl({ cuts: [2.5 * RECORD_BYTES] });
      const { info, progress } = await page.load({ model: url, backend: "cpu" });
      assert.equal(info.stored, false);
      assert.equal(info.notKept?.reason, "refused");
      assert.equal(progress.at(-1)?.notice?.kind, "not-kept");
      assert.equal(await bench.ask(page), bench.answer);
      assert.deepEqual(await bench.call("list", [], page), []);
      await assert.rejects(bench.call("clear", [], page), { kind: "quota", message: /refuses/ });
      await assert.rejects(bench.call("remove", [url], page), { kind: "quota" });
      await assert.rejects(bench.call("exportFile", [url], page), { kind: "quota" });
      await assert.rejects(importInto(page, bench.server.modelUrl, {}), { kind: "quota" });
      await page.close();
    } finally {
      for (const undo of restore) undo();
    }
  });

  it("left nothing uncaught in the page", () => assert.deepEqual(bench.page.uncaught, []));

  /**
   * Exports a model; the bytes come out of the page in pieces.
   * @param {EnginePage} page
   * @param {string} address
   */
  async function exportToBase64(page, address) {
    const { name, size } = await page.page.evaluate(async (address) => {
      const { storedModels } = await import(new URL("qwisp.js", location.href).href);
      const file = await storedModels.exportFile(address);
      Object.assign(globalThis, { exported: file });
      return { name: file.name, size: file.size };
    }, address);
    const hash = createHash("sha256");
    for (let start = 0; start < size; start += RECORD_BYTES) {
      const base64 = await page.page.evaluate(
        async ({ start, end }) => {
          const { exported } = /** @type {any} */ (globalThis);
          const reader = new FileReader();
          reader.readAsDataURL(exported.slice(start, end));
          await new Promise((resolve) => (reader.onload = resolve));
          return /** @type {string} */ (reader.result).split(",")[1];
        },
        { start, end: start + RECORD_BYTES },
      );
      hash.update(Buffer.from(base64, "base64"));
    }
    return { name, sha256: hash.digest("hex") };
  }
});

/**
 * Imports what is at an address as a file of this device.
 * @param {EnginePage} page
 * @param {string} url
 * @param {{ address?: string, sha256?: string }} options
 * @param {{ name?: string, lastModified?: number, abortAt?: "verify" | "store" }} [test]
 */
async function importInto(page, url, options, { name = "model.gguf", lastModified = 1, abortAt } = {}) {
  const outcome = await page.page.evaluate(
    async ({ url, options, name, lastModified, abortAt }) => {
      const { storedModels } = await import(new URL("qwisp.js", location.href).href);
      const file = new File([await (await fetch(url)).blob()], name, { lastModified });
      /** @type {import("../../www/engine/qwisp.d.ts").ImportProgress[]} */
      const progress = [];
      const abort = new AbortController();
      const onProgress = (/** @type {import("../../www/engine/qwisp.d.ts").ImportProgress} */ step) => {
        progress.push(step);
        if (step.phase === abortAt && step.loadedBytes > 0) abort.abort();
      };
      try {
        const model = await storedModels.importFile(file, { ...options, onProgress, signal: abort.signal });
        return { value: { model, progress } };
      } catch (error) {
        const { kind, message } = /** @type {any} */ (error);
        return { error: { kind, message } };
      }
    },
    { url, options, name, lastModified, abortAt },
  );
  if (!outcome.value) throw Object.assign(new Error(outcome.error.message), { kind: outcome.error.kind });
  return outcome.value;
}

/**
 * Loads what is at an address as a file of this device.
 * @param {EnginePage} page
 * @param {{ url: string, name: string, lastModified: number }} file
 * @param {{ cache?: boolean }} options
 */
async function loadFile(page, file, options) {
  return await page.page.evaluate(
    async ({ file, options }) => {
      const all = /** @type {any} */ (globalThis);
      const { Engine } = await import(new URL("qwisp.js", location.href).href);
      await all.engine?.unload();
      const { name, lastModified } = file;
      const model = new File([await (await fetch(file.url)).blob()], name, { lastModified });
      all.engine = await Engine.load({ model, backend: "cpu", ...options });
      return all.engine.info;
    },
    { file, options },
  );
}
