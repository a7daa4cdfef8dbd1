/** Has the engine answer a question, and says how that went. */
import { translate } from "./i18n.js";

/**
 * @typedef {import("../qwisp.js").Engine} Engine
 * @typedef {import("../qwisp.js").ChatOptions} ChatOptions
 * @typedef {import("../qwisp.js").ChatResult} ChatResult
 * @typedef {import("../qwisp.js").Message} Message
 * @typedef {import("./conversations/conversation_tree.js").StoredMessage} StoredMessage
 * @typedef {import("./conversations/conversation_tree.js").AnswerFacts} AnswerFacts
 */

/**
 * Lets an answer grow as its pieces come. In the end it is whole; before, it is marked as interrupted, which it stays if the
 * engine fails or the page is closed.
 *
 * @param {object} asked
 * @param {Engine} asked.engine
 * @param {Message[]} asked.messages
 * @param {ChatOptions} asked.options
 * @param {StoredMessage} asked.answer
 * @param {(piece: { text: string, thinking: string }) => void} asked.onPiece is called when the answer has grown by it
 * @param {(ms: number) => void} asked.onThought is called once, with the time that it took
 * @returns {Promise<{ result: ChatResult, firstTokenMs: number | null }>}
 */
export async function writeAnswer({ engine, messages, options, answer, onPiece, onThought }) {
  const start = performance.now();
  let firstTokenMs = /** @type {number | null} */ (null);
  let thinkingStart = /** @type {number | null} */ (null);
  const endThinking = () => {
    if (thinkingStart === null || answer.thinkingMs !== undefined) return;
    answer.thinkingMs = performance.now() - thinkingStart;
    onThought(answer.thinkingMs);
  };
  answer.model = engine.info.model.name;
  answer.isInterrupted = true;
  try {
    const reply = engine.chat(messages, options);
    for await (const piece of reply) {
      firstTokenMs ??= performance.now() - start;
      if (piece.thinking) {
        thinkingStart ??= performance.now();
        answer.thinking = (answer.thinking ?? "") + piece.thinking;
      }
      if (piece.text) {
        endThinking();
        answer.text += piece.text;
      }
      onPiece(piece);
    }
    const result = await reply.result;
    Object.assign(answer, { text: result.text, facts: factsOf(result) });
    if (result.thinking) answer.thinking = result.thinking;
    delete answer.isInterrupted;
    return { result, firstTokenMs };
  } finally {
    endThinking();
  }
}

/** Whether there is anything of it to keep. @param {StoredMessage} answer */
export function hasBegun({ text, thinking }) {
  return text !== "" || Boolean(thinking);
}

/** How an answer ended, in a word or two. @param {ChatResult} result */
export function describeEnd({ finishReason, text, thinking }) {
  if (finishReason === "abort") return translate("status.stopped");
  if (!text && thinking && finishReason === "length") return translate("status.noRoom");
  return translate(text ? "status.done" : "status.noAnswer");
}

/** @param {ChatResult} result @returns {AnswerFacts} */
function factsOf({ finishReason, usage, timings }) {
  const { completionTokens, promptTokens, cachedTokens } = usage;
  const { decodeTokensPerSecond, prefillMs } = timings;
  return { finishReason, completionTokens, promptTokens, cachedTokens, decodeTokensPerSecond, prefillMs };
}
