import { ConversationMenu } from "./conversation_menu.js";
import { byId, element, isComposing } from "./dom.js";
import { translate } from "./i18n.js";
import { icon } from "./icons.js";

/**
 * @typedef {import("./conversations/conversation_store.js").ConversationSummary} ConversationSummary
 *
 * @typedef {object} ListHandlers
 * @property {(id: string) => void} onOpen
 * @property {(summary: ConversationSummary, title: string) => void} onRename
 * @property {(summary: ConversationSummary) => void} onDelete
 * @property {(summary: ConversationSummary, kind: "json" | "markdown") => void} onExport
 */

/** So many are shown first, and so many more each time the end comes into sight. */
const PAGE = 60;
const DAY_MS = 24 * 60 * 60 * 1000;

/** The list itself, by age. */
export class ConversationList {
  #box = byId("conversation-list", HTMLElement);
  #more = byId("more-conversations", HTMLButtonElement);
  #handlers;
  #menu;
  /** @type {ConversationSummary[]} */
  #summaries = [];
  #isSearch = false;
  #count = PAGE;
  /** @type {string | null} */
  #selected = null;
  #isRenaming = false;
  /** What gets the focus once it is shown: an id, or the place in the list. @type {string | number | null} */
  #focusNext = null;

  /** @param {ListHandlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
    this.#menu = new ConversationMenu({
      onRename: (summary) => this.#startRename(summary),
      onDelete: (summary) => {
        this.#focusNext = this.#summaries.findIndex(({ id }) => id === summary.id);
        handlers.onDelete(summary);
      },
      onExport: handlers.onExport,
    });
    this.#more.addEventListener("click", () => {
      const first = this.#count;
      this.#count += PAGE;
      this.#render();
      this.#openers()[first]?.focus();
    });
    new IntersectionObserver(([{ isIntersecting }]) => {
      if (!isIntersecting || this.#more.hidden || document.activeElement === this.#more) return;
      this.#count += PAGE;
      this.#render();
    }).observe(this.#more);
    this.#box.addEventListener("keydown", (event) => this.#moveFocus(event));
  }

  /**
   * @param {ConversationSummary[]} summaries newest first
   * @param {{ isSearch?: boolean }} [options]
   */
  show(summaries, { isSearch = false } = {}) {
    if (isSearch !== this.#isSearch) this.#count = PAGE;
    this.#summaries = summaries;
    this.#isSearch = isSearch;
    this.#render();
  }

  /** @param {string | null} id */
  select(id) {
    this.#selected = id;
    for (const opener of this.#openers()) opener.ariaCurrent = opener.dataset.id === id ? "true" : null;
  }

  /** Puts the focus on a conversation. @param {string} id */
  focus(id) {
    this.#openers()
      .find(({ dataset }) => dataset.id === id)
      ?.focus();
  }

  /** @returns {HTMLElement[]} */
  #openers() {
    return [...this.#box.querySelectorAll("button.conversation")].map((found) => /** @type {HTMLElement} */ (found));
  }

  #render() {
    if (this.#isRenaming) return; // it is shown anew when that is over
    const focused = document.activeElement;
    const focusedId = focused && this.#box.contains(focused) ? /** @type {HTMLElement} */ (focused).dataset.id : null;
    const shown = this.#summaries.slice(0, this.#count);
    const now = new Date();
    /** @type {HTMLElement[]} */
    const groups = [];
    let title = "";
    for (const summary of shown) {
      const itsTitle = ageOf(summary.updatedAt, now);
      if (itsTitle !== title || !groups.length) {
        title = itsTitle;
        const heading = element("h3", {}, title);
        groups.push(element("section", {}, heading, element("ul", { ariaLabel: title })));
      }
      groups.at(-1)?.lastElementChild?.append(this.#item(summary));
    }
    const none = this.#isSearch ? "conversations.noneFound" : "conversations.none";
    if (!groups.length) groups.push(element("p", { className: "note" }, translate(none)));
    this.#box.replaceChildren(...groups);
    this.#more.hidden = shown.length === this.#summaries.length;
    this.select(this.#selected);
    this.#returnFocus(focusedId ?? null);
  }

  /** @param {string | null} focusedId */
  #returnFocus(focusedId) {
    const wanted = this.#focusNext ?? focusedId;
    this.#focusNext = null;
    if (wanted === null) return;
    const openers = this.#openers();
    const found = typeof wanted === "number" ? openers[Math.min(wanted, openers.length - 1)] : null;
    if (found) found.focus();
    else if (typeof wanted === "string") this.focus(wanted);
    else byId("conversation-search", HTMLInputElement).focus();
  }

  /** @param {ConversationSummary} summary */
  #item(summary) {
    const { id } = summary;
    const title = summary.title || translate("conversations.untitled");
    const open = element("button", { type: "button", className: "conversation", title, dir: "auto" }, title);
    open.dataset.id = id;
    open.addEventListener("click", () => this.#handlers.onOpen(id));
    const label = translate("conversations.menu", { title });
    const more = element("button", { type: "button", className: "more", ariaLabel: label }, icon("more"));
    more.ariaHasPopup = "menu";
    more.ariaExpanded = "false";
    more.addEventListener("click", () => this.#menu.open(summary, more));
    return element("li", {}, open, more);
  }

  /** @param {ConversationSummary} summary */
  #startRename(summary) {
    const opener = this.#openers().find(({ dataset }) => dataset.id === summary.id);
    const item = opener?.closest("li");
    if (!opener || !item) return;
    const field = element("input", { type: "text", value: summary.title, maxLength: 200, dir: "auto" });
    field.ariaLabel = translate("conversations.renameLabel");
    const form = element("form", {}, field);
    const children = [...item.children];
    let isOver = false;
    this.#isRenaming = true;
    const end = (/** @type {boolean} */ isToKeep) => {
      if (isOver) return;
      isOver = true;
      this.#isRenaming = false;
      const title = field.value.trim();
      item.replaceChildren(...children);
      this.#render();
      this.focus(summary.id);
      if (isToKeep && title && title !== summary.title) this.#handlers.onRename(summary, title);
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      end(true);
    });
    field.addEventListener("blur", () => end(true));
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter" && isComposing(event)) event.preventDefault(); // or it would end the form
      if (event.key !== "Escape" || isComposing(event)) return;
      event.preventDefault();
      end(false);
    });
    item.replaceChildren(form);
    field.focus();
    field.select();
  }

  /** Arrows go up and down in the list. @param {KeyboardEvent} event */
  #moveFocus(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const openers = this.#openers();
    const index = openers.findIndex((opener) => opener === document.activeElement);
    if (!step || index < 0) return;
    event.preventDefault();
    openers[index + step]?.focus();
  }
}

/**
 * @param {number} time
 * @param {Date} now
 */
function ageOf(time, now) {
  const today = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  if (time >= today) return translate("conversations.today");
  if (time >= today - DAY_MS) return translate("conversations.yesterday");
  return translate(time >= today - 7 * DAY_MS ? "conversations.week" : "conversations.older");
}
