/** What Chromium's developer tools can do to a page. */

/**
 * @typedef {import("playwright-core").Page} Page
 * @typedef {import("./browser.mjs").TestPage} TestPage
 */

/**
 * Gives an origin so much room.
 * @param {TestPage} page
 * @param {string} url of the origin
 * @param {number | null} quotaBytes null ends it
 */
export async function overrideQuota(page, url, quotaBytes) {
  const { origin } = new URL(url);
  await withDevtools(page, (session) =>
    session.send("Storage.overrideQuotaForOrigin", { origin, ...(quotaBytes === null ? {} : { quotaSize: quotaBytes }) }),
  );
}

/**
 * What JavaScript holds of memory in a page, workers left out, after its garbage was collected.
 * @param {TestPage} page
 * @returns {Promise<number>} bytes, those of array buffers among them
 */
export async function heapBytes(page) {
  return await withDevtools(page, async (session) => {
    await session.send("HeapProfiler.collectGarbage");
    const { usedSize, backingStorageSize = 0 } = /** @type {{ usedSize: number, backingStorageSize?: number }} */ (
      await session.send("Runtime.getHeapUsage")
    );
    return usedSize + backingStorageSize;
  });
}

/**
 * @template T
 * @param {TestPage} page of Chromium
 * @param {(session: import("playwright-core").CDPSession) => Promise<T>} run
 */
async function withDevtools(page, run) {
  const chromiumPage = /** @type {Page} */ (/** @type {unknown} */ (page));
  const session = await chromiumPage.context().newCDPSession(chromiumPage);
  try {
    return await run(session);
  } finally {
    await session.detach();
  }
}
