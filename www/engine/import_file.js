/** Takes a file of this device into the store of models. Runs in the worker. */
import { withTurn } from "./download_turn.js";
import { QwispError } from "./errors.js";
import { ModelStore, RECORD_BYTES, release, storedBytes } from "./model_store.js";
import { sha256Of } from "./record_hash.js";
import { storageFailure } from "./storage_failure.js";

const GGUF_MAGIC = "GGUF";

/**
 * @typedef {object} ImportOptions
 * @property {string} address Under which to keep it.
 * @property {string} [name]
 * @property {string} [sha256] That the file must have.
 *
 * @typedef {import("./qwisp.d.ts").ImportProgress} ImportProgress
 */

/** What is known of a file once it was read. @typedef {{ sha256: string, recordHashes: string[] }} Digest */

/**
 * Keeps a file as a complete model. It is read twice: nothing is written, and nothing of what was there is lost, before
 * all of it was read and found to be what it should be.
 *
 * @param {Blob} file
 * @param {ImportOptions} options
 * @param {object} context
 * @param {() => Promise<any>} context.startModule Gives the WebAssembly module, which hashes what comes in pieces.
 * @param {(progress: ImportProgress) => void} context.report
 * @param {AbortSignal} context.signal
 * @returns {Promise<import("./model_store.js").Manifest>}
 */
export async function importFile(file, options, { startModule, report, signal }) {
  const { address } = options;
  await checkMagic(file);
  const store = await ModelStore.open().catch((cause) => {
    throw storageFailure("importFile", cause);
  });
  try {
    const reportWait = (/** @type {import("./qwisp.d.ts").LoadProgress} */ { loadedBytes, totalBytes }) =>
      report({ phase: "wait", loadedBytes, totalBytes });
    return await withTurn(address, { reportWait, signal }, async (turn) => {
      store.guardWrites(() => turn.check());
      const { signal } = turn;
      const reportAll = (/** @type {ImportProgress} */ progress) => {
        turn.tell({ ...progress, phase: "wait" });
        report(progress);
      };
      const digest = await readDigest(file, startModule, (loadedBytes) => {
        checkSignal(signal);
        reportAll({ phase: "verify", loadedBytes, totalBytes: file.size });
      });
      const { sha256 = digest.sha256 } = options;
      if (digest.sha256 !== sha256.toLowerCase()) {
        throw new QwispError("integrity", `importFile: expected a file of SHA-256 ${sha256}, got ${digest.sha256}`);
      }
      return await keep(file, digest, options, { store, report: reportAll, signal });
    });
  } finally {
    store.close();
  }
}

/** @param {Blob} file */
async function checkMagic(file) {
  const magic = new TextDecoder("latin1").decode(await readPart(file, 0, GGUF_MAGIC.length));
  if (magic === GGUF_MAGIC) return;
  const got = magic === "" ? "an empty one" : `one that begins with ${JSON.stringify(magic)}`;
  throw new QwispError("bad-file", `importFile: expected a GGUF file, got ${got}`);
}

/**
 * @param {Blob} file
 * @param {() => Promise<any>} startModule
 * @param {(readBytes: number) => void} onRead
 * @returns {Promise<Digest>}
 */
async function readDigest(file, startModule, onRead) {
  const { WasmSha256 } = await startModule();
  const whole = new WasmSha256();
  try {
    /** @type {string[]} */
    const recordHashes = [];
    onRead(0);
    for (let start = 0; start < file.size; start += RECORD_BYTES) {
      const bytes = await readPart(file, start, RECORD_BYTES);
      whole.update(bytes);
      recordHashes.push(await sha256Of(bytes, startModule));
      onRead(start + bytes.length);
      release(bytes);
    }
    return { sha256: whole.finish(), recordHashes };
  } finally {
    whole.free();
  }
}

/**
 * Writes the records of a file that was verified, and then that it is complete.
 *
 * @param {Blob} file
 * @param {Digest} digest
 * @param {ImportOptions} options
 * @param {{ store: ModelStore, report: (progress: ImportProgress) => void, signal: AbortSignal }} context
 */
async function keep(file, { sha256, recordHashes }, { address, name }, { store, report, signal }) {
  let isNew = false;
  try {
    const before = await store.manifest(address);
    const missingBytes = file.size - (before ? storedBytes(before) : 0) - ((await store.freeBytes()) ?? Infinity);
    if (missingBytes > 0) {
      throw new QwispError(
        "quota",
        `importFile: expected room for ${file.size} bytes, ${missingBytes} bytes are missing`,
      );
    }
    // Of two files no mixture may stay.
    isNew = before === null || !isPartOf(before, file, { sha256, recordHashes });
    if (before && isNew) await store.remove(address);
    /** @type {import("./model_store.js").ManifestFields} */
    const fields = {
      ...(name === undefined ? {} : { name }),
      totalBytes: file.size,
      recordBytes: RECORD_BYTES,
      url: address,
      validator: null,
      sha256,
      // The same bytes are written over; until then what is there of them counts.
      recordHashes: before && !isNew ? [...before.recordHashes] : recordHashes.map(() => null),
      isComplete: before !== null && !isNew && before.isComplete,
    };
    report({ phase: "store", loadedBytes: 0, totalBytes: file.size });
    for (const [index, hash] of recordHashes.entries()) {
      checkSignal(signal);
      const start = index * RECORD_BYTES;
      const bytes = await readPart(file, start, RECORD_BYTES);
      fields.recordHashes[index] = hash;
      await store.writeRecord(address, index, bytes, fields, isNew && index === 0 ? "replace" : "add");
      report({ phase: "store", loadedBytes: start + bytes.length, totalBytes: file.size });
      release(bytes);
    }
    await store.writeManifest(address, { ...fields, isComplete: true });
    return /** @type {import("./model_store.js").Manifest} */ (await store.manifest(address));
  } catch (error) {
    // A part of a file is of use where the rest can be downloaded. What was there before is such a part.
    if (isNew) await store.remove(address).catch(() => {});
    throw storageFailure("importFile", error);
  }
}

/**
 * @param {import("./model_store.js").Manifest} manifest
 * @param {Blob} file
 * @param {Digest} digest
 */
function isPartOf(manifest, file, { sha256, recordHashes }) {
  const isSameSize = manifest.totalBytes === file.size && manifest.recordBytes === RECORD_BYTES;
  // What is stored of a download may be part of another file that was promised, alike as far as it came.
  const isSameFile = manifest.sha256 === null || manifest.sha256 === sha256;
  const isSame = (/** @type {string | null} */ hash, /** @type {number} */ index) => hash === recordHashes[index];
  return isSameSize && isSameFile && manifest.recordHashes.every((hash, index) => hash === null || isSame(hash, index));
}

/**
 * @param {Blob} file
 * @param {number} start
 * @param {number} bytes
 */
async function readPart(file, start, bytes) {
  try {
    return new Uint8Array(await file.slice(start, start + bytes).arrayBuffer());
  } catch (cause) {
    // It was deleted, or changed after it had been chosen.
    throw new QwispError("bad-file", `importFile: the file can't be read at byte ${start}: ${cause}`, { cause });
  }
}

/** @param {AbortSignal} signal */
function checkSignal(signal) {
  if (signal.aborted) throw new QwispError("aborted", "importFile was aborted by its signal");
}
