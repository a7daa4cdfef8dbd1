/** Loading where the browser has locks and channels, and refuses them. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { withDownloadTurn } from "../../www/engine/download_turn.js";

const ADDRESS = "https://example.org/model.gguf";

/**
 * @param {unknown} locks
 * @param {unknown} channel
 */
async function loadWith(locks, channel) {
  Object.defineProperty(globalThis, "navigator", { value: { locks }, configurable: true });
  Object.defineProperty(globalThis, "BroadcastChannel", { value: channel, configurable: true });
  const options = { isComplete: async () => false, report() {}, signal: new AbortController().signal };
  return await withDownloadTurn(ADDRESS, options, async ({ report }) => {
    report(/** @type {any} */ ({ phase: "compile" }));
    return "loaded";
  });
}

class Channel {
  onmessage = null;
  postMessage() {}
  close() {}
}

class RefusedChannel {
  constructor() {
    throw new DOMException("not here", "SecurityError");
  }
}

const granting = {
  query: async () => ({ held: [{ name: `qwisp:download:${ADDRESS}`, clientId: "this one" }] }),
  request: async (/** @type {any[]} */ ...args) => await args.at(-1)({}),
};
const refusing = { request: async () => Promise.reject(new DOMException("not here", "SecurityError")) };
const throwing = {
  request() {
    throw new DOMException("not here", "InvalidStateError");
  },
};
/** Has the lock elsewhere, and then refuses to wait for it. */
const busy = {
  request: async (/** @type {any[]} */ ...args) => (args[1].ifAvailable ? args[2](null) : refusing.request()),
};

test("a load has its turn", async () => {
  assert.equal(await loadWith(granting, Channel), "loaded");
});

for (const [name, locks, channel] of /** @type {const} */ ([
  ["locks are refused", refusing, Channel],
  ["asking for a lock throws", throwing, Channel],
  ["waiting for a lock is refused", busy, Channel],
  ["there may be no channel", granting, RefusedChannel],
])) {
  test(`a load goes on without a turn: ${name}`, async () => {
    assert.equal(await loadWith(locks, channel), "loaded");
  });
}
