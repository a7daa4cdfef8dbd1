import { byId, element } from "./dom.js";
import { translate } from "./i18n.js";

/** @typedef {import("./conversations/conversation_store.js").ConversationSummary} ConversationSummary */

/** What can be done with a conversation: a menu beside its button. */
export class ConversationMenu {
  #menu = byId("conversation-menu", HTMLElement);
  #handlers;
  /** @type {HTMLElement | null} */
  #button = null;

  /**
   * @param {object} handlers
   * @param {(summary: ConversationSummary) => void} handlers.onRename
   * @param {(summary: ConversationSummary) => void} handlers.onDelete
   * @param {(summary: ConversationSummary, kind: "json" | "markdown") => void} handlers.onExport
   */
  constructor(handlers) {
    this.#handlers = handlers;
    this.#menu.addEventListener("toggle", (event) => {
      const isOpen = /** @type {ToggleEvent} */ (event).newState === "open";
      if (this.#button) this.#button.ariaExpanded = String(isOpen);
    });
    this.#menu.addEventListener("keydown", (event) => this.#moveFocus(event));
  }

  /**
   * @param {ConversationSummary} summary
   * @param {HTMLElement} button
   */
  open(summary, button) {
    this.#button = button;
    const { onRename, onDelete, onExport } = this.#handlers;
    this.#menu.replaceChildren(
      this.#item(translate("conversations.rename"), () => onRename(summary)),
      this.#item(translate("conversations.exportMarkdown"), () => onExport(summary, "markdown")),
      this.#item(translate("conversations.exportJson"), () => onExport(summary, "json")),
      this.#item(translate("conversations.delete"), () => onDelete(summary), "alarm"),
    );
    this.#menu.showPopover();
    const { bottom, top, right, left } = button.getBoundingClientRect();
    const { offsetHeight, offsetWidth } = this.#menu;
    const below = bottom + offsetHeight < innerHeight ? bottom : Math.max(8, top - offsetHeight);
    const beside = document.dir === "rtl" ? left : right - offsetWidth;
    this.#menu.style.top = `${below}px`;
    this.#menu.style.left = `${Math.max(8, Math.min(beside, innerWidth - offsetWidth - 8))}px`;
    /** @type {HTMLElement} */ (this.#menu.firstElementChild).focus();
  }

  /**
   * @param {string} label
   * @param {() => void} run
   * @param {string} [className]
   */
  #item(label, run, className = "") {
    const item = element("button", { type: "button", role: "menuitem", tabIndex: -1, className }, label);
    item.addEventListener("click", () => {
      this.#menu.hidePopover();
      this.#button?.focus();
      run();
    });
    return item;
  }

  /** @param {KeyboardEvent} event */
  #moveFocus(event) {
    const items = /** @type {HTMLElement[]} */ ([...this.#menu.children]);
    const index = items.findIndex((item) => item === document.activeElement);
    const last = items.length - 1;
    const next = {
      ArrowDown: index === last ? 0 : index + 1,
      ArrowUp: index <= 0 ? last : index - 1,
      Home: 0,
      End: last,
    }[event.key];
    if (event.key === "Tab" || event.key === "Escape") {
      event.preventDefault();
      this.#menu.hidePopover();
      this.#button?.focus();
    } else if (next !== undefined) {
      event.preventDefault();
      items[next].focus();
    }
  }
}
