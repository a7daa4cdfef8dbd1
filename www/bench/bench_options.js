/**
 * What the page's address asks for, besides `model`, `backend`, `tier`, `context` and `kv-cache`, which are those of the chat page:
 *
 * - `prompts`: lengths of prompts in tokens, separated by commas
 * - `generate`: tokens of an answer
 * - `runs`: how often each length is measured
 *
 * @typedef {import("./measure.js").Plan} Plan
 */
import { QwispError } from "../qwisp.js";

/** Nobody waits longer than that for one line of a table. */
const PATIENCE_MS = 180_000;

/**
 * @param {string} query The part of the address from `?` on.
 * @returns {Plan}
 */
export function readPlan(query) {
  const parameters = new URLSearchParams(query);
  return {
    prompts: readCounts("prompts", parameters.get("prompts") ?? "64,256,1024"),
    generate: readCounts("generate", parameters.get("generate") ?? "32")[0],
    runs: readCounts("runs", parameters.get("runs") ?? "3")[0],
    patienceMs: PATIENCE_MS,
  };
}

/**
 * @param {string} name
 * @param {string} text
 */
function readCounts(name, text) {
  const counts = text.split(",").map(Number);
  if (counts.every((count) => Number.isInteger(count) && count > 0)) return counts;
  throw new QwispError("invalid-argument", `${name} in the page's address: expected whole numbers, got "${text}"`);
}
