import { QwispError } from "./errors.js";

/**
 * Several tabs that want the same file download it once: one has the turn, by a lock that ends with its worker, and the others
 * see its progress. Who gets the turn next finds the file complete, or goes on where the other one was. A tab that was put to
 * sleep keeps its locks; who hears nothing of it for long enough takes the turn from it.
 *
 * @typedef {import("./qwisp.d.ts").LoadProgress} LoadProgress
 * @typedef {(progress: LoadProgress) => void} Report
 * @typedef {Pick<LoadProgress, "phase" | "loadedBytes" | "totalBytes">} Progress
 */

/** How often whoever has the turn gives a sign of life. */
const BEAT_MS = 1000;
/** How many of them have to stay away until the turn is taken from it. */
const SILENT_BEATS = 20;

/** @type {LoadProgress} */
const NOTHING_YET = {
  phase: "wait",
  loadedBytes: 0,
  totalBytes: 0,
  fromCache: false,
  bytesPerSecond: null,
  secondsLeft: null,
  retryInMs: null,
  notice: null,
};

/**
 * Runs a load, alone of all tabs if it is one that downloads.
 *
 * @template T
 * @param {string} address
 * @param {object} options
 * @param {() => Promise<boolean>} options.isComplete Whether the file needs no download.
 * @param {Report} options.report
 * @param {AbortSignal} options.signal
 * @param {(turn: { report: Report, signal: AbortSignal, check: () => Promise<void> }) => Promise<T>} load
 * @returns {Promise<T>}
 */
export async function withDownloadTurn(address, { isComplete, report, signal }, load) {
  if (await isComplete()) return await load({ report, signal, check: async () => {} });
  return await withTurn(address, { reportWait: report, signal }, (turn) =>
    load({
      signal: turn.signal,
      check: () => turn.check(),
      report: (progress) => {
        turn.tell(progress);
        report(progress);
        // The file is stored, or never will be.
        if (progress.phase === "compile") turn.release();
      },
    }),
  );
}

/**
 * Runs `run` while no other tab has the turn to write a file. If the turn is taken from it, `run` is aborted, and runs again at
 * its next turn.
 *
 * @template T
 * @param {string} address
 * @param {{ reportWait: Report, signal: AbortSignal }} options `reportWait` hears of the progress of the tab that is waited for.
 * @param {(turn: Turn) => Promise<T>} run
 * @returns {Promise<T>}
 */
export async function withTurn(address, { reportWait, signal }, run) {
  const name = `qwisp:download:${address}`;
  const channel = openChannel(name);
  try {
    for (;;) {
      const turn = new Turn(name, channel, signal);
      try {
        await turn.take(reportWait);
        return await run(turn);
      } catch (error) {
        if (!turn.isLost || signal.aborted) throw error;
      } finally {
        turn.release();
      }
    }
  } finally {
    channel?.close();
  }
}

/** @param {string} name */
function openChannel(name) {
  // Pages that aren't secure have no locks, and some browsers have locks or channels and refuse them. Two tabs then download
  // twice, and neither harms the other's records.
  if (!navigator.locks) return null;
  try {
    return new BroadcastChannel(name);
  } catch {
    return null;
  }
}

/** The right to write a file, of which one tab at most has it. */
export class Turn {
  #name;
  #channel;
  /** Of this worker, as a holder of locks; unknown without one. @type {string | undefined} */
  #clientId;
  #lost = new AbortController();
  /** What gives the lock back. @type {(() => void) | null} */
  #unlock = null;
  /** @type {Progress} */
  #last = NOTHING_YET;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #beat;

