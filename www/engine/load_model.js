import { QwispError } from "./errors.js";
import { settleWithin } from "./settle_within.js";

/**
 * @typedef {import("./worker_client.js").WorkerClient} WorkerClient
 * @typedef {import("./qwisp.d.ts").EngineInfo} EngineInfo
 * @typedef {import("./qwisp.d.ts").LoadProgress} LoadProgress
 */

/** How long an aborted load may take to end by itself, which writes what it has verified, before its worker is ended. */
const ABORT_PATIENCE_MS = 2000;

/**
 * Loads a model into the client's worker. When that fails the client is closed; after an abort it is closed as soon as
 * the worker is done with it, while the caller hears of the abort at once.
 *
 * @param {WorkerClient} client
 * @param {object} moduleOptions
 * @param {{ onProgress?: (progress: LoadProgress) => void, signal?: AbortSignal }} options
 * @returns {Promise<EngineInfo>}
 */
export async function loadModel(client, moduleOptions, { onProgress, signal }) {
  if (signal?.aborted) {
    const reason = aborted();
    client.close(reason);
    throw reason;
  }
  const onEvent = (/** @type {LoadProgress} */ progress) => {
    if (!signal?.aborted) onProgress?.(progress);
  };
  const loading = client.call("load", [moduleOptions], { onEvent, signal });
  try {
    return await unlessAborted(loading, signal);
  } catch (error) {
    const reason = /** @type {QwispError} */ (error);
    if (signal?.aborted) void settleWithin(loading, ABORT_PATIENCE_MS).then(() => client.close(reason));
    else client.close(reason);
    throw error;
  }
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
