/**
 * @typedef {import("./qwisp.d.ts").ErrorKind} ErrorKind
 */

/**
 * The kinds after which the engine is gone and has to be loaded again.
 *
 * @type {ReadonlySet<ErrorKind>}
 */
export const FATAL_KINDS = new Set(["out-of-memory", "device-lost", "unloaded", "internal"]);

/** What every failure of the engine is: an error whose `kind` code can switch on and whose message says it all. */
export class QwispError extends Error {
  /**
   * @param {ErrorKind} kind
   * @param {string} message What failed, where, what was found and what was expected.
   * @param {ErrorOptions} [options]
   */
  constructor(kind, message, options) {
    super(message, options);
    this.name = "QwispError";
    /** @readonly */
    this.kind = kind;
  }
}

/**
 * An error as plain data, because structured cloning drops the own properties of errors. Whatever has no kind of its
 * own was not foreseen and counts as internal.
 *
 * @param {unknown} error
 * @returns {{ kind: ErrorKind, message: string }}
 */
export function errorToPlain(error) {
  if (error instanceof Error && "kind" in error && typeof error.kind === "string") {
    return { kind: /** @type {ErrorKind} */ (error.kind), message: error.message };
  }
  return { kind: "internal", message: String(error) };
}

/**
 * @param {{ kind: ErrorKind, message: string }} plain
 * @returns {QwispError}
 */
export function errorFromPlain({ kind, message }) {
  return new QwispError(kind, message);
}

/**
 * The engine cannot go on: a Rust panic, a trap, a dead worker.
 *
 * @param {string} cause
 * @returns {QwispError}
 */
export function engineStopped(cause) {
  return new QwispError(
    "internal",
    `The engine stopped because of a fault of its own: ${cause}. ` +
      "Load it again with Engine.load(); if that happens again, please report this message.",
  );
}
