/** Checks of arguments that the WebAssembly module cannot make itself, because they would not reach it as they are. */
import { QwispError } from "./errors.js";

const LOAD_OPTIONS = ["model", "sha256", "backend", "contextLength", "cache", "onProgress", "signal"];

/** @param {any} options */
export function checkLoadOptions(options) {
  expect(isObject(options), "Engine.load: options", "an object", options);
  for (const name of Object.keys(options)) {
    expect(LOAD_OPTIONS.includes(name), "Engine.load: option", `one of ${LOAD_OPTIONS.join(", ")}`, name);
  }
  const { cache, onProgress, signal } = options;
  expect(cache === undefined || typeof cache === "boolean", "Engine.load: cache", "a boolean", cache);
  expect(
    onProgress === undefined || typeof onProgress === "function",
    "Engine.load: onProgress",
    "a function",
    onProgress,
  );
  checkSignal("Engine.load", signal);
}

/**
 * @param {any} messages
 * @param {any} options
 */
export function checkChat(messages, options) {
  expect(Array.isArray(messages), "chat: messages", "an array of { role, content }", messages);
  expect(isObject(options), "chat: options", "an object", options);
  checkSignal("chat", options.signal);
}

/**
 * @param {string} what
 * @param {any} text
 */
export function checkText(what, text) {
  expect(typeof text === "string", what, "a string", text);
}

/**
 * @param {string} what
 * @param {any} value
 */
export function checkBoolean(what, value) {
  expect(typeof value === "boolean", what, "a boolean", value);
}

/**
 * @param {string} what
 * @param {any} value
 */
export function checkCount(what, value) {
  expect(isUint32(value), what, "an integer from 0 to 4294967295", value);
}

/**
 * Converting to `Uint32Array` without a look would wrap -1 and 1.5 into other tokens.
 *
 * @param {string} what
 * @param {any} ids
 * @returns {Uint32Array}
 */
export function tokenIds(what, ids) {
  if (ids instanceof Uint32Array) return ids;
  expect(Array.isArray(ids), what, "a Uint32Array or an array of token ids", ids);
  ids.forEach((/** @type {any} */ id, /** @type {number} */ index) => checkCount(`${what}[${index}]`, id));
  return Uint32Array.from(ids);
}

/**
 * @param {string} method
 * @param {any} signal
 */
function checkSignal(method, signal) {
  expect(signal === undefined || signal instanceof AbortSignal, `${method}: signal`, "an AbortSignal", signal);
}

/** @param {any} value */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param {any} value */
function isUint32(value) {
  return Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
}

/**
 * @param {boolean} holds
 * @param {string} what
 * @param {string} expected
 * @param {unknown} got
 */
function expect(holds, what, expected, got) {
  if (!holds) throw new QwispError("invalid-argument", `${what}: expected ${expected}, got ${describe(got)}`);
}

/** @param {unknown} value */
function describe(value) {
  if (typeof value === "string") return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return `an instance of ${value.constructor?.name ?? "nothing"}`;
  return String(value);
}
