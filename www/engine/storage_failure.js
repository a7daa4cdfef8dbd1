import { QwispError } from "./errors.js";

/**
 * What the store of models failed with, as an error of ours.
 *
 * @param {string} method
 * @param {unknown} cause
 * @returns {QwispError}
 */
export function storageFailure(method, cause) {
  if (cause instanceof QwispError) return cause;
  const { name } = /** @type {{ name?: unknown }} */ (cause ?? {});
  const what = name === "QuotaExceededError" ? "the browser's storage is full" : "the browser refuses to store";
  return new QwispError("quota", `${method}: ${what}: ${cause}`, { cause });
}
