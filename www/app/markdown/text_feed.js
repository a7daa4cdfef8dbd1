import { MarkdownView } from "./markdown_view.js";

/** So much is read at once, so that a long text doesn't hold up the page. */
const STEP = 2000;

/** Brings a text to a view in steps that are short, however much there is to show. */
export class TextFeed {
  #view;
  #text = "";
  #shown = 0;
  #isWhole = false;
  #isDone = false;

  /** @param {HTMLElement} container */
  constructor(container) {
    this.#view = new MarkdownView(container);
  }

  /** @param {string} text */
  append(text) {
    this.#text += text;
  }

  /** Nothing follows. */
  end() {
    this.#isWhole = true;
  }

  /** Whether there is something to show. */
  get isBehind() {
    return this.#shown < this.#text.length || (this.#isWhole && !this.#isDone);
  }

  /** Shows more of the text. */
  step() {
    const end = Math.min(this.#shown + STEP, this.#text.length);
    this.#view.append(this.#text.slice(this.#shown, end));
    this.#shown = end;
    this.#isDone = this.#isWhole && end === this.#text.length;
    this.#view.render({ isWhole: this.#isDone });
  }
}
