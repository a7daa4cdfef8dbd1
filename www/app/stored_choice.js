/** What people chose on this page, kept for their next visit. Storage may be forbidden or full; then nothing is kept. */

/** @param {string} key @returns {string | null} */
export function readStored(key) {
  return read(() => localStorage, key);
}

/** @param {string} key @param {string | null} value Null forgets it. */
export function writeStored(key, value) {
  write(() => localStorage, key, value);
}

/** The same, where each tab has its own choice, and a new one begins with the last of all. @param {string} key */
export function readStoredOfTab(key) {
  return read(() => sessionStorage, key) ?? readStored(key);
}

/** @param {string} key @param {string | null} value */
export function writeStoredOfTab(key, value) {
  write(() => sessionStorage, key, value);
  writeStored(key, value);
}

/** @param {() => Storage} open may throw, too @param {string} key */
function read(open, key) {
  try {
    return open().getItem(key);
  } catch {
    return null;
  }
}

/** @param {() => Storage} open @param {string} key @param {string | null} value */
function write(open, key, value) {
  try {
    if (value === null) open().removeItem(key);
    else open().setItem(key, value);
  } catch {
    // As if for the first time, next time.
  }
}
