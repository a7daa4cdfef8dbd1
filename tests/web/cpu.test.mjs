/** The processor as backend, in Chromium without WebGPU and with a software adapter: the same answers as natively. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { launchChromium } from "./support/browser.mjs";
import { EnginePage } from "./support/engine_page.mjs";
import { assertScoresAreNative } from "./support/native.mjs";
import { startTestServer } from "./support/test_server.mjs";
import { makeTinyModel } from "./support/tiny_model.mjs";

const TIMEOUT_MS = 120_000;

/** @type {import("./support/engine_page.mjs").Message[]} */
const QUESTION = [{ role: "user", content: "Hello there" }];

describe("the processor as backend", { timeout: 4 * TIMEOUT_MS }, () => {
  const modelPath = makeTinyModel();
  /** Without WebGPU. @type {Awaited<ReturnType<typeof launchChromium>>} */
  let browser;
  /** @type {import("./support/test_server.mjs").TestServer} */
  let server;
  /** @type {EnginePage} */
  let page;

  before(async () => {
    server = await startTestServer({ modelPath });
    browser = await launchChromium({ webgpu: false });
    page = await EnginePage.open(browser.context, server.url);
  });

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  const load = () => page.load({ model: server.modelUrl, backend: "cpu" });

  it("is chosen where there is no WebGPU, and says so", { timeout: TIMEOUT_MS }, async () => {
    const { info } = await page.load({ model: server.modelUrl, backend: "auto" });
    assert.equal(info.backend, "cpu");
    assert.equal(info.adapter, "WebAssembly SIMD, one thread");
    assert.equal(info.tier, "simd128");
    const { weightsBytes, kvCacheBytes, wasmBytes } = info.memory;
    assert.ok(weightsBytes >= readFileSync(modelPath).length / 4, `${weightsBytes} bytes of weights`);
    assert.ok(wasmBytes > weightsBytes + kvCacheBytes, "weights and cache are in the module's memory");
    assert.deepEqual(page.uncaught, []);
  });

  it(
    "is chosen where the adapter is software, but not for a tier that was asked for",
    { timeout: TIMEOUT_MS },
    async () => {
      const software = await launchChromium();
      try {
        const page = await EnginePage.open(software.context, server.url);
        const model = server.modelUrl;
        assert.equal((await page.load({ model })).info.backend, "cpu");
        assert.equal((await page.load({ model, backend: "auto", tier: "core" })).info.backend, "webgpu");
      } finally {
        await software.close();
      }
    },
  );

  it("answers, the same again, from the kept part of the conversation", { timeout: TIMEOUT_MS }, async () => {
    await load();
    const first = await page.chat(QUESTION, { temperature: 0, maxTokens: 20 });
    assert.equal(first.texts.join(""), first.result.text);
    assert.ok(first.result.usage.completionTokens > 0);
    assert.ok(first.result.timings.decodeTokensPerSecond > 0);
    const again = await page.chat(QUESTION, { temperature: 0, maxTokens: 20 });
    assert.equal(again.result.text, first.result.text);
    assert.equal(again.result.usage.cachedTokens, again.result.usage.promptTokens - 1);
    const drawn = { temperature: 1.5, topK: 50, seed: 1, maxTokens: 12 };
    assert.equal((await page.chat(QUESTION, drawn)).result.text, (await page.chat(QUESTION, drawn)).result.text);
  });

  it("scores as the native engine does on its GPU", { timeout: TIMEOUT_MS }, async () => {
    await load();
    // Activations are rounded to 14 bits, which shows in the fourth digit; a wrong kernel shows in the first.
    await assertScoresAreNative(
      page.page,
      modelPath,
      "The quick brown fox jumps over the lazy dog. 0123456789 ".repeat(4),
      0.02,
    );
  });

  it("hears of an abort between tokens", { timeout: TIMEOUT_MS }, async () => {
    await load();
    const { result } = await page.chat(QUESTION, { temperature: 1, topK: 0 }, { abortAfterTexts: 2 });
    assert.equal(result.finishReason, "abort");
    assert.ok((await page.chat(QUESTION, { maxTokens: 3 })).result.usage.completionTokens > 0);
  });

  it("counts and measures what it can", { timeout: TIMEOUT_MS }, async () => {
    await load();
    await page.chat(QUESTION, { temperature: 0, maxTokens: 5 });
    const { counters, bandwidth } = await page.page.evaluate(async () => {
      const { engine } = /** @type {any} */ (globalThis);
      return { counters: await engine.counters(), bandwidth: await engine.measureBandwidth() };
    });
    assert.ok(counters.decode.tokens > 0 && counters.decode.weightBytesRead > 0, JSON.stringify(counters));
    assert.ok(bandwidth > 1e8, `${bandwidth} bytes per second`);
  });

  it("has no tiers", { timeout: TIMEOUT_MS }, async () => {
    const loading = page.load({ model: server.modelUrl, backend: "cpu", tier: "core" });
    await assert.rejects(loading, { kind: "invalid-argument", message: /tier/ });
  });

  it("can be asked for in the chat page's address", { timeout: TIMEOUT_MS }, async () => {
    const chat = await browser.context.newPage();
    chat.setDefaultTimeout(TIMEOUT_MS / 2);
    const parameters = { model: server.modelUrl, backend: "cpu", "max-tokens": "8" };
    await chat.goto(`${server.url}?${new URLSearchParams(parameters)}`);
    await chat.getByRole("button", { name: /^(Download|Start)/ }).click();
    await chat.getByRole("textbox", { name: "Message" }).fill("Hello there");
    await chat.getByRole("button", { name: "Send" }).click();
    await chat.getByRole("status").getByText("Done").waitFor();
    assert.match(await chat.locator("#engine-speed").innerText(), /^Processor/);
    await chat.close();
  });
});
