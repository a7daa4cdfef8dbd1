/** What Chromium's developer tools can do to a page. */

/** @typedef {import("./browser.mjs").TestPage} TestPage */

/**
 * Gives an origin so much room.
 * @param {TestPage} page
 * @param {string} url of the origin
 * @param {number} quotaBytes
 * @returns {Promise<() => Promise<void>>} what ends it
 */
export async function overrideQuota(page, url, quotaBytes) {
  const session = await openDevtools(page);
  // It ends with the session, too.
  await session.send("Storage.overrideQuotaForOrigin", { origin: new URL(url).origin, quotaSize: quotaBytes });
  return () => session.detach();
}

/**
 * What JavaScript holds of memory in a page, workers left out, after its garbage was collected.
 * @param {TestPage} page
 * @returns {Promise<number>} bytes, those of array buffers among them
 */
export async function heapBytes(page) {
  const session = await openDevtools(page);
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize, backingStorageSize = 0 } = /** @type {{ usedSize: number, backingStorageSize?: number }} */ (
    await session.send("Runtime.getHeapUsage")
  );
  await session.detach();
  return usedSize + backingStorageSize;
}

/** @param {TestPage} page of Chromium */
async function openDevtools(page) {
  const chromiumPage = /** @type {import("playwright-core").Page} */ (/** @type {unknown} */ (page));
  return await chromiumPage.context().newCDPSession(chromiumPage);
}
