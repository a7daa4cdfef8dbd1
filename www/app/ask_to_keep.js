/**
 * Asks the browser to spare what this site stores when it makes room for other sites. Chromium and Safari decide by
 * themselves, Firefox asks the person, and nobody has to agree: then the model is kept as long as there is room.
 *
 * @param {StorageManager | undefined} [storage] Is not there on a page that is neither HTTPS nor of this device.
 */
export async function askToKeep(storage = navigator.storage) {
  try {
    if (!(await storage?.persisted())) await storage?.persist();
  } catch {
    // As after a no.
  }
}
