import { askInDialog } from "./dialog.js";
import { byId } from "./dom.js";
import { formatBytes } from "./format.js";
import { translate } from "./i18n.js";

/** Long enough to read a short sentence. */
const REFUSAL_MS = 4000;

/** Takes a GGUF file of this device, chosen or dropped anywhere on the page, and asks whether to keep it here. */
export class FileOpener {
  #input = byId("model-file", HTMLInputElement);
  #target = byId("drop-target", HTMLElement);
  #dialog = byId("drop-dialog", HTMLDialogElement);
  #text = byId("drop-text", HTMLElement);
  #timer = 0;
  #onOpen;

  /** @param {(file: File, isToKeep: boolean) => void} onOpen */
  constructor(onOpen) {
    this.#onOpen = onOpen;
    this.#input.addEventListener("change", () => {
      const file = this.#input.files?.[0];
      this.#input.value = ""; // so that the same file can be chosen again
      if (file) void this.#ask(file);
    });
    addEventListener("dragover", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      this.#say(translate("drop.here"));
      this.#target.hidden = false;
    });
    addEventListener("dragleave", (event) => {
      // Not for the elements on the page that it passes over.
      if (event.relatedTarget === null) this.#target.hidden = true;
    });
    addEventListener("drop", (event) => {
      this.#target.hidden = true;
      const file = event.dataTransfer?.files[0];
      if (!file) return;
      event.preventDefault(); // else the browser would leave the page for the file
      if (/\.gguf$/i.test(file.name)) void this.#ask(file);
      else this.#refuse();
    });
  }

  /** Says where the file was dropped that it is no model, for a while. */
  #refuse() {
    this.#say(translate("drop.notGguf"));
    this.#target.hidden = false;
    this.#timer = setTimeout(() => (this.#target.hidden = true), REFUSAL_MS);
  }

  /** @param {string} text */
  #say(text) {
    clearTimeout(this.#timer);
    this.#text.textContent = text;
  }

  /** @param {File} file */
  async #ask(file) {
    if (this.#dialog.open) return;
    const words = { name: file.name, size: formatBytes(file.size) };
    byId("drop-title", HTMLElement).textContent = translate("drop.title", words);
    const answer = await askInDialog(this.#dialog);
    if (answer) this.#onOpen(file, answer === "keep");
  }
}

/** @param {DragEvent} event */
function hasFiles(event) {
  return event.dataTransfer?.types.includes("Files") ?? false;
}
