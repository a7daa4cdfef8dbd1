import { byId, isComposing } from "./dom.js";

/** Where people write. Enter sends, Shift+Enter starts a new line, Escape stops the answer. */
export class Composer {
  #form = byId("composer", HTMLFormElement);
  #hint = byId("composer-hint", HTMLElement);
  #prompt = byId("prompt", HTMLTextAreaElement);
  #send = byId("send", HTMLButtonElement);
  #stop = byId("stop", HTMLButtonElement);
  #busy = false;

  /** @param {{ onSend: (text: string) => void, onStop: () => void }} handlers */
  constructor({ onSend, onStop }) {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.#prompt.value.trim();
      if (this.#busy || text === "") return;
      this.#write("");
      onSend(text);
    });
    this.#prompt.addEventListener("input", () => this.#fit());
    this.#prompt.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || isComposing(event)) return;
      event.preventDefault();
      this.#form.requestSubmit();
    });
    this.#stop.addEventListener("click", onStop);
    document.addEventListener("keydown", (event) => {
      // What is open above the chat is closed by Escape first.
      const isTaken =
        event.defaultPrevented ||
        isComposing(event) ||
        document.querySelector("dialog[open], :popover-open, .drawer-open");
      if (event.key === "Escape" && this.#busy && !isTaken) onStop();
    });
  }

  show() {
    this.#form.hidden = false;
    this.#hint.hidden = false;
    this.#fit(); // while it was hidden, it had no height
  }

  hide() {
    this.#form.hidden = true;
    this.#hint.hidden = true;
  }

  focus() {
    this.#prompt.focus();
  }

  /** @param {boolean} busy Whether an answer is on its way. */
  setBusy(busy) {
    const hadFocus = [this.#send, this.#stop].some((button) => button === document.activeElement);
    this.#busy = busy;
    this.#send.hidden = busy;
    this.#stop.hidden = !busy;
    if (hadFocus) this.#prompt.focus();
  }

  /**
   * Gives back what was sent, unless something else has been written since.
   *
   * @param {string} text
   * @returns {boolean} whether there was room for it
   */
  restore(text) {
    if (this.#prompt.value !== "") return false;
    this.#write(text);
    return true;
  }

  /** @param {string} text */
  #write(text) {
    this.#prompt.value = text;
    this.#fit();
  }

  /** The style sheet limits how far the field grows. */
  #fit() {
    this.#prompt.style.height = "auto";
    this.#prompt.style.height = `${this.#prompt.scrollHeight}px`;
  }
}
