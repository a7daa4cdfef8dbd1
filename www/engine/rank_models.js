/** Which models suit a task and a device: from the catalogue, and from what `Engine.probe` measured. Nothing is fetched. */
import { checkRankOptions } from "./arguments.js";

/**
 * @typedef {import("./qwisp.d.ts").CatalogueModel} CatalogueModel
 * @typedef {import("./qwisp.d.ts").Probe} Probe
 * @typedef {import("./qwisp.d.ts").RankedModel} RankedModel
 */

/** Slower than people read: not worth waiting for where a faster model does the task. */
const READABLE_TOKENS_PER_SECOND = 5;
/** What a conversation is given where nothing else is asked for. */
const DEFAULT_CONTEXT = 4096;
/** The WebAssembly module, its vocabulary, and what a forward pass works in. */
const MODULE_BYTES = 150e6;
/** The page, its browser and the system want the rest. */
const USABLE_SHARE = 0.5;
/** Weights in memory by those in the file: on the processor, types of 4 to 6 bits become bytes. */
const GROWTH = { webgpu: 1.03, cpu: 1.3 };

/** Why a model is where it is, best reasons first. @type {RankedModel["reason"][]} */
const REASONS = ["good", "slow", "memory", "other-task"];

/**
 * @param {CatalogueModel[]} models
 * @param {{ task?: import("./qwisp.d.ts").Task, probe?: Probe, memoryBytes?: number }} [options]
 * @returns {RankedModel[]}
 */
export function rankModels(models, options = {}) {
  checkRankOptions(models, options);
  const { task = "chat", probe, memoryBytes } = options;
  const ranked = models.map((model) => {
    const tokensPerSecond = probe ? predictTokensPerSecond(model, probe) : null;
    const fits = memoryBytes === undefined ? null : neededBytes(model, probe) <= memoryBytes * USABLE_SHARE;
    return {
      model,
      tokensPerSecond,
      fits,
      recommended: false,
      reason: reasonFor({ model, task, tokensPerSecond, fits }),
    };
  });
  // Sorting keeps the order of what is equal: the catalogue has the preferred one first.
  ranked.sort((a, b) => REASONS.indexOf(a.reason) - REASONS.indexOf(b.reason) || byMerit(a, b, task));

  const [first] = ranked;
  // Nothing that does not fit or was made for something else is worth a recommendation, however little there is.
  if (first?.reason === "good" || first?.reason === "slow") {
    first.recommended = true;
    if (first.reason === "good") first.reason = "best";
  }
  return ranked;
}

/**
 * Of two that are slow the faster one comes first; of others the one that is better at the task.
 *
 * @param {RankedModel} a
 * @param {RankedModel} b
 * @param {import("./qwisp.d.ts").Task} task
 */
function byMerit(a, b, task) {
  const speed = (b.tokensPerSecond ?? 0) - (a.tokensPerSecond ?? 0);
  const grade = (b.model.tasks?.[task] ?? 0) - (a.model.tasks?.[task] ?? 0);
  return a.reason === "slow" ? speed || grade : grade;
}

/**
 * @param {Pick<RankedModel, "model" | "tokensPerSecond" | "fits"> & { task: import("./qwisp.d.ts").Task }} ranked
 * @returns {RankedModel["reason"]}
 */
function reasonFor({ model, task, tokensPerSecond, fits }) {
  if (!model.tasks?.[task]) return "other-task";
  if (fits === false) return "memory";
  if (tokensPerSecond !== null && tokensPerSecond < READABLE_TOKENS_PER_SECOND) return "slow";
  return "good";
}

/**
 * Each token reads every weight once, and waits for as many dispatches as there are. What it reads of its conversation
 * is left out, so a long one is slower.
 *
 * @param {CatalogueModel} model
 * @param {Probe} probe
 * @returns {number | null}
 */
function predictTokensPerSecond({ weightBytesPerToken, bytes, layers }, probe) {
  const { weightBytesPerSecond, bytesPerSecondByType = {}, secondsPerDispatch = 0 } = probe;
  const weights = Object.entries(weightBytesPerToken ?? { "": bytes });
  const reading = weights.reduce(
    (sum, [type, bytes]) => sum + bytes / (bytesPerSecondByType[type] ?? weightBytesPerSecond),
    0,
  );
  // Of WebGPU: 5 a layer, the embedding, the head in two parts, the choice of the token.
  const dispatching = (5 * (layers ?? 0) + 4) * secondsPerDispatch;
  const rate = 1 / (reading + dispatching);
  return Number.isFinite(rate) ? rate : null;
}

/**
 * @param {CatalogueModel} model
 * @param {Probe} [probe]
 */
function neededBytes({ bytes, kvCacheBytesPerToken = 0, contextLength = DEFAULT_CONTEXT }, probe) {
  const context = Math.min(contextLength, DEFAULT_CONTEXT);
  return bytes * GROWTH[probe?.backend ?? "webgpu"] + kvCacheBytesPerToken * context + MODULE_BYTES;
}
