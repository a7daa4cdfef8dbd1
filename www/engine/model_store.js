/**
 * Where models are kept between visits: an IndexedDB of this origin. This is the only file that knows its schema. The
 * worker reads and writes records here while it loads, the page lists and deletes.
 *
 * Database `qwisp`, version 2:
 * - `manifests`, by address: what is kept of a file besides its bytes, a `Manifest`;
 * - `records`, by `[address, index]`: the file's bytes in pieces of `RECORD_BYTES`, the last one shorter, as `Uint8Array`s.
 *
 * A record and the manifest that has its hash are written in one transaction, so neither is ever there without the other,
 * whatever is killed when.
 */

import { checkHashes, mergeManifest } from "./merge_manifest.js";

/**
 * @typedef {object} Manifest What is kept of a file besides its bytes.
 * @property {string} address The key: `canonicalAddress` of where the file is.
 * @property {string} name The name of the file, for people.
 * @property {number} totalBytes
 * @property {number} recordBytes The size of its records but the last.
 * @property {string} url Where the bytes came from: the address, or a mirror.
 * @property {string | null} validator The strong `ETag` or the `Last-Modified` that `url` sent.
 * @property {string | null} sha256 Of the whole file: computed if it is complete, promised (or unknown) before.
 * @property {(string | null)[]} recordHashes The SHA-256 of each record, in hexadecimal; null for one that isn't there.
 * @property {boolean} isComplete Whether all records are there and the whole was verified. Only then it is a model.
 * @property {number} storedAt When the first record came, in milliseconds since 1970.
 * @property {number} lastUsedAt When it was last written or loaded.
 */

/** @typedef {Omit<Manifest, "address" | "name" | "storedAt" | "lastUsedAt"> & { name?: string }} ManifestFields */

/**
 * @typedef {{ bytes: Uint8Array, sha256: string | null }} HashedRecord
 * @typedef {(address: string, index: number) => Promise<HashedRecord | null>} ReadRecord
 * @typedef {{ read: ReadRecord, close(): Promise<void> }} RecordReader
 * @typedef {(readHere: ReadRecord) => RecordReader} MakeReader
 */

/** As the engine has it: the unit in which a file is stored, verified and handed to the device. */
export const RECORD_BYTES = 4 << 20;

const DATABASE = "qwisp";
const VERSION = 2;
const MANIFESTS = "manifests";
const RECORDS = "records";

/** Some browsers leave a request to open a database unanswered. Then there is none. */
const OPEN_PATIENCE_MS = 10_000;
/** A download that nobody went on with for so long is given up. */
const STALE_PART_MS = 30 * 24 * 3600 * 1000;

/**
 * The key of a file: its address, without what only a page would see.
 *
 * @param {string} url An absolute one.
 */
export function canonicalAddress(url) {
  const address = new URL(url);
  address.hash = "";
  return address.href;
}

/**
 * How many bytes of a file are stored.
 *
 * @param {Manifest} manifest
 */
export function storedBytes({ totalBytes, recordBytes, recordHashes }) {
  const sizeAt = (/** @type {number} */ index) => Math.min(recordBytes, totalBytes - index * recordBytes);
  return recordHashes.reduce((sum, hash, index) => sum + (hash === null ? 0 : sizeAt(index)), 0);
}

/**
 * The SHA-256 of some bytes in hexadecimal, computed by the browser.
 *
 * @param {BufferSource} bytes
 * @returns {Promise<string | null>} null where there is no such thing: on a page that isn't secure.
 */
