import { ConversationList } from "./conversation_list.js";
import { ConversationTransfer } from "./conversation_transfer.js";
import { searchConversations } from "./conversations/search.js";
import { byId, element, isComposing } from "./dom.js";
import { Drawer } from "./drawer.js";
import { onLanguageChange, translate } from "./i18n.js";

/**
 * @typedef {import("./conversations/conversation_store.js").ConversationStore} ConversationStore
 * @typedef {import("./conversations/conversation_store.js").ConversationSummary} ConversationSummary
 */

const SEARCH_DELAY_MS = 150;
/** Long enough to read what was deleted, and to reach the button with the keyboard. */
const UNDO_MS = 20_000;

/** The conversations of this device: opens, finds, renames, deletes, exports and imports them. */
export class ConversationsView {
  #drawer = new Drawer();
  #list;
  #transfer;
  #search = byId("conversation-search", HTMLInputElement);
  #message = byId("conversations-message", HTMLElement);
  #note = byId("conversations-note", HTMLElement);
  #onGone;
  #onRenamed;
  /** Tells other tabs, and hears from them. */
  #channel = new BroadcastChannel("qwisp-chats");
  /** @type {ConversationStore | null} */
  #store = null;
  /** @type {ConversationSummary[]} */
  #summaries = [];
  #searching = new AbortController();
  #searchTimer = 0;
  #messageTimer = 0;

  /**
   * @param {object} handlers
   * @param {(id: string) => Promise<void>} handlers.onOpen
   * @param {(id: string) => void} handlers.onGone
   * @param {(id: string, title: string) => void} handlers.onRenamed
   */
  constructor({ onOpen, onGone, onRenamed }) {
    this.#onGone = onGone;
    this.#onRenamed = onRenamed;
    this.#transfer = new ConversationTransfer({
      onImported: (text) => {
        this.#say(text);
        void this.tellOfChange();
      },
      onFailed: (text) => this.#say(text),
    });
    this.#list = new ConversationList({
      onOpen: (id) => {
        this.#drawer.close();
        void this.#attempt(() => onOpen(id));
      },
      onRename: (summary, title) => this.#rename(summary, title),
      onDelete: (summary) => this.#delete(summary),
      onExport: (summary, kind) => this.#attempt(() => this.#transfer.exportOne(summary, kind)),
    });
    this.#search.addEventListener("input", () => {
      clearTimeout(this.#searchTimer);
      this.#searchTimer = window.setTimeout(() => this.#showFound({ isToSay: true }), SEARCH_DELAY_MS);
    });
    this.#search.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || isComposing(event) || !this.#search.value) return;
      event.preventDefault();
      this.#search.value = "";
      void this.#showFound();
    });
    this.#channel.addEventListener("message", ({ data }) => {
      if (typeof data?.gone === "string") this.#onGone(data.gone);
      void this.refresh();
    });
    onLanguageChange(() => this.#list.show(this.#summaries));
  }

  /** @param {ConversationStore} store */
  async useStore(store) {
    this.#store = store;
    this.#transfer.useStore(store);
    this.#note.hidden = store.isKept;
    await this.refresh();
    this.#drawer.makeAvailable();
    if (this.#summaries.length) this.offer();
  }

  /** Opens where there is room for it beside the page, unless somebody has closed it. */
  offer() {
    this.#drawer.offer();
  }

  closeDrawer() {
    this.#drawer.close();
  }

  /** Marks the conversation that is open. @param {string | null} id */
  select(id) {
    this.#list.select(id);
  }

  /** Shows what the store has now. */
  async refresh() {
    await this.#attempt(async () => {
      if (!this.#store) return;
      this.#summaries = await this.#store.list();
      await this.#showFound();
    });
  }

  /** Shows what the store has now, here and in other tabs. */
  async tellOfChange() {
    this.#channel.postMessage("changed");
    await this.refresh();
  }

  /** @param {{ isToSay?: boolean }} [options] `isToSay`: how many; nobody wants to hear it again when the list changes */
  async #showFound({ isToSay = false } = {}) {
    const store = this.#store;
    if (!store) return;
    this.#searching.abort();
    const searching = new AbortController();
    this.#searching = searching;
    const text = this.#search.value.trim();
    if (text === "") return this.#list.show(this.#summaries);
    const found = await searchConversations(store, this.#summaries, text, searching.signal);
    if (searching.signal.aborted) return;
    this.#list.show(found, { isSearch: true });
    if (isToSay)
      this.#say(translate(found.length ? "conversations.found" : "conversations.noneFound", { count: found.length }));
  }

  /**
   * @param {ConversationSummary} summary
   * @param {string} title
   */
  async #rename(summary, title) {
    await this.#attempt(async () => {
      await this.#store?.rename(summary.id, title);
      this.#onRenamed(summary.id, title);
      await this.tellOfChange();
    });
  }

  /** @param {ConversationSummary} summary */
  async #delete(summary) {
    await this.#attempt(async () => {
      const store = this.#store;
      const stored = await store?.read(summary.id);
      if (!store || !stored) return;
      this.#onGone(summary.id); // before, so that nothing of it is stored any more
      await store.remove(summary.id);
      this.#channel.postMessage({ gone: summary.id });
      await this.tellOfChange();
      const undo = element("button", { type: "button", className: "link" }, translate("conversations.undo"));
      const restore = async () => {
        await store.save(stored.summary, stored.messages);
        this.#say("");
        await this.tellOfChange();
        this.#list.focus(summary.id);
      };
      undo.addEventListener("click", () => this.#attempt(restore, undo));
      this.#say(translate("conversations.deleted", { title: summary.title }), undo);
    });
  }

  /**
   * Does something with the store, and says so if that fails.
   *
   * @param {() => Promise<void>} run
   * @param {...HTMLElement} more what may help then
   */
  async #attempt(run, ...more) {
    try {
      await run();
    } catch (error) {
      console.warn("Conversations could not be read or stored:", error);
      this.#say(
        translate("conversations.failed", { reason: error instanceof Error ? error.message : String(error) }),
        ...more,
      );
    }
  }

  /**
   * @param {string} text
   * @param {...HTMLElement} more
   */
  #say(text, ...more) {
    clearTimeout(this.#messageTimer);
    this.#message.replaceChildren(element("span", { dir: "auto" }, text), ...more);
    const forget = () => {
      // Nothing goes away under someone's finger.
      if (this.#message.matches(":hover, :focus-within")) this.#messageTimer = window.setTimeout(forget, UNDO_MS);
      else this.#message.replaceChildren();
    };
    this.#messageTimer = window.setTimeout(forget, UNDO_MS);
  }
}
