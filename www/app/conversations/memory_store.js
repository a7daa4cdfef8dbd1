import { ConversationTree } from "./conversation_tree.js";

/**
 * @typedef {import("./conversation_store.js").ConversationStore} ConversationStore
 * @typedef {import("./conversation_store.js").ConversationSummary} ConversationSummary
 * @typedef {import("./conversation_tree.js").StoredMessage} StoredMessage
 */

/** Keeps conversations as long as the page is open. @returns {ConversationStore} */
export function memoryStore() {
  /** @type {Map<string, ConversationSummary>} */
  const summaries = new Map();
  /** @type {Map<string, StoredMessage>} */
  const messages = new Map();
  /** @param {string} id */
  const messagesOf = (id) => [...messages.values()].filter(({ conversationId }) => conversationId === id);

  return {
    isKept: false,
    list: async () => [...summaries.values()].sort((a, b) => b.updatedAt - a.updatedAt),
    read: async (id) => {
      const summary = summaries.get(id);
      return summary ? structuredClone({ summary, messages: messagesOf(id) }) : null;
    },
    save: async (summary, added = []) => {
      summaries.set(summary.id, structuredClone(summary));
      for (const message of added) messages.set(message.id, structuredClone(message));
    },
    update: async (summary, added = []) => {
      const known = summaries.get(summary.id);
      if (!known) return false;
      summaries.set(summary.id, { ...structuredClone(summary), title: known.title });
      for (const message of added) messages.set(message.id, structuredClone(message));
      return true;
    },
    rename: async (id, title) => {
      const known = summaries.get(id);
      if (known) summaries.set(id, { ...known, title });
    },
    removeMessages: async (summary, ids) => {
      const tree = new ConversationTree(messagesOf(summary.id));
      for (const id of ids) if (tree.remove(id)) messages.delete(id);
      const known = summaries.get(summary.id);
      const isLeft = tree.messages.length > 0;
      if (known && isLeft) summaries.set(summary.id, { ...structuredClone(summary), title: known.title });
      else summaries.delete(summary.id);
      return known !== undefined && isLeft;
    },
    remove: async (id) => {
      summaries.delete(id);
      for (const message of messagesOf(id)) messages.delete(message.id);
    },
    messagesOf: async (ids) => structuredClone(ids.flatMap(messagesOf)),
  };
}
