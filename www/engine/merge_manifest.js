/**
 * What becomes of a stored manifest when a record is written. Other tabs may have written, replaced or removed the file since
 * it was looked at: only what is in the store says which records it has. The same as `Manifest::merged_into` in Rust.
 *
 * @typedef {import("./model_store.js").Manifest} Manifest
 * @typedef {import("./model_store.js").ManifestFields} ManifestFields
 */

/**
 * What a record is written over: nothing of the file; records of the same version; whatever is there, which goes.
 *
 * @typedef {"create" | "add" | "replace"} Write
 */

/** What was stored of a file was removed or replaced meanwhile. */
export class ReplacedError extends Error {
  name = "ReplacedError";

  constructor() {
    super("another tab removed or replaced what was stored of this file");
  }
}

/**
 * @param {Manifest | undefined} found What is stored now.
 * @param {ManifestFields} fields What the writer knows.
 * @param {number} index The record that is written.
 * @param {Write} write
 * @returns {ManifestFields} What is to be stored.
 * @throws {ReplacedError} Where `found` isn't what `write` says that it is.
 */
export function mergeManifest(found, fields, index, write) {
  const stored = write === "replace" || !isManifest(found) ? null : found;
  if (write === "add" && !stored) throw new ReplacedError();
  if (stored && isOfOtherVersion(fields, stored)) throw new ReplacedError();
  const recordHashes = stored ? [...stored.recordHashes] : fields.recordHashes.map(() => null);
  recordHashes[index] = fields.recordHashes[index];
  const isComplete = stored !== null && stored.isComplete && recordHashes.every((hash) => hash !== null);
  return { ...fields, sha256: fields.sha256 ?? stored?.sha256 ?? null, recordHashes, isComplete };
}

/**
 * Checks that the writer knows of just those records that are stored.
 *
 * @param {Manifest | undefined} stored
 * @param {ManifestFields} fields
 * @throws {ReplacedError}
 */
export function checkHashes(stored, { recordHashes }) {
  const isSame =
    isManifest(stored) &&
    stored.recordHashes.length === recordHashes.length &&
    recordHashes.every((hash, index) => hash === stored.recordHashes[index]);
  if (!isSame) throw new ReplacedError();
}

/**
 * What another version of Qwisp wrote and this one doesn't understand counts as absent.
 *
 * @param {Manifest | undefined} value
 * @returns {value is Manifest}
 */
function isManifest(value) {
  return Number.isInteger(value?.totalBytes) && Array.isArray(value?.recordHashes);
}

/**
 * @param {ManifestFields} one
 * @param {Manifest} other
 */
function isOfOtherVersion(one, other) {
  return (
    one.totalBytes !== other.totalBytes ||
    one.recordBytes !== other.recordBytes ||
    one.recordHashes.length !== other.recordHashes.length ||
    differ(one.sha256, other.sha256) ||
    (one.url === other.url && differ(one.validator, other.validator)) ||
    one.recordHashes.some((hash, index) => differ(hash, other.recordHashes[index]))
  );
}

/**
 * @param {string | null} one
 * @param {string | null} other
 */
function differ(one, other) {
  return one !== null && other !== null && one !== other;
}
