/**
 * A worker of the engine's worker: reads stored records and hashes them, which takes as long as handing them to what computes,
 * so that both go on at the same time. Its other end is `reader_client.js`.
 */
import { ModelStore } from "./model_store.js";

const opening = ModelStore.open();

addEventListener("message", async ({ data: { id, address, index } }) => {
  try {
    const record = await (await opening).hashedRecord(address, index);
    postMessage({ id, record }, { transfer: record ? [record.bytes.buffer] : [] });
  } catch (error) {
    const { name, message } = /** @type {Error} */ (error);
    postMessage({ id, error: { name, message } });
  }
});

opening.then(
  () => postMessage({ isReady: true }),
  () => close(),
);
