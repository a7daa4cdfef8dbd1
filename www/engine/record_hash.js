import { nativeSha256 } from "./model_store.js";

/**
 * The SHA-256 of some bytes in hexadecimal: the browser's own, or on a page that isn't secure the module's.
 *
 * @param {Uint8Array} bytes
 * @param {() => Promise<any>} startModule
 * @returns {Promise<string>}
 */
export async function sha256Of(bytes, startModule) {
  const native = await nativeSha256(/** @type {BufferSource} */ (bytes));
  if (native !== null) return native;
  const { WasmSha256 } = await startModule();
  const hasher = new WasmSha256();
  try {
    hasher.update(bytes);
    return hasher.finish();
  } finally {
    hasher.free();
  }
}
