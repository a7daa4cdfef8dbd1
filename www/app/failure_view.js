import { QwispError } from "../qwisp.js";
import { element } from "./dom.js";
import { translate } from "./i18n.js";

/**
 * A way on: what its button says and does.
 *
 * @typedef {{ label: string, run: () => void }} Action
 */

/** Says why nothing could be loaded, and what to do now. */
export class FailureView {
  #title = element("h1", { id: "failure-title", tabIndex: -1 });
  #advice = element("p", { className: "lead" });
  #detail = element("p", { className: "detail" });
  #actions = element("p", { className: "actions" });
  #section = element(
    "section",
    { className: "panel", id: "failure", hidden: true },
    this.#title,
    this.#advice,
    this.#detail,
    this.#actions,
  );

  constructor() {
    this.#section.setAttribute("aria-labelledby", this.#title.id);
    document.querySelector("main")?.append(this.#section);
  }

  /**
   * @param {unknown} error
   * @param {Action[]} actions The first is the one to recommend.
   */
  show(error, actions) {
    const { title, advice, detail } = describeFailure(error);
    this.#title.textContent = title;
    this.#advice.textContent = advice;
    this.#detail.textContent = detail;
    this.#actions.replaceChildren(...actionButtons(actions));
    this.#section.hidden = false;
    this.#title.focus();
  }

  hide() {
    this.#section.hidden = true;
  }
}

/** @param {unknown} error */
export function describeFailure(error) {
  const kind = error instanceof QwispError ? error.kind : "internal";
  return {
    title: translate(`failure.${kind}.title`),
    advice: translate(`failure.${kind}.advice`),
    detail: error instanceof Error ? error.message : String(error),
  };
}

/** @param {Action[]} actions */
export function actionButtons(actions) {
  return actions.map(({ label, run }, index) =>
    element("button", { type: "button", className: index === 0 ? "primary" : "", onclick: run }, label),
  );
}
