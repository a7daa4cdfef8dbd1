/**
 * The measurement, whatever answers: prompts of given lengths, each several times, the medians of the speeds. The page
 * `bench.html` and `scripts/bench.mjs` both run it; `examples/bench.rs` does the same natively.
 */

/** What every prompt begins with, and what fills it up: one token of a Qwen each time. */
export const OPENING = "Tell a long story about";
const FILLER = " a";

/**
 * One answer to a prompt of which nothing was in the KV cache.
 *
 * @typedef {object} Run
 * @property {number} promptTokens
 * @property {number} completionTokens
 * @property {number} prefill Prompt tokens per second.
 * @property {number} decode Tokens of the answer, after the first, per second.
 * @property {import("../engine/qwisp.d.ts").ReplyCounters} [counters]
 */

/**
 * What the runs of one length of prompt gave.
 *
 * @typedef {object} LengthResult
 * @property {number} promptTokens
 * @property {number} completionTokens Of the last run.
 * @property {number} runs
 * @property {number} prefill Median, in tokens per second.
 * @property {number} decode Median, in tokens per second.
 * @property {import("../engine/qwisp.d.ts").ReplyCounters} [counters] Of the last run.
 */

/**
 * @typedef {object} Plan
 * @property {number[]} prompts Lengths in tokens, with all that the template adds.
 * @property {number} generate Tokens of an answer. One that ends early counts with the tokens it has.
 * @property {number} runs How often each length is measured.
 * @property {number} patienceMs What one length may take: a slow device gets fewer runs, and not the lengths of which
 *   even one would take longer.
 */

/**
 * @param {(text: string, maxTokens: number) => Promise<Run>} answer
 * @param {Plan} plan
 * @param {(step: string) => void} onStep Is told what happens now.
 * @returns {Promise<{ lengths: LengthResult[], notes: string[] }>} The notes say what was not measured as planned.
 */
export async function measure(answer, { prompts, generate, runs, patienceMs }, onStep) {
  onStep("Warming up");
  const { promptTokens: openingTokens } = await answer(OPENING, Math.min(generate, 2));

  /** @type {LengthResult[]} */
  const lengths = [];
  /** @type {string[]} */
  const notes = [];
  for (const promptTokens of prompts) {
    const text = promptText(promptTokens, openingTokens);
    const expectedMs = expectedDuration(promptTokens, generate, lengths.at(-1));
    if (expectedMs > patienceMs) {
      notes.push(`A prompt of ${promptTokens} was left out: one run would take about ${describe(expectedMs)}.`);
      continue;
    }
    const { done, spentMs } = await repeat(runs, patienceMs, async (run) => {
      onStep(`Prompt of ${promptTokens} tokens, run ${run} of ${runs}`);
      const result = await answer(text, generate);
      if (result.promptTokens !== promptTokens) {
        throw new Error(`a prompt of ${promptTokens} tokens came out as one of ${result.promptTokens}`);
      }
      return result;
    });
    if (done.length < runs) {
      const each = describe(spentMs / done.length);
      notes.push(`A prompt of ${promptTokens} was measured ${done.length} of ${runs} times: a run takes ${each}.`);
    }
    const last = done[done.length - 1];
    lengths.push({
      promptTokens,
      completionTokens: last.completionTokens,
      runs: done.length,
      prefill: median(done.map(({ prefill }) => prefill)),
      decode: median(done.map(({ decode }) => decode)),
      counters: last.counters,
    });
  }
  return { lengths, notes };
}

/**
 * The middle value, or the mean of the two in the middle.
 *
 * @param {number[]} values At least one.
 */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}

/**
 * Repeats as often as wanted, but ends before the patience does.
 *
 * @template T
 * @param {number} times
 * @param {number} patienceMs
 * @param {(time: number) => Promise<T>} run
 */
async function repeat(times, patienceMs, run) {
  const started = performance.now();
  /** @type {T[]} */
  const done = [];
  let spentMs = 0;
  while (done.length < times && (done.length === 0 || spentMs + spentMs / done.length <= patienceMs)) {
    done.push(await run(done.length + 1));
    spentMs = performance.now() - started;
  }
  return { done, spentMs };
}

/**
 * @param {number} promptTokens
 * @param {number} openingTokens Those of the shortest prompt.
 */
function promptText(promptTokens, openingTokens) {
  if (promptTokens < openingTokens) {
    throw new RangeError(`a prompt has at least ${openingTokens} tokens, not ${promptTokens}`);
  }
  return OPENING + FILLER.repeat(promptTokens - openingTokens);
}

/**
 * @param {number} promptTokens
 * @param {number} generate
 * @param {LengthResult | undefined} before Nothing is expected when nothing is known.
 */
function expectedDuration(promptTokens, generate, before) {
  return before ? 1000 * (promptTokens / before.prefill + (before.decode ? generate / before.decode : 0)) : 0;
}

/** @param {number} ms */
function describe(ms) {
  return ms < 90_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;
}
