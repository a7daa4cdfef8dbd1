/** A Qwen3 in Chromium: what it computes is compared with the native engine, whose kernels are tested against references. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { launchChromium } from "./support/browser.mjs";
import { EnginePage } from "./support/engine_page.mjs";
import { answerNatively, assertScoresAreNative } from "./support/native.mjs";
import { startTestServer } from "./support/test_server.mjs";
import { makeTinyModel } from "./support/tiny_model.mjs";

const TIMEOUT_MS = 240_000;

describe("a Qwen3 in Chromium", { timeout: 2 * TIMEOUT_MS }, () => {
  const modelPath = makeTinyModel({ architecture: "qwen3", headDim: 128 });
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

  it("scores as the native engine does", { timeout: TIMEOUT_MS }, async () => {
    const { info } = await page.load({ model: server.modelUrl, backend: "webgpu" });
    assert.equal(info.model.architecture, "qwen3");
    await assertScoresAreNative(page.page, modelPath, "The quick brown fox jumps over the lazy dog. ".repeat(4), 1e-3);
  });

  it("answers as the native engine does", { timeout: TIMEOUT_MS }, async () => {
    const maxTokens = 40;
    const { result } = await page.chat([{ role: "user", content: "Hello there" }], { temperature: 0, maxTokens });
    assert.equal(result.text, answerNatively(modelPath, "Hello there", maxTokens));
    assert.deepEqual(page.uncaught, []);
  });
});
