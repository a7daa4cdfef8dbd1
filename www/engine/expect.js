/** The one way in which a wrong argument is refused: what it is, what was expected and what was found. */
import { QwispError } from "./errors.js";

/**
 * @param {boolean} holds
 * @param {string} what
 * @param {string} expected
 * @param {unknown} got
 */
export function expect(holds, what, expected, got) {
  if (!holds) throw new QwispError("invalid-argument", `${what}: expected ${expected}, got ${describe(got)}`);
}

/** @param {any} value */
export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param {any} value */
export function isUint32(value) {
  return Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
}

/** @param {unknown} value */
function describe(value) {
  if (typeof value === "string") return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return `an instance of ${value.constructor?.name ?? "nothing"}`;
  return String(value);
}
