/** What the public module refuses before it asks the engine, and what it says then. No browser is needed. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  checkBatch,
  checkChat,
  checkLoadOptions,
  checkProbeOptions,
  checkRankOptions,
  checkScoreOptions,
  plainJson,
  tokenIds,
  withoutUndefined,
} from "../../www/engine/arguments.js";

const USER = { role: "user", content: "Hello" };

/**
 * @param {string} name
 * @param {() => unknown} check
 * @param {RegExp} message
 */
function refuses(name, check, message) {
  it(`refuses ${name}`, () => assert.throws(check, { name: "QwispError", kind: "invalid-argument", message }));
}

describe("the options of Engine.load", () => {
  it("may be all that are documented", () => {
    const { signal } = new AbortController();
    const options = {
      model: "a.gguf",
      sha256: "0aF".repeat(21) + "0",
      backend: "auto",
      tier: "core",
      contextLength: 2,
      cache: false,
      patienceMs: 0,
    };
    checkLoadOptions({ ...options, onProgress: () => {}, signal });
    checkLoadOptions({
      model: "a.gguf",
      sha256: undefined,
      cache: undefined,
      onProgress: undefined,
      signal: undefined,
    });
  });
  refuses("no object", () => checkLoadOptions("a.gguf"), /Engine\.load: options: expected an object, got "a\.gguf"/);
  refuses("an unknown name", () => checkLoadOptions({ modle: "a.gguf" }), /one of model, sha256.*, got "modle"/);
  refuses("a short hash", () => checkLoadOptions({ sha256: "0".repeat(63) }), /sha256: expected 64 hexadecimal digits/);
  refuses("a hash that is none", () => checkLoadOptions({ sha256: "g".repeat(64) }), /64 hexadecimal digits/);
  for (const patienceMs of [-1, NaN, Infinity, "60"]) {
    refuses(
      `a patience of ${patienceMs}`,
      () => checkLoadOptions({ patienceMs }),
      /patienceMs: expected a number from 0/,
    );
  }
  refuses(
    "an unknown backend",
    () => checkLoadOptions({ backend: "wasm" }),
    /backend: expected one of auto, webgpu, cpu, got "wasm"/,
  );
  refuses(
    "an unknown tier",
    () => checkLoadOptions({ tier: "cuda" }),
    /tier: expected one of auto, core.*, got "cuda"/,
  );
  refuses("a signal that is none", () => checkLoadOptions({ signal: {} }), /signal: expected an AbortSignal/);
});

describe("the options of Engine.probe", () => {
  it("may be all that are documented", () => {
    const { signal } = new AbortController();
    checkProbeOptions({});
    checkProbeOptions({ backend: "cpu", tier: "auto", signal });
    checkProbeOptions({ backend: undefined, tier: undefined, signal: undefined });
  });
  refuses("no object", () => checkProbeOptions("cpu"), /Engine\.probe: options: expected an object, got "cpu"/);
  refuses("an unknown name", () => checkProbeOptions({ model: "a.gguf" }), /one of backend, tier, signal, got "model"/);
  refuses("an unknown backend", () => checkProbeOptions({ backend: "gpu" }), /backend: expected one of auto.*"gpu"/);
  refuses("an unknown tier", () => checkProbeOptions({ tier: "cuda" }), /tier: expected one of auto, core.*"cuda"/);
  refuses(
    "a signal that is none",
    () => checkProbeOptions({ signal: {} }),
    /Engine\.probe: signal: expected an AbortS/,
  );
});

describe("what rankModels takes", () => {
  it("may be all that is documented", () => {
    checkRankOptions([], {});
    checkRankOptions([{ id: "a" }], { task: "maths", probe: { weightBytesPerSecond: 1e9 }, memoryBytes: 8 * 2 ** 30 });
    checkRankOptions([], { task: undefined, probe: undefined, memoryBytes: undefined });
  });
  refuses("a whole catalogue", () => checkRankOptions({ models: [] }, {}), /models: expected an array of entries/);
  refuses(
    "ids",
    () => checkRankOptions(["qwen3-0.6b"], {}),
    /models\[0\]: expected an entry of models\.json, got "qwen3/,
  );
  refuses("an unknown task", () => checkRankOptions([], { task: "math" }), /task: expected one of chat, code.*"math"/);
  refuses(
    "a rate",
    () => checkRankOptions([], { probe: 1e9 }),
    /probe: expected what Engine\.probe resolved to, got 1/,
  );
  refuses("no memory", () => checkRankOptions([], { memoryBytes: 0 }), /memoryBytes: expected a number above 0, got 0/);
  refuses("an unknown name", () => checkRankOptions([], { tasks: [] }), /one of task, probe, memoryBytes, got "tasks"/);
});

