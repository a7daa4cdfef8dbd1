import { FATAL_KINDS, QwispError } from "../qwisp.js";
import { describeEnd, hasBegun, writeAnswer } from "./answering.js";
import { Composer } from "./composer.js";
import { Conversation, DeletedElsewhere } from "./conversations/conversation.js";
import { memoryStore } from "./conversations/memory_store.js";
import { ConversationsView } from "./conversations_view.js";
import { byId, isFocusHidden } from "./dom.js";
import { translate } from "./i18n.js";
import { LogView } from "./log_view.js";
import { ModelGate } from "./model_gate.js";
import { readStoredOfTab, writeStoredOfTab } from "./stored_choice.js";

/**
 * @typedef {import("../qwisp.js").Engine} Engine
 * @typedef {import("../qwisp.js").ChatOptions} ChatOptions
 * @typedef {import("../qwisp.js").ChatResult} ChatResult
 * @typedef {import("./conversations/conversation_store.js").ConversationStore} ConversationStore
 * @typedef {import("./conversations/conversation_tree.js").StoredMessage} StoredMessage
 */

/** The conversation that opens at the tab's next visit; an empty text is a new one. */
const STORED_AS = "qwisp.conversation";
/** An answer on its way is stored so often, for the case that the page is closed. */
const SAVE_MS = 1000;

