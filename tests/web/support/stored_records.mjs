/** Looks into the IndexedDB of a page, where the engine keeps models, and changes what is there. */

/** @typedef {import("./browser.mjs").TestPage} TestPage */

/**
 * The indexes of the records that are stored of a file.
 * @param {TestPage} page
 * @param {string} address
 * @returns {Promise<number[]>}
 */
export const storedRecords = (page, address) => visit(page, "list", address);

/**
 * @param {TestPage} page
 * @param {string} address
 * @param {number} index
 */
export const deleteStoredRecord = (page, address, index) => visit(page, "deleteRecord", address, index);

/**
 * Changes one bit of a stored record, as a rotten disk may.
 * @param {TestPage} page
 * @param {string} address
 * @param {number} index
 */
export const flipStoredBit = (page, address, index) => visit(page, "flipBit", address, index);

/**
 * Makes a file one that was last used so many days ago.
 * @param {TestPage} page
 * @param {string} address
 * @param {number} days
 */
export const ageStoredFile = (page, address, days) => visit(page, "age", address, days);

/**
 * Leaves a file's records without what is known of them, as no version of the engine does.
 * @param {TestPage} page
 * @param {string} address
 */
export const orphanStoredRecords = (page, address) => visit(page, "deleteManifest", address);

/**
 * Runs one transaction in the page.
 * @param {TestPage} page
 * @param {"list" | "deleteRecord" | "flipBit" | "age" | "deleteManifest"} what
 * @param {string} address
 * @param {number} [number] index of a record, or days
 * @returns {Promise<any>}
 */
async function visit(page, what, address, number = 0) {
  return await page.evaluate(
    async ({ what, address, number }) => {
      // Opening a database that is not there would make it, without the engine's object stores.
      if (!(await indexedDB.databases()).some(({ name }) => name === "qwisp")) return [];
      /**
       * @template T
       * @param {IDBRequest<T>} request
       * @returns {Promise<T>}
       */
      const resultOf = (request) =>
        new Promise((resolve, reject) => {
          request.onsuccess = () => resolve(request.result);
          request.onerror = () => reject(request.error);
        });
      const database = await resultOf(indexedDB.open("qwisp"));
      const transaction = database.transaction(["manifests", "records"], "readwrite");
      const isOver = new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () => reject(transaction.error);
      });
      const [manifests, records] = ["manifests", "records"].map((name) => transaction.objectStore(name));
      const visits = {
        list: async () => {
          const keys = /** @type {[string, number][]} */ (await resultOf(records.getAllKeys()));
          return keys.filter(([key]) => key === address).map(([, index]) => index);
        },
        deleteRecord: () => resultOf(records.delete([address, number])),
        flipBit: async () => {
          const bytes = /** @type {Uint8Array} */ (await resultOf(records.get([address, number])));
          bytes[bytes.length >> 1] ^= 1;
          await resultOf(records.put(bytes, [address, number]));
        },
        age: async () => {
          const manifest = await resultOf(manifests.get(address));
          const lastUsedAt = manifest.lastUsedAt - number * 24 * 3600 * 1000;
          await resultOf(manifests.put({ ...manifest, lastUsedAt }, address));
        },
        deleteManifest: () => resultOf(manifests.delete(address)),
      };
      try {
        return await visits[what]();
      } finally {
        await isOver;
        database.close();
      }
    },
    { what, address, number },
  );
}
