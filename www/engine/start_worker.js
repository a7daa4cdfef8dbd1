import { QwispError } from "./errors.js";

/** Where the engine's worker is served from. */
export const WORKER_URL = new URL("./worker.js", import.meta.url);

/**
 * Starts the engine's dedicated worker. A browser refuses a worker script of another origin, but not one that imports
 * it, so a page that took the module from elsewhere starts a one-line worker of its own.
 *
 * @returns {Worker}
 */
export function startWorker() {
  /** @type {WorkerOptions} */
  const options = { type: "module", name: "qwisp" };
  try {
    if (WORKER_URL.origin === location.origin) return new Worker(WORKER_URL, options);

    const source = `import ${JSON.stringify(WORKER_URL.href)};`;
    const blobUrl = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const worker = new Worker(blobUrl, options);
    const revoke = () => URL.revokeObjectURL(blobUrl);
    worker.addEventListener("message", revoke, { once: true });
    worker.addEventListener("error", revoke, { once: true });
    return worker;
  } catch (cause) {
    throw new QwispError("internal", `The browser refused to start the engine's worker ${WORKER_URL}: ${cause}`, {
      cause,
    });
  }
}
