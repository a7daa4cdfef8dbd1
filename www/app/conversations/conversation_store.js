/** Where conversations are kept: the browser's IndexedDB, or, where it refuses, this page's memory. */
import { openDB } from "../vendor/idb.js";
import { ConversationTree } from "./conversation_tree.js";
import { memoryStore } from "./memory_store.js";

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
 * @property {(summary: ConversationSummary, messages?: StoredMessage[]) => Promise<boolean>} update the same for what is
 *   stored already, under the title that it has there; false, and nothing is stored, if it has been removed since
 * @property {(id: string, title: string) => Promise<void>} rename
 * @property {(summary: ConversationSummary, ids: string[]) => Promise<boolean>} removeMessages takes out those of these
 *   messages, the last one first, that nothing else follows, and the conversation if none is left; else updates the summary.
 *   Other tabs may have added some. Says whether the conversation is still there
 * @property {(id: string) => Promise<void>} remove
 * @property {(ids: string[]) => Promise<StoredMessage[]>} messagesOf all messages of these conversations
 */

const NAME = "qwisp-chats";
const VERSION = 1;

/** Far longer than it takes; the page shows nothing before. */
const OPEN_MS = 5000;

/**
 * The store of this browser; the page's memory if that refuses, fails, or doesn't answer in time.
 *
 * @returns {Promise<ConversationStore>}
 */
export async function openConversationStore() {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the database did not answer within ${OPEN_MS} ms`)), OPEN_MS);
  });
  try {
    const store = await Promise.race([openIndexedDb(), late]);
    await Promise.race([store.list(), late]); // some open, and fail then
    return store;
  } catch (error) {
    console.warn("Conversations are not kept:", error);
    return memoryStore();
  } finally {
    clearTimeout(timer);
  }
}

/** @returns {Promise<ConversationStore>} */
async function openIndexedDb() {
  /** @returns {Promise<import("../vendor/idb.js").IDBPDatabase>} */
  const open = () =>
    openDB(NAME, VERSION, {
      upgrade(created) {
        created.createObjectStore("conversations", { keyPath: "id" }).createIndex("updatedAt", "updatedAt");
        created.createObjectStore("messages", { keyPath: "id" }).createIndex("conversationId", "conversationId");
      },
      // Another version of the page wants to change it, or somebody to delete it.
      blocking: (_current, _blocked, event) => {
        /** @type {IDBDatabase} */ (event.target).close();
        opened = null;
      },
      terminated: () => (opened = null),
    });
  /** Null after it was closed. @type {import("../vendor/idb.js").IDBPDatabase | null} */
  let opened = await open();
  const reopen = async () => (opened ??= await open());
  /** @param {string} id @returns {Promise<StoredMessage[]>} */
  const messagesOf = async (id) => (await reopen()).getAllFromIndex("messages", "conversationId", id);

  return {
    isKept: true,
    list: async () => (await (await reopen()).getAllFromIndex("conversations", "updatedAt")).reverse(),
    read: async (id) => {
      const summary = await (await reopen()).get("conversations", id);
      return summary ? { summary, messages: await messagesOf(id) } : null;
    },
    save: async (summary, messages = []) => {
      const transaction = (await reopen()).transaction(["conversations", "messages"], "readwrite");
      void transaction.objectStore("conversations").put(summary);
      for (const message of messages) void transaction.objectStore("messages").put(message);
      await transaction.done;
    },
    update: async (summary, messages = []) => {
      const transaction = (await reopen()).transaction(["conversations", "messages"], "readwrite");
      const conversations = transaction.objectStore("conversations");
      const known = await conversations.get(summary.id);
      if (known) {
        void conversations.put({ ...summary, title: known.title });
        for (const message of messages) void transaction.objectStore("messages").put(message);
      }
      await transaction.done;
      return known !== undefined;
    },
    rename: async (id, title) => {
      const transaction = (await reopen()).transaction("conversations", "readwrite");
      const known = await transaction.store.get(id);
      if (known) void transaction.store.put({ ...known, title });
      await transaction.done;
    },
    removeMessages: async (summary, ids) => {
      const transaction = (await reopen()).transaction(["conversations", "messages"], "readwrite");
      const conversations = transaction.objectStore("conversations");
      const messages = transaction.objectStore("messages");
      const tree = new ConversationTree(await messages.index("conversationId").getAll(summary.id));
      for (const id of ids) if (tree.remove(id)) void messages.delete(id);
      const isLeft = tree.messages.length > 0;
      const known = await conversations.get(summary.id);
      if (known && isLeft) void conversations.put({ ...summary, title: known.title });
      else void conversations.delete(summary.id);
      await transaction.done;
      return known !== undefined && isLeft;
    },
    remove: async (id) => {
      const transaction = (await reopen()).transaction(["conversations", "messages"], "readwrite");
      void transaction.objectStore("conversations").delete(id);
      const messages = transaction.objectStore("messages");
      for (const key of await messages.index("conversationId").getAllKeys(id)) void messages.delete(key);
      await transaction.done;
    },
    messagesOf: async (ids) => (await Promise.all(ids.map(messagesOf))).flat(),
  };
}
