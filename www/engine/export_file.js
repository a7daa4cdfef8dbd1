/** Makes a file of a stored model. Runs in the worker. */
import { QwispError } from "./errors.js";
import { ModelStore, release } from "./model_store.js";
import { sha256Of } from "./record_hash.js";
import { storageFailure } from "./storage_failure.js";

/**
 * The browser keeps the bytes of a Blob outside of JavaScript's memory, so that only one record at a time is in it.
 *
 * @param {string} address
 * @param {() => Promise<any>} startModule Gives the WebAssembly module.
 * @returns {Promise<File>}
 */
export async function exportFile(address, startModule) {
  const store = await ModelStore.open().catch((cause) => {
    throw storageFailure("exportFile", cause);
  });
  try {
    const manifest = await store.manifest(address);
    if (!manifest?.isComplete) {
      const got = manifest ? "an incomplete one" : "none";
      throw new QwispError(
        "invalid-argument",
        `exportFile: expected the address of a stored model, got ${got}: ${address}`,
      );
    }
    /** @type {Blob[]} */
    const parts = [];
    for (const [index, expected] of manifest.recordHashes.entries()) {
      const bytes = await store.record(address, index);
      const found = bytes && (await sha256Of(bytes, startModule));
      if (!bytes || found !== expected) {
        throw new QwispError(
          "integrity",
          `exportFile: expected record ${index} of ${address} to have SHA-256 ${expected}, got ` +
            `${found ?? "no record"}. Loading the model fetches it again.`,
        );
      }
      parts.push(new Blob([/** @type {BlobPart} */ (bytes)]));
      release(bytes);
    }
    return new File(parts, manifest.name, { type: "application/octet-stream", lastModified: manifest.storedAt });
  } catch (error) {
    throw storageFailure("exportFile", error);
  } finally {
    store.close();
  }
}
