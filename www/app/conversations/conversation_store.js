/** Where conversations are kept: the browser's IndexedDB, or, where it refuses, this page's memory. */
import { openDB } from "../vendor/idb.js";

/**
 * What a list shows of a conversation.
 *
 * @typedef {object} ConversationSummary
 * @property {string} id
 * @property {string} title
 * @property {number} createdAt ms since 1970
 * @property {number} updatedAt
 * @property {string | null} leafId the last message of the version that is shown
 *
 * @typedef {import("./conversation_tree.js").StoredMessage} StoredMessage
 * @typedef {{ summary: ConversationSummary, messages: StoredMessage[] }} StoredConversation
 *
 * @typedef {object} ConversationStore
 * @property {boolean} isKept whether what is saved is there at the next visit
 * @property {() => Promise<ConversationSummary[]>} list newest first
 * @property {(id: string) => Promise<StoredConversation | null>} read
 * @property {(summary: ConversationSummary, messages?: StoredMessage[]) => Promise<void>} save adds or replaces the summary
 *   and these messages, and leaves other messages alone
 * @property {(ids: string[]) => Promise<void>} removeMessages
 * @property {(id: string) => Promise<void>} remove
 * @property {(ids: string[]) => Promise<StoredMessage[]>} messagesOf all messages of these conversations
 */

const NAME = "qwisp-chats";
const VERSION = 1;

/** @returns {Promise<ConversationStore>} */
export async function openConversationStore() {
  try {
    return await openIndexedDb();
  } catch (error) {
    console.warn("Conversations are not kept:", error);
    return memoryStore();
  }
}

/** @returns {Promise<ConversationStore>} */
async function openIndexedDb() {
  const database = await openDB(NAME, VERSION, {
    upgrade(created) {
      created.createObjectStore("conversations", { keyPath: "id" }).createIndex("updatedAt", "updatedAt");
      created.createObjectStore("messages", { keyPath: "id" }).createIndex("conversationId", "conversationId");
    },
    blocking: (_current, _blocked, event) => /** @type {IDBDatabase} */ (event.target).close(),
  });
  /** @param {string} id @returns {Promise<StoredMessage[]>} */
  const messagesOf = (id) => database.getAllFromIndex("messages", "conversationId", id);

  return {
    isKept: true,
    list: async () => (await database.getAllFromIndex("conversations", "updatedAt")).reverse(),
    read: async (id) => {
      const summary = await database.get("conversations", id);
      return summary ? { summary, messages: await messagesOf(id) } : null;
    },
    save: async (summary, messages = []) => {
      const transaction = database.transaction(["conversations", "messages"], "readwrite");
      void transaction.objectStore("conversations").put(summary);
      for (const message of messages) void transaction.objectStore("messages").put(message);
      await transaction.done;
    },
    removeMessages: async (ids) => {
      const transaction = database.transaction("messages", "readwrite");
      for (const id of ids) void transaction.store.delete(id);
      await transaction.done;
    },
    remove: async (id) => {
      const transaction = database.transaction(["conversations", "messages"], "readwrite");
      void transaction.objectStore("conversations").delete(id);
      const messages = transaction.objectStore("messages");
      for (const key of await messages.index("conversationId").getAllKeys(id)) void messages.delete(key);
      await transaction.done;
    },
    messagesOf: async (ids) => (await Promise.all(ids.map(messagesOf))).flat(),
  };
}

/** @returns {ConversationStore} */
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
    removeMessages: async (ids) => ids.forEach((id) => messages.delete(id)),
    remove: async (id) => {
      summaries.delete(id);
      for (const message of messagesOf(id)) messages.delete(message.id);
    },
    messagesOf: async (ids) => structuredClone(ids.flatMap(messagesOf)),
  };
}
