import { canonicalAddress } from "./model_store.js";

/**
 * The address under which a file of this device is kept. Another file of the same name has another one.
 *
 * @param {File} file
 */
export function fileAddress({ name, size, lastModified }) {
  return canonicalAddress(`file:///${encodeURIComponent(name)}?bytes=${size}&modified=${lastModified}`);
}
