/**
 * What was said in a conversation, with all versions of it: each message knows which one it follows, and a question or an
 * answer that was made anew stands beside the old one.
 *
 * @typedef {object} StoredMessage
 * @property {string} id
 * @property {string} conversationId
 * @property {string | null} parentId the message before; null for a first question
 * @property {"user" | "assistant"} role
 * @property {string} text
 * @property {number} createdAt ms since 1970
 * @property {string} [thinking] what the model thought before it answered
 * @property {number} [thinkingMs]
 * @property {string} [model] name of the model that answered
 * @property {AnswerFacts} [facts] of an answer that came to its end
 * @property {boolean} [isInterrupted] of an answer that has not come to its end: it is being written, or something went wrong
 *
 * @typedef {object} AnswerFacts
 * @property {"stop" | "length" | "abort"} finishReason
 * @property {number} completionTokens
 * @property {number} decodeTokensPerSecond
 * @property {number} promptTokens
 * @property {number} cachedTokens
 * @property {number} prefillMs
 */
export class ConversationTree {
  /** @type {Map<string, StoredMessage>} */
  #messages = new Map();
  /** @type {string | null} */
  #leafId = null;

  /**
   * @param {Iterable<StoredMessage>} messages in any order
   * @param {string | null} leafId the last message of the version that is shown
   */
  constructor(messages = [], leafId = null) {
    const sorted = [...messages].sort((a, b) => a.createdAt - b.createdAt);
    for (const message of sorted) this.#messages.set(message.id, message);
    this.#leafId = leafId !== null && this.#messages.has(leafId) ? leafId : (sorted.at(-1)?.id ?? null);
  }

  /** The last message that is shown. */
  get leafId() {
    return this.#leafId;
  }

  /** The last answer that is shown and says something: what the next question follows. @returns {string | null} */
  get answeredId() {
    return this.path().findLast(({ role, text }) => role === "assistant" && text !== "")?.id ?? null;
  }

  get messages() {
    return [...this.#messages.values()];
  }

  /** @param {string} id */
  get(id) {
    return this.#messages.get(id);
  }

  /** The messages that are shown, from the first question on. @returns {StoredMessage[]} */
  path() {
    return this.pathTo(this.#leafId);
  }

  /** @param {string | null} id @returns {StoredMessage[]} the messages up to this one */
  pathTo(id) {
    /** @type {StoredMessage[]} */
    const path = [];
    const seen = new Set();
    for (let next = id; next !== null && !seen.has(next);) {
      const message = this.#messages.get(next);
      if (!message) break;
      seen.add(next);
      path.unshift(message);
      next = message.parentId;
    }
    return path;
  }

  /** The versions of a message, itself among them, oldest first. @param {StoredMessage} message */
  versions({ parentId, role }) {
    return this.messages.filter((other) => other.parentId === parentId && other.role === role);
  }

  /** Adds a message, which is then the last one that is shown. @param {StoredMessage} message */
  add(message) {
    this.#messages.set(message.id, message);
    this.#leafId = message.id;
  }

  /** Shows the version with this message, and what was said last after it. @param {string} id */
  select(id) {
    let leaf = id;
    for (let next = this.#lastChild(leaf); next; next = this.#lastChild(leaf)) leaf = next.id;
    this.#leafId = leaf;
  }

  /** Shows the messages up to this one. @param {string | null} id */
  cut(id) {
    this.#leafId = id;
  }

  /** Takes out a message that nothing follows. @param {string} id @returns {boolean} whether that was so */
  remove(id) {
    const message = this.#messages.get(id);
    if (!message || this.#lastChild(id)) return false;
    this.#messages.delete(id);
    if (this.#leafId === id) this.#leafId = message.parentId;
    return true;
  }

  /** @param {string} id */
  #lastChild(id) {
    return this.messages.findLast(({ parentId }) => parentId === id);
  }
}

/** An id that nobody else has. `crypto.randomUUID` is there in secure contexts alone. */
export function makeId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
