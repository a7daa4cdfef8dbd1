/** Qwisp as what `measure.js` measures. */
import { QwispError } from "../qwisp.js";

/** @typedef {import("./measure.js").Run} Run */

/**
 * Answers with the likeliest tokens, and computes every token of the prompt anew.
 *
 * @param {import("../qwisp.js").Engine} engine
 * @param {AbortSignal} [signal]
 * @returns {(text: string, maxTokens: number) => Promise<Run>}
 */
export function answerWith(engine, signal) {
  return async (text, maxTokens) => {
    // Scoring leaves the cache with its own first token, and no prompt begins with a digit.
    await engine.score(await engine.tokenize("01"), { signal });
    const options = { temperature: 0, repetitionPenalty: 1, maxTokens, signal };
    const { finishReason, usage, timings } = await engine.chat([{ role: "user", content: text }], options).result;
    if (finishReason === "abort") throw new QwispError("aborted", "the measurement was aborted by its signal");
    if (usage.cachedTokens > 0) throw new Error(`${usage.cachedTokens} tokens of the prompt were in the cache`);
    return {
      promptTokens: usage.promptTokens,
      completionTokens: usage.completionTokens,
      prefill: timings.prefillTokensPerSecond,
      decode: timings.decodeTokensPerSecond,
      counters: await engine.counters(),
    };
  };
}