  /**
   * @param {string} name
   * @param {BroadcastChannel | null} channel Null where there are no turns to be had: everybody has one.
   * @param {AbortSignal} signal
   */
  constructor(name, channel, signal) {
    this.#name = name;
    this.#channel = channel;
    /** Aborted with the caller's, or when the turn is lost. */
    this.signal = AbortSignal.any([signal, this.#lost.signal]);
  }

  /** Whether another tab has taken the turn. */
  get isLost() {
    return this.#lost.signal.aborted;
  }

  /**
   * Waits for the turn, unless there is nothing to wait for.
   *
   * @param {Report} reportWait
   */
  async take(reportWait) {
    if (!this.#channel) return;
    const lose = () => this.#lost.abort();
    try {
      this.#unlock =
        (await lock(this.#name, { ifAvailable: true }, lose)) ??
        (await waitForLock(this.#name, this.#channel, reportWait, this.signal, lose));
      this.#clientId = (await this.#holder())?.clientId;
    } catch {
      // Aborted, as whoever has no turn then says; or the browser refuses locks, and then nobody has to wait.
    }
    this.tell(NOTHING_YET);
    this.#beat = setInterval(() => this.tell(this.#last), BEAT_MS);
  }

  /**
   * Tells the tabs that wait how far this one is.
   *
   * @param {Progress} progress
   */
  tell(progress) {
    this.#last = progress;
    if (!this.isLost) this.#channel?.postMessage(progress);
  }

  /** Rejects when the turn is lost, also in a tab that has just woken up and that nobody has told yet. */
  async check() {
    if (this.#clientId !== undefined && (await this.#holder())?.clientId !== this.#clientId) this.#lost.abort();
    if (this.isLost) throw new QwispError("aborted", "another tab has taken over");
  }

  release() {
    clearInterval(this.#beat);
    this.#clientId = undefined;
    this.#unlock?.();
  }

  async #holder() {
    const { held } = await navigator.locks.query();
    return held?.find(({ name }) => name === this.#name);
  }
}

/**
 * @param {string} name
 * @param {LockOptions} options
 * @param {() => void} onLost Called when another tab has taken the lock.
 * @returns {Promise<(() => void) | null>} What gives the lock back; null if it wasn't available. Rejects where the lock isn't
 *   to be had.
 */
function lock(name, options, onLost) {
  return new Promise((resolve, reject) => {
    let isHeld = false;
    const granted = (/** @type {Lock | null} */ lock) => {
      if (!lock) return resolve(null);
      isHeld = true;
      return new Promise((release) => resolve(() => release(undefined)));
    };
    navigator.locks.request(name, options, granted).catch((error) => (isHeld ? onLost() : reject(error)));
  });
}

/**
 * Shows the progress of the tab that has the lock until it gives it back, or gives no sign of life any more.
 *
 * @param {string} name
 * @param {BroadcastChannel} channel
 * @param {Report} report
 * @param {AbortSignal} signal
 * @param {() => void} onLost
 * @returns {Promise<(() => void) | null>} What gives the lock back. Rejects after an abort, and where there is nothing to wait
 *   for.
 */
async function waitForLock(name, channel, report, signal, onLost) {
  const nothingToWaitFor = new AbortController();
  let last = NOTHING_YET;
  let silentBeats = 0;
  report(last);
  channel.onmessage = ({ data }) => {
    silentBeats = 0;
    last = { ...last, ...data, phase: "wait" };
    report(last);
    // That tab stores nothing, so waiting for it saves no download.
    if (data.notice?.kind === "not-kept") nothingToWaitFor.abort();
  };
  // Counted, because time also passes for a device that sleeps, and then for all tabs of it.
  const watch = setInterval(() => {
    silentBeats++;
    if (silentBeats % SILENT_BEATS === 0) dismissHolder(name);
  }, BEAT_MS);
  try {
    return await lock(name, { signal: AbortSignal.any([signal, nothingToWaitFor.signal]) }, onLost);
  } finally {
    clearInterval(watch);
    channel.onmessage = null;
  }
}

/**
 * Takes a lock from whoever has it, and gives it back at once: the first one of those that wait for it gets it.
 *
 * @param {string} name
 */
function dismissHolder(name) {
  // Where that is refused, it has to be waited for.
  navigator.locks.request(name, { steal: true }, () => {}).catch(() => {});
}
