/**
 * Checks of the options that say how to generate: of their types alone. The ranges are known to the WebAssembly module,
 * but what it makes of a wrong type does not say which option it was.
 */
import { expect, isObject, isUint32 } from "./expect.js";

/** @typedef {[expected: string, holds: (value: any) => boolean]} Type */

/** @type {Type} */
const NUMBER = ["a number", (value) => typeof value === "number"];
/** @type {Type} */
const COUNT = ["an integer from 0 to 4294967295", isUint32];
/** @type {Type} */
const BOOLEAN = ["a boolean", (value) => typeof value === "boolean"];

/** @type {Record<string, Type>} */
const TYPES = {
  maxTokens: COUNT,
  minTokens: COUNT,
  temperature: NUMBER,
  topP: NUMBER,
  topK: COUNT,
  minP: NUMBER,
  repetitionPenalty: NUMBER,
  presencePenalty: NUMBER,
  frequencyPenalty: NUMBER,
  seed: ["an integer from 0 to 2^53 - 1", (value) => Number.isSafeInteger(value) && value >= 0],
  stop: ["an array of strings", (value) => Array.isArray(value) && value.every((text) => typeof text === "string")],
  logitBias: ["an object of numbers by token id", isLogitBias],
  logprobs: BOOLEAN,
  topLogprobs: COUNT,
  thinking: BOOLEAN,
  thinkingBudget: COUNT,
  contextPolicy: ['"error" or "slide"', (value) => value === "error" || value === "slide"],
};

/** The names of the options that are checked here. */
export const GENERATION_OPTIONS = Object.keys(TYPES);

/**
 * @param {string} method
 * @param {any} options
 */
export function checkGenerationOptions(method, options) {
  for (const [name, [expected, holds]] of Object.entries(TYPES)) {
    const value = options[name];
    expect(value === undefined || holds(value), `${method}: ${name}`, expected, value);
  }
}

/** @param {any} value */
function isLogitBias(value) {
  return (
    isObject(value) &&
    Object.entries(value).every(
      ([id, bias]) => String(Number(id)) === id && isUint32(Number(id)) && typeof bias === "number",
    )
  );
}
