/**
 * @typedef {import("./qwisp.d.ts").ChatResult} ChatResult
 * @typedef {import("./qwisp.d.ts").ReplyPiece} ReplyPiece
 * @typedef {(onPiece: (piece: ReplyPiece) => void, signal: AbortSignal) => Promise<ChatResult>} StartGeneration
 */

/** The answer to one chat: its pieces as they come, and `result` once it is whole. */
export class Reply {
  /** @type {ReplyPiece[]} */
  #pieces = [];
  #settled = false;
  /** Leaving a loop over this reply stops the generation. */
  #stop = new AbortController();
  /** Resolves at the next piece, and when the result settles. @type {Promise<void>} */
  #change;
  /** @type {() => void} */
  #announceChange;

  /** @param {StartGeneration} start */
  constructor(start) {
    this.#expectChange();
    const onPiece = (/** @type {ReplyPiece} */ piece) => {
      this.#pieces.push(piece);
      this.#announceChange();
      this.#expectChange();
    };

    /** @readonly */
    this.result = start(onPiece, this.#stop.signal);
    const settle = () => {
      this.#settled = true;
      this.#announceChange();
    };
    // Handling the rejection here also means that nobody has to look at `result`.
    this.result.then(settle, settle);
  }

  /** @returns {AsyncGenerator<ReplyPiece, void, undefined>} */
  async *[Symbol.asyncIterator]() {
    let position = 0;
    try {
      while (position < this.#pieces.length || !this.#settled) {
        if (position < this.#pieces.length) yield this.#pieces[position++];
        else await this.#change;
      }
      await this.result; // a failure ends the loop with its error
    } finally {
      if (!this.#settled) this.#stop.abort();
    }
  }

  #expectChange() {
    this.#change = new Promise((resolve) => (this.#announceChange = resolve));
  }
}
