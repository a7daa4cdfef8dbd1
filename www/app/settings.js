/** What people chose for their chats, kept in this browser. Knows no page. */
import { readStored, writeStored } from "./stored_choice.js";

/**
 * @typedef {object} Settings
 * @property {string} preset A name of `PRESETS`, `none`, or `own` for a system prompt that was written by hand.
 * @property {string} presetOption
 * @property {string} system The system prompt; empty for none.
 * @property {boolean | null} thinking Null: as the model does.
 * @property {boolean} slide Whether the oldest turns are left out of a chat that is too long.
 * @property {Partial<Record<NumberName, number>>} numbers Those that were set.
 *
 * @typedef {keyof typeof NUMBERS} NumberName
 * @typedef {import("../engine/qwisp.d.ts").ChatOptions} ChatOptions
 */

const STORED_AS = "qwisp.settings";

/** The numbers to set: their ranges, steps, and what the engine takes without them. */
export const NUMBERS = /** @type {const} */ ({
  thinkingBudget: { group: "thinking", min: 1, max: 100_000, step: 1, default: null },
  maxTokens: { group: "answer", min: 1, max: 100_000, step: 1, default: null },
  temperature: { group: "sampling", min: 0, max: 2, step: 0.05, default: 0.7 },
  topP: { group: "sampling", min: 0.01, max: 1, step: 0.01, default: 0.8 },
  topK: { group: "sampling", min: 0, max: 1000, step: 1, default: 20 },
  minP: { group: "sampling", min: 0, max: 1, step: 0.01, default: 0 },
  repetitionPenalty: { group: "sampling", min: 0.5, max: 2, step: 0.01, default: 1 },
  presencePenalty: { group: "sampling", min: -2, max: 2, step: 0.1, default: 0 },
  frequencyPenalty: { group: "sampling", min: -2, max: 2, step: 0.1, default: 0 },
  seed: { group: "sampling", min: 0, max: 4_294_967_295, step: 1, default: null },
});

export const NUMBER_NAMES = /** @type {NumberName[]} */ (Object.keys(NUMBERS));

/** @returns {Settings} */
export function defaultSettings() {
  return { preset: "none", presetOption: "", system: "", thinking: null, slide: false, numbers: {} };
}

/** @returns {Settings} As they were stored; whatever is no longer valid is as if never set. */
export function readSettings() {
  const settings = defaultSettings();
  try {
    const stored = JSON.parse(readStored(STORED_AS) ?? "{}");
    for (const name of /** @type {const} */ (["preset", "presetOption", "system"])) {
      if (typeof stored[name] === "string") settings[name] = stored[name];
    }
    if (typeof stored.thinking === "boolean") settings.thinking = stored.thinking;
    settings.slide = stored.slide === true;
    for (const name of NUMBER_NAMES) {
      const value = stored.numbers?.[name];
      if (isInRange(name, value)) settings.numbers[name] = value;
    }
  } catch {
    // As if for the first time.
  }
  return settings;
}

/** @param {Settings} settings */
export function storeSettings(settings) {
  writeStored(STORED_AS, JSON.stringify(settings));
}

/**
 * @param {NumberName} name
 * @param {unknown} value
 */
export function isInRange(name, value) {
  const { min, max, step } = NUMBERS[name];
  if (typeof value !== "number" || !Number.isFinite(value) || value < min || value > max) return false;
  return step !== 1 || Number.isInteger(value);
}

/**
 * Options of every chat. The address wins over the settings, and those over what the model's makers recommend.
 *
 * @param {object} sources
 * @param {Settings} sources.settings
 * @param {ChatOptions} sources.recommended
 * @param {ChatOptions} sources.address
 * @param {import("../engine/qwisp.d.ts").EngineInfo["model"]["thinking"]} sources.thinking Whether the loaded model can be told to.
 * @returns {ChatOptions}
 */
export function chatOptions({ settings, recommended, address, thinking }) {
  /** @type {ChatOptions} */
  const options = { ...recommended, ...settings.numbers };
  if (settings.thinking !== null && thinking === "optional") options.thinking = settings.thinking;
  if (settings.slide) options.contextPolicy = "slide";
  return { ...options, ...address };
}
