/**
 * A worker of the engine's worker: reads stored records and hashes them, which takes as long as handing them to what computes,
 * so that both go on at the same time. Its other end is `reader_client.js`.
 */
import { ModelStore } from "./model_store.js";

/** Opened for the first record. @type {Promise<ModelStore> | null} */
let opening = null;

addEventListener("message", async ({ data: { isOver, id, address, index } }) => {
  if (isOver) {
    await (await opening?.catch(() => null))?.close();
    return postMessage({ isClosed: true });
  }
  opening ??= ModelStore.open();
  const store = await opening.catch(() => null);
  if (!store) return postMessage({ isUnable: true });
  try {
    const record = await store.hashedRecord(address, index);
    postMessage({ id, record }, { transfer: record ? [record.bytes.buffer] : [] });
  } catch (error) {
    const { name, message } = /** @type {Error} */ (error);
    postMessage({ id, error: { name, message } });
  }
});

postMessage({ isReady: true });