describe("the arguments of chat", () => {
  it("may be all that are documented", () => {
    const roles = ["system", "user", "assistant", "tool"];
    const messages = roles.map((role) => ({ role, content: "" }));
    const numbers = { maxTokens: 1, temperature: 0, topP: 1, topK: 0, minP: 0, seed: 1 };
    const penalties = { repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0 };
    const { signal } = new AbortController();
    const outcomes = { minTokens: 1, logitBias: { 0: -100, 4294967295: 1.5 }, logprobs: true, topLogprobs: 20 };
    const context = { contextPolicy: "slide", onContextSlide: () => {} };
    const thinking = { thinking: false, thinkingBudget: 1 };
    const tools = [{ type: "function", function: { name: "now", parameters: {} } }, { function: { name: "f" } }];
    const rest = { ...context, ...thinking, tools, stop: ["\n"], signal };
    checkChat(messages, { ...numbers, ...penalties, ...outcomes, ...rest });
    checkChat(messages, { maxTokens: undefined, logitBias: undefined, contextPolicy: undefined, signal: undefined });
    checkChat(messages, { tools: undefined });
    const calls = [{ id: "1", function: { name: "f", arguments: "{}" } }, { function: { name: "f", arguments: {} } }];
    checkChat(
      [
        USER,
        { role: "assistant", content: null, reasoning_content: "x", tool_calls: calls },
        { role: "assistant", tool_calls: [{ function: { name: "f" } }] },
        { role: "tool", content: "y", tool_call_id: "1", name: null },
        { role: "assistant", content: "z", tool_calls: null, reasoning_content: undefined },
      ],
      {},
    );
  });
  refuses("an unknown option", () => checkChat([USER], { max_tokens: 1 }), /one of maxTokens, .*, got "max_tokens"/);
  refuses("messages that are no list", () => checkChat(USER, {}), /chat: messages: expected an array/);
  refuses("a message that is none", () => checkChat([USER, "Hello"], {}), /messages\[1\]: expected an object/);
  refuses("an unknown role", () => checkChat([{ ...USER, role: "robot" }], {}), /messages\[0\]\.role: .*, got "robot"/);
  refuses(
    "a content that is no string",
    () => checkChat([USER, USER, { role: "user", content: 1 }], {}),
    /messages\[2\]\.content: expected a string, got 1/,
  );
  refuses("no content", () => checkChat([{ role: "assistant" }], {}), /messages\[0\]\.content: expected a string/);
  refuses("no content without a call", () => checkChat([{ role: "assistant", tool_calls: [] }], {}), /content/);
  refuses(
    "thoughts that are no string",
    () => checkChat([{ ...USER, reasoning_content: 1 }], {}),
    /messages\[0\]\.reasoning_content: expected a string, got 1/,
  );
  const withCalls = (/** @type {unknown} */ calls) => () => checkChat([{ role: "assistant", tool_calls: calls }], {});
  refuses("calls that are no list", withCalls({}), /messages\[0\]\.tool_calls: expected an array/);
  refuses("a call that is none", withCalls([null]), /tool_calls\[0\]\.function: expected an object with a name/);
  refuses("a call without a name", withCalls([{ function: {} }]), /tool_calls\[0\]\.function\.name: expected a string/);
  refuses(
    "arguments that are none",
    withCalls([{ function: { name: "f", arguments: [1] } }]),
    /tool_calls\[0\]\.function\.arguments: expected an object, or the JSON of one, got an array/,
  );
  refuses("tools that are no list", () => checkChat([USER], { tools: {} }), /chat: tools: expected an array/);
  refuses("a bare function", () => checkChat([USER], { tools: [{ name: "f" }] }), /tools\[0\]\.function: expected/);
  it("lose what JSON can't hold of tools", () => {
    const tools = [{ function: { name: "f", run: () => 1, parameters: undefined, toJSON: undefined } }];
    assert.deepEqual(plainJson("tools", tools), [{ function: { name: "f" } }]);
  });
  refuses("what JSON has no form for", () => plainJson("chat: tools", [{ default: 1n }]), /chat: tools: .*BigInt/);
  /** @type {unknown} */
  let deep = {};
  for (let level = 0; level < 100; level++) deep = [deep];
  refuses("what nests too deeply", () => plainJson("chat: tools", deep), /chat: tools: expected at most 64 levels/);
  const wrongOptions = [
    [{ maxTokens: 1.5 }, /chat: maxTokens: expected an integer from 0 to 4294967295, got 1\.5/],
    [{ minTokens: -1 }, /chat: minTokens: expected an integer .*, got -1/],
    [{ topK: NaN }, /chat: topK: expected an integer .*, got NaN/],
    [{ temperature: "0" }, /chat: temperature: expected a number, got "0"/],
    [{ topP: null }, /chat: topP: expected a number, got null/],
    [{ seed: 2 ** 53 }, /chat: seed: expected an integer from 0 to 2\^53 - 1/],
    [{ stop: "END" }, /chat: stop: expected an array of strings, got "END"/],
    [{ stop: ["END", 1] }, /chat: stop: expected an array of strings/],
    [{ logitBias: [1] }, /chat: logitBias: expected an object of numbers by token id, got an array/],
    [{ logitBias: { hello: 1 } }, /chat: logitBias: expected/],
    [{ logitBias: { "-1": 1 } }, /chat: logitBias: expected/],
    [{ logitBias: { 1.5: 1 } }, /chat: logitBias: expected/],
    [{ logitBias: { 1: "1" } }, /chat: logitBias: expected/],
    [{ logprobs: 5 }, /chat: logprobs: expected a boolean, got 5/],
    [{ topLogprobs: "5" }, /chat: topLogprobs: expected an integer/],
    [{ contextPolicy: "drop" }, /chat: contextPolicy: expected "error" or "slide", got "drop"/],
    [{ onContextSlide: true }, /chat: onContextSlide: expected a function, got true/],
  ];
  for (const [options, message] of wrongOptions) {
    refuses(`${JSON.stringify(options)}`, () => checkChat([USER], options), /** @type {RegExp} */ (message));
  }
  it("do not keep what is not set", () => {
    assert.deepEqual(withoutUndefined({ topK: undefined, topP: 0, seed: null }), { topP: 0, seed: null });
  });
});

