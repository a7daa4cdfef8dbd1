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

/** The engine worker's end of the line to `record_reader.js`. Until that is ready, and where it can't be, it reads itself. */
export class ReaderClient {
  /** @type {Worker | null} */
  #worker = null;
  #isReady = false;
  /** @type {Map<number, PendingRecord>} */
  #pending = new Map();
  #lastId = 0;
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
    if (!this.#worker || !this.#isReady) return this.#readHere(address, index);
    const worker = this.#worker;
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#pending.set(id, { address, index, resolve, reject });
      worker.postMessage({ id, address, index });
    });
  }

  close() {
    this.#worker?.terminate();
    this.#worker = null;
    for (const { reject } of this.#pending.values()) reject(new Error("the store was closed"));
    this.#pending.clear();
  }

  #giveUp() {
    this.#worker?.terminate();
    this.#worker = null;
    for (const { address, index, resolve } of this.#pending.values()) resolve(this.#readHere(address, index));
    this.#pending.clear();
  }

  /** @param {{ isReady?: boolean, id: number, record: HashedRecord | null, error?: { name: string, message: string } }} message */
  #receive({ isReady, id, record, error }) {
    if (isReady) this.#isReady = true;
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    if (error) pending.reject(Object.assign(new Error(error.message), { name: error.name }));
    else pending.resolve(record);
  }
}
