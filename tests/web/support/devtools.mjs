/** What Chromium's developer tools can do to a page. */

import { setTimeout as sleep } from "node:timers/promises";

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
 * Puts a page's workers to sleep in the middle of what they do, as a device may that stops a tab: they hold what they hold, and
 * nothing that happens reaches them.
 * @param {TestPage} page
 * @returns {Promise<() => Promise<void>>} what wakes them
 */
export async function putWorkersToSleep(page) {
  const session = await openDevtools(page);
  /** @type {string[]} */
  const workers = [];
  let id = 0;
  const sendToWorkers = async (/** @type {string} */ method) => {
    const message = JSON.stringify({ id: ++id, method });
    for (const sessionId of workers) await session.send("Target.sendMessageToTarget", { sessionId, message });
  };
  const areAsleep = new Promise((resolve) => {
    session.on("Target.receivedMessageFromTarget", ({ message }) => {
      if (JSON.parse(message).method === "Debugger.paused") resolve(undefined);
    });
  });
  session.on("Target.attachedToTarget", ({ sessionId }) => workers.push(sessionId));
  await session.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  await sendToWorkers("Debugger.enable");
  await sendToWorkers("Debugger.pause");
  await areAsleep;
  return async () => {
    await sendToWorkers("Debugger.resume");
    await session.detach();
  };
}

/**
 * What JavaScript holds of memory in a page, workers left out, after its garbage was collected.
 * @param {TestPage} page
 * @returns {Promise<number>} bytes, those of array buffers among them
 */
export async function heapBytes(page) {
  const session = await openDevtools(page);
  await session.send("HeapProfiler.collectGarbage");
  const bytes = usedBytes(await session.send("Runtime.getHeapUsage"));
  await session.detach();
  return bytes;
}

/**
 * Watches what JavaScript holds of memory in a page and in its workers, garbage that wasn't collected yet included. A
 * worker's own workers are left out.
 * @param {TestPage} page
 * @param {number} intervalMs
 * @returns {Promise<() => Promise<number>>} ends it, and says how many bytes it was at most
 */
export async function watchHeaps(page, intervalMs) {
  const session = await openDevtools(page);
  /** What each worker had last, by its session. @type {Map<string, number>} */
  const workers = new Map();
  session.on("Target.attachedToTarget", ({ sessionId }) => workers.set(sessionId, 0));
  session.on("Target.detachedFromTarget", ({ sessionId }) => workers.delete(sessionId));
  session.on("Target.receivedMessageFromTarget", ({ sessionId, message }) => {
    const { result } = JSON.parse(message);
    if (result && workers.has(sessionId)) workers.set(sessionId, usedBytes(result));
  });
  // Playwright has no sessions of workers: messages to them go through the page's.
  await session.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });

  let maxBytes = 0;
  let id = 0;
  const measure = async () => {
    const message = JSON.stringify({ id: ++id, method: "Runtime.getHeapUsage" });
    for (const sessionId of workers.keys()) {
      // It may have ended.
      await session.send("Target.sendMessageToTarget", { sessionId, message }).catch(() => {});
    }
    const pageBytes = usedBytes(await session.send("Runtime.getHeapUsage"));
    maxBytes = Math.max(maxBytes, pageBytes + [...workers.values()].reduce((sum, bytes) => sum + bytes, 0));
  };
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      await measure();
      await sleep(intervalMs);
    }
  })();
  return async () => {
    isOver = true;
    await watching;
    await session.detach();
    return maxBytes;
  };
}

/**
 * @param {object} usage Chromium's answer: what is on the heap, and the array buffers beside it
 */
function usedBytes(usage) {
  const { usedSize, backingStorageSize = 0 } = /** @type {{ usedSize: number, backingStorageSize?: number }} */ (usage);
  return usedSize + backingStorageSize;
}

/** @param {TestPage} page of Chromium */
async function openDevtools(page) {
  const chromiumPage = /** @type {import("playwright-core").Page} */ (/** @type {unknown} */ (page));
  return await chromiumPage.context().newCDPSession(chromiumPage);
}
