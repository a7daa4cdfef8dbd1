/** The table of `make bench`, in Markdown. */

import { median } from "../../www/bench/measure.js";
import { bandwidthShare } from "../../www/bench/report.js";

/** @typedef {import("./chromium.mjs").Result} Result */
/** @typedef {import("../../www/engine/qwisp.d.ts").Counters} Counters */

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {boolean} isCost Whether less is better.
 * @property {(result: Result) => number | null | undefined} value
 * @property {(value: number) => string} format
 */

/**
 * @typedef {object} Results What was measured; a target that was not is missing.
 * @property {Result} [chromium] On WebGPU.
 * @property {Result} [cpu] In the same Chromium, on the processor.
 * @property {Result} [baseline] An older build, in the same Chromium.
 * @property {Result} [wllama]
 * @property {Result} [native]
 */

/** @type {Record<keyof Results, string>} */
export const TARGET_NAMES = {
  chromium: "Chromium",
  baseline: "before",
  cpu: "Chromium, CPU",
  wllama: "wllama",
  native: "native",
};

/**
 * @param {Results} results
 * @param {number[]} prompts
 */
export function table(results, prompts) {
  const { chromium, cpu, baseline, wllama, native } = results;
  /** @type {[string, (row: Row) => string][]} */
  const columns = [["", (row) => row.name]];
  const add = (/** @type {string} */ title, /** @type {Result | undefined} */ result) => {
    if (result) columns.push([title, (row) => cell(row, result)]);
  };
  const compare = (
    /** @type {string} */ title,
    /** @type {Result | undefined} */ result,
    /** @type {Result | undefined} */ other,
  ) => {
    if (result && other) columns.push([title, (row) => ratio(row, result, other)]);
  };
  add(TARGET_NAMES.chromium, chromium);
  add(TARGET_NAMES.baseline, baseline);
  compare("times before", chromium, baseline);
  add(TARGET_NAMES.cpu, cpu);
  add(TARGET_NAMES.wllama, wllama);
  compare("times wllama", chromium, wllama);
  compare("CPU: times wllama", cpu, wllama);
  add(TARGET_NAMES.native, native);
  const rows = listRows(prompts).filter((row) => Object.values(results).some((result) => isKnown(row.value(result))));
  const lines = [columns.map(([title]) => title), columns.map(([title]) => (title ? "---:" : "---"))];
  lines.push(...rows.map((row) => columns.map(([, content]) => content(row))));
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/**
 * @param {number[]} prompts
 * @returns {Row[]}
 */
function listRows(prompts) {
  const lengthOf = (/** @type {Result} */ result, /** @type {number} */ promptTokens) =>
    result.lengths.find((length) => length.promptTokens === promptTokens);
  /** @type {Row[]} */
  const speeds = ["prefill", "decode"].flatMap((phase) =>
    prompts.map((prompt) => ({
      name: `${phase}, tok/s, prompt of ${prompt}`,
      isCost: false,
      value: (result) => lengthOf(result, prompt)?.[/** @type {"prefill" | "decode"} */ (phase)],
      format: figure,
    })),
  );
  /** @type {Row[]} */
  const loading = [
    {
      name: "load from a local server, s",
      isCost: true,
      value: (result) => medianOf(result.networkLoadMs),
      format: seconds,
    },
    {
      name: "load from the browser's storage, s",
      isCost: true,
      value: (result) => medianOf(result.storedLoadMs),
      format: seconds,
    },
    { name: "most wasm memory, MiB", isCost: true, value: (result) => result.wasmBytes, format: mebibytes },
  ];
  /** @type {[keyof Counters, string, (value: number) => string][]} */
  const counted = [
    ["dispatches", "dispatches", figure],
    ["passes", "passes", figure],
    ["submits", "submits", figure],
    ["bindGroupsCreated", "bind groups made", figure],
    ["bytesWritten", "bytes written", figure],
    ["bytesRead", "bytes read back", figure],
    ["weightBytesRead", "weights read, MB", megabytes],
  ];
  /** @type {Row[]} */
  const counters = /** @type {const} */ (["decode", "prefill"]).flatMap((phase) =>
    counted.map(([counter, name, format]) => ({
      name: `${name}, a ${phase === "decode" ? "decoded" : "prompt"} token`,
      isCost: true,
      value: (/** @type {Result} */ result) => perToken(result, phase, counter),
      format,
    })),
  );
  /** @type {Row[]} */
  const bandwidth = [
    {
      name: "memory bandwidth, a copy, GB/s",
      isCost: false,
      value: ({ bandwidth }) => bandwidth,
      format: (value) => figure(value / 1e9),
    },
    {
      name: "of it reached by decoding, %",
      isCost: false,
      value: ({ lengths: [first], bandwidth }) => first && bandwidth && bandwidthShare(first, bandwidth),
      format: (value) => figure(100 * value),
    },
  ];
  return [...speeds, ...loading, ...bandwidth, ...counters];
}

/**
 * Of the shortest prompt. Builds from before tokens were counted computed one for each token of the answer but the last.
 * @param {Result} result
 * @param {"prefill" | "decode"} phase
 * @param {keyof Counters} counter
 */
function perToken({ lengths: [first] }, phase, counter) {
  const counters = first?.counters?.[phase];
  if (!counters) return undefined;
  const tokens = counters.tokens ?? (phase === "prefill" ? first.promptTokens : first.completionTokens - 1);
  return counters[counter] === undefined || !tokens ? undefined : counters[counter] / tokens;
}

/**
 * @param {Row} row
 * @param {Result} result
 */
function cell(row, result) {
  const value = row.value(result);
  return isKnown(value) ? row.format(value) : "–";
}

/**
 * How many times better the first is.
 * @param {Row} row
 * @param {Result} result
 * @param {Result} other
 */
function ratio(row, result, other) {
  const [value, reference] = [row.value(result), row.value(other)];
  if (!value || !reference) return "–";
  const times = row.isCost ? reference / value : value / reference;
  return `${figure(times)}×`;
}

/**
 * @param {number | null | undefined} value
 * @returns {value is number}
 */
const isKnown = (value) => value !== undefined && value !== null;

/** @param {number[]} values */
const medianOf = (values) => (values.length > 0 ? median(values) : undefined);

/** @param {number} value */
const figure = (value) =>
  Number.isInteger(value) || Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);

/** @param {number} ms */
const seconds = (ms) => (ms / 1000).toFixed(1);

/** @param {number} bytes */
const mebibytes = (bytes) => (bytes / (1 << 20)).toFixed(1);

/** @param {number} bytes */
const megabytes = (bytes) => figure(bytes / 1e6);
