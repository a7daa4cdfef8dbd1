/**
 * Downloads the real model in a browser through a network that breaks off at random places, and shows what that costs; then
 * loads it from IndexedDB, and compares the time with that of plainly reading the same records.
 *
 *     node scripts/verify_download.mjs --model FILE.gguf [--cuts 20] [--backend cpu] [--runs 3] [--speed 20000000]
 *
 * What is under way when a connection breaks is lost, and a server on the same machine runs ahead by all that sockets have room
 * for. So it sends `--speed` bytes a second, which the browser keeps up with. The variable SEED repeats the places of another run.
 */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { launchChromium } from "../tests/web/support/chromium.mjs";
import { heapBytes, watchHeaps } from "../tests/web/support/devtools.mjs";
import { EnginePage } from "../tests/web/support/engine_page.mjs";
import { randomOffsets } from "../tests/web/support/random.mjs";
import { startTestServer } from "../tests/web/support/test_server.mjs";

const TIMEOUT_MS = 30 * 60_000;
const RECORD_BYTES = 4 << 20;
/** As the engine reads. */
const RECORDS_AHEAD = 6;
/** What the module may take besides weights and cache, which are in its memory on the backend `cpu`. */
const WASM_LIMIT_BYTES = 96 << 20;
const HEAP_LIMIT_BYTES = 150e6;
/** How much longer than plainly reading the records it may take to load them. */
const LOAD_RATIO_LIMIT = 1.5;
const HEAP_INTERVAL_MS = 100;

const mebibytes = (/** @type {number} */ bytes) => `${(bytes / (1 << 20)).toFixed(1)} MiB`;
const seconds = (/** @type {number} */ ms) => `${(ms / 1000).toFixed(2)} s`;
const median = (/** @type {number[]} */ all) => [...all].sort((one, other) => one - other)[all.length >> 1];
/** @type {string[]} */
const failures = [];

/**
 * Prints a figure, and notes whether it is within its limit.
 * @param {string} name
 * @param {string} value
 * @param {boolean} isGood
 */
function report(name, value, isGood = true) {
  console.log(`  ${isGood ? "" : "FAILED: "}${name}: ${value}`);
  if (!isGood) failures.push(name);
}

/** @param {string} path */
async function sha256Of(path) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}

/**
 * Loads a model, and notes when which phase began.
 * @param {EnginePage} page
 * @param {{ model: string, backend: string, sha256: string }} options
 */
async function load(page, options) {
  return await page.page.evaluate(async (options) => {
    const { Engine } = await import(new URL("qwisp.js", location.href).href);
    /** @type {Record<string, number>} */
    const phases = {};
    let isFromCache = true;
    const started = performance.now();
    const onProgress = (/** @type {import("../www/engine/qwisp.d.ts").LoadProgress} */ { phase, fromCache }) => {
      phases[phase] ??= performance.now() - started;
      isFromCache &&= fromCache;
    };
    const engine = await Engine.load({ ...options, onProgress });
    const tookMs = performance.now() - started;
    const { info } = /** @type {import("../www/engine/qwisp.d.ts").Engine} */ (engine);
    await engine.unload();
    return { info, phases, isFromCache, tookMs };
  }, options);
}

/**
 * Loads a model and watches the JavaScript heaps of page and worker meanwhile, which takes time from the load.
 * @param {EnginePage} page
 * @param {{ model: string, backend: string, sha256: string }} options
 */
async function loadWatched(page, options) {
  const stopWatching = await watchHeaps(page.page, HEAP_INTERVAL_MS);
  try {
    const outcome = await load(page, options);
    return { ...outcome, heapBytes: await stopWatching() };
  } catch (error) {
    await stopWatching();
    throw error;
  }
}

/**
 * @param {Awaited<ReturnType<typeof loadWatched>>} outcome
 */
function reportMemory({ info, heapBytes }) {
  const { wasmBytes, weightsBytes, kvCacheBytes } = info.memory;
  const ours = wasmBytes - (info.backend === "cpu" ? weightsBytes + kvCacheBytes : 0);
  const besides = info.backend === "cpu" ? ", besides weights and KV cache" : "";
  report("wasm memory", `${mebibytes(wasmBytes)}, ${mebibytes(ours)}${besides}`, ours < WASM_LIMIT_BYTES);
  const heap = `${(heapBytes / 1e6).toFixed(1)} MB`;
  report("JavaScript heap of page and worker, at most", heap, heapBytes < HEAP_LIMIT_BYTES);
}

/** Workers that read all records and do nothing with them: plainly, and with hashes, as the engine does. */
const READERS = {
  plain: `
    const opening = indexedDB.open("qwisp");
    opening.onsuccess = async () => {
      const started = performance.now();
      for (let index = 0; index < count; index++) {
        const reading = opening.result.transaction("records").objectStore("records").get([address, index]);
        await new Promise((resolve) => (reading.onsuccess = resolve));
        if (!reading.result) throw new Error("there is no record " + index);
        reading.result.buffer.transfer?.(0);
      }
      opening.result.close();
      postMessage(performance.now() - started);
    };`,
  hashed: `
    const { ModelStore } = await import(base + "engine/model_store.js");
    const { ReaderClient } = await import(base + "engine/reader_client.js");
    const store = await ModelStore.open();
    store.readElsewhere((readHere) => new ReaderClient(readHere));
    const started = performance.now();
    const ahead = [];
    for (let index = 0; index < count + AHEAD; index++) {
      if (index < count) ahead.push(store.hashedRecord(address, index));
      if (index < AHEAD) continue;
      const { bytes } = await ahead.shift();
      store.release(bytes);
    }
    store.close();
    postMessage(performance.now() - started);`,
};

