/**
 * System prompts to begin with. They are for models, which understand English best, whatever the language of the page.
 *
 * @typedef {"general" | "reasoning" | "code" | "translation" | "maths"} PresetName
 * @typedef {object} Preset
 * @property {(option: string) => string} system
 * @property {import("./i18n.js").MessageKey} [optionLabel] What `option` is; without it there is none.
 * @property {string} [option] To begin with.
 * @property {string[]} [suggestions]
 */

/** @type {Record<PresetName, Preset>} */
export const PRESETS = {
  general: {
    system: () =>
      "You are a helpful assistant. Answer briefly and clearly, in the language of the question. Say so when you are not sure.",
  },
  reasoning: {
    system: () =>
      "You are a careful assistant. Think the question through step by step, check each step, and finish with a line that " +
      'begins with "Answer:".',
  },
  code: {
    system: (option) =>
      `You are an experienced programmer. Write ${option || "code"}. Keep to these constraints. Give complete, working code in ` +
      "one block, and after it at most a few sentences of explanation.",
    optionLabel: "preset.codeOption",
    option: "Python 3, standard library only",
    suggestions: [
      "Python 3, standard library only",
      "modern JavaScript without dependencies",
      "TypeScript in strict mode",
      "Rust without unsafe code",
      "C++20",
      "portable SQL",
      "POSIX shell",
    ],
  },
  translation: {
    system: (option) =>
      `You are a translator. Translate everything the user writes into ${option || "English"}. With several languages, give ` +
      "one translation after the other, each after the name of its language. Keep meaning, tone and formatting. Write " +
      "the translation only.",
    optionLabel: "preset.translationOption",
    option: "English",
    suggestions: [
      "English",
      "Chinese",
      "Spanish",
      "Tagalog",
      "English, Chinese, Spanish and Tagalog",
      "French",
      "Arabic",
      "Hindi",
      "Japanese",
    ],
  },
  maths: {
    system: () => "Solve the problem step by step. Write formulas in LaTeX, and put the final answer within \\boxed{}.",
  },
};

/** @param {string} name @returns {name is PresetName} */
export function isPresetName(name) {
  return Object.hasOwn(PRESETS, name);
}
