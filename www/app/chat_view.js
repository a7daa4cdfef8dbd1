import { FATAL_KINDS, QwispError } from "../qwisp.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { byId } from "./dom.js";
import { LogView } from "./log_view.js";

/**
 * @typedef {import("../qwisp.js").Engine} Engine
 * @typedef {import("../qwisp.js").ChatOptions} ChatOptions
 * @typedef {import("../qwisp.js").ChatResult} ChatResult
 */

/** A chat with a loaded engine. */
export class ChatView {
  #section = byId("chat", HTMLElement);
  #status = byId("status", HTMLElement);
  #newChat = byId("new-chat", HTMLButtonElement);
  #log = new LogView();
  #composer = new Composer({ onSend: (text) => this.#ask(text), onStop: () => this.#stop?.abort() });
  #onRestart;
  #onAnswer;
  #onFailure;
  #system;
  /** @type {Engine | null} */
  #engine = null;
  /** @type {ChatOptions} */
  #generation = {};
  #conversation;
  /** Stops the answer that is on its way. @type {AbortController | null} */
  #stop = null;
  /** Takes the question that got no answer off the page, and what is said about it. */
  #takeBackFailed = () => {};

  /**
   * @param {object} options
   * @param {string | null} options.system System prompt of every chat.
   * @param {() => void} options.onRestart Has to load the engine again.
   * @param {(result: ChatResult, measured: { firstTokenMs: number | null }) => void} options.onAnswer
   * @param {(error: unknown) => void} options.onFailure
   */
  constructor({ system, onRestart, onAnswer, onFailure }) {
    this.#system = system;
    this.#onRestart = onRestart;
    this.#onAnswer = onAnswer;
    this.#onFailure = onFailure;
    this.#conversation = new Conversation(system);
    this.#newChat.addEventListener("click", () => this.#startOver());
    this.#startOver();
  }

  /**
   * Goes on with the chat there is, on this engine.
   *
   * @param {Engine} engine
   * @param {ChatOptions} generation
   */
  show(engine, generation) {
    this.#engine = engine;
    this.#generation = generation;
    this.#section.hidden = false;
    this.#newChat.hidden = false;
    this.#composer.focus();
  }

  /** @param {{ system: string | null, generation: ChatOptions }} options From the next question on. */
  useOptions({ system, generation }) {
    this.#generation = generation;
    this.#system = system;
    if (this.#log.isEmpty) this.#conversation = new Conversation(system);
  }

  /**
   * Says something beside the composer, until the next question.
   *
   * @param {string} text
   */
  note(text) {
    this.#status.textContent = text;
  }

  hide() {
    this.#section.hidden = true;
    this.#newChat.hidden = true;
  }

  #startOver() {
    this.#stop?.abort();
    this.#conversation = new Conversation(this.#system);
    this.#log.clear();
    this.#status.textContent = "";
    this.#composer.focus();
  }

  /** @param {string} text */
  async #ask(text) {
    if (this.#stop) return; // one answer at a time
    this.#takeBackFailed();
    const conversation = this.#conversation;
    const question = this.#log.addQuestion(text);
    const answer = this.#log.addAnswer();
    const stop = new AbortController();
    this.#stop = stop;
    this.#composer.setBusy(true);
    this.#status.textContent = "Reading…";
    const asked = performance.now();
    /** @type {number | null} */
    let firstTokenMs = null;
    try {
      const options = { ...this.#generation, signal: stop.signal };
      const result = await conversation.ask(/** @type {Engine} */ (this.#engine), text, options, ({ text: piece }) => {
        firstTokenMs ??= performance.now() - asked;
        if (piece) answer.append(piece);
        this.#status.textContent = piece ? "Writing…" : "Thinking…";
      });
      this.#onAnswer(result, { firstTokenMs });
      if (conversation !== this.#conversation) return; // another chat has begun
      if (result.text) {
        answer.finish(result);
      } else {
        answer.remove();
        question.remove();
        this.#composer.restore(text);
      }
      this.#status.textContent = describeEnd(result);
    } catch (error) {
      answer.remove();
      this.#status.textContent = "";
      this.#onFailure(error);
      this.#showFailure(error, text, question);
    } finally {
      this.#log.endAnswer();
      this.#stop = null;
      this.#composer.setBusy(false);
    }
  }

  /**
   * @param {unknown} error
   * @param {string} text
   * @param {HTMLElement} question
   */
  #showFailure(error, text, question) {
    const kind = error instanceof QwispError ? error.kind : "internal";
    const newChat = {
      label: "New chat",
      run: () => {
        this.#startOver();
        this.#composer.restore(text);
      },
    };
    const again = {
      label: "Try again",
      run: () => this.#ask(text),
    };
    const restart = {
      label: "Start the model again",
      run: () => {
        this.#takeBackFailed();
        this.#composer.restore(text);
        this.#onRestart();
      },
    };
    const actions = FATAL_KINDS.has(kind) ? [restart] : kind === "context-full" ? [newChat] : [again, newChat];
    const failure = this.#log.addFailure(error, actions);
    this.#takeBackFailed = () => {
      failure.remove();
      question.remove();
    };
  }
}

/** @param {ChatResult} result */
function describeEnd({ finishReason, text, thinking }) {
  if (finishReason === "abort") return "Stopped";
  if (!text && thinking && finishReason === "length") return "The model thought until it had no room to answer";
  return text ? "Done" : "The model had no answer";
}
