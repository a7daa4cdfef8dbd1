import { byId, element } from "./dom.js";
import { translate } from "./i18n.js";

/** @typedef {import("../qwisp.js").Task} Task */

/** What a model can be good at. */
export const TASKS = /** @type {const} */ (["chat", "code", "maths", "reasoning", "languages"]);

/** What the model is wanted for: one task, or none in particular. */
export class TaskChips {
  #chips = TASKS.map((task) => element("button", { type: "button", className: "chip" }, translate(`task.${task}`)));
  /** @type {Task | undefined} */
  chosen = undefined;

  /** @param {() => void} onChange */
  constructor(onChange) {
    byId("tasks", HTMLFieldSetElement).append(...this.#chips);
    this.#chips.forEach((chip, index) => {
      chip.ariaPressed = "false";
      chip.addEventListener("click", () => {
        this.chosen = this.chosen === TASKS[index] ? undefined : TASKS[index];
        this.#chips.forEach((other, place) => (other.ariaPressed = String(TASKS[place] === this.chosen)));
        onChange();
      });
    });
  }

  /** Writes the chips in the language of the page. */
  translate() {
    this.#chips.forEach((chip, index) => (chip.textContent = translate(`task.${TASKS[index]}`)));
  }
}
