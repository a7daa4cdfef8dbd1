/** Never run: the compiler checks that the published types allow what the documentation shows, and nothing looser. */

import {
  Engine,
  FATAL_KINDS,
  QwispError,
  rankModels,
  storedModels,
  type Catalogue,
  type ErrorKind,
} from "../../www/engine/qwisp.js";

export async function useEverything(file: File, signal: AbortSignal): Promise<string> {
  const engine = await Engine.load({
    model: file,
    backend: "auto",
    tier: "auto",
    contextLength: 4096,
    kvCache: "q8",
    cache: true,
    onProgress: ({ phase, loadedBytes, totalBytes, fromCache }) =>
      console.log(phase, loadedBytes / totalBytes, fromCache),
    signal,
  });
  console.log(engine.info.model.name, engine.info.memory.wasmBytes, engine.info.tier);

  const reply = engine.chat([{ role: "user", content: "Hello" }], {
    maxTokens: 10,
    temperature: 0.7,
    topP: 0.8,
    topK: 20,
    minP: 0,
    repetitionPenalty: 1.1,
    presencePenalty: 0,
    frequencyPenalty: 0,
    seed: 1,
    stop: ["\n"],
    minTokens: 2,
    logitBias: { 1: -100, 2: 0.5 },
    logprobs: true,
    topLogprobs: 3,
    contextPolicy: "slide",
    onContextSlide: ({ droppedMessages, promptTokens }) => console.log(droppedMessages, promptTokens),
    thinking: false,
    thinkingBudget: 100,
    tools: [
      { type: "function", function: { name: "now", description: "The time.", parameters: { type: "object" } } },
      { function: { name: "today" } },
    ],
    signal,
  });
  let streamed = "";
  for await (const { text, thinking } of reply) streamed += thinking + text;
  const { finishReason, usage, timings, logprobs } = await reply.result;
  console.log(logprobs?.[0].text, logprobs?.[0].top[0].logprob, usage.droppedMessages);
  console.log(finishReason satisfies "stop" | "length" | "abort", usage.cachedTokens, timings.prefillMs);

  const [entry] = await engine.batch([[{ role: "user", content: "Hello" }]], {
    maxTokens: 10,
    each: [{ temperature: 0 }],
    onText: (index, text) => console.log(index, text),
    signal,
  });
  console.log(entry.error ? entry.error.kind : entry.result.text);

  console.log(usage.thinkingTokens, engine.info.model.thinking satisfies "never" | "optional" | "always");
  engine.chat([
    { role: "system", content: "Be brief." },
    { role: "user", content: "What time is it?" },
    { role: "assistant", reasoning_content: "I look.", tool_calls: [{ function: { name: "now", arguments: {} } }] },
    { role: "tool", content: "12:00", name: "now" },
  ]);

  const ids: Uint32Array = await engine.tokenize("text", { special: false });
  const scores = await engine.score(ids, { from: 1, topK: 5, signal });
  console.log(scores[0].top[0].logprob, await engine.detokenize(ids));
  const { prefill, decode } = await engine.counters();
  console.log(prefill.tokens, decode.weightBytesRead / (await engine.measureBandwidth()));
  await engine.unload();
  return streamed;
}

export async function useStorage(file: File, signal: AbortSignal): Promise<File[]> {
  const imported = await storedModels.importFile(file, {
    sha256: "0".repeat(64),
    onProgress: ({ phase, loadedBytes, totalBytes }) =>
      console.log(phase satisfies "wait" | "verify" | "store", loadedBytes / totalBytes),
    signal,
  });
  const { usedBytes, quotaBytes, isPersistent } = await storedModels.usage();
  console.log(usedBytes / quotaBytes, isPersistent || (await storedModels.askToKeep()));
  const files: File[] = [];
  for (const { address, isComplete, storedBytes, lastUsedAt, sha256 } of await storedModels.list()) {
    console.log(storedBytes, new Date(lastUsedAt), sha256?.length);
    if (isComplete) files.push(await storedModels.exportFile(address));
    else await storedModels.remove(address);
  }
  await storedModels.importFile(new Blob([]), { address: imported.address });
  await storedModels.clear();
  return files;
}

export function isFatal(error: unknown): boolean {
  return error instanceof QwispError && FATAL_KINDS.has(error.kind);
}

export function kindOf(error: unknown): ErrorKind | undefined {
  return error instanceof QwispError ? error.kind : undefined;
}

// @ts-expect-error: a model is required
void Engine.load({});
// @ts-expect-error: a backend is one of two words
void Engine.load({ model: "a.gguf", backend: "cuda" });
declare const loaded: Engine;
// @ts-expect-error: a user does not call tools
loaded.chat([{ role: "user", content: "x", tool_calls: [] }]);
// @ts-expect-error: a tool is a function with a name
loaded.chat([], { tools: [{ type: "function" }] });
// @ts-expect-error: engines are loaded, not constructed
new Engine();

export async function chooseModel({ models }: Catalogue, signal: AbortSignal): Promise<string | null> {
  const probe = await Engine.probe({ backend: "auto", tier: "auto", signal });
  console.log(
    probe.adapter,
    probe.weightBytesPerSecond,
    probe.checks.map(({ tier, detail }) => tier + detail),
  );
  const [{ model, recommended, reason, tokensPerSecond, fits }] = rankModels(models, {
    task: "maths",
    probe,
    memoryBytes: 8 * 2 ** 30,
  });
  console.log(reason satisfies "best" | "good" | "slow" | "memory" | "other-task", tokensPerSecond, fits);
  // @ts-expect-error: there is no such task
  rankModels(models, { task: "math" });
  return recommended ? model.id : null;
}