export async function nativeSha256(bytes) {
  if (!globalThis.crypto?.subtle) return null;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Frees the memory of bytes that nobody will look at again, at once: megabytes would else pile up until the next garbage
 * collection.
 *
 * @param {Uint8Array} bytes
 */
export function release(bytes) {
  const buffer = /** @type {any} */ (bytes.buffer);
  // Missing in browsers before 2024, which collect it when they like.
  buffer.transfer?.(0);
}

export class ModelStore {
  /** @type {IDBDatabase} */
  #database;
  /** Who reads and hashes records. @type {RecordReader | null} */
  #reader = null;
  /** Rejects if this worker may not write. */
  #checkWrites = async () => {};
  /** What a record is copied into on its way, so that writing a model leaves no garbage. @type {Uint8Array | null} */
  #scratch = null;

  /** @param {IDBDatabase} database */
  constructor(database) {
    this.#database = database;
    // Another tab may want to delete or upgrade the database: it must not wait for this one.
    database.onversionchange = () => database.close();
  }

  /** @returns {Promise<ModelStore>} Rejects where the browser has no storage or refuses it. */
  static async open() {
    const opening = indexedDB.open(DATABASE, VERSION);
    opening.onupgradeneeded = () => {
      const database = opening.result;
      // Version 1 had no hashes of records: nothing in it can be verified.
      for (const name of [...database.objectStoreNames]) database.deleteObjectStore(name);
      for (const name of [MANIFESTS, RECORDS]) database.createObjectStore(name);
    };
    const opened = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("IndexedDB doesn't answer")), OPEN_PATIENCE_MS);
      opening.onsuccess = () => {
        clearTimeout(timer);
        resolve(opening.result);
      };
      opening.onerror = () => {
        clearTimeout(timer);
        reject(opening.error);
      };
    });
    // One that comes too late must not keep other tabs from upgrading.
    opened.catch(() => opening.addEventListener("success", () => opening.result.close()));
    return new ModelStore(await opened);
  }

  /** Resolves when whoever reads has closed the database, too. */
  async close() {
    this.#database.close();
    await this.#reader?.close();
  }

  /**
   * From now on `hashedRecord` lets another one read.
   *
   * @param {MakeReader} makeReader
   */
  readElsewhere(makeReader) {
    this.#reader = makeReader((address, index) => this.#hashedRecord(address, index));
  }

  /**
   * From now on `check` is asked before anything is written, and nothing is if it rejects.
   *
   * @param {() => Promise<void>} check
   */
  guardWrites(check) {
    this.#checkWrites = check;
  }

  /**
   * @param {string} address
   * @returns {Promise<Manifest | null>} of a file of which anything is stored, complete or not.
   */
  async manifest(address) {
    return (await this.#run("readonly", ({ manifests }) => manifests.get(address))) ?? null;
  }

  /** @returns {Promise<Manifest[]>} of all files. */
  async manifests() {
    return await this.#run("readonly", ({ manifests }) => manifests.getAll());
  }

  /**
   * @param {string} address
   * @param {number} index
   * @returns {Promise<Uint8Array | null>}
   */
  async record(address, index) {
    const bytes = await this.#run("readonly", ({ records }) => records.get([address, index]));
    return bytes instanceof Uint8Array ? bytes : null;
  }

  /**
   * A record with the hash that it has now; null for the hash where the browser has none to offer.
   *
   * @param {string} address
   * @param {number} index
   * @returns {Promise<HashedRecord | null>}
   */
  hashedRecord(address, index) {
    const record = this.#reader ? this.#reader.read(address, index) : this.#hashedRecord(address, index);
    // Read ahead: when the database is closed meanwhile, nobody may be waiting for it yet.
    record.catch(() => {});
    return record;
  }

  /** @type {ReadRecord} */
  async #hashedRecord(address, index) {
    const bytes = await this.record(address, index);
    return bytes && { bytes, sha256: await nativeSha256(/** @type {BufferSource} */ (bytes)) };
  }

  /**
   * Frees what `hashedRecord` gave.
   *
   * @param {Uint8Array} bytes
   */
  release(bytes) {
    release(bytes);
  }

  /**
   * Keeps a record together with the manifest that has its hash: both or neither. Of `fields.recordHashes` only that of this
   * record is written.
   *
   * @param {string} address
   * @param {number} index
   * @param {Uint8Array} bytes They are copied before this returns.
   * @param {ManifestFields} fields
   * @param {import("./merge_manifest.js").Write} write Rejects with a `ReplacedError` if something else is stored.
   */
  async writeRecord(address, index, bytes, fields, write) {
    const copy = this.#copy(bytes);
    await this.#checkWrites();
    await this.#run("readwrite", (stores, giveUp) => {
      if (write === "replace") stores.records.delete(recordsOf(address));
      stores.records.put(copy, [address, index]);
      const merge = (/** @type {Manifest | undefined} */ stored) => mergeManifest(stored, fields, index, write);
      return putManifest(stores.manifests, address, merge, giveUp);
    });
  }

  /**
   * Keeps a manifest, and says that the file is used now. Rejects with a `ReplacedError` if other records are stored than
   * those that it has hashes of.
   *
   * @param {string} address
   * @param {ManifestFields} fields
   */
  async writeManifest(address, fields) {
    await this.#checkWrites();
    await this.#run("readwrite", ({ manifests }, giveUp) => {
      const check = (/** @type {Manifest | undefined} */ stored) => {
        checkHashes(stored, fields);
        return fields;
      };
      return putManifest(manifests, address, check, giveUp);
    });
  }

  /**
   * Removes a file, complete or not.
   *
   * @param {string} address
   */
  async remove(address) {
    await this.#checkWrites();
    await this.#run("readwrite", (stores) => {
      stores.manifests.delete(address);
      return stores.records.delete(recordsOf(address));
    });
  }

  /** Removes what nobody can use: records without a manifest, and downloads that were begun and forgotten. */
  async removeLeftovers() {
    const manifests = await this.manifests();
    const oldest = Date.now() - STALE_PART_MS;
    const kept = new Set();
    for (const { address, isComplete, lastUsedAt } of manifests) {
      if (isComplete || lastUsedAt >= oldest) kept.add(address);
      else await this.remove(address);
    }
    await this.#run("readwrite", ({ manifests, records }) => {
      // Asked again within the transaction: another tab may have begun a file since.
      const listing = manifests.getAllKeys();
      listing.onsuccess = () => {
        const known = new Set(listing.result);
        const walking = records.openKeyCursor();
        walking.onsuccess = () => {
          const cursor = walking.result;
          if (!cursor) return;
          const [address] = /** @type {[string, number]} */ (cursor.key);
          if (!known.has(address)) records.delete(recordsOf(address));
          // Past all records of this file at once.
          cursor.continue([address, []]);
        };
      };
      return listing;
    });
  }

  /**
   * How many bytes can still be stored; null where the browser doesn't say. Chromium and Firefox count the whole origin.
   *
   * @returns {Promise<number | null>}
   */
  async freeBytes() {
    try {
      const { quota, usage } = await navigator.storage.estimate();
      return quota === undefined || usage === undefined ? null : Math.max(0, quota - usage);
    } catch {
      return null;
    }
  }

  /**
   * @param {Uint8Array} bytes A part of the module's memory, say, which must not be cloned as a whole.
   */
  #copy(bytes) {
    if (bytes.length !== RECORD_BYTES) return bytes.slice();
    this.#scratch ??= new Uint8Array(RECORD_BYTES);
    this.#scratch.set(bytes);
    return this.#scratch;
  }

  /**
   * Runs one transaction; resolves when it is committed, to the result of the request that `run` gives. `giveUp` undoes it
   * and rejects.
   *
   * @template T
   * @param {IDBTransactionMode} mode
   * @param {(
   *   stores: { manifests: IDBObjectStore, records: IDBObjectStore },
   *   giveUp: (error: unknown) => void,
   * ) => IDBRequest<T>} run
   * @returns {Promise<T>}
   */
  async #run(mode, run) {
    const transaction = this.#database.transaction([MANIFESTS, RECORDS], mode);
    const stores = { manifests: transaction.objectStore(MANIFESTS), records: transaction.objectStore(RECORDS) };
    return await new Promise((resolve, reject) => {
      /** @type {IDBRequest<T> | undefined} */
      let request;
      transaction.oncomplete = () => resolve(/** @type {IDBRequest<T>} */ (request).result);
      transaction.onabort = () => reject(transaction.error ?? new Error("the browser gave up a transaction"));
      const giveUp = (/** @type {unknown} */ error) => {
        transaction.abort();
        reject(error);
      };
      try {
        request = run(stores, giveUp);
      } catch (error) {
        // Nothing of a transaction of which only a part was asked for may stay.
        giveUp(error);
      }
    });
  }
}

/**
 * @param {IDBObjectStore} manifests
 * @param {string} address
 * @param {(stored: Manifest | undefined) => ManifestFields} merge Gives what to store where this is stored; may throw.
 * @param {(error: unknown) => void} giveUp Undoes the transaction.
 * @returns {IDBRequest<any>}
 */
function putManifest(manifests, address, merge, giveUp) {
  const reading = manifests.get(address);
  reading.onsuccess = () => {
    try {
      const now = Date.now();
      const { name = fileName(address), storedAt = now } = reading.result ?? {};
      manifests.put({ name, ...merge(reading.result), address, storedAt, lastUsedAt: now }, address);
    } catch (error) {
      giveUp(error);
    }
  };
  return reading;
}

/** @param {string} address */
function recordsOf(address) {
  // An array sorts after every number.
  return IDBKeyRange.bound([address], [address, []]);
}

/** @param {string} address */
function fileName(address) {
  const segment = new URL(address).pathname.split("/").at(-1) || address;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
