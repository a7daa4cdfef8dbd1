import { byId, element } from "../app/dom.js";
import { formatBytes } from "../app/format.js";
import { storedModels } from "../qwisp.js";
import { askForSize, choiceOfFile } from "../app/model_choices.js";

/** @typedef {import("../app/model_choices.js").ModelChoice} ModelChoice */

/** Asks which model to load, and says what that costs. Nothing is downloaded before its button is pressed. */
export class StartView {
  #section = byId("start", HTMLElement);
  #choicesBox = byId("model-choices", HTMLFieldSetElement);
  #button = byId("start-button", HTMLButtonElement);
  #note = byId("start-note", HTMLElement);
  /** @type {ModelChoice[]} */
  #choices = [];
  /** Addresses of what is on this device. @type {Set<string>} */
  #stored = new Set();

  /** @param {(choice: ModelChoice) => void} onStart */
  constructor(onStart) {
    this.#choicesBox.addEventListener("change", () => this.#describeSelected());
    byId("start-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      onStart(this.#selected());
    });
    const fileInput = byId("model-file", HTMLInputElement);
    fileInput.addEventListener("change", () => {
      const file = fileInput.files?.[0];
      fileInput.value = ""; // so that the same file can be chosen again
      if (file) onStart(choiceOfFile(file));
    });
  }

  /** @param {ModelChoice[]} choices At least one; the first is preselected. */
  show(choices) {
    this.#choices = choices;
    this.#choicesBox.replaceChildren(this.#choicesBox.children[0], ...choices.map(choiceElement));
    this.#describeSelected();
    this.#section.hidden = false;
    for (const choice of choices) this.#completeSize(choice);
    void this.#lookWhatIsStored();
  }

  focus() {
    this.#button.focus();
  }

  hide() {
    this.#section.hidden = true;
  }

  async #lookWhatIsStored() {
    const stored = await storedModels.list();
    this.#stored = new Set(stored.filter(({ isComplete }) => isComplete).map(({ address }) => address));
    this.#describeSelected();
  }

  /** @param {ModelChoice} choice */
  async #completeSize(choice) {
    if (choice.bytes !== null || choice.address === null) return;
    choice.bytes = await askForSize(choice.address);
    const sizes = this.#choicesBox.querySelectorAll(".model-size");
    sizes[this.#choices.indexOf(choice)].textContent = describeSize(choice);
    this.#describeSelected();
  }

  #selected() {
    const checked = this.#choicesBox.querySelector("input:checked");
    return this.#choices[Number(/** @type {HTMLInputElement} */ (checked).value)];
  }

  #describeSelected() {
    const { address, bytes } = this.#selected();
    const size = bytes === null ? null : formatBytes(bytes);
    const source = address === null ? "" : new URL(address).host;
    if (address !== null && this.#stored.has(address)) {
      this.#button.textContent = "Start";
      this.#note.textContent = "It is on this device: no network is needed.";
    } else {
      this.#button.textContent = size ? `Download ${size}` : "Download";
      this.#note.textContent = `${size ?? "A file of unknown size"}, once, from ${source}. After that, the model starts from this device.`;
    }
  }
}

/**
 * @param {ModelChoice} choice
 * @param {number} index
 */
function choiceElement(choice, index) {
  const { name, description } = choice;
  return element(
    "label",
    { className: "model-choice" },
    element("input", { type: "radio", name: "model", value: String(index), defaultChecked: index === 0 }),
    element("span", { className: "model-name" }, name),
    element("span", { className: "model-size" }, describeSize(choice)),
    element("span", { className: "model-description" }, description),
  );
}

/** @param {ModelChoice} choice */
function describeSize({ bytes }) {
  return bytes === null ? "size unknown" : formatBytes(bytes);
}
