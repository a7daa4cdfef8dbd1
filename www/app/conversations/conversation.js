import { ConversationTree, makeId } from "./conversation_tree.js";
import { titleOf } from "./title.js";

/**
 * @typedef {import("./conversation_tree.js").StoredMessage} StoredMessage
 * @typedef {import("./conversation_store.js").ConversationStore} ConversationStore
 * @typedef {import("./conversation_store.js").StoredConversation} StoredConversation
 * @typedef {import("../../qwisp.js").Message} Message
 */

/** One conversation and its place in the store. It is stored from its first answer on. */
export class Conversation {
  #store;
  #summary;
  #tree;
  #isStored;

  /**
   * @param {ConversationStore} store
   * @param {StoredConversation | null} stored null for a new one
   */
  constructor(store, stored = null) {
    const now = Date.now();
    this.#store = store;
    this.#isStored = stored !== null;
    this.#summary = stored?.summary ?? { id: makeId(), title: "", createdAt: now, updatedAt: now, leafId: null };
    this.#tree = new ConversationTree(stored?.messages, stored?.summary.leafId);
  }

  get id() {
    return this.#summary.id;
  }

  get tree() {
    return this.#tree;
  }

  get isStored() {
    return this.#isStored;
  }

  set title(/** @type {string} */ title) {
    this.#summary.title = title;
  }

  /**
   * Adds a message, not to the store yet.
   *
   * @param {"user" | "assistant"} role
   * @param {string | null} parentId
   * @param {string} text
   * @returns {StoredMessage}
   */
  add(role, parentId, text) {
    // Two of the same millisecond would have no order.
    const last = this.#tree.messages.at(-1)?.createdAt ?? 0;
    const createdAt = Math.max(Date.now(), last + 1);
    /** @type {StoredMessage} */
    const message = { id: makeId(), conversationId: this.id, parentId, role, text, createdAt };
    this.#tree.add(message);
    return message;
  }

  /** What the model is given to answer this question. @param {StoredMessage} question @param {string | null} system */
  prompt(question, system) {
    /** @type {Message[]} */
    const messages = this.#tree.pathTo(question.id).map(({ role, text }) => ({ role, content: text }));
    return system ? [/** @type {Message} */ ({ role: "system", content: system }), ...messages] : messages;
  }

  /** Stores these messages, and which version is shown. @param {StoredMessage[]} messages */
  async save(messages) {
    this.#summary.title ||= titleOf(this.#tree.path()[0]?.text ?? "");
    this.#summary.leafId = this.#tree.leafId;
    if (messages.length) this.#summary.updatedAt = Date.now();
    this.#isStored = true;
    await this.#store.save({ ...this.#summary }, messages);
  }

  /** Takes messages that came to nothing out again, the last one first. @param {StoredMessage[]} messages */
  async discard(messages) {
    for (const { id } of messages) this.#tree.remove(id);
    const gone = messages.filter(({ id }) => !this.#tree.get(id)).map(({ id }) => id);
    if (!this.#isStored) return;
    await this.#store.removeMessages(gone);
    if (this.#tree.messages.length) return this.save([]);
    this.#isStored = false;
    await this.#store.remove(this.id);
  }
}
