import { element } from "./dom.js";
import { formatNumber } from "./format.js";
import { translate } from "./i18n.js";
import { TextFeed } from "./markdown/text_feed.js";
import { runInSteps } from "./steps.js";

/** What the model thought before it answered, folded away. It is only rendered for those who look at it. */
export class ThinkingView {
  element;
  #title = element("summary");
  #body = element("div", { className: "thinking-text" });
  #text = "";
  /** @type {TextFeed | null} */
  #feed = null;
  #isWhole = false;
  #closed = new AbortController();

  /** @param {() => void} onGrow */
  constructor(onGrow) {
    this.element = element("details", { className: "thinking", hidden: true }, this.#title, this.#body);
    this.element.addEventListener("toggle", () => {
      if (!this.element.open || this.#feed) return;
      this.#feed = new TextFeed(this.#body);
      this.#feed.append(this.#text);
      if (this.#isWhole) this.#feed.end();
      void this.#catchUp(onGrow);
    });
  }

  get text() {
    return this.#text;
  }

  /** @param {string} text */
  append(text) {
    this.#text += text;
    this.element.hidden = false;
    if (!this.#title.textContent) this.#title.textContent = translate("message.thinking");
    this.#feed?.append(text);
  }

  /** Shows more of it, if anybody looks. @returns {boolean} whether there is more */
  step() {
    if (!this.#feed?.isBehind) return false;
    this.#feed.step();
    return this.#feed.isBehind;
  }

  /** @param {number | undefined} ms how long it took */
  finish(ms) {
    this.#isWhole = true;
    this.#feed?.end();
    const time = ms === undefined ? null : `${formatNumber(Math.max(1, Math.round(ms / 1000)))} s`;
    this.#title.textContent = time ? translate("message.thought", { time }) : translate("message.thoughts");
  }

  /** @param {() => void} onGrow */
  #catchUp(onGrow) {
    return runInSteps(() => this.step(), { signal: this.#closed.signal, onSlice: onGrow });
  }
}
