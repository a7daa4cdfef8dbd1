import { FATAL_KINDS, QwispError, engineStopped, errorFromPlain } from "./errors.js";
import { WORKER_URL } from "./start_worker.js";

/**
 * @typedef {object} PendingCall
 * @property {(value: any) => void} resolve
 * @property {(error: QwispError) => void} reject
 * @property {((value: any) => void) | undefined} onEvent
 */

/** The page's end of the line to the worker: calls out, answers and events back. The other end is `worker.js`. */
export class WorkerClient {
  /** @type {Worker} */
  #worker;
  /** @type {Map<number, PendingCall>} */
  #pending = new Map();
  #lastId = 0;
  #started = false;
  /** Why no call can succeed any more. @type {QwispError | null} */
  #failure = null;

  /** @param {Worker} worker */
  constructor(worker) {
    this.#worker = worker;
    worker.addEventListener("message", ({ data }) => this.#receive(data));
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.close(this.#started ? engineStopped(event.message || "its worker failed") : workerNotStarted(event.message));
    });
    worker.addEventListener("messageerror", () =>
      this.close(engineStopped("a message from the worker was unreadable")),
    );
  }

  /**
   * Calls a method of the worker. Calls run one after another, in the order in which they were made.
   *
   * @param {string} method
   * @param {unknown[]} args
   * @param {{ onEvent?: (value: any) => void, signal?: AbortSignal }} [options] `onEvent` gets what the method reports
   *   while it runs; `signal` tells the worker at once, and the method decides what to answer.
   * @returns {Promise<any>}
   */
  call(method, args, { onEvent, signal } = {}) {
    if (this.#failure) return Promise.reject(this.#failure);
    const id = ++this.#lastId;
    const sendAbort = () => this.#worker.postMessage({ type: "abort", id });

    const answer = new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onEvent });
      try {
        this.#worker.postMessage({ type: "call", id, method, args, aborted: signal?.aborted ?? false });
      } catch (cause) {
        this.#pending.delete(id);
        reject(
          new QwispError("invalid-argument", `${method}: expected arguments made of plain data, got ${cause}`, {
            cause,
          }),
        );
      }
    });
    if (!signal || signal.aborted) return answer;

    signal.addEventListener("abort", sendAbort);
    return answer.finally(() => signal.removeEventListener("abort", sendAbort));
  }

  /**
   * Ends the worker. Pending calls, and every later one, reject with `reason`; the first reason stays.
   *
   * @param {QwispError} reason
   */
  close(reason) {
    if (this.#failure) return;
    this.#failure = reason;
    this.#worker.terminate();
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
  }

  /** @param {any} message */
  #receive(message) {
    switch (message.type) {
      case "started":
        this.#started = true;
        break;
      case "event":
        this.#pending.get(message.id)?.onEvent?.(message.value);
        break;
      case "result":
        this.#settle(message.id, (call) => call.resolve(message.value));
        break;
      case "error": {
        const error = errorFromPlain(message.error);
        this.#settle(message.id, (call) => call.reject(error));
        if (FATAL_KINDS.has(error.kind)) this.close(error);
        break;
      }
      case "stopped":
        this.close(engineStopped(message.cause));
        break;
    }
  }

  /**
   * @param {number} id
   * @param {(call: PendingCall) => void} deliver
   */
  #settle(id, deliver) {
    const call = this.#pending.get(id);
    if (!call) return; // closed in the meantime
    this.#pending.delete(id);
    deliver(call);
  }
}

/**
 * @param {string | undefined} detail
 * @returns {QwispError}
 */
function workerNotStarted(detail) {
  return new QwispError(
    "network",
    `The engine's worker could not be started: expected a JavaScript module at ${WORKER_URL}, ` +
      `got ${detail || "a load error"}. Check that the folder engine/ is served beside qwisp.js, with CORS headers ` +
      "for a page of another origin, and that the page's content security policy allows the worker.",
  );
}