/**
 * How long it takes to read the records of a model, in a worker.
 * @param {EnginePage} page
 * @param {string} url its address
 * @param {number} count
 * @param {keyof typeof READERS} reader
 * @returns {Promise<number>} milliseconds
 */
async function readRecords(page, url, count, reader) {
  const constants = `const address = ${JSON.stringify(url)}, count = ${count}, AHEAD = ${RECORDS_AHEAD};`;
  return await page.page.evaluate(
    async ({ constants, source }) => {
      const base = `const base = ${JSON.stringify(new URL("./", location.href).href)};`;
      const url = URL.createObjectURL(new Blob([base, constants, source], { type: "text/javascript" }));
      const worker = new Worker(url, { type: "module" });
      const tookMs = await new Promise((resolve, reject) => {
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = ({ message }) => reject(new Error(message));
      });
      worker.terminate();
      URL.revokeObjectURL(url);
      return tookMs;
    },
    { constants, source: READERS[reader] },
  );
}

async function main() {
  const { values } = parseArgs({
    options: {
      model: { type: "string" },
      cuts: { type: "string", default: "20" },
      backend: { type: "string", default: "cpu" },
      runs: { type: "string", default: "3" },
      speed: { type: "string", default: "20000000" },
    },
  });
  if (!values.model) throw new Error("--model is needed");
  const modelPath = resolve(values.model);
  const totalBytes = (await stat(modelPath)).size;
  const cutCount = Number(values.cuts);
  const backend = /** @type {import("../www/engine/qwisp.js").Backend} */ (values.backend);
  const sha256 = await sha256Of(modelPath);
  const cuts = randomOffsets(cutCount, totalBytes);
  const server = await startTestServer({ modelPath });
  const url = server.imperfectUrl({ cuts, bytesPerSecond: Number(values.speed) });
  const browser = await launchChromium();
  try {
    console.log(`${browser.version}, backend ${backend}, ${totalBytes} bytes, ${cutCount} cuts`);
    const page = await EnginePage.open(browser.context, server.url);

    console.log("from the network:");
    const download = await loadWatched(page, { model: url, backend, sha256 });
    const sentBytes = server.answersOf(url).reduce((sum, answer) => sum + answer.sentBytes, 0);
    const again = sentBytes - totalBytes;
    report("time", `${seconds(download.tookMs)}, pauses between attempts among it`);
    report("requests", String(server.answersOf(url).length));
    report(
      "bytes sent again",
      `${again}, ${(again / cutCount / RECORD_BYTES).toFixed(2)} records a cut`,
      again <= cutCount * RECORD_BYTES,
    );
    report("kept", String(download.info.stored), download.info.stored);
    reportMemory(download);

    console.log("from IndexedDB, each in a page of its own, alternately:");
    const count = Math.ceil(totalBytes / RECORD_BYTES);
    /** @type {number[]} */
    const plain = [];
    /** @type {number[]} */
    const hashed = [];
    /** @type {Awaited<ReturnType<typeof load>>[]} */
    const loads = [];
    for (let run = 0; run < Number(values.runs); run++) {
      await page.page.reload();
      plain.push(await readRecords(page, url, count, "plain"));
      hashed.push(await readRecords(page, url, count, "hashed"));
      await page.page.reload();
      loads.push(await load(page, { model: url, backend, sha256 }));
    }
    await page.page.reload();
    const watched = await loadWatched(page, { model: url, backend, sha256 });
    reportMemory(watched);
    const areFromCache = [...loads, watched].every(({ isFromCache }) => isFromCache);
    report("all from IndexedDB", String(areFromCache), areFromCache);
    const whole = loads.map(({ tookMs }) => tookMs);
    // Besides, the module is started, and kernels are compiled, whatever there is to read.
    const reading = loads.map(({ phases }) => phases.verify - phases.upload);
    report("plainly reading the records", plain.map(seconds).join(", "));
    report("reading and hashing them, as the engine does", hashed.map(seconds).join(", "));
    report("reading them into the engine", reading.map(seconds).join(", "));
    report("the whole load", whole.map(seconds).join(", "));
    const ratio = (/** @type {number[]} */ times) => median(times) / median(plain);
    report("reading and hashing, in plain readings", ratio(hashed).toFixed(2), ratio(hashed) <= LOAD_RATIO_LIMIT);
    // Without a GPU, what compiles kernels takes the same cores.
    const isGood = backend !== "cpu" || ratio(reading) <= LOAD_RATIO_LIMIT;
    report("reading into the engine, in plain readings", ratio(reading).toFixed(2), isGood);
    report("the whole load, in plain readings", ratio(whole).toFixed(2));
    report("heap of the page afterwards", mebibytes(await heapBytes(page.page)));
    if (page.uncaught.length > 0) failures.push(`uncaught in the page: ${page.uncaught.join("; ")}`);
  } finally {
    await browser.close();
    await server.close();
  }
  if (failures.length > 0) throw new Error(`beyond its limit: ${failures.join(", ")}`);
}

setTimeout(() => {
  console.error(`error: no end after ${TIMEOUT_MS / 60_000} minutes`);
  process.exit(1);
}, TIMEOUT_MS).unref();
await main().catch((error) => {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
});
