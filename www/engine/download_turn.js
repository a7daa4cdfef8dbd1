/**
 * Several tabs that want the same file download it once: one has the turn, by a lock that ends with its worker, and the others
 * see its progress. Who gets the turn next finds the file complete, or goes on where the other one was.
 *
 * @typedef {import("./qwisp.d.ts").LoadProgress} LoadProgress
 * @typedef {(progress: LoadProgress) => void} Report
 */

/**
 * Runs a load, alone of all tabs if it is one that downloads.
 *
 * @template T
 * @param {string} address
 * @param {object} options
 * @param {() => Promise<boolean>} options.isComplete Whether the file needs no download.
 * @param {Report} options.report
 * @param {AbortSignal} options.signal
 * @param {(report: Report) => Promise<T>} load
 * @returns {Promise<T>}
 */
export async function withDownloadTurn(address, { isComplete, report, signal }, load) {
  // Pages that aren't secure have no locks. Two tabs then download twice, and neither harms the other's records.
  if (!navigator.locks || (await isComplete())) return await load(report);

  const name = lockName(address);
  const channel = openChannel(name);
  // The same where the browser has them and refuses them.
  if (!channel) return await load(report);
  try {
    const release = await takeTurn(name, channel, report, signal);
    try {
      return await load((progress) => {
        channel.postMessage(progress);
        report(progress);
        // The file is stored, or never will be.
        if (progress.phase === "compile") release();
      });
    } finally {
      release();
    }
  } finally {
    channel.close();
  }
}

/** @param {string} name */
function openChannel(name) {
  try {
    return new BroadcastChannel(name);
  } catch {
    return null;
  }
}

/**
 * @param {string} name
 * @param {BroadcastChannel} channel
 * @param {Report} report
 * @param {AbortSignal} signal
 * @returns {Promise<() => void>} What ends the turn. Where there are no turns to be had, it does nothing.
 */
async function takeTurn(name, channel, report, signal) {
  /** @type {(() => void) | null} */
  let release;
  try {
    release = await tryLock(name);
  } catch {
    return () => {};
  }
  return release ?? (await waitForLock(name, channel, report, signal));
}

/** @param {string} address */
export function lockName(address) {
  return `qwisp:download:${address}`;
}

/**
 * @param {string} name
 * @returns {Promise<(() => void) | null>} What gives the lock back; null if another tab has it.
 */
function tryLock(name) {
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(name, { ifAvailable: true }, (lock) => {
        if (!lock) return resolve(null);
        return new Promise((release) => resolve(() => release(undefined)));
      })
      .catch(reject);
  });
}

/**
 * Shows the progress of the tab that has the lock until it gives it back.
 *
 * @param {string} name
 * @param {BroadcastChannel} channel
 * @param {Report} report
 * @param {AbortSignal} signal
 * @returns {Promise<() => void>} What gives the lock back.
 */
async function waitForLock(name, channel, report, signal) {
  const nothingToWaitFor = new AbortController();
  /** @type {LoadProgress} */
  let last = {
    phase: "wait",
    loadedBytes: 0,
    totalBytes: 0,
    fromCache: false,
    bytesPerSecond: null,
    secondsLeft: null,
    retryInMs: null,
    notice: null,
  };
  report(last);
  channel.onmessage = ({ data }) => {
    last = { ...data, phase: "wait" };
    report(last);
    // That tab stores nothing, so waiting for it saves no download.
    if (data.notice?.kind === "not-kept") nothingToWaitFor.abort();
  };
  const waiting = AbortSignal.any([signal, nothingToWaitFor.signal]);
  try {
    return await new Promise((resolve, reject) => {
      navigator.locks
        .request(name, { signal: waiting }, () => new Promise((release) => resolve(() => release(undefined))))
        .catch(reject);
    });
  } catch {
    // Aborted, as the load itself says; or the browser refuses locks, and then nobody has to wait.
    return () => {};
  } finally {
    channel.onmessage = null;
  }
}
