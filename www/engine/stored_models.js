/** What is kept on this device, for pages: `storedModels` of `qwisp.d.ts`. */
import { checkImport, checkStoredAddress } from "./arguments.js";
import { QwispError } from "./errors.js";
import { absoluteAddress, fileAddress } from "./file_address.js";
import { ModelStore, canonicalAddress, storedBytes } from "./model_store.js";
import { startWorker } from "./start_worker.js";
import { storageFailure } from "./storage_failure.js";
import { WorkerClient } from "./worker_client.js";

/**
 * @typedef {import("./qwisp.d.ts").StoredModel} StoredModel
 * @typedef {import("./model_store.js").Manifest} Manifest
 */

/** @type {import("./qwisp.d.ts").StoredModels} */
export const storedModels = {
  async list() {
    const store = await ModelStore.open().catch(() => null);
    // Where nothing can be stored, nothing is.
    if (!store) return [];
    try {
      const manifests = await store.manifests();
      return manifests.map(toStoredModel).sort((one, other) => other.lastUsedAt - one.lastUsedAt);
    } catch (cause) {
      throw storageFailure("list", cause);
    } finally {
      store.close();
    }
  },

  async remove(address) {
    const key = storedAddress("remove", address);
    await withStore("remove", (store) => store.remove(key));
  },

  async clear() {
    await withStore("clear", async (store) => {
      for (const { address } of await store.manifests()) await store.remove(address);
      await store.removeLeftovers();
    });
  },

  async exportFile(address) {
    return await callWorker("exportFile", [storedAddress("exportFile", address)]);
  },

  async importFile(file, options = {}) {
    checkImport(file, options);
    const { sha256, onProgress, signal } = options;
    const address =
      options.address === undefined
        ? fileAddress(/** @type {File} */ (file))
        : storedAddress("importFile", options.address);
    const name = file instanceof File ? file.name : undefined;
    const manifest = await callWorker("importFile", [file, { address, name, sha256 }], { onEvent: onProgress, signal });
    return toStoredModel(manifest);
  },

  async usage() {
    try {
      const { usage, quota } = await navigator.storage.estimate();
      if (usage === undefined || quota === undefined) throw new Error("the browser gives no figures");
      return { usedBytes: usage, quotaBytes: quota, isPersistent: await isPersistent() };
    } catch (cause) {
      throw storageFailure("usage", cause);
    }
  },

  async askToKeep() {
    try {
      return (await isPersistent()) || (await navigator.storage.persist());
    } catch {
      return false; // It can't even be asked.
    }
  },
};

async function isPersistent() {
  // Some browsers have the estimate alone.
  return (await navigator.storage.persisted?.()) ?? false;
}

/**
 * @param {Manifest} manifest
 * @returns {StoredModel}
 */
function toStoredModel(manifest) {
  const { address, name, totalBytes, isComplete, sha256, storedAt, lastUsedAt } = manifest;
  return { address, name, totalBytes, storedBytes: storedBytes(manifest), isComplete, sha256, storedAt, lastUsedAt };
}

/**
 * @param {string} method
 * @param {string | URL} address
 */
function storedAddress(method, address) {
  checkStoredAddress(`storedModels.${method}: address`, address);
  return canonicalAddress(absoluteAddress(address));
}

/**
 * @param {string} method
 * @param {(store: ModelStore) => Promise<void>} run
 */
async function withStore(method, run) {
  /** @type {ModelStore | null} */
  let store = null;
  try {
    store = await ModelStore.open();
    await run(store);
  } catch (cause) {
    throw storageFailure(method, cause);
  } finally {
    store?.close();
  }
}

/**
 * Lets a worker of its own do what takes long, so that an engine at work is not kept waiting.
 *
 * @param {string} method
 * @param {unknown[]} args
 * @param {{ onEvent?: (value: any) => void, signal?: AbortSignal }} [options]
 */
async function callWorker(method, args, options) {
  const client = new WorkerClient(startWorker());
  try {
    return await client.call(method, args, options);
  } finally {
    client.close(new QwispError("internal", `${method} is over`));
  }
}
