import { canonicalAddress } from "./model_store.js";

/**
 * An address in full, as the page means it, or the worker if there is no page.
 *
 * @param {string | URL} address
 * @throws {TypeError} for what is no address.
 */
export function absoluteAddress(address) {
  return new URL(address, globalThis.document?.baseURI ?? location.href).href;
}

/**
 * The address under which a file of this device is kept. Another file of the same name has another one.
 *
 * @param {File} file
 */
export function fileAddress({ name, size, lastModified }) {
  return canonicalAddress(`file:///${encodeURIComponent(name)}?bytes=${size}&modified=${lastModified}`);
}
