/**
 * @typedef {import("./qwisp.d.ts").ChatResult} ChatResult
 * @typedef {(onText: (text: string) => void, signal: AbortSignal) => Promise<ChatResult>} StartGeneration
 */

/** The answer to one chat: its text as it comes, and `result` once it is whole. */
export class Reply {
  /** @type {string[]} */
  #texts = [];
  #settled = false;
  /** Leaving a loop over this reply stops the generation. */
  #stop = new AbortController();
  /** Resolves at the next text, and when the result settles. @type {Promise<void>} */
  #change;
  /** @type {() => void} */
  #announceChange;

  /** @param {StartGeneration} start */
  constructor(start) {
    this.#expectChange();
    const onText = (/** @type {string} */ text) => {
      this.#texts.push(text);
      this.#announceChange();
      this.#expectChange();
    };

    /** @readonly */
    this.result = start(onText, this.#stop.signal);
    const settle = () => {
      this.#settled = true;
      this.#announceChange();
    };
    // Handling the rejection here also means that nobody has to look at `result`.
    this.result.then(settle, settle);
  }

  /** @returns {AsyncGenerator<{ text: string }, void, undefined>} */
  async *[Symbol.asyncIterator]() {
    let position = 0;
    try {
      while (position < this.#texts.length || !this.#settled) {
        if (position < this.#texts.length) yield { text: this.#texts[position++] };
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
