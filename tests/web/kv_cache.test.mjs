/** A KV cache in Q8, on a GPU and on the processor: it takes 17/32 of the memory, and scores as the native engine's does. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { launchChromium } from "./support/browser.mjs";
import { EnginePage } from "./support/engine_page.mjs";
import { assertScoresAreNative } from "./support/native.mjs";
import { startTestServer } from "./support/test_server.mjs";
import { makeTinyModel } from "./support/tiny_model.mjs";

const TIMEOUT_MS = 180_000;

/**
 * How far a log-probability may be from the native one on a GPU: where a number lies between two that the format has, it can
 * be rounded the other way, by a 127th of the largest of its group. On the processor more of them are: activations are
 * quantised to 14 bits there.
 */
const TOLERANCE = { webgpu: 0.02, cpu: 0.1 };

const TEXT = "The quick brown fox jumps over the lazy dog. 0123456789".repeat(3);

describe("a KV cache in Q8", { timeout: 4 * TIMEOUT_MS }, () => {
  const modelPath = makeTinyModel();
  /** @type {Awaited<ReturnType<typeof launchChromium>>} */
  let browser;
  /** @type {import("./support/test_server.mjs").TestServer} */
  let server;
  /** @type {EnginePage} */
  let page;

  before(async () => {
    server = await startTestServer({ modelPath });
    browser = await launchChromium();
    page = await EnginePage.open(browser.context, server.url);
  });

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  for (const backend of /** @type {const} */ (["webgpu", "cpu"])) {
    it(`answers and scores as natively, on the backend ${backend}`, { timeout: TIMEOUT_MS }, async () => {
      const f16 = (await page.load({ model: server.modelUrl, backend: "cpu" })).info.memory.kvCacheBytes;
      const { info } = await page.load({ model: server.modelUrl, backend, kvCache: "q8" });
      assert.equal(info.backend, backend);
      assert.equal(info.memory.kvCacheBytes * 32, f16 * 17);
      const reply = await page.chat([{ role: "user", content: "Hello there" }], { maxTokens: 12, temperature: 0 });
      assert.ok(reply.result.text.length > 0);
      await assertScoresAreNative(page.page, modelPath, TEXT, TOLERANCE[backend], "q8");
      assert.deepEqual(page.uncaught, []);
    });
  }
});
