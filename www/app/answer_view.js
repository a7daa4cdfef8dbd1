import { element } from "./dom.js";
import { formatDuration, formatRate } from "./format.js";
import { translate } from "./i18n.js";
import { TextFeed } from "./markdown/text_feed.js";
import { MessageTools, toolButton } from "./message_tools.js";
import { ThinkingView } from "./thinking_view.js";

/**
 * @typedef {import("./conversations/conversation_tree.js").StoredMessage} StoredMessage
 * @typedef {import("./conversations/conversation_tree.js").AnswerFacts} AnswerFacts
 */

/** After the page was busy with a piece, it is free for so many times as long. */
const REST = 3;
/** Where nobody looks at the page, there are no frames. */
const HIDDEN_PAGE_MS = 500;

/** An answer, from the store or on its way. */
export class AnswerView {
  element;
  tools;
  #feed;
  #thinking;
  #message;
  #onGrow;
  #text = element("div", { className: "message-text" });
  /** @type {(() => void) | null} */
  #cancelFrame = null;
  #freeAt = 0;

  /**
   * @param {StoredMessage} message
   * @param {{ onGrow: () => void, onRegenerate: () => void, onSwitch: (step: -1 | 1) => void }} handlers
   */
  constructor(message, { onGrow, onRegenerate, onSwitch }) {
    this.#message = message;
    this.#onGrow = onGrow;
    this.#feed = new TextFeed(this.#text);
    this.#thinking = new ThinkingView(onGrow);
    const again = toolButton("retry", translate("message.regenerate"), onRegenerate, { needsModel: true });
    this.tools = new MessageTools({ readText: () => message.text, onSwitch }, [again]);
    this.element = element(
      "article",
      { className: "message answer" },
      element("h2", { className: "visually-hidden" }, translate("message.model")),
      this.#thinking.element,
      this.#text,
      this.tools.element,
    );
  }

  /** Takes the text from the store; `step` then shows it. */
  takeStored() {
    const { text, thinking, thinkingMs } = this.#message;
    if (thinking) this.#thinking.append(thinking);
    this.#thinking.finish(thinkingMs);
    this.#feed.append(text);
    this.#feed.end();
    this.#showFacts();
  }

  /** Shows a little more of the text. @returns {boolean} whether there is more */
  step() {
    if (this.#feed.isBehind) this.#feed.step();
    return this.#feed.isBehind;
  }

  startGrowing() {
    this.element.classList.add("growing");
    this.tools.element.hidden = true;
  }

  /** @param {{ text: string, thinking: string }} piece */
  append({ text, thinking }) {
    if (thinking) this.#thinking.append(thinking);
    if (text) this.#feed.append(text);
    this.#schedule();
  }

  /** @param {number} ms how long it thought */
  endThinking(ms) {
    this.#thinking.finish(ms);
  }

  /** The answer has come to an end, or to where it was interrupted. What of it isn't shown yet follows. */
  finish() {
    this.#feed.end();
    this.element.classList.remove("growing");
    this.tools.element.hidden = false;
    this.#showFacts();
    this.#schedule();
  }

  remove() {
    this.#cancelFrame?.();
    this.element.remove();
  }

  #schedule() {
    if (this.#cancelFrame) return;
    const run = () => {
      this.#cancelFrame = null;
      // Tokens may come faster than the page can show them.
      if (performance.now() < this.#freeAt && !document.hidden) return this.#schedule();
      const start = performance.now();
      if (this.#feed.isBehind) this.#feed.step();
      this.#thinking.step();
      this.#onGrow();
      const end = performance.now();
      this.#freeAt = end + REST * (end - start);
      if (this.#feed.isBehind) this.#schedule();
    };
    if (document.hidden) {
      const timer = setTimeout(run, HIDDEN_PAGE_MS);
      this.#cancelFrame = () => clearTimeout(timer);
    } else {
      const frame = requestAnimationFrame(run);
      this.#cancelFrame = () => cancelAnimationFrame(frame);
    }
  }

  #showFacts() {
    const { facts, isInterrupted } = this.#message;
    const said = facts ? describeFacts(facts) : isInterrupted ? [translate("message.interrupted")] : [];
    if (said.length) this.tools.element.append(element("p", { className: "answer-facts" }, said.join(" · ")));
  }
}

/** @param {AnswerFacts} facts */
function describeFacts({
  finishReason,
  completionTokens,
  decodeTokensPerSecond,
  promptTokens,
  cachedTokens,
  prefillMs,
}) {
  const tokens = (/** @type {number} */ count) => translate("tokens", { count });
  const time = formatDuration(prefillMs);
  const facts = [
    translate("message.written", { tokens: tokens(completionTokens), rate: formatRate(decodeTokensPerSecond) }),
    cachedTokens
      ? translate("message.readCached", { tokens: tokens(promptTokens), time, cached: cachedTokens })
      : translate("message.read", { tokens: tokens(promptTokens), time }),
  ];
  if (finishReason === "length") facts.unshift(translate("message.cutOff"));
  if (finishReason === "abort") facts.unshift(translate("message.stopped"));
  return facts;
}
