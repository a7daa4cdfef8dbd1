/**
 * @typedef {import("../qwisp.js").Engine} Engine
 * @typedef {import("../qwisp.js").Message} Message
 * @typedef {import("../qwisp.js").ChatOptions} ChatOptions
 * @typedef {import("../qwisp.js").ChatResult} ChatResult
 * @typedef {import("../qwisp.js").ReplyPiece} ReplyPiece
 */

/** The messages of one chat. It grows by what was said and answered, and by nothing that failed. */
export class Conversation {
  /** @type {Message[]} */
  #messages;

  /** @param {string | null} system The system prompt, if any. */
  constructor(system) {
    this.#messages = system === null ? [] : [{ role: "system", content: system }];
  }

  /**
   * Lets the model answer `question`. Question and answer join the conversation once there is an answer, stopped
   * short or not.
   *
   * @param {Engine} engine
   * @param {string} question
   * @param {ChatOptions} options
   * @param {(piece: ReplyPiece) => void} onPiece
   * @returns {Promise<ChatResult>}
   */
  async ask(engine, question, options, onPiece) {
    /** @type {Message[]} */
    const asked = [...this.#messages, { role: "user", content: question }];
    const reply = engine.chat(asked, options);
    for await (const piece of reply) onPiece(piece);
    const result = await reply.result;
    if (result.text) this.#messages = [...asked, { role: "assistant", content: result.text }];
    return result;
  }
}
