/** Checks of arguments that the WebAssembly module cannot make itself, because they would not reach it as they are. */
import { QwispError } from "./errors.js";
import { expect, isObject, isUint32 } from "./expect.js";
import { GENERATION_OPTIONS, checkGenerationOptions } from "./generation_options.js";

const LOAD_OPTIONS = [
  "model",
  "sha256",
  "backend",
  "tier",
  "contextLength",
  "cache",
  "patienceMs",
  "onProgress",
  "signal",
];
const PROBE_OPTIONS = ["backend", "tier", "signal"];
const RANK_OPTIONS = ["task", "probe", "memoryBytes"];
const TASKS = ["chat", "code", "maths", "reasoning", "languages"];
const CHAT_OPTIONS = [...GENERATION_OPTIONS, "tools", "onContextSlide", "signal"];
/** A batch has one signal, and its conversations have nothing of their own to call. */
const CONVERSATION_OPTIONS = CHAT_OPTIONS.filter((name) => name !== "onContextSlide" && name !== "signal");
const BATCH_OPTIONS = [...CONVERSATION_OPTIONS, "each", "onText", "signal"];
const IMPORT_OPTIONS = ["address", "sha256", "onProgress", "signal"];
const SCORE_OPTIONS = ["from", "topK", "signal"];
const BACKENDS = ["auto", "webgpu", "cpu"];
const TIERS = ["auto", "core", "f16", "packed", "subgroups"];
const ROLES = ["system", "user", "assistant", "tool"];
/** Every one of them crosses from the worker to the page, for every position. */
const MAX_TOP_K = 1000;
/** The module reads nested values by recursion, and its stack is small. */
const MAX_DEPTH = 64;

/** @param {any} options */
export function checkLoadOptions(options) {
  checkOptionNames("Engine.load", LOAD_OPTIONS, options);
  const { sha256, cache, patienceMs, onProgress, signal } = options;
  expect(sha256 === undefined || isSha256(sha256), "Engine.load: sha256", "64 hexadecimal digits", sha256);
  checkDevice("Engine.load", options);
  expect(cache === undefined || typeof cache === "boolean", "Engine.load: cache", "a boolean", cache);
  expect(
    patienceMs === undefined || (Number.isFinite(patienceMs) && patienceMs >= 0),
    "Engine.load: patienceMs",
    "a number from 0",
    patienceMs,
  );
  checkCallback("Engine.load: onProgress", onProgress);
  checkSignal("Engine.load", signal);
}

/** @param {any} options */
export function checkProbeOptions(options) {
  checkOptionNames("Engine.probe", PROBE_OPTIONS, options);
  checkDevice("Engine.probe", options);
  checkSignal("Engine.probe", options.signal);
}

/**
 * @param {any} models
 * @param {any} options
 */
export function checkRankOptions(models, options) {
  expect(Array.isArray(models), "rankModels: models", "an array of entries of models.json", models);
  for (const [index, model] of models.entries()) {
    expect(isObject(model), `rankModels: models[${index}]`, "an entry of models.json", model);
  }
  checkOptionNames("rankModels", RANK_OPTIONS, options);
  const { task, probe, memoryBytes } = options;
  expect(task === undefined || TASKS.includes(task), "rankModels: task", `one of ${TASKS.join(", ")}`, task);
  expect(
    probe === undefined || (isObject(probe) && probe.weightBytesPerSecond > 0),
    "rankModels: probe",
    "what Engine.probe resolved to",
    probe,
  );
  expect(
    memoryBytes === undefined || (typeof memoryBytes === "number" && memoryBytes > 0),
    "rankModels: memoryBytes",
    "a number above 0",
    memoryBytes,
  );
}

/**
 * @param {string} method
 * @param {any} options
 */
function checkDevice(method, { backend, tier }) {
  expect(
    backend === undefined || BACKENDS.includes(backend),
    `${method}: backend`,
    `one of ${BACKENDS.join(", ")}`,
    backend,
  );
  expect(tier === undefined || TIERS.includes(tier), `${method}: tier`, `one of ${TIERS.join(", ")}`, tier);
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
    const calls = message.tool_calls ?? [];
    expect(Array.isArray(calls), `${what}.tool_calls`, "an array of { function: { name, arguments } }", calls);
    for (const [index, call] of calls.entries()) {
      checkFunction(`${what}.tool_calls[${index}]`, call?.function);
      const given = call.function.arguments ?? {};
      expect(
        typeof given === "string" || isObject(given),
        `${what}.tool_calls[${index}].function.arguments`,
        "an object, or the JSON of one",
        given,
      );
    }
    if (calls.length === 0 || (message.content ?? null) !== null) checkText(`${what}.content`, message.content);
    for (const name of ["reasoning_content", "tool_call_id", "name"]) {
      if ((message[name] ?? null) !== null) checkText(`${what}.${name}`, message[name]);
    }
  }
  checkOptionNames("chat", CHAT_OPTIONS, options);
  checkGenerationOptions("chat", options);
  checkTools("chat", options.tools);
  checkCallback("chat: onContextSlide", options.onContextSlide);
  checkSignal("chat", options.signal);
}

