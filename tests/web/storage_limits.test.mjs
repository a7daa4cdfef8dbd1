/** What only Chromium's driver lets a test do: a full disk, a browser that is killed, memory that is counted. */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { launchChromium } from "./support/browser.mjs";
import { EnginePage } from "./support/engine_page.mjs";
import { heapBytes, overrideQuota } from "./support/devtools.mjs";
import { ModelBench, RECORD_BYTES } from "./support/model_bench.mjs";
import { storedRecords } from "./support/stored_records.mjs";

const TIMEOUT_MS = 90_000;
const SHADERS_TIMEOUT_MS = 300_000;
const CYCLES = 10;
/** After so many cycles the browser has what it keeps for itself. */
const WARM_UP_CYCLES = 3;
const SLOW = 20_000_000;
/** Of what one cycle may leave behind: garbage that wasn't collected yet, and the browser's own bookkeeping. */
const GROWTH_BYTES = 2 << 20;
/** The same for the memory of the GPU process, over all cycles after the warm-up. An engine that stays keeps 32 MiB there. */
const GPU_GROWTH_BYTES = 16 << 20;

describe("storage at its limits, in Chromium", { timeout: 10 * TIMEOUT_MS }, () => {
  const bench = new ModelBench();
  // Chromium tells pages of 10 GiB of room, whatever there is, unless this is off.
  before(() => bench.open("chromium", { flags: ["--disable-features=StaticStorageQuota"] }));
  after(() => bench.close());

  // The first one: Chromium remembers for a while how much room there was.
  it("a disk that fills up in the middle loses nothing that was stored", { timeout: TIMEOUT_MS }, async () => {
    await bench.call("clear", []);
    const url = bench.server.imperfectUrl({});
    // As Chromium does by itself, or when others fill the disk.
    const restore = bench.server.prepend("/engine/worker.js", PROMISE_ROOM);
    const { usedBytes } = await bench.call("usage", []);
    const endOverride = await overrideQuota(bench.page.page, bench.server.url, usedBytes + 3.5 * RECORD_BYTES);
    const { info, progress } = await bench.load(url);
    await endOverride();
    restore();
    assert.equal(await bench.ask(), bench.answer);
    assert.equal(info.stored, false);
    assert.equal(info.notKept?.reason, "no-room");
    assert.equal(progress.at(-1)?.notice?.kind, "not-kept");
    const kept = await storedRecords(bench.page.page, url);
    assert.ok(kept.length >= 2 && kept.length < bench.recordIndexes.length, `${kept.length} records were kept`);
    const before = bench.sentBytes(url);
    await bench.loadWhole(url);
    assert.equal(bench.sentBytes(url) - before, bench.modelBytes - kept.length * RECORD_BYTES);
  });

  it("on a full disk a model loads from memory, and says so before", { timeout: TIMEOUT_MS }, async () => {
    const url = bench.server.imperfectUrl({});
    const before = await bench.call("list", []);
    const used = (await bench.call("usage", [])).usedBytes;
    const endOverride = await overrideQuota(bench.page.page, bench.server.url, used + 2 * RECORD_BYTES);
    try {
      const { info, progress } = await bench.load(url);
      assert.equal(info.stored, false);
      assert.equal(info.notKept?.reason, "no-room");
      const missing = info.notKept?.missingBytes ?? 0;
      assert.ok(missing > 0 && missing <= bench.modelBytes, `${missing} bytes are said to be missing`);
      assert.ok(progress.some(({ notice, loadedBytes }) => notice && loadedBytes < bench.modelBytes));
      assert.equal(await bench.ask(), bench.answer);
      assert.deepEqual(await storedRecords(bench.page.page, url), []);

      const importing = bench.page.page.evaluate(async (url) => {
        const { storedModels } = await import(new URL("qwisp.js", location.href).href);
        const file = new File([await (await fetch(url)).blob()], "full.gguf");
        return await storedModels.importFile(file).catch((/** @type {any} */ { kind, message }) => ({ kind, message }));
      }, bench.server.modelUrl);
      const { kind, message } = await importing;
      assert.equal(kind, "quota");
      assert.match(message, /bytes are missing/);
      assert.deepEqual(await bench.call("list", []), before);
    } finally {
      await endOverride();
    }
    await bench.loadWhole(url);
  });

  it("a browser that is killed while it writes goes on where it was", { timeout: TIMEOUT_MS }, async () => {
    const profile = await mkdtemp(join(tmpdir(), "qwisp-killed-"));
    const url = bench.server.imperfectUrl({ bytesPerSecond: SLOW });
    try {
      let atLeast = 0;
      for (const stop of [1.2, 2.6, 4.1].map((records) => records * RECORD_BYTES)) {
        const browser = await launchChromium({ profile });
        const page = await EnginePage.open(browser.context, bench.server.url);
        const stored = await bench.call("list", [], page);
        const now = stored[0]?.storedBytes ?? 0;
        assert.ok(now >= atLeast, `${now} bytes are stored, ${atLeast} were before`);
        await bench.startLoad(url, {}, page);
        await bench.waitForProgress(({ loadedBytes }) => loadedBytes >= stop, page);
        atLeast = (await bench.call("list", [], page))[0]?.storedBytes ?? 0;
        await browser.kill();
      }
      const browser = await launchChromium({ profile });
      try {
        const page = await EnginePage.open(browser.context, bench.server.url);
        await page.load({ model: url, backend: "cpu" });
        assert.equal(await bench.ask(page), bench.answer);
        const [stored] = await bench.call("list", [], page);
        assert.equal(stored.isComplete, true);
        assert.equal(stored.sha256, bench.sha256);
        const again = bench.sentBytes(url) - bench.modelBytes;
        console.log(`killed three times: ${again} bytes sent again`);
        assert.ok(again <= 3 * 2 * RECORD_BYTES, `${again} bytes were sent again`);
      } finally {
        await browser.close();
      }
    } finally {
      await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    }
  });

  for (const backend of /** @type {const} */ (["cpu", "webgpu"])) {
    it(
      `a model that is loaded and unloaded ${CYCLES} times, on ${backend}, leaves nothing`,
      { timeout: SHADERS_TIMEOUT_MS },
      async () => {
        await bench.call("clear", []);
        const restore = bench.server.prepend("/engine/worker.js", COUNT_WHAT_STAYS);
        try {
          await bench.replacePage();
          const { page } = bench.page;
          await page.evaluate(watchWorkers);
          const { gpuBytes } = /** @type {import("./support/chromium.mjs").Chromium} */ (bench.browser);
          /** @type {{ heap: number, wasm: number, gpu: number }[]} */
          const cycles = [];
          for (let cycle = 0; cycle < CYCLES; cycle++) {
            const { info } = await bench.load(bench.server.modelUrl, { backend });
            assert.equal(info.stored, true);
            if (cycle === 0) assert.ok((await bench.ask()).length > 0);
            await page.evaluate(() => /** @type {any} */ (globalThis).engine.unload());
            cycles.push({ heap: await heapBytes(page), wasm: info.memory.wasmBytes, gpu: await gpuBytes() });
          }
          const { workers, counts } = await page.evaluate(() => {
            const { workers, counts } = /** @type {any} */ (globalThis);
            return { workers, counts };
          });
          const mebibytes = (/** @type {number} */ bytes) => (bytes / (1 << 20)).toFixed(1);
          console.log(
            `${backend}: JavaScript heap ${cycles.map(({ heap }) => mebibytes(heap)).join(", ")} MiB, ` +
              `wasm ${cycles.map(({ wasm }) => mebibytes(wasm)).join(", ")} MiB, ` +
              `GPU process ${cycles.map(({ gpu }) => mebibytes(gpu)).join(", ")} MiB`,
          );
          console.log(`${backend}: workers ${JSON.stringify(workers)}, in the last of them ${JSON.stringify(counts)}`);
          assert.deepEqual(workers, { started: CYCLES, ended: CYCLES });
          assert.ok(counts.connections > 0, "the counting works");
          assert.equal(counts.openConnections, 0);
          if (backend === "webgpu") assert.ok(counts.buffers > 0, "the counting works");
          // The device is dropped with its worker; until then all that was made is freed by name or with it.
          assert.ok(cycles[CYCLES - 1].heap - cycles[1].heap < GROWTH_BYTES, "the page's heap doesn't grow");
          // The first one came from the server: the heads of stored files are read in larger pieces.
          assert.equal(cycles[CYCLES - 1].wasm, cycles[1].wasm);
          // At times it has more for a while.
          const gpuGrowth = Math.min(...cycles.slice(-3).map(({ gpu }) => gpu)) - cycles[WARM_UP_CYCLES - 1].gpu;
          assert.ok(gpuGrowth < GPU_GROWTH_BYTES, `the GPU process grew by ${mebibytes(gpuGrowth)} MiB`);
        } finally {
          restore();
        }
      },
    );
  }

  it("left nothing uncaught in the page", () => assert.deepEqual(bench.page.uncaught, []));
});

