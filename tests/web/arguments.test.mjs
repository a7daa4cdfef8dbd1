/** What the public module refuses before it asks the engine, and what it says then. No browser is needed. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  checkChat,
  checkLoadOptions,
  checkScoreOptions,
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

describe("the arguments of chat", () => {
  it("may be all that are documented", () => {
    const roles = ["system", "user", "assistant", "tool"];
    const messages = roles.map((role) => ({ role, content: "" }));
    const numbers = { maxTokens: 1, temperature: 0, topP: 1, topK: 0, minP: 0, seed: 1 };
    const penalties = { repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0 };
    const { signal } = new AbortController();
    checkChat(messages, { ...numbers, ...penalties, stop: ["\n"], thinking: false, signal });
    checkChat(messages, { maxTokens: undefined, signal: undefined });
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
  it("do not keep what is not set", () => {
    assert.deepEqual(withoutUndefined({ topK: undefined, topP: 0, seed: null }), { topP: 0, seed: null });
  });
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
