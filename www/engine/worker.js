/**
 * The engine's dedicated worker: starts the WebAssembly module and runs the calls of `worker_client.js`, one at a time
 * and in order. Only an abort message overtakes.
 */
import { withDownloadTurn } from "./download_turn.js";
import { errorToPlain } from "./errors.js";
import { exportFile } from "./export_file.js";
import { HttpClient } from "./http_client.js";
import { importFile } from "./import_file.js";
import { ModelStore } from "./model_store.js";
import { ReaderClient } from "./reader_client.js";
import { requestSubgroups } from "./request_subgroups.js";
import { startModule } from "./start_module.js";

/**
 * @typedef {object} CallContext
 * @property {(value: unknown) => void} report Sends an event of the running call to the page.
 * @property {AbortSignal} signal
 */

/** Controllers of the calls that wait or run, by call id. @type {Map<number, AbortController>} */
const controllers = new Map();
/** Settles when the last call made so far has been answered. */
let queue = Promise.resolve();
/** @type {any} */
let engine = null;

/**
 * A smaller file is read sooner than readers start. And workers that are ended while they start can leave Firefox 153 with a
 * database of which no other worker's transactions come to an end.
 */
const READERS_FROM_BYTES = 64 << 20;

/** @type {Record<string, (args: any[], context: CallContext) => unknown>} */
const methods = {
  async load([options], { report, signal }) {
    const starting = startFor(options);
    starting.catch(() => {}); // it is awaited below
    // A browser that refuses to store anything can still chat.
    const store = options.cache ? await ModelStore.open().catch(() => null) : null;
    try {
      const stored = await store?.manifest(options.address).catch(() => null);
      // What reads starts together with the module.
      if (stored && stored.totalBytes >= READERS_FROM_BYTES) {
        store?.readElsewhere((readHere) => new ReaderClient(readHere));
      }
      const { WasmEngine } = await starting;
      const load = (/** @type {(progress: any) => void} */ report, /** @type {AbortSignal} */ signal) =>
        WasmEngine.load(options, store ?? undefined, new HttpClient(signal, options.stallMs), report, signal);
      engine = store
        ? await withDownloadTurn(options.address, turnOptions(store, options, report, signal), (turn) => {
            store.guardWrites(turn.check);
            return load(turn.report, turn.signal);
          })
        : await load(report, signal);
    } finally {
      await store?.close();
    }
    return engine.info();
  },
  async probe([options]) {
    const { WasmEngine } = await startFor(options);
    return await WasmEngine.probe(options);
  },
  chat: ([messages, options], { report, signal }) =>
    engine.chat(messages, options, report, (/** @type {any} */ contextSlide) => report({ contextSlide }), signal),
  batch: ([conversations, options], { report, signal }) =>
    engine.batch(
      conversations,
      options,
      (/** @type {number} */ index, /** @type {string} */ text) => report({ index, text }),
      signal,
    ),
  tokenize: ([text, special]) => engine.tokenize(text, special),
  detokenize: ([ids]) => engine.detokenize(ids),
  score: ([ids, from, topK], { signal }) => engine.score(ids, from, topK, signal),
  counters: () => engine.counters(),
  measureBandwidth: () => engine.measure_bandwidth(),
  unload: () => engine.free(),
  exportFile: ([address]) => exportFile(address, () => startModule(reportStopped)),
  importFile: ([file, options], context) =>
    importFile(file, options, { ...context, startModule: () => startModule(reportStopped) }),
};

/**
 * Starts the module, prepared for what is to compute.
 *
 * @param {{ backend: string, tier: string }} options
 */
function startFor({ backend, tier }) {
  if (backend !== "cpu" && (tier === "auto" || tier === "subgroups")) requestSubgroups();
  return startModule(reportStopped);
}

/**
 * @param {ModelStore} store
 * @param {{ address: string, sha256?: string }} options
 * @param {(progress: unknown) => void} report
 * @param {AbortSignal} signal
 */
function turnOptions(store, { address, sha256 }, report, signal) {
  const isComplete = async () => {
    try {
      const manifest = await store.manifest(address);
      if (manifest?.isComplete) return sha256 === undefined || manifest.sha256 === sha256.toLowerCase();
      await store.removeLeftovers();
    } catch {
      // The load finds out what is the matter with the store.
    }
    return false;
  };
  return { isComplete, report, signal };
}

/**
 * Tells the page that the module is dead, so that it does not wait for answers that cannot come.
 *
 * @param {string} cause
 */
function reportStopped(cause) {
  postMessage({ type: "stopped", cause });
}

/** @param {{ id: number, method: string, args: any[] }} call */
async function run({ id, method, args }) {
  const { signal } = /** @type {AbortController} */ (controllers.get(id));
  const report = (/** @type {unknown} */ value) => postMessage({ type: "event", id, value });
  try {
    postMessage({ type: "result", id, value: await methods[method](args, { report, signal }) });
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) reportStopped(String(error));
    else postMessage({ type: "error", id, error: errorToPlain(error) });
  } finally {
    controllers.delete(id);
  }
}

addEventListener("message", ({ data }) => {
  if (data.type === "abort") {
    controllers.get(data.id)?.abort();
  } else {
    const controller = new AbortController();
    // Its own message would come too late for a call that is over at once.
    if (data.aborted) controller.abort();
    controllers.set(data.id, controller);
    queue = queue.then(() => run(data));
  }
});

// A trap inside a promise callback of the module reaches nobody otherwise.
addEventListener("unhandledrejection", ({ reason }) => {
  if (reason instanceof WebAssembly.RuntimeError) reportStopped(String(reason));
});

postMessage({ type: "started" });