describe("the arguments of batch", () => {
  it("may be all that are documented", () => {
    const { signal } = new AbortController();
    checkBatch([], {});
    checkBatch([[USER], []], { maxTokens: 1, each: [{ seed: 1 }, { stop: ["x"] }], onText: () => {}, signal });
    checkBatch([[USER]], { each: undefined, onText: undefined, signal: undefined, temperature: undefined });
  });
  refuses("no list", () => checkBatch(USER, {}), /batch: conversations: expected an array of arrays/);
  refuses(
    "a conversation that is none",
    () => checkBatch([[USER], USER], {}),
    /batch: conversations\[1\]: chat: messages: expected an array/,
  );
  refuses(
    "a wrong option of one conversation",
    () => checkBatch([[USER], [USER]], { each: [{}, { topK: "1" }] }),
    /batch: conversations\[1\]: chat: topK: expected an integer/,
  );
  refuses(
    "a wrong option of all",
    () => checkBatch([[USER]], { topP: "1" }),
    /batch: conversations\[0\]: chat: topP: expected a number, got "1"/,
  );
  refuses("an unknown option", () => checkBatch([[USER]], { onSlide: 1 }), /batch: option: .*, got "onSlide"/);
  refuses("a signal of one", () => checkBatch([[USER]], { each: [{ signal: 1 }] }), /each\[0\]: option: .*"signal"/);
  refuses(
    "options for more",
    () => checkBatch([[USER]], { each: [{}, {}] }),
    /batch: each\.length: expected 1, .*got 2/,
  );
  refuses("a callback that is none", () => checkBatch([[USER]], { onText: 1 }), /batch: onText: expected a function/);
});

describe("the arguments of score", () => {
  it("may be all that are documented", () => {
    checkScoreOptions({ from: 1, topK: 1000, signal: new AbortController().signal });
    checkScoreOptions({ from: undefined, topK: undefined, signal: undefined });
    assert.deepEqual(tokenIds("ids", [0, 0xffff_ffff]), Uint32Array.of(0, 0xffff_ffff));
  });
  refuses("an unknown option", () => checkScoreOptions({ top_k: 1 }), /one of from, topK, signal, got "top_k"/);
  refuses("a negative position", () => checkScoreOptions({ from: -1 }), /score: from/);
  refuses("more alternatives than the most", () => checkScoreOptions({ topK: 1001 }), /score: topK: .*1000, got 1001/);
  refuses("a token id that is none", () => tokenIds("ids", [1, 1.5]), /ids\[1\]: expected an integer .*, got 1\.5/);
});
