/** What a record's hash is written into, whatever other tabs did meanwhile. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { ReplacedError, checkHashes, mergeManifest } from "../../www/engine/merge_manifest.js";

const fields = {
  totalBytes: 10,
  recordBytes: 4,
  url: "https://a.example/m.gguf",
  validator: '"1"',
  sha256: null,
  recordHashes: ["a", null, null],
  isComplete: false,
};
const stored = { ...fields, address: fields.url, name: "m.gguf", storedAt: 1, lastUsedAt: 1 };

test("only the hash of the record that is written changes", () => {
  // The writer takes record 0 for missing, and another tab has written record 2.
  const mine = { ...fields, recordHashes: [null, "b", null] };
  const there = { ...stored, recordHashes: ["a", null, "c"], sha256: "whole" };
  const merged = mergeManifest(there, mine, 1, "add");
  assert.deepEqual(merged, { ...fields, recordHashes: ["a", "b", "c"], sha256: "whole" });
  assert.deepEqual(there.recordHashes, ["a", null, "c"], "what was read is left as it is");
});

test("a first record is the only one, and replaces another version with all of its records", () => {
  const known = { ...fields, recordHashes: ["x", "y", null], isComplete: true };
  const expected = { ...known, recordHashes: ["x", null, null], isComplete: false };
  assert.deepEqual(mergeManifest(undefined, known, 0, "create"), expected);
  assert.deepEqual(mergeManifest(stored, known, 0, "replace"), expected);
});

test("a file that was removed or replaced is not written to", () => {
  assert.throws(() => mergeManifest(undefined, fields, 0, "add"), ReplacedError);
  for (const change of [
    { totalBytes: 11 },
    { recordBytes: 5 },
    { validator: '"2"' },
    { recordHashes: ["other", null, null] },
    { recordHashes: ["a", null] },
  ]) {
    for (const write of /** @type {const} */ (["create", "add"])) {
      assert.throws(() => mergeManifest({ ...stored, ...change }, fields, 0, write), ReplacedError);
    }
  }
  const promised = { ...fields, sha256: "one" };
  assert.throws(() => mergeManifest({ ...stored, sha256: "another" }, promised, 0, "add"), ReplacedError);
  // A mirror has other validators for the same file.
  const mirrored = { ...fields, url: "https://b.example/m.gguf", validator: '"of b"' };
  assert.equal(mergeManifest(stored, mirrored, 0, "add").url, mirrored.url);
});

test("a file stays complete only if it has all records", () => {
  const complete = { ...stored, recordHashes: ["a", "b", "c"], isComplete: true };
  assert.equal(mergeManifest(complete, fields, 0, "add").isComplete, true);
  assert.equal(mergeManifest({ ...complete, recordHashes: ["a", null, "c"] }, fields, 0, "add").isComplete, false);
});

test("a manifest is written over one with the same records only", () => {
  checkHashes(stored, fields);
  assert.throws(() => checkHashes(undefined, fields), ReplacedError);
  assert.throws(() => checkHashes({ ...stored, recordHashes: [null, null, null] }, fields), ReplacedError);
});
