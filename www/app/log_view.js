import { byId, element } from "./dom.js";
import { actionButtons, describeFailure } from "./failure_view.js";
import { FollowNewest } from "./follow_newest.js";
import { formatCount, formatDuration, formatRate } from "./format.js";
import { renderMessageText } from "./message_text.js";

/**
 * @typedef {import("../qwisp.js").ChatResult} ChatResult
 * @typedef {import("./failure_view.js").Action} Action
 */

/** The messages on the page. */
export class LogView {
  #log = byId("log", HTMLElement);
  #empty = byId("empty-chat", HTMLElement);
  #follow = new FollowNewest(this.#log, byId("to-newest", HTMLButtonElement));

  get isEmpty() {
    return this.#log.childElementCount === 0;
  }

  clear() {
    this.#log.replaceChildren();
    this.#empty.hidden = false;
  }

  /**
   * @param {string} text
   * @returns {HTMLElement}
   */
  addQuestion(text) {
    this.#empty.hidden = true;
    const message = this.#add("question", "You");
    renderMessageText(/** @type {HTMLElement} */ (message.querySelector(".message-text")), text);
    this.#follow.jump();
    return message;
  }

  /** @returns {AnswerView} */
  addAnswer() {
    const answer = new AnswerView(this.#add("answer", "Qwisp"), () => this.#follow.keep());
    // Screen readers wait with the answer until it is whole.
    this.#log.setAttribute("aria-busy", "true");
    this.#follow.keep();
    return answer;
  }

  endAnswer() {
    this.#log.setAttribute("aria-busy", "false");
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

  /**
   * @param {string} kind
   * @param {string} author
   */
  #add(kind, author) {
    const message = element(
      "article",
      { className: `message ${kind}` },
      element("h2", { className: "visually-hidden" }, author),
      element("div", { className: "message-text" }),
    );
    this.#log.append(message);
    return message;
  }
}

/** One answer while it grows. */
export class AnswerView {
  #message;
  #text;
  #onGrow;
  #written = "";
  #frame = 0;

  /**
   * @param {HTMLElement} message
   * @param {() => void} onGrow
   */
  constructor(message, onGrow) {
    this.#message = message;
    this.#text = /** @type {HTMLElement} */ (message.querySelector(".message-text"));
    this.#onGrow = onGrow;
    message.classList.add("growing");
  }

  /** @param {string} text */
  append(text) {
    this.#written += text;
    // Tokens may come faster than the screen shows them.
    this.#frame ||= requestAnimationFrame(() => this.#render());
  }

  /** @param {ChatResult} result */
  finish({ finishReason, usage, timings }) {
    this.#end();
    const cached = usage.cachedTokens ? `, ${usage.cachedTokens.toLocaleString("en")} of them kept from before` : "";
    const facts = [
      `${formatCount(usage.completionTokens, "token")} at ${formatRate(timings.decodeTokensPerSecond)} tok/s`,
      `${formatCount(usage.promptTokens, "token")} read in ${formatDuration(timings.prefillMs)}${cached}`,
    ];
    if (finishReason === "length") facts.unshift("Cut off: no room for more");
    if (finishReason === "abort") facts.unshift("Stopped");
    this.#message.append(element("p", { className: "answer-facts" }, facts.join(" · ")));
    this.#onGrow();
  }

  /** Takes an answer that came to nothing off the page. */
  remove() {
    this.#end();
    this.#message.remove();
  }

  #end() {
    cancelAnimationFrame(this.#frame);
    this.#render();
    this.#message.classList.remove("growing");
  }

  #render() {
    this.#frame = 0;
    renderMessageText(this.#text, this.#written);
    this.#onGrow();
  }
}
