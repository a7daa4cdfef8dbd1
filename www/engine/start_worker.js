import { QwispError } from "./errors.js";

/** Where the engine's worker is served from. */
export const WORKER_URL = new URL("./worker.js", import.meta.url);

/**
 * Starts the engine's dedicated worker.
 *
 * @returns {Worker}
 */
export function startWorker() {
  try {
    return startModuleWorker(WORKER_URL, "qwisp");
  } catch (cause) {
    throw new QwispError("internal", `The browser refused to start the engine's worker ${WORKER_URL}: ${cause}`, {
      cause,
    });
  }
}

/**
 * Starts a worker. A browser refuses a worker script of another origin, but not one that imports it, so who took the module
 * from elsewhere starts a one-line worker of its own.
 *
 * @param {URL} url
 * @param {string} name
 * @returns {Worker}
 */
export function startModuleWorker(url, name) {
  /** @type {WorkerOptions} */
  const options = { type: "module", name };
  if (url.origin === location.origin) return new Worker(url, options);

  const source = `import ${JSON.stringify(url.href)};`;
  const blobUrl = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const worker = new Worker(blobUrl, options);
  const revoke = () => URL.revokeObjectURL(blobUrl);
  worker.addEventListener("message", revoke, { once: true });
  worker.addEventListener("error", revoke, { once: true });
  return worker;
}
