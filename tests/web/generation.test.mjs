/** What a caller can ask of an answer, in Chromium: all that crosses from the page to the module and back. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { launchChromium } from "./support/browser.mjs";
import { EnginePage } from "./support/engine_page.mjs";
import { startTestServer } from "./support/test_server.mjs";
import { makeTinyModel } from "./support/tiny_model.mjs";

const TIMEOUT_MS = 120_000;
const GREEDY = { temperature: 0, maxTokens: 8 };

/** @type {import("./support/engine_page.mjs").Message[]} */
const QUESTION = [{ role: "user", content: "Hello there" }];

describe("generation in Chromium", { timeout: 4 * TIMEOUT_MS }, () => {
  /** @type {Awaited<ReturnType<typeof launchChromium>>} */
  let browser;
  /** @type {import("./support/test_server.mjs").TestServer} */
  let server;
  /** @type {EnginePage} */
  let page;

  before(async () => {
    server = await startTestServer({ modelPath: makeTinyModel() });
    browser = await launchChromium();
    page = await EnginePage.open(browser.context, server.url);
    await page.load({ model: server.modelUrl, backend: "webgpu", contextLength: 256 });
  });

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  it("bans and favours tokens", { timeout: TIMEOUT_MS }, async () => {
    const plain = await page.chat(QUESTION, { ...GREEDY, logprobs: true });
    const first = /** @type {number} */ (plain.result.logprobs?.[0].id);
    const banned = await page.chat(QUESTION, { ...GREEDY, logprobs: true, logitBias: { [first]: -100 } });
    assert.ok(banned.result.logprobs?.every(({ id }) => id !== first));
    const [q] = await page.page.evaluate(async () => [...(await /** @type {any} */ (globalThis).engine.tokenize("q"))]);
    const favoured = await page.chat(QUESTION, { ...GREEDY, logitBias: { [q]: 100, [first]: 0.5 } });
    assert.equal(favoured.result.text, "q".repeat(GREEDY.maxTokens));
    for (const [logitBias, message] of /** @type {const} */ ([
      [{ 99999: 1 }, /logitBias.*got 99999, expected less than/],
      [{ 5: NaN }, /logitBias\[5\].*got NaN, expected -100 to 100/],
    ])) {
      await assert.rejects(page.chat(QUESTION, { ...GREEDY, logitBias }), { kind: "invalid-argument", message });
    }
  });

  it("says how likely the tokens of an answer were", { timeout: TIMEOUT_MS }, async () => {
    const options = { ...GREEDY, logprobs: true, topLogprobs: 2, logitBias: { 3: -1 } };
    const { result } = await page.chat(QUESTION, options);
    const logprobs = result.logprobs ?? [];
    assert.equal(logprobs.length, result.usage.completionTokens);
    assert.equal(logprobs.map(({ text }) => text).join(""), result.text);
    for (const { id, text, logprob, top } of logprobs) {
      assert.equal(top.length, 2);
      assert.ok(top[0].logprob >= top[1].logprob && top[0].logprob <= 0);
      assert.ok(top.every((entry) => entry.id !== id || (entry.logprob === logprob && entry.text === text)));
    }
    assert.equal((await page.chat(QUESTION, GREEDY)).result.logprobs, undefined);
    await assert.rejects(page.chat(QUESTION, { topLogprobs: 1 }), { kind: "invalid-argument", message: /topLogprobs/ });
  });

  it("goes on past a stop text until there are enough tokens", { timeout: TIMEOUT_MS }, async () => {
    const { text } = (await page.chat(QUESTION, GREEDY)).result;
    const stop = [text[0]];
    assert.equal((await page.chat(QUESTION, { ...GREEDY, stop })).result.text, "");
    const { result } = await page.chat(QUESTION, { ...GREEDY, stop, minTokens: 5 });
    assert.ok(result.usage.completionTokens >= 5 && result.text.startsWith(text.slice(0, 5)));
    await assert.rejects(page.chat(QUESTION, { stop: [""] }), { kind: "invalid-argument", message: /stop\[0\]/ });
  });

  it("leaves out the oldest turns of a chat that is too long, and says so", { timeout: TIMEOUT_MS }, async () => {
    /** @type {import("./support/engine_page.mjs").Message[]} */
    const messages = [{ role: "system", content: "Be brief." }];
    for (let turn = 0; turn < 8; turn++) {
      messages.push({ role: "user", content: `question ${turn}` }, { role: "assistant", content: "in so many words" });
    }
    messages.push({ role: "user", content: "and now?" });
    await assert.rejects(page.chat(messages, GREEDY), { kind: "context-full" });

    const { slides, slidesAtFirstText, result } = await page.page.evaluate(
      async ({ messages, options }) => {
        const { engine } = /** @type {any} */ (globalThis);
        /** @type {any[]} */
        const slides = [];
        const onContextSlide = (/** @type {any} */ slide) => slides.push(slide);
        const reply = engine.chat(messages, { ...options, contextPolicy: "slide", onContextSlide });
        let slidesAtFirstText;
        for await (const {} of reply) slidesAtFirstText ??= slides.length;
        return { slides, slidesAtFirstText, result: await reply.result };
      },
      { messages, options: GREEDY },
    );
    const { droppedMessages, promptTokens } = result.usage;
    assert.ok(droppedMessages > 0 && droppedMessages % 2 === 0, `${droppedMessages} messages dropped`);
    assert.deepEqual(slides, [{ droppedMessages, promptTokens }]);
    assert.equal(slidesAtFirstText, 1, "it is said before the answer begins");
    const short = await page.chat([messages[0], ...messages.slice(1 + droppedMessages)], GREEDY);
    assert.equal(short.result.text, result.text);
    assert.equal(short.result.usage.droppedMessages, 0);
    assert.equal(short.result.usage.cachedTokens, short.result.usage.promptTokens - 1);
  });

  it("answers a batch as it answers each conversation alone", { timeout: TIMEOUT_MS }, async () => {
    const questions = ["one", "another one", "far too long ".repeat(100), "a third", "the last"];
    const conversations = questions.map((content) => [{ role: /** @type {const} */ ("user"), content }]);
    const each = questions.map((_, index) => ({ maxTokens: 4 + index }));
    const { entries, texts, counters } = await page.page.evaluate(
      async ({ conversations, each }) => {
        const { engine } = /** @type {any} */ (globalThis);
        const texts = conversations.map(() => "");
        const onText = (/** @type {number} */ index, /** @type {string} */ text) => (texts[index] += text);
        const entries = await engine.batch(conversations, { temperature: 0, each, onText });
        const plain = entries.map((/** @type {any} */ { result, error }) => ({ result, kind: error?.kind }));
        return { entries: plain, texts, counters: await engine.counters() };
      },
      { conversations, each },
    );
    assert.equal(entries.length, conversations.length);
    for (const [index, { result, kind }] of entries.entries()) {
      if (index === 2) {
        assert.equal(kind, "context-full");
        continue;
      }
      const alone = await page.chat(conversations[index], { temperature: 0, ...each[index] });
      assert.equal(result.text, alone.result.text);
      assert.equal(texts[index], result.text);
      assert.equal(result.usage.completionTokens, alone.result.usage.completionTokens);
    }
    // Tokens after the first: 3, 4, 6 and 7 of them, so seven passes.
    assert.equal(counters.decode.tokens, 20);
    assert.equal(counters.decode.passes, 7);
  });

  it("stops a batch when it is told to", { timeout: TIMEOUT_MS }, async () => {
    const reasons = await page.page.evaluate(async (messages) => {
      const { engine } = /** @type {any} */ (globalThis);
      const abort = new AbortController();
      const entries = await engine.batch([messages, messages], {
        maxTokens: 100,
        onText: () => abort.abort(),
        signal: abort.signal,
      });
      return entries.map((/** @type {any} */ { result }) => result.finishReason);
    }, QUESTION);
    assert.deepEqual(reasons, ["abort", "abort"]);
    assert.ok((await page.chat(QUESTION, GREEDY)).result.usage.completionTokens > 0);
    assert.deepEqual(page.uncaught, []);
  });
});