/** The conversation that is open: it can be read at once, and gone on with when there is an engine. */
export class ChatView {
  #section = byId("chat", HTMLElement);
  #status = byId("status", HTMLElement);
  #newChat = byId("new-chat", HTMLButtonElement);
  #log = new LogView({
    onEdit: (question, text) => this.#edit(question, text),
    onRegenerate: (answer) => this.#regenerate(answer),
    onSwitch: (message, step) => this.#switchVersion(message, step),
  });
  #composer = new Composer({
    onSend: (text) => this.#answer(text, this.#conversation.tree.answeredId),
    onStop: () => this.#stop?.abort(),
  });
  #gate = new ModelGate();
  #list = new ConversationsView({
    onOpen: (id) => this.#open(id),
    onGone: (id) => {
      if (id !== this.#conversation.id) return;
      this.#conversation.markGone();
      this.startOver();
    },
    onRenamed: (id, title) => id === this.#conversation.id && (this.#conversation.title = title),
  });
  #handlers;
  #system;
  /** Null while the conversation can only be read. @type {Engine | null} */
  #engine = null;
  /** @type {ChatOptions} */
  #generation = {};
  #store = memoryStore();
  #conversation = new Conversation(this.#store);
  /** The id of the conversation that was chosen last: it is open, or being opened. */
  #chosen = this.#conversation.id;
  /** Stops the answer that is on its way. @type {AbortController | null} */
  #stop = null;
  /** Settles when the answer that was on its way last has ended and is stored. */
  #answering = Promise.resolve();
  /** Stores what there is of the answer that is on its way. */
  #keepAnswer = () => {};
  /** What is said about the last failure. @type {HTMLElement | null} */
  #failure = null;

  /**
   * @param {object} options
   * @param {string | null} options.system System prompt of every chat.
   * @param {() => void} options.onOpen Somebody chose a conversation, which has to be shown.
   * @param {() => void} options.onStartOver A new conversation has begun.
   * @param {() => void} options.onRestart Has to load the engine again.
   * @param {(result: ChatResult, measured: { firstTokenMs: number | null }) => void} options.onAnswer
   * @param {(error: unknown) => void} options.onFailure
   */
  constructor({ system, ...handlers }) {
    this.#system = system;
    this.#handlers = handlers;
    this.#newChat.addEventListener("click", () => {
      this.#list.closeDrawer();
      this.startOver();
      this.#composer.focus();
    });
    // The last event that a page is sure to get.
    document.addEventListener("visibilitychange", () => document.hidden && this.#keepAnswer());
  }

  /** Whether nothing has been said in the conversation that is open. */
  get isEmpty() {
    return this.#conversation.tree.messages.length === 0;
  }

  /** Whether the conversation is what the page shows. */
  get isShown() {
    return !this.#section.hidden;
  }

  /**
   * Shows the list of conversations, and opens the last one unless a new one is wanted.
   *
   * @param {ConversationStore} store
   * @param {{ isNew: boolean }} options
   */
  async useStore(store, { isNew }) {
    this.#store = store;
    const last = isNew ? null : readStoredOfTab(STORED_AS);
    const stored = last ? await store.read(last).catch(() => null) : null;
    await this.#list.useStore(store);
    this.#use(new Conversation(store, stored));
  }

  /**
   * Goes on with the conversation there is, on this engine.
   *
   * @param {Engine} engine
   * @param {ChatOptions} generation
   */
  show(engine, generation) {
    const isReading = document.activeElement?.closest("#log, #conversations");
    this.#engine = engine;
    this.#generation = generation;
    this.#gate.hide();
    this.#composer.show();
    this.#reveal();
    if (!isReading) this.#composer.focus();
  }

  /**
   * Shows the conversation without a way to go on.
   *
   * @param {() => import("./model_gate.js").Gate} describeGate what has to come before
   */
  read(describeGate) {
    this.#engine = null;
    this.#composer.hide();
    this.#gate.show(describeGate);
    this.#reveal();
    if (isFocusHidden()) this.#gate.focus();
  }

  #reveal() {
    this.#section.classList.toggle("reading", this.#engine === null);
    this.#section.hidden = false;
    this.#newChat.hidden = false;
    this.#list.offer();
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
  }

  /** Begins a new conversation. */
  startOver() {
    this.#stop?.abort();
    this.#use(new Conversation(this.#store));
    this.#handlers.onStartOver();
  }

  /** @param {Conversation} conversation */
  #use(conversation) {
    this.#conversation = conversation;
    this.#chosen = conversation.id;
    this.#dismissFailure();
    this.#log.clear();
    this.#showTree();
    this.#markOpen();
    this.note("");
  }

  /** Shows what is said in the conversation. @param {{ jump?: boolean }} [options] */
  #showTree(options) {
    const { tree } = this.#conversation;
    this.#log.show(tree, options);
    const last = tree.path().at(-1);
    if (last?.role !== "user" || this.#stop || this.#failure) return;
    this.#log.offerAnswer(() => this.#answer(last, last.parentId));
  }

  /** Marks the conversation in the list, and for the next visit. */
  #markOpen() {
    const { id, isStored } = this.#conversation;
    writeStoredOfTab(STORED_AS, isStored ? id : "");
    this.#list.select(isStored ? id : null);
  }

  /** @param {string} id @returns {Promise<void>} */
  async #open(id) {
    this.#chosen = id;
    if (id !== this.#conversation.id) {
      // An answer that is being stopped may be this one's, and has to be stored before it is read.
      if (this.#stop?.signal.aborted) await this.#answering;
      const stored = await this.#store.read(id);
      if (this.#chosen !== id) return;
      if (!stored) return this.#list.refresh();
      this.#stop?.abort();
      this.#use(new Conversation(this.#store, stored));
    }
    this.#handlers.onOpen();
    if (this.#engine) this.#composer.focus();
    else this.#log.focus();
  }

  /**
   * @param {StoredMessage} question
   * @param {string} text
   * @returns {boolean} whether it is asked
   */
  #edit(question, text) {
    if (this.#stop || !this.#engine) return false;
    this.#answer(text, question.parentId);
    return true;
  }

  /** @param {StoredMessage} answer */
  #regenerate(answer) {
    const question = answer.parentId === null ? undefined : this.#conversation.tree.get(answer.parentId);
    if (question) this.#answer(question, question.parentId);
  }

  /**
   * @param {StoredMessage} message
   * @param {-1 | 1} step
   */
  #switchVersion(message, step) {
    if (this.#stop) return;
    const { tree } = this.#conversation;
    const versions = tree.versions(message);
    const next = versions[versions.findIndex(({ id }) => id === message.id) + step];
    if (!next) return;
    this.#dismissFailure();
    tree.select(next.id);
    this.#showTree({ jump: false });
    this.#log.focusSwitch(next.id, step);
    if (this.#conversation.isStored) void this.#save(this.#conversation, []);
  }

  /**
   * Asks a question, a new one by its text, and shows the answer as it comes. One at a time.
   *
   * @param {string | StoredMessage} asked
   * @param {string | null} parentId the message before the question
   */
  #answer(asked, parentId) {
    if (!this.#stop && this.#engine) this.#answering = this.#write(this.#engine, asked, parentId);
  }

  /**
   * @param {Engine} engine
   * @param {string | StoredMessage} asked
   * @param {string | null} parentId
   */
  async #write(engine, asked, parentId) {
    const stop = new AbortController();
    this.#stop = stop;
    this.#dismissFailure();
    this.#composer.setBusy(true);
    this.note(translate("status.reading"));
    const conversation = this.#conversation;
    const { tree } = conversation;
    const before = tree.leafId;
    const isNew = typeof asked === "string";
    const question = isNew ? conversation.add("user", parentId, asked) : asked;
    if (isNew) void this.#save(conversation, [question]);
    else tree.cut(question.id);
    this.#log.show(tree);
    // The button that was pressed may be gone.
    if (document.activeElement === document.body) this.#composer.focus();
    const answer = conversation.add("assistant", question.id, "");
    const view = this.#log.growAnswer(answer, tree);

    let keptAt = -Infinity;
    this.#keepAnswer = () => {
      if (!hasBegun(answer)) return;
      keptAt = performance.now();
      conversation.save([answer]).catch(reportUnsaved);
    };
    const isOpen = () => conversation === this.#conversation;
    const say = (/** @type {string} */ text) => isOpen() && this.note(text);
    try {
      const { result, firstTokenMs } = await writeAnswer({
        engine,
        messages: conversation.prompt(question, this.#system),
        options: { ...this.#generation, signal: stop.signal },
        answer,
        onPiece: (piece) => {
          view.append(piece);
          say(translate(piece.text ? "status.writing" : "status.thinking"));
          if (performance.now() - keptAt > SAVE_MS) this.#keepAnswer();
        },
        onThought: (ms) => view.endThinking(ms),
      });
      this.#handlers.onAnswer(result, { firstTokenMs });
      if (result.text) {
        view.finish();
        if (isOpen()) this.#log.announce(result.text);
        say(describeEnd(result));
        await this.#save(conversation, [answer]);
      } else {
        view.remove();
        // A question goes back to where it was written, or else stays, to be answered later.
        const isBack = isNew && isOpen() && this.#composer.restore(question.text);
        if (isBack) await this.#takeBack(conversation, [answer, question], before);
        else await this.#takeBack(conversation, [answer], isNew ? question.id : before);
        say(describeEnd(result));
      }
    } catch (error) {
      this.#handlers.onFailure(error);
      say("");
      if (hasBegun(answer)) {
        view.finish();
        void this.#save(conversation, [answer]);
      } else {
        view.remove();
        void this.#takeBack(conversation, [answer], isNew ? question.id : before);
      }
      if (isOpen()) this.#showFailure(error, question, { isMovable: isNew && !hasBegun(answer), before });
    } finally {
      this.#stop = null;
      this.#keepAnswer = () => {};
      this.#composer.setBusy(false);
      this.#showTree({ jump: false }); // this question, or one in what was opened since, may want an answer
    }
  }

  /**
   * Takes messages that came to nothing off the page and out of the store.
   *
   * @param {Conversation} conversation
   * @param {StoredMessage[]} messages the last one first
   * @param {string | null} before the last message that was shown before them
   */
  async #takeBack(conversation, messages, before) {
    const stored = conversation.discard(messages, before);
    // At once: the next question follows what is shown now.
    if (conversation === this.#conversation) this.#log.show(conversation.tree);
    await stored.catch(reportUnsaved);
    if (conversation === this.#conversation) this.#markOpen();
    await this.#list.tellOfChange();
  }

  /**
   * @param {Conversation} conversation
   * @param {StoredMessage[]} messages
   */
  async #save(conversation, messages) {
    try {
      await conversation.save(messages);
      if (conversation === this.#conversation) this.#markOpen();
      if (messages.length) await this.#list.tellOfChange();
    } catch (error) {
      reportUnsaved(error);
      const reason = error instanceof Error ? error.message : String(error);
      const isDeleted = error instanceof DeletedElsewhere;
      this.note(isDeleted ? translate("conversations.gone") : translate("conversations.saveFailed", { reason }));
    }
  }

  /**
   * @param {unknown} error
   * @param {StoredMessage} question stays, so that it can be asked again
   * @param {{ isMovable: boolean, before: string | null }} options `isMovable`: the question may leave this conversation,
   *   where `before` was the last message without it
   */
  #showFailure(error, question, { isMovable, before }) {
    const kind = error instanceof QwispError ? error.kind : "internal";
    const conversation = this.#conversation;
    const newChat = {
      label: translate("chat.new"),
      run: () => {
        if (this.#composer.restore(question.text) && isMovable) void this.#takeBack(conversation, [question], before);
        this.startOver();
        this.#composer.focus();
      },
    };
    const again = { label: translate("failure.again"), run: () => this.#answer(question, question.parentId) };
    const restart = {
      label: translate("failure.restart"),
      run: () => {
        this.#dismissFailure();
        this.#showTree();
        this.#handlers.onRestart();
      },
    };
    const actions = FATAL_KINDS.has(kind) ? [restart] : kind === "context-full" ? [newChat] : [again, newChat];
    this.#failure = this.#log.addFailure(error, actions);
  }

  #dismissFailure() {
    this.#failure?.remove();
    this.#failure = null;
  }
}

/** @param {unknown} error */
function reportUnsaved(error) {
  console.warn("A conversation could not be stored:", error);
}
