/** Checks of arguments that the WebAssembly module cannot make itself, because they would not reach it as they are. */
import { QwispError } from "./errors.js";

const LOAD_OPTIONS = ["model", "sha256", "backend", "tier", "contextLength", "cache", "onProgress", "signal"];
const CHAT_OPTIONS = [
  "maxTokens",
  "temperature",
  "topP",
  "topK",
  "minP",
  "repetitionPenalty",
  "presencePenalty",
  "frequencyPenalty",
  "seed",
  "stop",
  "thinking",
  "signal",
];
const SCORE_OPTIONS = ["from", "topK", "signal"];
const BACKENDS = ["auto", "webgpu", "cpu"];
const TIERS = ["auto", "core", "f16", "packed", "subgroups"];
const ROLES = ["system", "user", "assistant", "tool"];
/** Every one of them crosses from the worker to the page, for every position. */
const MAX_TOP_K = 1000;

/** @param {any} options */
export function checkLoadOptions(options) {
  checkOptionNames("Engine.load", LOAD_OPTIONS, options);
  const { sha256, backend, tier, cache, onProgress, signal } = options;
  expect(sha256 === undefined || isSha256(sha256), "Engine.load: sha256", "64 hexadecimal digits", sha256);
  expect(
    backend === undefined || BACKENDS.includes(backend),
    "Engine.load: backend",
    `one of ${BACKENDS.join(", ")}`,
    backend,
  );
  expect(tier === undefined || TIERS.includes(tier), "Engine.load: tier", `one of ${TIERS.join(", ")}`, tier);
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
  for (const [index, message] of messages.entries()) {
    const what = `chat: messages[${index}]`;
    expect(isObject(message), what, "an object { role, content }", message);
    expect(ROLES.includes(message.role), `${what}.role`, `one of ${ROLES.join(", ")}`, message.role);
    checkText(`${what}.content`, message.content);
  }
  checkOptionNames("chat", CHAT_OPTIONS, options);
  checkSignal("chat", options.signal);
}

/** @param {any} options */
export function checkScoreOptions(options) {
  checkOptionNames("score", SCORE_OPTIONS, options);
  const { from, topK, signal } = options;
  expect(from === undefined || isUint32(from), "score: from", "an integer from 0 to 4294967295", from);
  expect(
    topK === undefined || (isUint32(topK) && topK <= MAX_TOP_K),
    "score: topK",
    `an integer from 0 to ${MAX_TOP_K}`,
    topK,
  );
  checkSignal("score", signal);
}

/**
 * The options that are set. JavaScript takes an option that is `undefined` for one left out; the module sees its key.
 *
 * @template {object} T
 * @param {T} options
 * @returns {T}
 */
export function withoutUndefined(options) {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return /** @type {T} */ (Object.fromEntries(entries));
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
 * Converting to `Uint32Array` without a look would wrap -1 and 1.5 into other tokens.
 *
 * @param {string} what
 * @param {any} ids
 * @returns {Uint32Array}
 */
export function tokenIds(what, ids) {
  if (ids instanceof Uint32Array) return ids;
  expect(Array.isArray(ids), what, "a Uint32Array or an array of token ids", ids);
  for (const [index, id] of ids.entries()) {
    expect(isUint32(id), `${what}[${index}]`, "an integer from 0 to 4294967295", id);
  }
  return Uint32Array.from(ids);
}

/**
 * A misspelt option would otherwise go unnoticed.
 *
 * @param {string} method
 * @param {string[]} names
 * @param {any} options
 */
function checkOptionNames(method, names, options) {
  expect(isObject(options), `${method}: options`, "an object", options);
  for (const name of Object.keys(options)) {
    expect(names.includes(name), `${method}: option`, `one of ${names.join(", ")}`, name);
  }
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
function isSha256(value) {
  return typeof value === "string" && /^[0-9a-f]{64}$/i.test(value);
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
