/** The settings of chats: kept, checked when they come back, and merged in the right order. */

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { PRESETS } from "../../www/app/presets.js";
import {
  NUMBERS,
  NUMBER_NAMES,
  chatOptions,
  defaultSettings,
  readSettings,
  storeSettings,
} from "../../www/app/settings.js";

describe("the settings", () => {
  /** @type {Map<string, string>} */
  let stored;

  beforeEach(() => {
    stored = new Map();
    const localStorage = {
      getItem: (/** @type {string} */ key) => stored.get(key) ?? null,
      setItem: (/** @type {string} */ key, /** @type {string} */ value) => stored.set(key, value),
    };
    Object.defineProperty(globalThis, "localStorage", { value: localStorage, configurable: true });
  });

  it("come back as they were kept", () => {
    const settings = {
      ...defaultSettings(),
      preset: "code",
      presetOption: "Rust",
      system: "Write Rust.",
      thinking: false,
    };
    settings.slide = true;
    settings.numbers = { temperature: 0.3, seed: 7 };
    storeSettings(settings);
    assert.deepEqual(readSettings(), settings);
  });

  for (const [name, text] of [
    ["nothing", ""],
    ["no JSON", "{"],
    ["something else", "[1]"],
    ["null", "null"],
    ["values of wrong types", '{"preset":1,"system":{},"thinking":"yes","slide":1,"numbers":{"topK":"20","seed":1.5}}'],
    ["numbers out of range", '{"numbers":{"temperature":-1,"topP":2,"maxTokens":0,"constructor":1}}'],
  ]) {
    it(`are the defaults where ${name} was kept`, () => {
      stored.set("qwisp.settings", text);
      assert.deepEqual(readSettings(), defaultSettings());
    });
  }

  it("work where storage is forbidden", () => {
    const forbidden = { get: () => assert.fail("forbidden"), configurable: true };
    Object.defineProperty(globalThis, "localStorage", forbidden);
    storeSettings(defaultSettings());
    assert.deepEqual(readSettings(), defaultSettings());
  });

  it("win over what is recommended, and the address over them", () => {
    const settings = { ...defaultSettings(), slide: true, numbers: { temperature: 0.3, topK: 10 } };
    const options = chatOptions({
      settings,
      recommended: { temperature: 0.7, topP: 0.8, topK: 20 },
      address: { topK: 1 },
      thinking: "never",
    });
    assert.deepEqual(options, { temperature: 0.3, topP: 0.8, topK: 1, contextPolicy: "slide" });
  });

  for (const [thinking, expected] of /** @type {const} */ ([
    ["optional", { thinking: false }],
    ["never", {}],
    ["always", {}],
  ])) {
    it(`ask a model that thinks ${thinking} for what it can do`, () => {
      const settings = { ...defaultSettings(), thinking: false };
      assert.deepEqual(chatOptions({ settings, recommended: {}, address: {}, thinking }), expected);
    });
  }

  it("have ranges that their defaults are in", () => {
    for (const name of NUMBER_NAMES) {
      const { min, max, default: value } = NUMBERS[name];
      if (value !== null) assert.ok(value >= min && value <= max, name);
    }
  });

  it("have presets that say something, with an option and without", () => {
    for (const { system, option = "" } of Object.values(PRESETS)) {
      assert.ok(system("").length > 20);
      assert.ok(system(option).includes(option));
    }
  });
});
