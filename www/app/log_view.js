import { AnswerView } from "./answer_view.js";
import { byId, element } from "./dom.js";
import { actionButtons, describeFailure } from "./failure_view.js";
import { FollowNewest } from "./follow_newest.js";
import { translate } from "./i18n.js";
import { QuestionView } from "./question_view.js";
import { runInSteps } from "./steps.js";

/**
 * @typedef {import("./failure_view.js").Action} Action
 * @typedef {import("./conversations/conversation_tree.js").StoredMessage} StoredMessage
 * @typedef {import("./conversations/conversation_tree.js").ConversationTree} ConversationTree
 *
 * @typedef {object} LogHandlers
 * @property {(question: StoredMessage, text: string) => boolean} onEdit whether it is asked
 * @property {(answer: StoredMessage) => void} onRegenerate
 * @property {(message: StoredMessage, step: -1 | 1) => void} onSwitch
 */

/** The messages on the page: the version of a conversation that is shown. */
export class LogView {
  #log = byId("log", HTMLElement);
  #empty = byId("empty-chat", HTMLElement);
  #announcer = byId("announcer", HTMLElement);
  #follow = new FollowNewest(this.#log, byId("to-newest", HTMLButtonElement));
  #handlers;
  /** @type {{ message: StoredMessage, view: QuestionView | AnswerView }[]} */
  #shown = [];
  /** Answers whose texts aren't all on the page yet, the newest last. @type {AnswerView[]} */
  #unfilled = [];
  #filling = new AbortController();
  /** What is said below the last question while it has no answer. @type {HTMLElement | null} */
  #unanswered = null;

  /** @param {LogHandlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  focus() {
    this.#log.focus();
  }

  clear() {
    this.#filling.abort();
    this.#unfilled = [];
    this.#shown = [];
    this.#unanswered = null;
    this.#log.replaceChildren();
    this.#announcer.textContent = "";
    this.#empty.hidden = false;
  }

  /**
   * Shows a conversation's path. Messages that are there already stay as they are.
   *
   * @param {ConversationTree} tree
   * @param {{ jump?: boolean }} [options] `jump`: to the newest line
   */
  show(tree, { jump = true } = {}) {
    this.#unanswered?.remove();
    const path = tree.path();
    const differs = this.#shown.findIndex(({ message }, index) => message.id !== path[index]?.id);
    const kept = differs < 0 ? this.#shown.length : differs;
    for (const { view } of this.#shown.splice(kept)) view.element.remove();
    this.#unfilled = this.#unfilled.filter(({ element }) => element.isConnected);
    for (const message of path.slice(kept)) {
      const view = this.#add(message);
      if (!(view instanceof AnswerView)) continue;
      view.takeStored();
      this.#unfilled.push(view);
    }
    this.#showVersions(tree);
    this.#empty.hidden = path.length > 0;
    if (jump) this.#follow.jump();
    void this.#fill();
  }

  /** @param {StoredMessage} message @param {ConversationTree} tree @returns {AnswerView} */
  growAnswer(message, tree) {
    const view = /** @type {AnswerView} */ (this.#add(message));
    view.startGrowing();
    this.#showVersions(tree);
    this.#follow.jump();
    return view;
  }

  /** Says that the last question has no answer, and offers one, until something else is shown. @param {() => void} onAnswer */
  offerAnswer(onAnswer) {
    this.#unanswered = element(
      "p",
      { className: "unanswered" },
      element("span", {}, translate("message.unanswered")),
      element(
        "button",
        { type: "button", className: "quiet needs-model", onclick: onAnswer },
        translate("message.answerIt"),
      ),
    );
    this.#log.append(this.#unanswered);
    this.#follow.jump();
  }

  /** Tells screen readers of a whole answer, once. @param {string} text */
  announce(text) {
    this.#announcer.textContent = text;
  }

  /**
   * After a change of version: the buttons with which it was made are new ones, or elsewhere.
   *
   * @param {string} id
   * @param {-1 | 1} step
   */
  focusSwitch(id, step) {
    const entry = this.#shown.find(({ message }) => message.id === id);
    entry?.view.tools.focusSwitch(step);
    entry?.view.element.scrollIntoView({ block: "nearest" });
  }

  /**
   * @param {unknown} error
   * @param {Action[]} actions
   * @returns {HTMLElement}
   */
  addFailure(error, actions) {
    const { title, advice, detail } = describeFailure(error);
    const failure = element(
      "div",
      { className: "failure", role: "alert" },
      element("strong", {}, title),
      element("p", {}, advice),
      element("p", { className: "detail" }, detail),
      element("p", { className: "actions" }, ...actionButtons(actions)),
    );
    this.#log.append(failure);
    this.#follow.keep();
    return failure;
  }

  /** @param {StoredMessage} message */
  #add(message) {
    const { onEdit, onRegenerate, onSwitch } = this.#handlers;
    const common = { onSwitch: (/** @type {-1 | 1} */ step) => onSwitch(message, step) };
    const view =
      message.role === "user"
        ? new QuestionView(message, { ...common, onEdit: (text) => onEdit(message, text) })
        : new AnswerView(message, {
            ...common,
            onGrow: () => this.#follow.keep(),
            onRegenerate: () => onRegenerate(message),
          });
    this.#shown.push({ message, view });
    this.#log.append(view.element);
    this.#empty.hidden = true;
    return view;
  }

  /** @param {ConversationTree} tree */
  #showVersions(tree) {
    for (const { message, view } of this.#shown) {
      const versions = tree.versions(message);
      view.tools.showVersions(
        versions.findIndex(({ id }) => id === message.id),
        versions.length,
      );
    }
  }

  /** Shows the texts of stored answers, the newest first. */
  async #fill() {
    this.#filling.abort();
    this.#filling = new AbortController();
    const step = () => {
      const last = this.#unfilled.at(-1);
      if (!last) return false;
      if (!last.step()) this.#unfilled.pop();
      return this.#unfilled.length > 0;
    };
    await runInSteps(step, { signal: this.#filling.signal, onSlice: () => this.#follow.keep() });
  }
}
