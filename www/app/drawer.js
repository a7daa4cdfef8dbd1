import { byId } from "./dom.js";
import { translate } from "./i18n.js";
import { readStored, writeStored } from "./stored_choice.js";

const STORED_AS = "qwisp.conversations-open";
/** Narrower pages have no room for a list beside the chat: it covers it then. */
const WIDE = "(min-width: 60rem)";

/** The list of conversations beside the chat, or in front of it on a phone. */
export class Drawer {
  #panel = byId("conversations", HTMLElement);
  #shade = byId("conversations-shade", HTMLElement);
  #toggle = byId("toggle-conversations", HTMLButtonElement);
  #wide = matchMedia(WIDE);
  /** Whether it opens by itself where there is room. */
  #isOffered = false;
  #isOpen = false;

  constructor() {
    this.#toggle.addEventListener("click", () => this.#choose(!this.#isOpen));
    byId("close-conversations", HTMLButtonElement).addEventListener("click", () => this.close());
    this.#shade.addEventListener("click", () => this.close());
    this.#wide.addEventListener("change", () => this.#set(this.#isOffered && this.#startsOpen()));
    this.#panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.#wide.matches || event.defaultPrevented) return;
      event.preventDefault();
      this.close();
    });
  }

  /** From now on there is a button for it. */
  makeAvailable() {
    this.#toggle.hidden = false;
    this.#set(this.#isOpen);
  }

  /** Opens where there is room for it beside the page, unless somebody has closed it. */
  offer() {
    this.#isOffered = true;
    if (!this.#isOpen && this.#startsOpen()) this.#set(true);
  }

  /** Where it covers the chat, gives way to it and the focus back. */
  close() {
    if (this.#wide.matches || !this.#isOpen) return;
    this.#set(false);
    this.#toggle.focus();
  }

  #startsOpen() {
    return this.#wide.matches && readStored(STORED_AS) !== "0";
  }

  /** @param {boolean} isOpen */
  #choose(isOpen) {
    if (this.#wide.matches) writeStored(STORED_AS, isOpen ? "1" : "0");
    this.#set(isOpen);
    if (isOpen && !this.#wide.matches) byId("close-conversations", HTMLButtonElement).focus();
  }

  /** @param {boolean} isOpen */
  #set(isOpen) {
    const covers = isOpen && !this.#wide.matches;
    this.#isOpen = isOpen;
    this.#panel.hidden = !isOpen;
    this.#shade.hidden = !covers;
    this.#panel.role = covers ? "dialog" : "complementary";
    this.#panel.ariaModal = covers ? "true" : null;
    document.documentElement.classList.toggle("drawer-open", covers);
    for (const element of document.querySelectorAll("body > header, main")) {
      /** @type {HTMLElement} */ (element).inert = covers;
    }
    const label = translate(isOpen ? "conversations.hide" : "conversations.show");
    this.#toggle.ariaExpanded = String(isOpen);
    this.#toggle.ariaLabel = label;
    this.#toggle.title = label;
  }
}
