import { makeId } from "./conversations/conversation_tree.js";
import { byId, element } from "./dom.js";
import { translate } from "./i18n.js";

/**
 * @typedef {import("./conversations/conversation_store.js").ConversationStore} ConversationStore
 * @typedef {import("./conversations/conversation_store.js").ConversationSummary} ConversationSummary
 * @typedef {import("./conversations/conversation_store.js").StoredConversation} StoredConversation
 */

/** Most visits have no use for it. */
const loadFormats = () => import("./conversations/conversation_files.js");

/** Brings conversations into files and back. */
export class ConversationTransfer {
  #onImported;
  #onFailed;
  /** @type {ConversationStore | null} */
  #store = null;

  /** @param {{ onImported: (text: string) => void, onFailed: (text: string) => void }} handlers */
  constructor({ onImported, onFailed }) {
    this.#onImported = onImported;
    this.#onFailed = onFailed;
    byId("export-conversations", HTMLButtonElement).addEventListener("click", () => this.#exportAll());
    const input = byId("conversation-files", HTMLInputElement);
    byId("import-conversations", HTMLButtonElement).addEventListener("click", () => input.click());
    input.addEventListener("change", async () => {
      const files = [...(input.files ?? [])];
      input.value = ""; // so that the same file can be chosen again
      for (const file of files) await this.#import(file);
    });
  }

  /** @param {ConversationStore} store */
  useStore(store) {
    this.#store = store;
  }

  /**
   * @param {ConversationSummary} summary
   * @param {"json" | "markdown"} kind
   */
  async exportOne({ id, title }, kind) {
    const stored = await this.#store?.read(id);
    if (!stored) return;
    const name = title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "conversation";
    const { toJson, toMarkdown } = await loadFormats();
    if (kind === "json") saveFile(`${name}.json`, "application/json", toJson([stored]));
    else saveFile(`${name}.md`, "text/markdown", toMarkdown(stored));
  }

  async #exportAll() {
    if (!this.#store) return;
    /** @type {StoredConversation[]} */
    const all = [];
    for (const { id } of await this.#store.list()) {
      const stored = await this.#store.read(id);
      if (stored) all.push(stored);
    }
    const { toJson } = await loadFormats();
    const day = new Date().toISOString().slice(0, 10);
    saveFile(`qwisp-conversations-${day}.json`, "application/json", toJson(all));
  }

  /** @param {File} file */
  async #import(file) {
    const store = this.#store;
    if (!store) return;
    try {
      const { MAX_FILE_BYTES, readConversations, withNewIds } = await loadFormats();
      if (file.size > MAX_FILE_BYTES) throw new Error(`expected at most ${MAX_FILE_BYTES} bytes, got ${file.size}`);
      const read = readConversations(await file.text());
      const summaries = await store.list();
      const ids = new Set(summaries.map(({ id }) => id));
      // One that went on elsewhere is here under another id, if it was imported before.
      const states = new Set(summaries.map(stateOf));
      let imported = 0;
      for (const conversation of read) {
        const isKnown = ids.has(conversation.summary.id);
        if (isKnown && states.has(stateOf(conversation.summary))) continue;
        const { summary, messages } = withNewIds(conversation, isKnown ? makeId() : conversation.summary.id);
        await store.save(summary, messages);
        ids.add(summary.id); // a file may hold one twice
        states.add(stateOf(summary));
        imported++;
      }
      const texts = [translate("conversations.imported", { count: imported })];
      if (imported < read.length) {
        texts.push(translate("conversations.alreadyHere", { count: read.length - imported }));
      }
      this.#onImported(texts.join(" · "));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#onFailed(translate("conversations.importFailed", { name: file.name, reason }));
    }
  }
}

/** What tells versions of a conversation apart, whatever their ids. @param {ConversationSummary} summary */
function stateOf({ createdAt, updatedAt }) {
  return `${createdAt}/${updatedAt}`;
}

/**
 * @param {string} name
 * @param {string} type
 * @param {string} text
 */
function saveFile(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = element("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
