/**
 * Remembers which models loaded here before, so that the page can say honestly whether a download is likely. Only the
 * engine knows whether the browser still has them.
 */
const KEY = "qwisp.loaded-before";

/** @param {string} address */
export function wasLoadedBefore(address) {
  return readAddresses().includes(address);
}

/** @param {string} address */
export function rememberLoaded(address) {
  try {
    localStorage.setItem(KEY, JSON.stringify([...new Set([...readAddresses(), address])]));
  } catch {
    // Storage may be forbidden or full; then the page asks as if for the first time.
  }
}

/** @returns {string[]} */
function readAddresses() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "[]");
  } catch {
    return [];
  }
}
