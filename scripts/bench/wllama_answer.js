/** wllama, llama.cpp in the browser, as what `www/bench/measure.js` measures: on the CPU, with one thread. */

/** @typedef {import("../../www/bench/measure.js").Run} Run */

const LOAD_OPTIONS = { n_ctx: 4096, n_threads: 1, n_gpu_layers: 0 };

/**
 * @param {string} url of the server, with a slash at its end
 * @returns {Promise<any>} wllama with the model
 */
export async function loadWllama(url) {
  const { LoggerWithoutDebug, Wllama } = await import(`${url}wllama/index.js`);
  const paths = { default: `${url}wllama/wasm/wllama.wasm` };
  const wllama = new Wllama(paths, { suppressNativeLog: true, logger: LoggerWithoutDebug });
  await wllama.loadModelFromUrl(`${url}model.gguf`, LOAD_OPTIONS);
  if (wllama.getNumThreads() !== 1) throw new Error(`wllama has ${wllama.getNumThreads()} threads`);
  return wllama;
}

/**
 * Answers with the likeliest tokens, and computes every token of the prompt anew.
 *
 * @param {any} wllama
 * @returns {(text: string, maxTokens: number) => Promise<Run>}
 */
export function answerWithWllama(wllama) {
  return async (text, maxTokens) => {
    /** @type {any} */
    let timings;
    await wllama.createChatCompletion({
      messages: [{ role: "user", content: text }],
      max_tokens: maxTokens,
      temperature: 0,
      cache_prompt: false,
      stream: true,
      onData: (/** @type {any} */ chunk) => (timings = chunk.timings ?? timings),
    });
    if (!timings || timings.cache_n) throw new Error(`no time of a whole prompt: ${JSON.stringify(timings)}`);
    const { prompt_n, prompt_ms, predicted_n, predicted_ms } = timings;
    return {
      promptTokens: prompt_n,
      completionTokens: predicted_n,
      prefill: (1000 * prompt_n) / prompt_ms,
      // The first token comes with the prompt.
      decode: predicted_ms > 0 ? (1000 * (predicted_n - 1)) / predicted_ms : 0,
    };
  };
}
