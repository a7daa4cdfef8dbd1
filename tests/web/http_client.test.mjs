/** What a worker makes of addresses, headers and texts when it asks for a file. No browser is needed. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { huggingFacePointer, readPointer, retryAfterMs } from "../../www/engine/http_client.js";
import { canonicalAddress, storedBytes } from "../../www/engine/model_store.js";

describe("Retry-After", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  for (const [header, expected] of /** @type {[string | null, number | undefined][]} */ ([
    [null, undefined],
    ["0", 0],
    [" 120 ", 120_000],
    ["Thu, 01 Jan 2026 00:00:30 GMT", 30_000],
    ["Wed, 31 Dec 2025 23:00:00 GMT", 0],
    ["soon", undefined],
  ])) {
    it(`${JSON.stringify(header)} is ${expected} ms`, () => assert.equal(retryAfterMs(header, now), expected));
  }
});

describe("the hash that a hub publishes", () => {
  it("is looked for in the repository of a file on Hugging Face alone", () => {
    assert.equal(
      huggingFacePointer("https://huggingface.co/Qwen/A-GGUF/resolve/main/deep/a.gguf?download=true"),
      "https://huggingface.co/Qwen/A-GGUF/raw/main/deep/a.gguf",
    );
    assert.equal(huggingFacePointer("https://huggingface.co/Qwen/A-GGUF/blob/main/a.gguf"), null);
    assert.equal(huggingFacePointer("https://example.org/Qwen/A-GGUF/resolve/main/a.gguf"), null);
    assert.equal(huggingFacePointer("blob:https://huggingface.co/0f"), null);
  });

  it("is read from a pointer of Git LFS and from nothing else", () => {
    const hash = "0a".repeat(32);
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${hash}\nsize 491400064\n`;
    assert.equal(readPointer(pointer), hash);
    assert.equal(readPointer(pointer.replace("sha256", "sha512")), null);
    assert.equal(readPointer(`GGUF\noid sha256:${hash}\n`), null);
    assert.equal(readPointer(`<html>${pointer}`), null);
  });
});

describe("a stored file", () => {
  it("is named by its address without what only a page sees", () => {
    assert.equal(canonicalAddress("https://example.org:443/a%20b.gguf?x=1#top"), "https://example.org/a%20b.gguf?x=1");
  });

  it("has as many bytes stored as its records have", () => {
    const manifest = /** @type {any} */ ({ totalBytes: 25, recordBytes: 10 });
    for (const [recordHashes, expected] of /** @type {[(string | null)[], number][]} */ ([
      [[null, null, null], 0],
      [["a", null, null], 10],
      [["a", null, "c"], 15],
      [["a", "b", "c"], 25],
    ])) {
      assert.equal(storedBytes({ ...manifest, recordHashes }), expected);
    }
  });
});
