import { settleWithin } from "./settle_within.js";
import { startModuleWorker } from "./start_worker.js";

/**
 * @typedef {import("./model_store.js").HashedRecord} HashedRecord
 *
 * @typedef {object} PendingRecord
 * @property {string} address
 * @property {number} index
 * @property {(record: Promise<HashedRecord | null> | HashedRecord | null) => void} resolve
 * @property {(error: Error) => void} reject
 */

/** As many as there are cores on the smallest of devices: reading a record takes a thread as long as hashing it. */
const READERS = 2;
/** How long a reader may take to close its database. */
const CLOSING_PATIENCE_MS = 1000;

/** Reads records in workers. Until one is ready, and where none can be, the engine's worker reads itself. */
export class ReaderClient {
  #readHere;
  #readers;
  #turn = 0;

  /** @param {import("./model_store.js").ReadRecord} readHere */
  constructor(readHere) {
    this.#readHere = readHere;
    this.#readers = Array.from({ length: READERS }, () => new Reader(readHere));
  }

  /**
   * @param {string} address
   * @param {number} index
   * @returns {Promise<HashedRecord | null>}
   */
  read(address, index) {
    const ready = this.#readers.filter((reader) => reader.isReady);
    if (ready.length === 0) return this.#readHere(address, index);
    return ready[this.#turn++ % ready.length].read(address, index);
  }

  async close() {
    await Promise.all(this.#readers.map((reader) => reader.close()));
  }
}

/** The engine worker's end of the line to one `record_reader.js`. */
class Reader {
  isReady = false;
  /** @type {Worker | null} */
  #worker = null;
  /** @type {Map<number, PendingRecord>} */
  #pending = new Map();
  #lastId = 0;
  /** @type {(value?: unknown) => void} */
  #onClosed = () => {};
  #readHere;

  /** @param {import("./model_store.js").ReadRecord} readHere */
  constructor(readHere) {
    this.#readHere = readHere;
    try {
      this.#worker = startModuleWorker(new URL("./record_reader.js", import.meta.url), "qwisp records");
    } catch {
      return;
    }
    this.#worker.addEventListener("message", ({ data }) => this.#receive(data));
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#giveUp();
    });
  }

  /**
   * @param {string} address
   * @param {number} index
   * @returns {Promise<HashedRecord | null>}
   */
  read(address, index) {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#pending.set(id, { address, index, resolve, reject });
      this.#worker?.postMessage({ id, address, index });
    });
  }

  /** Lets the worker close its database before it is ended, for the sake of other workers' transactions. */
  async close() {
    this.isReady = false;
    for (const { reject } of this.#pending.values()) reject(new Error("the store was closed"));
    this.#pending.clear();
    if (this.#lastId > 0) {
      const closed = new Promise((resolve) => (this.#onClosed = resolve));
      this.#worker?.postMessage({ isOver: true });
      if (this.#worker) await settleWithin(closed, CLOSING_PATIENCE_MS);
    }
    this.#worker?.terminate();
    this.#worker = null;
  }

  #giveUp() {
    this.isReady = false;
    this.#worker?.terminate();
    this.#worker = null;
    for (const { address, index, resolve } of this.#pending.values()) resolve(this.#readHere(address, index));
    this.#pending.clear();
  }

  /**
   * @param {{
   *   isReady?: boolean,
   *   isUnable?: boolean,
   *   isClosed?: boolean,
   *   id: number,
   *   record: HashedRecord | null,
   *   error?: { name: string, message: string },
   * }} message
   */
  #receive({ isReady, isUnable, isClosed, id, record, error }) {
    if (isReady) this.isReady = true;
    if (isUnable) this.#giveUp();
    if (isClosed) this.#onClosed();
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    if (error) pending.reject(Object.assign(new Error(error.message), { name: error.name }));
    else pending.resolve(record);
  }
}
