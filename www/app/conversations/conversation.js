import { ConversationTree, makeId } from "./conversation_tree.js";
import { titleOf } from "./title.js";

/**
 * @typedef {import("./conversation_tree.js").StoredMessage} StoredMessage
 * @typedef {import("./conversation_store.js").ConversationStore} ConversationStore
 * @typedef {import("./conversation_store.js").StoredConversation} StoredConversation
 * @typedef {import("../../engine/qwisp.js").Message} Message
 */

/** Another tab has deleted the conversation. What is said in it isn't stored, unless that tab brings it back. */
export class DeletedElsewhere extends Error {}

/** One conversation and its place in the store. It is stored from its first question on. */
export class Conversation {
  #store;
  #summary;
  #tree;
  #isStored;
  #isGone = false;
  /** What the store has not taken yet. @type {Set<StoredMessage>} */
  #unsaved = new Set();
  /** The last thing that the store was asked to do. @type {Promise<void>} */
  #last = Promise.resolve();

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

  /** From now on nothing of it is stored: it was deleted. */
  markGone() {
    this.#isGone = true;
  }

  /**
   * Stores these messages, those that could not be stored before, and which version is shown. Rejects with what the store
   * says, or `DeletedElsewhere`.
   *
   * @param {StoredMessage[]} messages
   */
  async save(messages) {
    this.#summary.title ||= titleOf(this.#tree.path()[0]?.text ?? "");
    this.#summary.leafId = this.#tree.leafId;
    if (messages.length) this.#summary.updatedAt = Date.now();
    for (const message of messages) this.#unsaved.add(message);
    const summary = { ...this.#summary };
    await this.#inTurn(async () => {
      const sent = [...this.#unsaved];
      this.#unsaved.clear();
      try {
        if (!this.#isStored) await this.#store.save(summary, sent);
        else if (!(await this.#store.update(summary, sent))) throw new DeletedElsewhere();
        this.#isStored = true;
      } catch (error) {
        for (const message of sent) if (this.#tree.get(message.id)) this.#unsaved.add(message);
        throw error;
      }
    });
  }

  /**
   * Takes messages that came to nothing out again, the last one first. The tree is as it should be at once; the promise is
   * for the store.
   *
   * @param {StoredMessage[]} messages
   * @param {string | null} leafId what was shown before them, and is again unless something else is shown by now
   */
  async discard(messages, leafId) {
    const isShown = messages.some(({ id }) => id === this.#tree.leafId);
    for (const { id } of messages) this.#tree.remove(id);
    if (isShown && leafId !== null && this.#tree.get(leafId)) this.#tree.cut(leafId);
    const gone = messages.filter(({ id }) => !this.#tree.get(id));
    for (const message of gone) this.#unsaved.delete(message);
    const isEmpty = !this.#tree.messages.length;
    if (isEmpty) this.#summary.title = ""; // the next question gives it one
    this.#summary.leafId = this.#tree.leafId;
    const summary = { ...this.#summary };
    await this.#inTurn(async () => {
      if (!this.#isStored) return;
      const ids = gone.map(({ id }) => id);
      if (await this.#store.removeMessages(summary, ids)) return;
      if (!isEmpty) throw new DeletedElsewhere();
      this.#isStored = false;
    });
  }

  /** One after the other, so that each knows what the one before has stored. @param {() => Promise<void>} run */
  async #inTurn(run) {
    const done = this.#last.then(() => (this.#isGone ? undefined : run()));
    this.#last = done.catch(() => {});
    await done;
  }
}