/**
 * @param {any} conversations
 * @param {any} options
 */
export function checkBatch(conversations, options) {
  expect(Array.isArray(conversations), "batch: conversations", "an array of arrays of messages", conversations);
  checkOptionNames("batch", BATCH_OPTIONS, options);
  const { each, onText, signal, ...common } = options;
  expect(each === undefined || Array.isArray(each), "batch: each", "an array of options", each);
  expect(
    each === undefined || each.length === conversations.length,
    "batch: each.length",
    `${conversations.length}, as many as there are conversations`,
    each?.length,
  );
  checkCallback("batch: onText", onText);
  checkSignal("batch", signal);
  for (const [index, messages] of conversations.entries()) {
    const own = each?.[index] ?? {};
    checkOptionNames(`batch: each[${index}]`, CONVERSATION_OPTIONS, own);
    try {
      checkChat(messages, { ...common, ...own });
    } catch (error) {
      if (!(error instanceof QwispError)) throw error;
      throw new QwispError(error.kind, `batch: conversations[${index}]: ${error.message}`);
    }
  }
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
 * @param {string} what
 * @param {any} address
 */
export function checkStoredAddress(what, address) {
  const isAddress = (typeof address === "string" && address !== "") || address instanceof URL;
  expect(isAddress && URL.canParse(address, "https://example.org/"), what, "an address of a model", address);
}

/**
 * @param {any} file
 * @param {any} options
 */
export function checkImport(file, options) {
  const method = "storedModels.importFile";
  expect(file instanceof Blob, `${method}: file`, "a File or a Blob", file);
  checkOptionNames(method, IMPORT_OPTIONS, options);
  const { address, sha256, onProgress, signal } = options;
  expect(
    address !== undefined || file instanceof File,
    `${method}: address`,
    "one for a Blob, which has no name",
    address,
  );
  expect(sha256 === undefined || isSha256(sha256), `${method}: sha256`, "64 hexadecimal digits", sha256);
  checkCallback(`${method}: onProgress`, onProgress);
  checkSignal(method, signal);
}

/**
 * What JSON has of a value, which a worker can be sent: tools may come from anywhere, with methods and all.
 *
 * @template T
 * @param {string} what
 * @param {T} value
 * @returns {T}
 */
export function plainJson(what, value) {
  let plain;
  try {
    plain = JSON.parse(JSON.stringify(value));
  } catch (error) {
    throw new QwispError("invalid-argument", `${what}: expected what JSON can hold: ${error}`);
  }
  expect(!nestsDeeper(plain, MAX_DEPTH), what, `at most ${MAX_DEPTH} levels of nesting`, "more");
  return plain;
}

/**
 * Options with nothing in their tools but what a worker can be sent.
 *
 * @param {string} method
 * @param {any} options
 */
export function withPlainTools(method, options) {
  return options.tools ? { ...options, tools: plainJson(`${method}: tools`, options.tools) } : options;
}

/**
 * @param {unknown} value
 * @param {number} depth
 * @returns {boolean}
 */
function nestsDeeper(value, depth) {
  if (typeof value !== "object" || value === null) return false;
  return depth === 0 || Object.values(value).some((inner) => nestsDeeper(inner, depth - 1));
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
 * @param {string} what
 * @param {any} callback
 */
function checkCallback(what, callback) {
  expect(callback === undefined || typeof callback === "function", what, "a function", callback);
}

/**
 * @param {string} method
 * @param {any} tools
 */
function checkTools(method, tools = []) {
  expect(Array.isArray(tools), `${method}: tools`, "an array of { type, function }", tools);
  for (const [index, tool] of tools.entries()) {
    expect(isObject(tool), `${method}: tools[${index}]`, "an object { type, function }", tool);
    checkFunction(`${method}: tools[${index}]`, tool.function);
  }
}

/**
 * @param {string} what
 * @param {any} called
 */
function checkFunction(what, called) {
  expect(isObject(called), `${what}.function`, "an object with a name", called);
  checkText(`${what}.function.name`, called.name);
}

/**
 * @param {string} method
 * @param {any} signal
 */
function checkSignal(method, signal) {
  expect(signal === undefined || signal instanceof AbortSignal, `${method}: signal`, "an AbortSignal", signal);
}

/** @param {any} value */
function isSha256(value) {
  return typeof value === "string" && /^[0-9a-f]{64}$/i.test(value);
}
