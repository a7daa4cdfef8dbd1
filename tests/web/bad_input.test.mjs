/** Everything that can be wrong with a model or a call has its own kind of error, and leaves the page usable. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, it } from "node:test";
import { describeInEachBrowser, openBrowser } from "./support/browser.mjs";
import { EnginePage } from "./support/engine_page.mjs";
import { readLayout, withFlippedByte, withTensorType, withUnknownArchitecture } from "./support/gguf.mjs";
import { startTestServer } from "./support/test_server.mjs";
import { makeTinyModel } from "./support/tiny_model.mjs";

const TIMEOUT_MS = 120_000;
const IQ2_XXS = 16; // a real type of GGUF that Qwisp does not support
const WRONG_SHA256 = "0".repeat(64);

/** @type {import("./support/engine_page.mjs").Message[]} */
const QUESTION = [{ role: "user", content: "Hello there" }];

describeInEachBrowser("bad input", { timeout: 6 * TIMEOUT_MS }, (browserName) => {
  const modelPath = makeTinyModel();
  const model = readFileSync(modelPath);
  const { dataOffset, typeOffsets } = readLayout(model);
  const middleOfData = Math.floor((dataOffset + model.length) / 2);
  const tensor = "blk.0.attn_q.weight";
  assert.ok(typeOffsets.has(tensor));

  /** @type {import("./support/browser.mjs").TestBrowser} */
  let browser;
  /** @type {import("./support/test_server.mjs").TestServer} */
  let server;
  /** @type {EnginePage} */
  let page;
  /** Where nobody listens any more. @type {string} */
  let goneUrl;

  before(async () => {
    server = await startTestServer({ modelPath });
    browser = await openBrowser(browserName);
    page = await EnginePage.open(browser.context, server.url);
    const gone = await startTestServer({ modelPath });
    goneUrl = gone.modelUrl;
    await gone.close();
  });

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  /** Loads the good model in the same page, and lets it answer. */
  async function assertStillUsable() {
    await page.load({ model: server.modelUrl, backend: "webgpu" });
    const { result } = await page.chat(QUESTION, { temperature: 0, maxTokens: 2 });
    assert.ok(result.usage.completionTokens > 0);
    assert.deepEqual(page.uncaught, []);
  }

  /**
   * What is loaded, and how the failure has to be reported. The message names the thing that is at fault.
   * @type {Array<{ name: string, kind: string, message: RegExp, sha256?: string, url: () => string | Promise<string> }>}
   */
  const cases = [
    {
      name: "a file that is not a GGUF",
      kind: "bad-file",
      message: /GGUF/,
      url: () => server.addFile("noise.gguf", Buffer.alloc(100_000, "noise")),
    },
    { name: "an empty file", kind: "bad-file", message: /./, url: () => server.addFile("empty.gguf", Buffer.alloc(0)) },
    { name: "an HTML page in its place", kind: "bad-file", message: /GGUF|HTML/, url: () => server.htmlUrl },
    {
      name: "an HTML page of unknown length",
      kind: "bad-file",
      message: /GGUF|HTML/,
      url: () => server.streamedHtmlUrl,
    },
    {
      name: "a file cut short in the header",
      kind: "bad-file",
      message: /./,
      url: () => server.addFile("short_header.gguf", model.subarray(0, Math.floor(dataOffset / 2))),
    },
    {
      name: "a file cut short in the middle of a tensor",
      kind: "bad-file",
      message: /got .*expected/s,
      url: () => server.addFile("short_data.gguf", model.subarray(0, middleOfData)),
    },
    {
      name: "a file with another hash",
      kind: "integrity",
      message: new RegExp(WRONG_SHA256),
      sha256: WRONG_SHA256,
      url: () => server.modelUrl,
    },
    {
      name: "an architecture that is not supported",
      kind: "unsupported-model",
      message: /zzzzz/,
      url: () => server.addFile("architecture.gguf", withUnknownArchitecture(model)),
    },
    {
      name: "a tensor type that is not supported",
      kind: "unsupported-model",
      message: /IQ2_XXS|\b16\b/,
      url: () => server.addFile("tensor_type.gguf", withTensorType(model, tensor, IQ2_XXS)),
    },
    { name: "HTTP 404", kind: "network", message: /404/, url: () => server.missingUrl },
    {
      name: "the network lost half-way",
      kind: "network",
      message: /./,
      url: () => server.imperfectUrl({ cutOffset: middleOfData }),
    },
    {
      name: "the network lost in the header",
      kind: "network",
      message: /./,
      url: () => server.imperfectUrl({ cutOffset: 100 }),
    },
    { name: "a server that is not there", kind: "network", message: /./, url: () => goneUrl },
  ];

  for (const { name, kind, message, sha256, url } of cases) {
    it(`${name} is ${kind}`, { timeout: TIMEOUT_MS }, async () => {
      const loading = page.load({ model: await url(), sha256, backend: "webgpu", patienceMs: 0 });
      await assert.rejects(loading, { kind, originalName: "QwispError", message });
      await assertStillUsable();
    });
  }

  it("a wrong hash is not kept: the same address without a hash loads", { timeout: TIMEOUT_MS }, async () => {
    const flippedUrl = await server.addFile("flipped.gguf", withFlippedByte(model, model.length - 1));
    const loading = page.load({ model: flippedUrl, sha256: WRONG_SHA256, backend: "webgpu" });
    await assert.rejects(loading, { kind: "integrity" });
    await server.addFile("flipped.gguf", model);
    await page.load({ model: flippedUrl, backend: "webgpu" });
    await assertStillUsable();
  });

  it("a prompt longer than the context is context-full", { timeout: TIMEOUT_MS }, async () => {
    await page.load({ model: server.modelUrl, backend: "webgpu", contextLength: 64 });
    const long = page.chat([{ role: "user", content: "word ".repeat(200) }]);
    await assert.rejects(long, { kind: "context-full", originalName: "QwispError", message: /64/ });
    const { result } = await page.chat(QUESTION, { maxTokens: 2 });
    assert.ok(result.usage.completionTokens > 0, "the same engine still answers");
    await assertStillUsable();
  });

  it("a setting out of its range is invalid-argument", { timeout: TIMEOUT_MS }, async () => {
    await page.load({ model: server.modelUrl, backend: "webgpu" });
    await assert.rejects(page.chat(QUESTION, { temperature: -1 }), {
      kind: "invalid-argument",
      message: /temperature/,
    });
    await assertStillUsable();
  });

  it("a browser without a WebGPU adapter is no-webgpu", { timeout: TIMEOUT_MS }, async () => {
    const without = await openBrowser(browserName, { webgpu: false });
    try {
      const page = await EnginePage.open(without.context, server.url);
      await assert.rejects(page.load({ model: server.modelUrl, backend: "webgpu" }), {
        kind: "no-webgpu",
        originalName: "QwispError",
      });
    } finally {
      await without.close();
    }
  });
});
