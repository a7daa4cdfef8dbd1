/**
 * Remembers which models were loaded and kept on this device, so that the page can say honestly whether a download is
 * likely. Only the engine knows whether the browser still has them.
 */
const KEY = "qwisp.loaded-before";

/** @param {string} address */
export function wasLoadedBefore(address) {
  return readAddresses().includes(address);
}

/**
 * @param {string} address
 * @param {boolean} isKept Whether the browser has the whole model now.
 */
export function rememberLoaded(address, isKept) {
  const others = readAddresses().filter((other) => other !== address);
  try {
    localStorage.setItem(KEY, JSON.stringify(isKept ? [...others, address] : others));
  } catch {
    // Storage may be forbidden or full; then the page asks as if for the first time.
  }
}

/** @returns {string[]} */
function readAddresses() {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(stored) ? stored : [];
  } catch {
    return [];
  }
}
