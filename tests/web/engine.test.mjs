/** The public module in each browser, on WebGPU, with a tiny model: from the first download to a reload without network. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, it } from "node:test";
import { describeInEachBrowser, openBrowser } from "./support/browser.mjs";
import { EnginePage } from "./support/engine_page.mjs";
import { answerNatively, assertScoresAreNative } from "./support/native.mjs";
import { startTestServer } from "./support/test_server.mjs";
import { makeTinyModel } from "./support/tiny_model.mjs";

const TIMEOUT_MS = 120_000;
const GREEDY = { temperature: 0, maxTokens: 12 };

/** @type {{ role: "user", content: string }[]} */
const QUESTION = [{ role: "user", content: "Hello there" }];

describeInEachBrowser("the engine", { timeout: 4 * TIMEOUT_MS }, (browserName) => {
  const modelPath = makeTinyModel();
  const modelBytes = readFileSync(modelPath);
  const sha256 = createHash("sha256").update(modelBytes).digest("hex");
  /** @type {import("./support/browser.mjs").TestBrowser} */
  let browser;
  /** @type {import("./support/test_server.mjs").TestServer} */
  let server;
  /** @type {EnginePage} */
  let page;

  before(async () => {
    server = await startTestServer({ modelPath });
    browser = await openBrowser(browserName);
    page = await EnginePage.open(browser.context, server.url);
  });

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  const load = () => page.load({ model: server.modelUrl, sha256, backend: "webgpu" });

  it("loads over HTTP and says what it loaded", { timeout: TIMEOUT_MS }, async () => {
    const { info, progress } = await load();
    assert.equal(info.backend, "webgpu");
    assert.equal(info.model.architecture, "qwen2");
    assert.ok(info.model.parameters > 0);
    assert.ok(info.memory.weightsBytes > 0);
    assert.ok(info.memory.kvCacheBytes > 0);
    assert.ok(info.memory.wasmBytes > 0);
    assert.equal(info.model.thinking, "never");
    assert.equal(info.model.tools, false);

    const downloads = progress.filter(({ phase }) => phase === "download");
    assert.ok(downloads.length > 0, "the download is reported");
    for (const { fromCache, totalBytes } of downloads) {
      assert.equal(fromCache, false);
      assert.equal(totalBytes, modelBytes.length);
    }
    const loaded = downloads.map(({ loadedBytes }) => loadedBytes);
    assert.deepEqual(
      loaded,
      loaded.toSorted((a, b) => a - b),
      "progress never goes back",
    );
    assert.equal(loaded.at(-1), modelBytes.length);
    assert.equal(progress.at(-1)?.phase, "ready");
    assert.equal(progress.filter(({ phase }) => phase === "ready").length, 1);
  });

  it("streams an answer, the same one each time at temperature 0", { timeout: TIMEOUT_MS }, async () => {
    const first = await page.chat(QUESTION, GREEDY);
    assert.equal(first.texts.join(""), first.result.text);
    assert.ok(first.texts.length > 1, "the text comes in pieces");
    assert.ok(["stop", "length"].includes(first.result.finishReason));
    assert.ok(first.result.usage.promptTokens > 0);
    assert.ok(first.result.usage.completionTokens > 0);
    assert.ok(first.result.usage.completionTokens <= GREEDY.maxTokens);
    assert.ok(first.result.timings.decodeTokensPerSecond > 0);
    const again = await page.chat(QUESTION, GREEDY);
    assert.equal(again.result.text, first.result.text);
  });

  it("repeats a sampled answer with the same seed", { timeout: TIMEOUT_MS }, async () => {
    const options = { temperature: 1.5, topK: 50, topP: 0.95, maxTokens: 12 };
    const [first, same, other] = [
      await page.chat(QUESTION, { ...options, seed: 1 }),
      await page.chat(QUESTION, { ...options, seed: 1 }),
      await page.chat(QUESTION, { ...options, seed: 2 }),
    ];
    assert.equal(same.result.text, first.result.text);
    assert.notEqual(other.result.text, first.result.text);
  });

  it("computes only what a second turn adds", { timeout: TIMEOUT_MS }, async () => {
    await load();
    const first = await page.chat(QUESTION, GREEDY);
    /** @type {import("./support/engine_page.mjs").Message[]} */
    const conversation = [
      ...QUESTION,
      { role: "assistant", content: first.result.text },
      { role: "user", content: "And then?" },
    ];
    const second = await page.chat(conversation, GREEDY);
    assert.equal(first.result.usage.cachedTokens, 0);
    // The first answer's tokens may join with the prompt's last one when they come back as text.
    assert.ok(second.result.usage.cachedTokens >= first.result.usage.promptTokens - 1);
    assert.ok(second.result.usage.cachedTokens < second.result.usage.promptTokens);

    await load();
    const fresh = await page.chat(conversation, GREEDY);
    assert.equal(fresh.result.usage.cachedTokens, 0);
    assert.equal(second.result.text, fresh.result.text, "the kept part of the conversation changes nothing");
  });

  it("stops at once when it is told to, and answers again", { timeout: TIMEOUT_MS }, async () => {
    const maxTokens = 200;
    const { texts, result } = await page.chat(QUESTION, { temperature: 0, maxTokens }, { abortAfterTexts: 2 });
    assert.equal(result.finishReason, "abort");
    // What was on its way from the worker when the page said stop still comes: one more, or, in Firefox, which looks for
    // results only now and then, as many as the engine has under way at most.
    const onTheirWay = browserName === "firefox" ? 32 : 1;
    assert.ok(texts.length <= 2 + onTheirWay, `${texts.length} pieces of text came although the second said stop`);
    assert.ok(result.usage.completionTokens < maxTokens / 4, `${result.usage.completionTokens} tokens were computed`);
    const next = await page.chat(QUESTION, GREEDY);
    assert.ok(next.result.usage.completionTokens > 0);
  });

  if (browserName === "firefox") {
    it("is not held back by a browser that looks for results only now and then", { timeout: TIMEOUT_MS }, async () => {
      const { result } = await page.chat(QUESTION, { temperature: 0, maxTokens: 100 });
      assert.equal(result.usage.completionTokens, 100);
      // One token a look would be 10 to 15 per second; this model makes hundreds.
      const { decodeTokensPerSecond } = result.timings;
      assert.ok(decodeTokensPerSecond > 30, `${decodeTokensPerSecond} tokens per second`);
    });
  }

  it("stops loading when it is told to", { timeout: TIMEOUT_MS }, async () => {
    const loading = page.load({ model: server.modelUrl, backend: "webgpu", cache: false }, { abortAtBytes: 0 });
    await assert.rejects(loading, { kind: "aborted" });
  });

  it("turns text into tokens and back", { timeout: TIMEOUT_MS }, async () => {
    await load();
    const text = "Ein Gruß, 你好 👋\n\ttab";
    const back = await page.page.evaluate(async (text) => {
      const { engine } = /** @type {any} */ (globalThis);
      return await engine.detokenize(await engine.tokenize(text));
    }, text);
    assert.equal(back, text);
  });

  // The kernels are tested against a reference natively. This shows that the browser, which compiles the same shaders by
  // other means, computes the same: long enough for several tiles of attention and several passes.
  it("scores as the native engine does", { timeout: TIMEOUT_MS }, async () => {
    await load();
    // Sums are taken in another order here and there, which shows in the sixth digit; a wrong kernel shows in the first.
    const tokens = await assertScoresAreNative(
      page.page,
      modelPath,
      "The quick brown fox jumps over the lazy dog. 0123456789 ".repeat(4),
      1e-3,
    );
    assert.ok(tokens > 150, `${tokens} tokens`);
  });

  it("answers as the native engine does, past the first tile of attention", { timeout: TIMEOUT_MS }, async () => {
    const maxTokens = 100;
    const { result } = await page.chat(QUESTION, { temperature: 0, maxTokens });
    assert.ok(result.usage.promptTokens + result.usage.completionTokens > 100);
    assert.equal(result.text, answerNatively(modelPath, QUESTION[0].content, maxTokens));
  });

  it("refuses what the model's template can't take, and takes what it can", { timeout: TIMEOUT_MS }, async () => {
    const refused = { kind: "invalid-argument", originalName: "QwispError" };
    const tools = [{ type: /** @type {const} */ ("function"), function: { name: "now" } }];
    await assert.rejects(page.chat(QUESTION, { tools }), { ...refused, message: /no place for tools/ });
    await assert.rejects(page.chat(QUESTION, { thinking: true }), { ...refused, message: /no thinking mode/ });
    await assert.rejects(page.chat(QUESTION, { thinkingBudget: -1 }), refused);
    const { result } = await page.chat(
      [
        ...QUESTION,
        { role: "assistant", content: "Hello", reasoning_content: "A greeting.", tool_calls: null },
        { role: "tool", content: "result", tool_call_id: "1" },
      ],
      { ...GREEDY, tools: [], thinking: false, thinkingBudget: 0 },
    );
    assert.equal(result.thinking, "");
    assert.equal(result.usage.thinkingTokens, 0);
    assert.ok(result.text.length > 0);
  });

  it("scores tokens with log-probabilities that agree with its own choice", { timeout: TIMEOUT_MS }, async () => {
    const scores = await page.page.evaluate(async () => {
      const { engine } = /** @type {any} */ (globalThis);
      const ids = await engine.tokenize("Hello there");
      return { ids: [...ids], scores: await engine.score(ids, { from: 1, topK: 3 }) };
    });
    assert.equal(scores.scores.length, scores.ids.length - 1);
    for (const [index, { id, logprob, top }] of scores.scores.entries()) {
      assert.equal(id, scores.ids[index + 1]);
      assert.equal(top.length, 3);
      assert.ok(logprob <= top[0].logprob && top[0].logprob <= 0);
    }
  });

  it("stops scoring when it is told to, and scores again", { timeout: TIMEOUT_MS }, async () => {
    const { kind, count } = await page.page.evaluate(async () => {
      const { engine } = /** @type {any} */ (globalThis);
      const ids = await engine.tokenize("Hello there");
      const kind = await engine
        .score(ids, { signal: AbortSignal.abort() })
        .catch((/** @type {any} */ error) => error.kind);
      return { kind, count: (await engine.score(ids)).length };
    });
    assert.equal(kind, "aborted");
    assert.ok(count > 0);
  });

  it("takes an option that is undefined for one left out", { timeout: TIMEOUT_MS }, async () => {
    const names = ["topP", "topK", "minP", "repetitionPenalty", "presencePenalty", "frequencyPenalty", "seed", "stop"];
    const unset = Object.fromEntries([...names, "thinking"].map((name) => [name, undefined]));
    const plain = await page.chat(QUESTION, GREEDY);
    assert.equal((await page.chat(QUESTION, { ...unset, ...GREEDY })).result.text, plain.result.text);
  });

  it("loads from IndexedDB when its server is gone", { timeout: TIMEOUT_MS }, async () => {
    await load();
    const before = await page.chat(QUESTION, GREEDY);
    server.goOffline();
    await page.page.reload();

    const { progress } = await load();
    assert.equal(progress[0].phase, "upload");
    for (const { fromCache } of progress) assert.ok(fromCache, "progress says where the bytes came from");
    const after = await page.chat(QUESTION, GREEDY);
    assert.equal(after.result.text, before.result.text);
    assert.deepEqual(page.uncaught, []);
  });
});
