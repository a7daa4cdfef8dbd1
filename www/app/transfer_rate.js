/** Older samples say little about the time that is left. */
const WINDOW_MS = 6000;
/** A shorter stretch says too little. */
const SHORTEST_STRETCH_MS = 1000;

/** Bytes per second over the last few seconds. */
export class TransferRate {
  /** @type {{ timeMs: number, bytes: number }[]} */
  #samples = [];

  /**
   * @param {number} bytes Total so far.
   * @param {number} timeMs
   */
  add(bytes, timeMs) {
    this.#samples.push({ bytes, timeMs });
    while (this.#samples[0].timeMs < timeMs - WINDOW_MS) this.#samples.shift();
  }

  /** @returns {number | null} Null while too little is known. */
  get bytesPerSecond() {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!last || last.timeMs - first.timeMs < SHORTEST_STRETCH_MS) return null;
    return (1000 * (last.bytes - first.bytes)) / (last.timeMs - first.timeMs);
  }
}
