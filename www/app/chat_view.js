import { FATAL_KINDS, QwispError } from "../qwisp.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversations/conversation.js";
import { memoryStore, openConversationStore } from "./conversations/conversation_store.js";
import { ConversationsView } from "./conversations_view.js";
import { byId } from "./dom.js";
import { translate } from "./i18n.js";
import { LogView } from "./log_view.js";
import { readStored, writeStored } from "./stored_choice.js";

/**
 * @typedef {import("../qwisp.js").Engine} Engine
 * @typedef {import("../qwisp.js").ChatOptions} ChatOptions
 * @typedef {import("../qwisp.js").ChatResult} ChatResult
 * @typedef {import("./answer_view.js").AnswerView} AnswerView
 * @typedef {import("./conversations/conversation_tree.js").StoredMessage} StoredMessage
 */

/** The conversation that opens at the next visit; an empty text is a new one. */
const STORED_AS = "qwisp.conversation";
/** An answer on its way is stored so often, for the case that the page is closed. */
const SAVE_MS = 3000;

/** A chat with a loaded engine. */
export class ChatView {
  #section = byId("chat", HTMLElement);
  #status = byId("status", HTMLElement);
  #newChat = byId("new-chat", HTMLButtonElement);
  #log = new LogView({
    onEdit: (question, text) => this.#edit(question, text),
    onRegenerate: (answer) => this.#regenerate(answer),
    onSwitch: (message, step) => this.#switchVersion(message, step),
  });
  #composer = new Composer({ onSend: (text) => this.#ask(text), onStop: () => this.#stop?.abort() });
  #list = new ConversationsView({
    onOpen: (id) => this.#open(id),
    onGone: (id) => {
      if (id !== this.#conversation.id) return;
      this.#conversation.markGone();
      this.#startOver();
    },
    onRenamed: (id, title) => id === this.#conversation.id && (this.#conversation.title = title),
  });
  #onRestart;
  #onAnswer;
  #onFailure;
  #system;
  /** @type {Engine | null} */
  #engine = null;
  /** @type {ChatOptions} */
  #generation = {};
  #store = memoryStore();
  #conversation = new Conversation(this.#store);
  /** Stops the answer that is on its way. @type {AbortController | null} */
  #stop = null;
  /** Takes the question that got no answer off the page, and what is said about it. */
  #takeBackFailed = () => {};
  #isReady;

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
    this.#newChat.addEventListener("click", () => {
      this.#startOver();
      this.#list.closeDrawer();
      this.#composer.focus();
    });
    this.#isReady = this.#openStore();
  }

  /** Whether an answer is under way. */
  get isBusy() {
    return this.#stop !== null;
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
    this.#list.show();
    this.#composer.focus();
  }

  /** @param {{ system: string | null, generation: ChatOptions }} options From the next question on. */
  useOptions({ system, generation }) {
    this.#system = system;
    this.#generation = generation;
  }

  /**
   * Says something beside the composer, until the next question.
   *
   * @param {string} text
   */
  note(text) {
    if (this.#status.textContent !== text) this.#status.textContent = text;
  }

  hide() {
    this.#section.hidden = true;
    this.#newChat.hidden = true;
    this.#list.hide();
  }

  async #openStore() {
    this.#store = await openConversationStore();
    const last = readStored(STORED_AS);
    const stored = last ? await this.#store.read(last).catch(() => null) : null;
    this.#conversation = new Conversation(this.#store, stored);
    await this.#list.useStore(this.#store);
    this.#showConversation();
  }

  #showConversation() {
    const { id, isStored, tree } = this.#conversation;
    writeStored(STORED_AS, isStored ? id : "");
    this.#takeBackFailed = () => {};
    this.#log.clear();
    this.#log.show(tree);
    this.#list.select(isStored ? id : null);
    this.note("");
  }

  #startOver() {
    this.#stop?.abort();
    this.#conversation = new Conversation(this.#store);
    this.#showConversation();
  }

  /** @param {string} id */
  async #open(id) {
    if (id !== this.#conversation.id) {
      const stored = await this.#store.read(id);
      if (!stored) return this.#list.refresh();
      this.#stop?.abort();
      this.#conversation = new Conversation(this.#store, stored);
      this.#showConversation();
    }
    this.#composer.focus();
  }

  /** @param {string} text */
  async #ask(text) {
    await this.#isReady;
    this.#takeBackFailed();
    await this.#answer(text, this.#conversation.tree.leafId);
  }

  /**
   * @param {StoredMessage} question
   * @param {string} text
   * @returns {boolean} whether it is asked
   */
  #edit(question, text) {
    if (this.#stop) return false;
    this.#takeBackFailed();
    void this.#answer(text, question.parentId);
    return true;
  }

  /** @param {StoredMessage} answer */
  async #regenerate(answer) {
    const question = answer.parentId === null ? undefined : this.#conversation.tree.get(answer.parentId);
    if (this.#stop || !question) return;
    this.#takeBackFailed();
    await this.#answer(question, question.parentId);
  }

  /**
   * @param {StoredMessage} message
   * @param {-1 | 1} step
   */
  #switchVersion(message, step) {
    if (this.#stop) return;
    const { tree } = this.#conversation;
    this.#takeBackFailed();
    const versions = tree.versions(message);
    const next = versions[versions.findIndex(({ id }) => id === message.id) + step];
    if (!next) return;
    tree.select(next.id);
    this.#log.show(tree, { jump: false });
    this.#log.focusSwitch(next.id, step);
    void this.#save(this.#conversation, []);
  }

  /**
   * Asks a question, a new one by its text, and shows the answer as it comes.
   *
   * @param {string | StoredMessage} asked
   * @param {string | null} parentId the message before the question
   */
  async #answer(asked, parentId) {
    const engine = this.#engine;
    if (this.#stop || !engine) return; // one answer at a time
    const stop = new AbortController();
    this.#stop = stop;
    this.#composer.setBusy(true);
    this.note(translate("status.reading"));
    const conversation = this.#conversation;
    const { tree } = conversation;
    const before = tree.leafId;
    const isNew = typeof asked === "string";
    const question = isNew ? conversation.add("user", parentId, asked) : asked;
    if (!isNew) tree.cut(question.id);
    this.#log.show(tree);
    // The button that was pressed may be gone.
    if (document.activeElement === document.body) this.#composer.focus();
    const answer = conversation.add("assistant", question.id, "");
    answer.model = engine.info.model.name;
    const view = this.#log.growAnswer(answer, tree);
    const added = isNew ? [answer, question] : [answer];

    const takeBack = async () => {
      view.remove();
      const stored = conversation.discard(added, before);
      // At once: the next question follows what is shown now.
      if (conversation === this.#conversation) this.#log.show(tree);
      await stored.catch(reportUnsaved);
    };
    const showIt = (/** @type {string} */ text) => conversation === this.#conversation && this.note(text);
    try {
      const { result, firstTokenMs } = await this.#stream(conversation, question, answer, view, stop.signal);
      this.#onAnswer(result, { firstTokenMs });
      if (result.text) {
        Object.assign(answer, { text: result.text, facts: factsOf(result) });
        if (result.thinking) answer.thinking = result.thinking;
        view.finish();
        if (conversation === this.#conversation) this.#log.announce(result.text);
        showIt(describeEnd(result));
        await this.#save(conversation, isNew ? [question, answer] : [answer]);
      } else {
        await takeBack();
        if (isNew) this.#composer.restore(question.text);
        showIt(describeEnd(result));
      }
    } catch (error) {
      this.#onFailure(error);
      showIt("");
      view.remove();
      if (conversation === this.#conversation) this.#showFailure(error, question, isNew, takeBack);
      else await takeBack();
    } finally {
      this.#stop = null;
      this.#composer.setBusy(false);
    }
  }

  /**
   * @param {Conversation} conversation
   * @param {StoredMessage} question
   * @param {StoredMessage} answer grows
   * @param {AnswerView} view
   * @param {AbortSignal} signal
   */
  async #stream(conversation, question, answer, view, signal) {
    const engine = /** @type {Engine} */ (this.#engine);
    const start = performance.now();
    let firstTokenMs = /** @type {number | null} */ (null);
    let thinkingStart = /** @type {number | null} */ (null);
    let savedAt = start;
    const endThinking = () => {
      if (thinkingStart === null || answer.thinkingMs !== undefined) return;
      answer.thinkingMs = performance.now() - thinkingStart;
      view.endThinking(answer.thinkingMs);
    };
    const reply = engine.chat(conversation.prompt(question, this.#system), { ...this.#generation, signal });
    for await (const piece of reply) {
      const now = performance.now();
      firstTokenMs ??= now - start;
      if (piece.thinking) {
        thinkingStart ??= now;
        answer.thinking = (answer.thinking ?? "") + piece.thinking;
      }
      if (piece.text) {
        endThinking();
        answer.text += piece.text;
      }
      view.append(piece);
      if (conversation === this.#conversation) this.note(translate(piece.text ? "status.writing" : "status.thinking"));
      if (now - savedAt > SAVE_MS && answer.text) {
        savedAt = now;
        void this.#save(conversation, [question, answer]);
      }
    }
    const result = await reply.result;
    endThinking();
    return { result, firstTokenMs };
  }

  /**
   * @param {Conversation} conversation
   * @param {StoredMessage[]} messages
   */
  async #save(conversation, messages) {
    if (!messages.length && !conversation.isStored) return;
    const isNew = !conversation.isStored;
    try {
      await conversation.save(messages);
      if (messages.length) await this.#list.refresh();
    } catch (error) {
      reportUnsaved(error);
      this.note(
        translate("conversations.saveFailed", { reason: error instanceof Error ? error.message : String(error) }),
      );
    }
    if (!isNew || !conversation.isStored || conversation !== this.#conversation) return;
    writeStored(STORED_AS, conversation.id);
    this.#list.select(conversation.id);
  }

  /**
   * @param {unknown} error
   * @param {StoredMessage} question
   * @param {boolean} isNew whether the question stands and falls with its answer
   * @param {() => Promise<void>} takeBack
   */
  #showFailure(error, question, isNew, takeBack) {
    const kind = error instanceof QwispError ? error.kind : "internal";
    const { parentId, text } = question;
    const newChat = {
      label: translate("chat.new"),
      run: () => {
        this.#takeBackFailed();
        this.#startOver();
        this.#composer.restore(text);
        this.#composer.focus();
      },
    };
    const again = {
      label: translate("failure.again"),
      run: () => {
        this.#takeBackFailed();
        void this.#answer(isNew ? text : question, parentId);
      },
    };
    const restart = {
      label: translate("failure.restart"),
      run: () => {
        this.#takeBackFailed();
        if (isNew) this.#composer.restore(text);
        this.#onRestart();
      },
    };
    const actions = FATAL_KINDS.has(kind) ? [restart] : kind === "context-full" ? [newChat] : [again, newChat];
    const failure = this.#log.addFailure(error, actions);
    this.#takeBackFailed = () => {
      this.#takeBackFailed = () => {};
      failure.remove();
      void takeBack();
    };
  }
}

/** @param {ChatResult} result */
function factsOf({ finishReason, usage, timings }) {
  const { completionTokens, promptTokens, cachedTokens } = usage;
  const { decodeTokensPerSecond, prefillMs } = timings;
  return { finishReason, completionTokens, promptTokens, cachedTokens, decodeTokensPerSecond, prefillMs };
}

/** @param {ChatResult} result */
function describeEnd({ finishReason, text, thinking }) {
  if (finishReason === "abort") return translate("status.stopped");
  if (!text && thinking && finishReason === "length") return translate("status.noRoom");
  return translate(text ? "status.done" : "status.noAnswer");
}

/** @param {unknown} error */
function reportUnsaved(error) {
  console.warn("A conversation could not be stored:", error);
}
