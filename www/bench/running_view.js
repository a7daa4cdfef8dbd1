import { byId } from "../app/dom.js";

/** Says what is being measured, and lets people stop it. */
export class RunningView {
  #section = byId("running", HTMLElement);
  #title = byId("running-title", HTMLElement);
  #step = byId("running-step", HTMLElement);
  #button = byId("cancel-running", HTMLButtonElement);

  /** @param {() => void} onCancel */
  constructor(onCancel) {
    this.#button.addEventListener("click", onCancel);
  }

  /** @param {string} modelName */
  show(modelName) {
    this.#title.textContent = modelName;
    this.#section.hidden = false;
    this.#button.focus();
  }

  /** @param {string} step */
  update(step) {
    this.#step.textContent = step;
  }

  hide() {
    this.#section.hidden = true;
  }
}
