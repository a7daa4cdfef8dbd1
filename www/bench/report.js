/** What was measured, in words and figures: for the page's tables, and as plain text. */
import { formatBytes, formatDuration } from "../app/format.js";

/**
 * @typedef {import("./measure.js").LengthResult} LengthResult
 * @typedef {import("../engine/qwisp.d.ts").Counters} Counters
 */

/**
 * @typedef {object} Report
 * @property {string} modelName
 * @property {import("../engine/qwisp.d.ts").EngineInfo} info
 * @property {number | null} networkLoadMs From the call to an engine that answers; null when nothing was downloaded.
 * @property {number | null} storedLoadMs The same from this device's storage; null when it is not kept there.
 * @property {number} bandwidth Of the GPU's memory, in bytes per second.
 * @property {LengthResult[]} lengths
 * @property {string[]} notes
 * @property {string} browser
 */

/** The columns of `lengthRows`. */
export const LENGTH_COLUMNS = ["Prompt", "Prefill tok/s", "Decode tok/s", "Bandwidth", "Runs"];

/**
 * The speeds, a row for each length of prompt.
 *
 * @param {Report} report
 * @returns {string[][]}
 */
export function lengthRows({ lengths, bandwidth }) {
  return lengths.map((length) => [
    `${length.promptTokens} + ${length.completionTokens}`,
    formatSpeed(length.prefill),
    formatSpeed(length.decode),
    formatShare(bandwidthShare(length, bandwidth)),
    String(length.runs),
  ]);
}

/**
 * All else, as pairs of name and value.
 *
 * @param {Report} report
 * @returns {[string, string][]}
 */
export function factRows({ modelName, info, networkLoadMs, storedLoadMs, bandwidth, lengths, browser }) {
  const { memory } = info;
  const last = lengths.at(-1);
  return [
    ["Model", `${modelName}, ${info.model.quantization}`],
    ["Runs on", [info.backend, info.adapter].filter(Boolean).join(", ")],
    ["Tier", info.tier],
    ["Load from the network", networkLoadMs === null ? "not done" : formatDuration(networkLoadMs)],
    ["Load from this device", storedLoadMs === null ? "not kept here" : formatDuration(storedLoadMs)],
    ["Weights, KV cache", `${formatBytes(memory.weightsBytes)}, ${formatBytes(memory.kvCacheBytes)}`],
    ["Memory of the module", formatBytes(memory.wasmBytes)],
    ["Memory bandwidth", `${(bandwidth / 1e9).toFixed(1)} GB/s`],
    ...(last?.counters
      ? /** @type {[string, string][]} */ ([
          ["A decoded token costs", describePerToken(last.counters.decode)],
          ["A prompt token costs", describePerToken(last.counters.prefill)],
        ])
      : []),
    ["Browser", browser],
  ];
}

/**
 * @param {Report} report
 * @returns {string} Lines for a message or an issue.
 */
export function reportText(report) {
  const table = [LENGTH_COLUMNS, ...lengthRows(report)];
  const widths = LENGTH_COLUMNS.map((_, column) => Math.max(...table.map((row) => row[column].length)));
  const lines = table.map((row) => row.map((cell, column) => cell.padStart(widths[column])).join("  "));
  const facts = factRows(report).map(([name, value]) => `${name}: ${value}`);
  return ["Qwisp benchmark", "", ...lines, "", ...facts, ...report.notes, ""].join("\n");
}

/**
 * The part of the memory's bandwidth that reading the weights took while decoding; null when it is not known.
 *
 * @param {LengthResult} length
 * @param {number} bandwidth
 */
export function bandwidthShare({ decode, counters }, bandwidth) {
  if (!counters?.decode.tokens || !bandwidth) return null;
  return ((counters.decode.weightBytesRead / counters.decode.tokens) * decode) / bandwidth;
}

/** @param {Counters} counters */
function describePerToken(counters) {
  if (!counters.tokens) return "nothing";
  const per = (/** @type {number} */ count, /** @type {string} */ one, /** @type {string} */ many) => {
    const cost = count / counters.tokens;
    return `${formatCost(cost)} ${cost === 1 ? one : many}`;
  };
  return [
    per(counters.dispatches, "dispatch", "dispatches"),
    per(counters.passes, "pass", "passes"),
    per(counters.submits, "submit", "submits"),
    per(counters.bindGroupsCreated, "new bind group", "new bind groups"),
    per(counters.bytesWritten, "byte written", "bytes written"),
    per(counters.bytesRead, "byte read back", "bytes read back"),
    `${formatBytes(counters.weightBytesRead / counters.tokens)} of weights read`,
  ].join(", ");
}

/** @param {number} count */
function formatCost(count) {
  return Number.isInteger(count) ? count.toLocaleString("en") : count.toPrecision(3);
}

/** @param {number} perSecond */
function formatSpeed(perSecond) {
  return perSecond < 100 ? perSecond.toPrecision(3) : perSecond.toFixed(0);
}

/** @param {number | null} share */
function formatShare(share) {
  return share === null ? "–" : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}
