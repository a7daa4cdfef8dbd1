import { byId } from "./dom.js";
import { actionButtons } from "./failure_view.js";
import { onLanguageChange } from "./i18n.js";

/**
 * What has to come before one can write, and how to get there.
 *
 * @typedef {{ text: string, actions: import("./failure_view.js").Action[] }} Gate
 */

/** Stands in the composer's place while there is no model to write to. */
export class ModelGate {
  #section = byId("model-gate", HTMLElement);
  #text = byId("model-gate-text", HTMLElement);
  #actions = byId("model-gate-actions", HTMLElement);
  /** @type {(() => Gate) | null} */
  #describe = null;

  constructor() {
    onLanguageChange(() => this.#render());
  }

  /** @param {() => Gate} describe is asked again when the language changes */
  show(describe) {
    this.#describe = describe;
    this.#section.hidden = false; // before: what changes while it is hidden isn't read out
    this.#render();
  }

  hide() {
    this.#describe = null;
    this.#section.hidden = true;
  }

  focus() {
    this.#actions.querySelector("button")?.focus();
  }

  #render() {
    if (!this.#describe) return;
    const { text, actions } = this.#describe();
    const hadFocus = this.#actions.contains(document.activeElement);
    this.#text.textContent = text;
    this.#actions.replaceChildren(...actionButtons(actions));
    if (hadFocus) this.focus();
  }
}
