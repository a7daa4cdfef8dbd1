/** How the page asks the browser to keep what it stores. No browser is needed. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { askToKeep } from "../../www/app/ask_to_keep.js";

/**
 * @param {{ persisted: () => Promise<boolean>, persist: () => Promise<boolean> }} storage
 */
const ask = (storage) => askToKeep(/** @type {StorageManager} */ (/** @type {unknown} */ (storage)));

describe("asking to keep the model", () => {
  it("asks once, until the browser agrees", async () => {
    let isPersisted = false;
    let asked = 0;
    const storage = {
      persisted: async () => isPersisted,
      persist: async () => {
        asked++;
        return (isPersisted = asked > 1);
      },
    };
    for (let visit = 0; visit < 4; visit++) await ask(storage);
    assert.equal(asked, 2);
  });

  it("goes on when the browser refuses to be asked", async () => {
    const refuse = async () => Promise.reject(new TypeError("not in this window"));
    await ask({ persisted: refuse, persist: refuse });
    await ask({ persisted: async () => false, persist: refuse });
  });
});
