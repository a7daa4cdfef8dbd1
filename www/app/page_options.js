/**
 * What the page's address asks for. All parts are optional:
 *
 * - `model`: address of a GGUF (absolute or relative to the page) or an id from models.json; offered first
 * - `backend`: what computes: `auto` (default), `webgpu` or `cpu`
 * - `tier`: which features of the GPU to use: `auto` (default), `core`, `f16`, `packed` or `subgroups`
 * - `context`: tokens that prompt and answer share
 * - `kv-cache`: how keys and values are kept: `f16` (default) or `q8`
 * - `autoload=1`: start at once, without the question, a model that is kept on this device from before
 * - `new-chat=1`: begin a new conversation instead of opening the last one
 * - `choose-model=1`: show the choice of models instead of the last conversation
 * - `system`: system prompt of every chat
 * - `lang`: language of the page, which `i18n.js` reads
 * - `temperature`, `top-p`, `top-k`, `min-p`, `repetition-penalty`, `max-tokens`, `seed`: how to generate
 * - `thinking`, `thinking-budget`: whether a model that can think does, 1 or 0, and for how many tokens
 *
 * @typedef {object} PageOptions
 * @property {string | null} model
 * @property {import("../qwisp.js").Backend} backend
 * @property {import("../qwisp.js").Tier} tier
 * @property {number | undefined} contextLength
 * @property {import("../qwisp.js").KvCache} kvCache
 * @property {boolean} autoload
 * @property {boolean} newChat
 * @property {boolean} chooseModel
 * @property {string | null} system
 * @property {import("../qwisp.js").ChatOptions} generation
 */
import { QwispError } from "../qwisp.js";

const BACKENDS = /** @type {const} */ (["auto", "webgpu", "cpu"]);
const TIERS = /** @type {const} */ (["auto", "core", "f16", "packed", "subgroups"]);

const KV_CACHES = /** @type {const} */ (["f16", "q8"]);

const GENERATION_OPTIONS = /** @type {const} */ ({
  temperature: "temperature",
  "top-p": "topP",
  "top-k": "topK",
  "min-p": "minP",
  "repetition-penalty": "repetitionPenalty",
  "max-tokens": "maxTokens",
  seed: "seed",
  "thinking-budget": "thinkingBudget",
});

const NEW_CHAT = "new-chat";
const CHOOSE_MODEL = "choose-model";
/** What the icon of the installed page and its shortcuts may ask for. */
export const LAUNCH_PARAMETERS = ["autoload", NEW_CHAT, CHOOSE_MODEL];

/** Takes out of the page's address what was for this visit alone. */
export function forgetWishes() {
  const address = new URL(location.href);
  for (const wish of [NEW_CHAT, CHOOSE_MODEL]) address.searchParams.delete(wish);
  if (address.href !== location.href) history.replaceState(history.state, "", address);
}

/**
 * @param {string} query The part of the address from `?` on.
 * @returns {PageOptions}
 */
export function readPageOptions(query) {
  const parameters = new URLSearchParams(query);
  /** @type {import("../qwisp.js").ChatOptions} */
  const generation = {};
  for (const [parameter, option] of Object.entries(GENERATION_OPTIONS)) {
    const value = readNumber(parameters, parameter);
    if (value !== undefined) generation[option] = value;
  }
  const thinking = readSwitch(parameters, "thinking");
  if (thinking !== undefined) generation.thinking = thinking;
  return {
    model: parameters.get("model"),
    backend: readBackend(parameters.get("backend") ?? "auto"),
    tier: readTier(parameters.get("tier") ?? "auto"),
    contextLength: readNumber(parameters, "context"),
    kvCache: readKvCache(parameters.get("kv-cache") ?? "f16"),
    autoload: parameters.get("autoload") === "1",
    newChat: parameters.get(NEW_CHAT) === "1",
    chooseModel: parameters.get(CHOOSE_MODEL) === "1",
    system: parameters.get("system"),
    generation,
  };
}

/**
 * @param {URLSearchParams} parameters
 * @param {string} name
 */
function readNumber(parameters, name) {
  const text = parameters.get(name);
  if (text === null) return undefined;
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw wrongParameter(name, "a number", text);
  return value;
}

/**
 * @param {URLSearchParams} parameters
 * @param {string} name
 */
function readSwitch(parameters, name) {
  const text = parameters.get(name);
  if (text === null) return undefined;
  if (text !== "1" && text !== "0") throw wrongParameter(name, "1 or 0", text);
  return text === "1";
}

/** @param {string} text */
function readBackend(text) {
  const backend = BACKENDS.find((known) => known === text);
  if (backend) return backend;
  throw wrongParameter("backend", `one of ${BACKENDS.join(", ")}`, text);
}

/** @param {string} text */
function readTier(text) {
  const tier = TIERS.find((known) => known === text);
  if (tier) return tier;
  throw wrongParameter("tier", `one of ${TIERS.join(", ")}`, text);
}

/** @param {string} text */
function readKvCache(text) {
  const kvCache = KV_CACHES.find((known) => known === text);
  if (kvCache) return kvCache;
  throw wrongParameter("kv-cache", `one of ${KV_CACHES.join(", ")}`, text);
}

/**
 * @param {string} name
 * @param {string} expected
 * @param {string} got
 */
function wrongParameter(name, expected, got) {
  return new QwispError("invalid-argument", `${name} in the page's address: expected ${expected}, got "${got}"`);
}
