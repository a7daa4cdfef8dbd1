import { QwispError } from "./errors.js";
import { settleWithin } from "./settle_within.js";

/**
 * @typedef {import("./worker_client.js").WorkerClient} WorkerClient
 * @typedef {import("./qwisp.d.ts").EngineInfo} EngineInfo
 * @typedef {import("./qwisp.d.ts").LoadProgress} LoadProgress
 */

/** How long an aborted load may take to remove what it has stored before its worker is ended regardless. */
const CLEANUP_PATIENCE_MS = 2000;

/** Settles when all aborted loads are over: the next load may store the same file that they are removing. */
let cleanups = Promise.resolve();

/**
 * Loads a model into the client's worker. When that fails the client is closed; after an abort it is closed as soon as
 * the worker has cleaned up, while the caller hears of the abort at once.
 *
 * @param {WorkerClient} client
 * @param {string[]} urls Absolute addresses of the same file, in the order in which to try them.
 * @param {object} moduleOptions
 * @param {{ onProgress?: (progress: LoadProgress) => void, signal?: AbortSignal }} options
 * @returns {Promise<EngineInfo>}
 */
export async function loadModel(client, urls, moduleOptions, { onProgress, signal }) {
  const onEvent = (/** @type {LoadProgress} */ progress) => {
    if (!signal?.aborted) onProgress?.(progress);
  };
  const loading = cleanups.then(() => loadFirstReachable(client, urls, moduleOptions, { onEvent, signal }));
  try {
    return await unlessAborted(loading, signal);
  } catch (error) {
    const reason = /** @type {QwispError} */ (error);
    if (signal?.aborted) {
      const cleanup = settleWithin(loading, CLEANUP_PATIENCE_MS).then(() => client.close(reason));
      cleanups = cleanups.then(() => cleanup);
    } else {
      client.close(reason);
    }
    throw error;
  }
}

/**
 * A catalogue lists the same file at several places; one that cannot be reached is no reason to give up.
 *
 * @param {WorkerClient} client
 * @param {string[]} urls
 * @param {object} moduleOptions
 * @param {{ onEvent: (progress: LoadProgress) => void, signal?: AbortSignal }} callOptions
 * @returns {Promise<EngineInfo>}
 */
async function loadFirstReachable(client, urls, moduleOptions, callOptions) {
  /** @type {unknown} */
  let lastError;
  for (const url of urls) {
    if (callOptions.signal?.aborted) throw aborted();
    try {
      return await client.call("load", [{ ...moduleOptions, url }], callOptions);
    } catch (error) {
      if (/** @type {QwispError} */ (error).kind !== "network") throw error;
      lastError = error;
    }
  }
  throw lastError;
}

/**
 * @template T
 * @param {Promise<T>} loading
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
function unlessAborted(loading, signal) {
  if (!signal) return loading;
  return new Promise((resolve, reject) => {
    const abort = () => reject(aborted());
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    loading.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

function aborted() {
  return new QwispError("aborted", "Engine.load was aborted by its signal");
}
