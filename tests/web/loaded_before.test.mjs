/** What the page remembers of earlier visits. No browser is needed. */

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { rememberLoaded, wasLoadedBefore } from "../../www/app/loaded_before.js";

const ADDRESS = "https://example.org/a.gguf";

describe("what was loaded before", () => {
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

  it("is remembered once, as long as the browser keeps it", () => {
    assert.equal(wasLoadedBefore(ADDRESS), false);
    rememberLoaded(ADDRESS, true);
    rememberLoaded(ADDRESS, true);
    rememberLoaded("https://example.org/b.gguf", true);
    assert.equal(wasLoadedBefore(ADDRESS), true);
    rememberLoaded(ADDRESS, false);
    assert.equal(wasLoadedBefore(ADDRESS), false);
    assert.equal(wasLoadedBefore("https://example.org/b.gguf"), true);
  });

  for (const text of ["{}", "null", `"${ADDRESS}"`, "not JSON"]) {
    it(`is nothing when storage holds ${text}`, () => {
      rememberLoaded(ADDRESS, true);
      const [key] = stored.keys();
      stored.set(key, text);
      assert.equal(wasLoadedBefore(ADDRESS), false);
      rememberLoaded(ADDRESS, true);
      assert.equal(wasLoadedBefore(ADDRESS), true);
    });
  }

  it("is nothing where storage is forbidden", () => {
    const forbid = () => {
      throw new DOMException("forbidden", "SecurityError");
    };
    Object.defineProperty(globalThis, "localStorage", { get: forbid, configurable: true });
    rememberLoaded(ADDRESS, true);
    assert.equal(wasLoadedBefore(ADDRESS), false);
  });
});
