/** Looks into the IndexedDB of a page, where the engine keeps models in records under `[address, index]`. */

/**
 * The indexes of the records that are stored of a file.
 * @param {import("./browser.mjs").TestPage} page
 * @param {string} address
 * @returns {Promise<number[]>}
 */
export async function storedRecords(page, address) {
  return await page.evaluate(async (address) => {
    // Opening a database that is not there would make it, without the engine's object stores.
    if (!(await indexedDB.databases()).some(({ name }) => name === "qwisp")) return [];
    /** @type {[string, number][]} */
    const keys = await new Promise((resolve, reject) => {
      const opening = indexedDB.open("qwisp");
      opening.onerror = () => reject(opening.error);
      opening.onsuccess = () => {
        const database = opening.result;
        const listing = database.transaction("records").objectStore("records").getAllKeys();
        listing.onerror = () => reject(listing.error);
        listing.onsuccess = () => {
          database.close();
          resolve(/** @type {[string, number][]} */ (listing.result));
        };
      };
    });
    return keys.filter(([key]) => key === address).map(([, index]) => index);
  }, address);
}

/**
 * @param {import("./browser.mjs").TestPage} page
 * @param {string} address
 * @param {number} index
 */
export async function deleteStoredRecord(page, address, index) {
  await page.evaluate(
    ({ address, index }) =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open("qwisp");
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const database = opening.result;
          const transaction = database.transaction("records", "readwrite");
          transaction.objectStore("records").delete([address, index]);
          transaction.onerror = () => reject(transaction.error);
          transaction.oncomplete = () => {
            database.close();
            resolve(undefined);
          };
        };
      }),
    { address, index },
  );
}

/**
 * Changes one bit of a stored record, as a rotten disk may.
 * @param {import("./browser.mjs").TestPage} page
 * @param {string} address
 * @param {number} index
 */
export async function flipStoredBit(page, address, index) {
  await page.evaluate(
    ({ address, index }) =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open("qwisp");
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const database = opening.result;
          const transaction = database.transaction("records", "readwrite");
          const records = transaction.objectStore("records");
          const reading = records.get([address, index]);
          reading.onsuccess = () => {
            const bytes = /** @type {Uint8Array} */ (reading.result);
            bytes[bytes.length >> 1] ^= 1;
            records.put(bytes, [address, index]);
          };
          transaction.onabort = () => reject(transaction.error);
          transaction.oncomplete = () => {
            database.close();
            resolve(undefined);
          };
        };
      }),
    { address, index },
  );
}