const PROMISE_ROOM = "StorageManager.prototype.estimate = async () => ({ quota: 1e12, usage: 0 });";

/** Counts, in the worker, what is opened and what is closed, and tells the page. */
const COUNT_WHAT_STAYS = `
const counts = { connections: 0, openConnections: 0, buffers: 0, liveBuffers: 0 };
const tell = () => postMessage({ type: "counts", counts });
const { open } = IDBFactory.prototype;
IDBFactory.prototype.open = function (...args) {
  const opening = open.apply(this, args);
  opening.addEventListener("success", () => { counts.connections++; counts.openConnections++; tell(); });
  return opening;
};
const { close } = IDBDatabase.prototype;
IDBDatabase.prototype.close = function () { counts.openConnections--; tell(); return close.call(this); };
if (globalThis.GPUDevice) {
  const { createBuffer } = GPUDevice.prototype;
  GPUDevice.prototype.createBuffer = function (...args) { counts.buffers++; counts.liveBuffers++; return createBuffer.apply(this, args); };
  const { destroy } = GPUBuffer.prototype;
  GPUBuffer.prototype.destroy = function () { counts.liveBuffers--; tell(); return destroy.call(this); };
}
`;

/** Runs in the page: counts the workers that start and end, and keeps what the last one told. */
function watchWorkers() {
  const all = /** @type {any} */ (globalThis);
  all.workers = { started: 0, ended: 0 };
  all.counts = {};
  const Original = Worker;
  all.Worker = class extends Original {
    /** @param {[string | URL, WorkerOptions?]} args */
    constructor(...args) {
      super(...args);
      all.workers.started++;
      this.addEventListener("message", ({ data }) => {
        if (data.type === "counts") all.counts = data.counts;
      });
    }

    terminate() {
      all.workers.ended++;
      super.terminate();
    }
  };
}
