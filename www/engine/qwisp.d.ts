/**
 * Qwisp: a small Qwen language model that runs in the browser, on WebGPU or the processor, in a worker of its own.
 *
 * ```js
 * import { Engine } from "./qwisp.js";
 * const engine = await Engine.load({ model: "qwen2.5-coder-0.5b" });
 * for await (const { text } of engine.chat([{ role: "user", content: "Hello!" }])) console.log(text);
 * ```
 */

/**
 * What went wrong, for code to switch on:
 *
 * - `no-webgpu`: no WebGPU here, no usable adapter, or one that computes wrongly, where the backend `webgpu` was asked for. The
 *   message then says which check of the self-test failed.
 * - `unsupported-model`: a sound GGUF whose architecture or tensor type the engine does not know.
 * - `bad-file`: not a GGUF, or a damaged or truncated one.
 * - `network`: a file could not be fetched, or the connection broke.
 * - `integrity`: the file does not have the expected SHA-256.
 * - `quota`: the browser's storage has no room, or refuses to keep anything. Only `storedModels` fails with it: a model that
 *   can't be kept is loaded all the same.
 * - `out-of-memory`: the model or its KV cache does not fit in memory. The engine is dead; load it again, perhaps with a
 *   shorter context or a smaller model.
 * - `device-lost`: the GPU went away. The engine is dead; load it again.
 * - `context-full`: the messages do not fit in the context, or the device has no memory left for a longer conversation.
 *   The engine still works.
 * - `aborted`: `Engine.load`, `Engine.probe`, `score` or `storedModels.importFile` was stopped by its signal.
 * - `invalid-argument`: an argument was wrong. The engine still works.
 * - `unloaded`: the engine was unloaded before the call could be answered.
 * - `internal`: a fault of the engine. The engine is dead; load it again.
 */
export type ErrorKind =
  | "no-webgpu"
  | "unsupported-model"
  | "bad-file"
  | "network"
  | "integrity"
  | "quota"
  | "out-of-memory"
  | "device-lost"
  | "context-full"
  | "aborted"
  | "invalid-argument"
  | "unloaded"
  | "internal";

/** The kinds after which the engine is dead: `out-of-memory`, `device-lost`, `unloaded`, `internal`. */
export const FATAL_KINDS: ReadonlySet<ErrorKind>;

/** Every failure of the engine. The message says what failed, where, what was found and what was expected. */
export class QwispError extends Error {
  constructor(kind: ErrorKind, message: string, options?: ErrorOptions);
  readonly name: "QwispError";
  readonly kind: ErrorKind;
}

export interface LoadOptions {
  /**
   * The address of a GGUF file (absolute, or relative to the document), an id from `models.json` beside this module,
   * or a `File` or `Blob`. A string is an id when it holds no `/`, `:` or `?` and does not end in `.gguf`.
   */
  model: string | URL | Blob;
  /**
   * SHA-256 of the file, 64 hexadecimal digits; another file fails with `integrity`. Default: the catalogue's, or the one
   * that the server states (`Repr-Digest`, `X-Linked-ETag`, or Hugging Face of its files), or no check.
   */
  sha256?: string;
  /**
   * What computes: a GPU by `webgpu`, or the processor by `cpu`, in one thread. `auto` is `webgpu` where there is a GPU
   * for it, or a `tier` is asked for, and `cpu` elsewhere: also where WebGPU has only a software adapter, or a GPU that
   * fails the self-test. Default: `auto`.
   *
   * The self-test comes before the download: a tiny model reads a prompt and writes an answer on the GPU, and what comes of it
   * is compared with the same on the processor. A software adapter that was asked for is taken without it.
   */
  backend?: Backend;
  /**
   * Which features of the GPU the kernels may use: `core` is what every WebGPU has, `f16` adds 16-bit numbers, `packed`
   * products of packed 8-bit integers, `subgroups` sums across neighbouring threads. One that the GPU lacks is refused,
   * as is any with the backend `cpu`, and one that fails the self-test. Default: `auto`, the best there is that computes
   * rightly.
   */
  tier?: Tier;
  /** Tokens that prompt and answer share, at least 2. Default: 4096, or the model's own limit when that is lower. */
  contextLength?: number;
  /**
   * How keys and values of the conversation are kept. `q8` takes 53% of the memory of `f16`, so that a longer conversation
   * fits and less is read for each token, and makes answers a little less exact. Default: `f16`.
   */
  kvCache?: KvCache;
  /**
   * Whether to keep the file in IndexedDB for the next visit. A `File` that was kept is loaded again by its address in
   * `storedModels.list()`, or by the same `File`. A `Blob` can't be kept so: it has no name. Default: `true` for an address,
   * `false` for a `File` or `Blob`.
   */
  cache?: boolean;
  /**
   * How long to go on trying, in milliseconds, while a server fails, stalls or can't be reached: the pauses between
   * attempts add up to at most so much, anew after each byte that comes. A server that has sent nothing of the file yet gets
   * two seconds at most, unless it says when to come back. A connection counts as stalled after a sixth of this without a byte, but
   * after 1 to 20 seconds. 0 gives up at the first failure. Default: 120,000.
   */
  patienceMs?: number;
  /** Called while loading: about five times a second while bytes come, and each second while it waits. */
  onProgress?: (progress: LoadProgress) => void;
  /**
   * Stops the load, which then rejects with `aborted` at once. What was verified stays stored, and the next load goes on
   * there.
   */
  signal?: AbortSignal;
}

/** What to look at, as in `LoadOptions`. */
export interface ProbeOptions {
  backend?: Backend;
  tier?: Tier;
  /** Stops it; it then rejects with `aborted`. */
  signal?: AbortSignal;
}

/** What would compute on this device, whether it computes rightly, and how fast it reads weights. Plain data. */
export interface Probe {
  backend: "webgpu" | "cpu";
  /** As in `EngineInfo`. */
  adapter: string;
  /** As in `EngineInfo`. */
  tier: string;
  /** Whether the processor computes: with the backend `cpu`, or in the place of a GPU. */
  isSoftware: boolean;
  /**
   * Bytes of weights that the product of decoding reads in a second, counted as they are in the file, in the type Q4_K,
   * which most weights of a Q4_K_M file have.
   */
  weightBytesPerSecond: number;
  /** The same by the types of weights, by which they are decoded: Q4_K, Q5_0, Q6_K and Q8_0. */
  bytesPerSecondByType: Record<string, number>;
  /** What starting a kernel takes besides, when it waits for the one before; 0 on the backend `cpu`. */
  secondsPerDispatch: number;
  /** As in `EngineInfo`. */
  fallback: Fallback | null;
  /** The self-tests of the GPU, in their order; none where there is no GPU to test. */
  checks: {
    /** The tier that was tested. */
    tier: string;
    passed: boolean;
    /** What was wrong: the check, what was got and what was expected. Empty if it passed. */
    detail: string;
  }[];
}

/** What a model is to be used for. */
export type Task = "chat" | "code" | "maths" | "reasoning" | "languages";

/** How a model suits a task and a device. */
export interface RankedModel {
  model: CatalogueModel;
  /**
   * How fast it should write here, at the beginning of a conversation; null without a probe. A model that thinks writes its
   * thoughts first.
   */
  tokensPerSecond: number | null;
  /**
   * Whether weights, keys and values of 4096 tokens, and the module should find room: in half of `memoryBytes`. Null without
   * it.
   */
  fits: boolean | null;
  /** Whether it is the one to take: the first in the list, if that does the task and fits. */
  recommended: boolean;
  /**
   * Why it stands where it does: `best` and `good` do the task, fit, and are fast enough as far as is known; `slow` does it at
   * less than 5 tokens a second; `memory` would probably find no room; `other-task` was made for something else.
   */
  reason: "best" | "good" | "slow" | "memory" | "other-task";
}

/**
 * Sorts models by what they are worth for a task on a device, best first. Pure and synchronous: `models` are those of
 * `models.json`.
 *
 * Models that do the task come before others, those that fit before those that do not, those that write at least 5 tokens a
 * second before slower ones. Among equals the better grade in `CatalogueModel.tasks` decides, and then the order of the
 * catalogue; among slow ones the speed.
 */
export function rankModels(
  models: CatalogueModel[],
  options?: {
    /** Default: `chat`. */
    task?: Task;
    probe?: Probe;
    /**
     * The device's memory, of which half is counted on. Browsers tell little of it: `navigator.deviceMemory` times 2 ** 30 is
     * rounded, has an upper limit, and is not there everywhere; leave it out then.
     */
    memoryBytes?: number;
  },
): RankedModel[];

/** What computes; see `LoadOptions`. */
export type Backend = "auto" | "webgpu" | "cpu";

/** How keys and values are kept; see `LoadOptions`. */
export type KvCache = "f16" | "q8";

/** Which features of the GPU to use; see `LoadOptions`. */
export type Tier = "auto" | "core" | "f16" | "packed" | "subgroups";

export interface LoadProgress {
  /**
   * `download` takes the file from its address and `upload` from this device's storage, both to what computes; a file that
   * is stored in part takes both. `wait`: another tab is downloading the same file, and the figures are that tab's. `compile`
   * prepares the shaders; `ready` comes once, last.
   */
  phase: "wait" | "download" | "verify" | "upload" | "compile" | "ready";
  /**
   * Goes back to 0 when the file has changed on its server, see `notice`, and when another tab's figures end: this one then tells what
   * it has. Goes back by at most 4 MiB if a server begins again at an earlier byte, and by less than 16 MiB if one of several requests at the
   * same time fails.
   */
  loadedBytes: number;
  /** 0 as long as it isn't known. */
  totalBytes: number;
  /** Whether the bytes come from this device's storage rather than the network; in the end, whether all did. */
  fromCache: boolean;
  /** Over the last seconds; null while nothing comes, or too little to tell. */
  bytesPerSecond: number | null;
  /** Until the last byte, at that speed. */
  secondsLeft: number | null;
  /** While the server fails or can't be reached: how long until it is asked again. Otherwise null. */
  retryInMs: number | null;
  /** The latest thing that happened in this load that a person should know. It stays until the end. */
  notice: LoadNotice | null;
}

export type LoadNotice =
  /** The file changed on its server in the middle of the download, which starts over. */
  | { kind: "changed" }
  /** The model works, but isn't kept, or not all of it. */
  | ({ kind: "not-kept" } & NotKept);

export interface NotKept {
  /** `no-room`: too little free storage. `refused`: the browser has no storage for this page, or it fails. */
  reason: "no-room" | "refused";
  /** How many bytes more there would have to be free, if the browser says. */
  missingBytes: number | null;
}

/** What was given up, and for what reason: WebGPU for the processor, or a tier of its kernels for `core`. */
export interface Fallback {
  /** `webgpu`, or the tier, `subgroups` for instance. */
  from: string;
  /**
   * - `no-webgpu`: there is no WebGPU, no adapter, or none with the limits of core WebGPU
   * - `software-adapter`: the adapter is no GPU, but the processor in its place
   * - `self-test`: it computed wrongly in the self-test
   * - `out-of-memory`: it had no memory for the self-test
   * - `device-lost`: it was lost when it was opened or tested, or reported a fault, of a kernel that it refuses for instance
   */
  reason: "no-webgpu" | "software-adapter" | "self-test" | "out-of-memory" | "device-lost";
  /** The same in English, with what was got and what was expected. */
  message: string;
}

/** What was loaded and what it runs on, as of the moment when loading ended. */
export interface EngineInfo {
  model: {
    /** As the file names it. */
    name: string;
    /** `qwen2` or `qwen3`. */
    architecture: string;
    /** Number of weights. */
    parameters: number;
    /** For example `Q4_K_M`. */
    quantization: string;
    /** Tokens that prompt and answer share, in this engine. */
    contextLength: number;
    /** Whether it thinks before it answers. `optional`: as `ChatOptions.thinking` says. */
    thinking: "never" | "optional" | "always";
    /** Whether its template has a place for `ChatOptions.tools`. */
    tools: boolean;
  };
  backend: "webgpu" | "cpu";
  /** The GPU, in the browser's words; on the backend `cpu`, what it computes with. */
  adapter: string;
  /** The tier of kernels that was chosen, `core` for instance; see `LoadOptions`. On the backend `cpu`, `simd128`. */
  tier: string;
  /** What would have computed by itself, and why it doesn't. Null where nothing was given up, or was never to be tried. */
  fallback: Fallback | null;
  memory: {
    weightsBytes: number;
    /** Keys and values when the context is full. They take as much as the conversation needs, in steps of 1024 tokens. */
    kvCacheBytes: number;
    /** Size of the WebAssembly module's memory; on the backend `cpu`, weights and KV cache are in it. */
    wasmBytes: number;
  };
  /** Whether the file is kept on this device now, so that the next load needs no network. */
  stored: boolean;
  /** Why it isn't, where it should have been. Null if it is, and where `cache` or the kind of source doesn't ask for it. */
  notKept: NotKept | null;
}

/**
 * One turn of a conversation, as OpenAI's chat completions have it. All texts in it are plain: control tokens written in
 * them have no effect.
 */
export type Message = { role: "system" | "user"; content: string } | AssistantMessage | ToolMessage;

/** What the model said. A `ChatResult` goes back in as `{ role: "assistant", content: result.text }`. */
export interface AssistantMessage {
  role: "assistant";
  /** May be null or left out beside `tool_calls`. */
  content?: string | null;
  /**
   * What the model thought, as in `result.thinking`. The model's template decides what becomes of it: Qwen3's leaves it
   * out, unless tools were called for the question that is being answered.
   */
  reasoning_content?: string | null;
  /** The tools that the model called. */
  tool_calls?: ToolCall[] | null;
}

/** The result of a tool that the model called. */
export interface ToolMessage {
  role: "tool";
  content: string;
  tool_call_id?: string | null;
  name?: string | null;
}

export interface ToolCall {
  id?: string | null;
  type?: "function";
  function: {
    name: string;
    /** An object, or the JSON of one: the model's template gets what it wants. */
    arguments?: string | Record<string, unknown> | null;
  };
}

/** A function that the model may call, as OpenAI and transformers describe it. */
export interface Tool {
  type?: "function";
  function: {
    name: string;
    description?: string;
    /** A JSON Schema of the arguments. */
    parameters?: Record<string, unknown>;
    [more: string]: unknown;
  };
}

/**
 * How to generate. Steps are taken in this order: logit bias, penalties, temperature, top-k, top-p, min-p, then a draw
 * from what is left. The defaults are what Qwen recommends, but for the repetition penalty, which is off. Where two are
 * given, the second is for a model that thinks before it answers.
 *
 * `logitBias`, `minTokens`, `logprobs`, and `topK` of 0 or above 64 at a temperature above 0, need all logits of each
 * token on the CPU: 600 KB are read back then, and no token is under way before the one before it is known. So they slow
 * the answer down.
 */
export interface ChatOptions {
  /** Most tokens to write, thinking and answer together. Default: what the context has left. */
  maxTokens?: number;
  /**
   * Before so many tokens the answer does not end by itself: the model cannot end its turn, and texts of `stop` are text
   * like any other. At most `maxTokens`. Default: 0.
   */
  minTokens?: number;
  /** Randomness; 0 always takes the likeliest token, which makes thinking go round in circles. Default: 0.7 or 0.6. */
  temperature?: number;
  /** Keep the likeliest tokens that together have this probability. Default: 0.8 or 0.95. */
  topP?: number;
  /** Keep this many of the likeliest tokens; 0 keeps all. Default: 20. */
  topK?: number;
  /** Keep tokens at least this fraction as likely as the likeliest. Default: 0. */
  minP?: number;
  /** Above 1, makes tokens that already occurred less likely, by division. Default: 1, off. */
  repetitionPenalty?: number;
  /** Subtracted from the score of every token that already occurred in the answer. Default: 0. */
  presencePenalty?: number;
  /** Subtracted once for each time that the token already occurred in the answer. Default: 0. */
  frequencyPenalty?: number;
  /** The same seed, messages and options give the same answer on the same device. Default: random. */
  seed?: number;
  /**
   * Texts that end the answer, as soon as one of them is complete; they are not part of it. None may be empty. Where the
   * borders of tokens fall makes no difference. Thoughts may hold them.
   */
  stop?: string[];
  /**
   * Added to the logits of tokens, by token id: from -100 to 100, where -100 bans the token, whatever its logit, and 100
   * makes all but sure that it is chosen. Ids come from `tokenize`. Default: none.
   */
  logitBias?: Record<number, number>;
  /** Whether the result says how likely the model found each token of its answer. Default: `false`. */
  logprobs?: boolean;
  /** How many of the likeliest tokens it names beside each token, 0 to 20; above 0 it needs `logprobs`. Default: 0. */
  topLogprobs?: number;
  /**
   * What happens to messages that are too long for the context. `error`: the chat fails with `context-full`. `slide`: the
   * oldest turns are left out, a turn being a message of the user and all that follows it up to the next one, until
   * there is room for the answer as well: for `maxTokens`, but at most half of the context; without it for a quarter.
   * System messages at the beginning stay, and so does the last turn; `context-full` then means that it is too long by
   * itself. What follows the turns that were left out has to be computed anew. Default: `error`.
   */
  contextPolicy?: "error" | "slide";
  /** Called before the answer begins when turns were left out. */
  onContextSlide?: (slide: ContextSlide) => void;
  /**
   * Whether a model that can think before it answers does. `true` is an `invalid-argument` for a model that never does,
   * and `false` for one that always does; see `info.model.thinking`. Default: the model's own, for Qwen3 `true`.
   */
  thinking?: boolean;
  /**
   * Most tokens to think. Then the thinking is ended with a sentence of Qwen's, which is added to what was thought and
   * counts nowhere, and the answer follows. A model that does not think takes no notice.
   */
  thinkingBudget?: number;
  /**
   * Functions that the model may call. A call is part of the answer's text, in the model's own form: for Qwen
   * `<tool_call>`, a JSON object with `name` and `arguments`, `</tool_call>`. `invalid-argument` where the model's
   * template has no place for tools; see `info.model.tools`.
   */
  tools?: Tool[];
  /** Stops the answer, which then ends with the finish reason `abort`. */
  signal?: AbortSignal;
}

/** What was left out of a chat that was too long. */
export interface ContextSlide {
  /** How many messages, the first ones after the system messages at the beginning. */
  droppedMessages: number;
  /** Tokens of the prompt that is left. */
  promptTokens: number;
}

export interface ChatResult {
  /** The whole answer. */
  text: string;
  /** What the model thought before it answered; empty if it did not. */
  thinking: string;
  /** `stop`: the model ended it, or a stop text did; `length`: `maxTokens` or the context ended it. */
  finishReason: "stop" | "length" | "abort";
  /** With the option `logprobs`: an entry for each of the `completionTokens` tokens, those of a stop text included. */
  logprobs?: AnswerToken[];
  usage: {
    promptTokens: number;
    /** Prompt tokens that did not have to be computed again. */
    cachedTokens: number;
    /** Tokens written, thinking and answer. */
    completionTokens: number;
    /** How many of them were thoughts. */
    thinkingTokens: number;
    /** Messages that `contextPolicy: "slide"` left out. */
    droppedMessages: number;
  };
  timings: {
    prefillMs: number;
    decodeMs: number;
    /** Of the prompt tokens that had to be computed; cached ones do not count. */
    prefillTokensPerSecond: number;
    decodeTokensPerSecond: number;
  };
}

/** What came next: one of the two has text, the other is empty. In rare pieces both have; then `thinking` comes first. */
export interface ReplyPiece {
  /** More of the answer. */
  text: string;
  /** More of what the model thinks before it answers. */
  thinking: string;
}

/**
 * An answer on its way. Iterating over it is optional, always starts at its first piece, and throws what `result`
 * rejects with. Leaving the loop early stops the generation.
 */
export interface Reply extends AsyncIterable<ReplyPiece> {
  /** The finished answer. Nobody has to look at it: its failure is never reported as unhandled. */
  readonly result: Promise<ChatResult>;
}

/** How to answer several conversations at once. What is given here holds for all of them. */
export interface BatchOptions extends Omit<ChatOptions, "onContextSlide"> {
  /** Options of single conversations, which come before the others: as many as there are conversations. */
  each?: Omit<ChatOptions, "onContextSlide" | "signal">[];
  /** Called with the text of the answers piece by piece; `index` says which conversation it belongs to. */
  onText?: (index: number, text: string) => void;
}

/** What became of one conversation of a batch. */
export type BatchEntry = { result: ChatResult; error?: undefined } | { result?: undefined; error: QwispError };

export interface TokenLogprob {
  id: number;
  /** Natural logarithm of the probability. */
  logprob: number;
}

/**
 * A token of an answer, and how likely the model itself found it: by the softmax of the logits as the model computed them,
 * before logit bias, penalties, temperature and all other steps.
 */
export interface AnswerToken extends TextLogprob {
  /** The `topLogprobs` likeliest tokens in its place, best first. */
  top: TextLogprob[];
}

export interface TextLogprob extends TokenLogprob {
  /** Text of the token alone; U+FFFD stands for bytes that are only part of a character. */
  text: string;
}

/** The token that stands at a position, and what the model would have chosen there. */
export interface TokenScore extends TokenLogprob {
  /** The `topK` likeliest tokens, best first. */
  top: TokenLogprob[];
}

/**
 * What was asked of the GPU: the same on any machine, so a design can be judged where its speed cannot. The backend `cpu`
 * counts tokens, passes and weights only.
 */
export interface Counters {
  /** Tokens computed. */
  tokens: number;
  /** Kernels started. */
  dispatches: number;
  /** Compute passes begun. */
  passes: number;
  /** Command buffers handed to the queue. */
  submits: number;
  /** Bytes written from the host, weights not counted. */
  bytesWritten: number;
  /** Bytes read back to the host. */
  bytesRead: number;
  /** Bind groups made; those used again do not count. */
  bindGroupsCreated: number;
  /** Bytes of weights that the kernels read from the GPU's memory. */
  weightBytesRead: number;
}

/** `Counters` of a reply. */
export interface ReplyCounters {
  /** From the call to the first token. */
  prefill: Counters;
  /** The tokens after the first. Those are among them that were under way when the answer ended. */
  decode: Counters;
}

/**
 * A loaded model. Calls may overlap; they run one after another in the order in which they were made.
 *
 * After a failure whose kind is in `FATAL_KINDS`, and after `unload`, every call rejects; after any other failure the
 * engine goes on working.
 */
export class Engine {
  private constructor();

  /** Loads a model and rejects with a `QwispError` if that fails, leaving nothing running. */
  static load(options: LoadOptions): Promise<Engine>;

  /**
   * Finds out what would compute here by these options, whether it does so rightly, and how fast it reads weights. Nothing
   * is downloaded but the module itself. It runs in a worker of its own, which ends with it, and should take a second or two on
   * a GPU with 138 MB of its memory, longer in Firefox and much longer on a software adapter; the backend `cpu` takes one or two
   * seconds. Whatever else the device does at that time makes the rates lower.
   *
   * Rejects as `load` does: with `no-webgpu` where the backend `webgpu` or a tier was asked for and the GPU is not there or
   * fails the self-test. With `auto`, the failed tests are in `checks`, and `backend` is `cpu`.
   */
  static probe(options?: ProbeOptions): Promise<Probe>;

  readonly info: EngineInfo;

  /** Answers the last message. Tokens shared with the previous chat are not computed again. */
  chat(messages: Message[], options?: ChatOptions): Reply;

  /**
   * Answers several conversations, up to 8 at the same time; whoever is done makes room for whoever waits. The weights are
   * read once for the next tokens of all of them, and that is most of what a token costs on a GPU. Resolves to one entry
   * for each conversation, in their order.
   *
   * A conversation that cannot be answered (it is too long, or an option is out of its range) has its error in its entry,
   * and the others are answered all the same. What has the wrong type makes the whole call reject, as does a failure whose
   * kind is in `FATAL_KINDS`. `signal` ends all answers with the finish reason `abort`.
   *
   * Every conversation of the eight has a KV cache of its own, as large as the longest prompt with its `maxTokens` needs,
   * which is freed at the end; so `maxTokens` is 512 here where none is given. Where there is memory for fewer caches, so
   * many are answered at a time. The first batch waits for its kernels to be compiled. Each token is waited for before the next
   * one is computed; so a single conversation is faster with `chat`, and where a GPU is only emulated, short of arithmetic rather
   * than of memory's speed, so are several. With `logprobs`, `logitBias`, `minTokens`, `thinkingBudget` or a `topK` of 0 or over 64
   * the CPU chooses, for which 600 KB are read back for each token. What the last `chat` left in the cache stays there.
   */
  batch(conversations: Message[][], options?: BatchOptions): Promise<BatchEntry[]>;

  /** Token ids of a text. With `special`, control tokens written in the text become such tokens. Default: `false`. */
  tokenize(text: string, options?: { special?: boolean }): Promise<Uint32Array>;

  /** The text of token ids. */
  detokenize(ids: Uint32Array | number[]): Promise<string>;

  /**
   * How likely the model finds given tokens: one entry for each position from `from` (default 1, since nothing comes
   * before the first token) to the end, each with the `topK` (default 0, at most 1000) likeliest tokens there. `signal` stops it,
   * and it then rejects with `aborted`.
   */
  score(
    ids: Uint32Array | number[],
    options?: { from?: number; topK?: number; signal?: AbortSignal },
  ): Promise<TokenScore[]>;

  /** What the last reply, or batch of them, asked of the GPU. */
  counters(): Promise<ReplyCounters>;

  /**
   * How many bytes per second the GPU's memory can move, those read and those written together, as a plain copy of
   * 64 MiB shows: what decoding, which reads every weight for every token, can reach at most. Takes two seconds on a
   * GPU, and 128 MiB of its memory; where there is no room for them, the engine is gone with `out-of-memory`. The
   * backend `cpu` copies 32 MiB of the module's memory, which grows by twice that.
   */
  measureBandwidth(): Promise<number>;

  /** Stops what is under way, frees the model and ends the worker. May be called more than once. */
  unload(): Promise<void>;
}

/** What is kept on this device, for this origin. */
export const storedModels: StoredModels;

/**
 * Where the browser refuses to store anything, nothing is listed, and what removes, exports or imports rejects with `quota`.
 *
 * A download that nobody went on with for 30 days is removed by the next load that downloads. Complete models stay until they
 * are removed here or the browser clears them.
 */
export interface StoredModels {
  /** Complete models and parts of interrupted downloads, the one that was used last first. */
  list(): Promise<StoredModel[]>;

  /** Removes a model, or a part of one. An engine that has loaded it goes on working. What isn't there is no failure. */
  remove(address: string | URL): Promise<void>;

  /** Removes everything. */
  clear(): Promise<void>;

  /**
   * A complete model as the file that it was, every record of it verified; one that isn't what it was when it was stored is
   * `integrity`. Its bytes are the browser's affair, outside of JavaScript's memory.
   */
  exportFile(address: string | URL): Promise<File>;

  /**
   * Keeps a GGUF file of this device as a complete model, to be loaded by the address of the result. It is read twice: nothing
   * is written before all of it was read and has the right hash. Then it takes the place of what its address had before.
   * Rejects with `bad-file`, `integrity`, `quota` or `aborted`, and leaves no part of a new file then.
   */
  importFile(file: Blob, options?: ImportOptions): Promise<StoredModel>;

  /** How much of its storage this origin uses, models and all else, in the browser's figures. */
  usage(): Promise<StorageUsage>;

  /**
   * Asks the browser not to clear this origin's storage when space runs short; resolves to whether it agrees. Firefox asks the
   * person; others decide by themselves.
   */
  askToKeep(): Promise<boolean>;
}

/** A file of which something is stored. Times are in milliseconds since 1970. */
export interface StoredModel {
  /** What `Engine.load` takes as `model`. The first one of the catalogue entry's; one that begins with `file:` is an import's. */
  address: string;
  /** The name of the file. */
  name: string;
  totalBytes: number;
  /** How many of them are stored. */
  storedBytes: number;
  /** Whether all of them are, and were verified. */
  isComplete: boolean;
  /** Of the whole file, in hexadecimal: computed if it is complete, before that promised or unknown. */
  sha256: string | null;
  /** When the first bytes were stored. */
  storedAt: number;
  /** When it was last loaded or written to. */
  lastUsedAt: number;
}

export interface ImportOptions {
  /**
   * Under which to keep the file: where it could be downloaded, say, so that `Engine.load` of that address finds it. Default:
   * a `file:` address made of name, size and date; a `Blob` has no default.
   */
  address?: string | URL;
  /** SHA-256 of the file, 64 hexadecimal digits; another file fails with `integrity`. Default: no check. */
  sha256?: string;
  /** Called for each record of 4 MiB. */
  onProgress?: (progress: ImportProgress) => void;
  /** Stops the import, which then rejects with `aborted`. */
  signal?: AbortSignal;
}

export interface ImportProgress {
  /**
   * `wait`: another tab is downloading or importing a file for the same address, and the figures are that tab's. `verify` reads the
   * file, `store` writes it.
   */
  phase: "wait" | "verify" | "store";
  loadedBytes: number;
  /** 0 as long as it isn't known. */
  totalBytes: number;
}

export interface StorageUsage {
  usedBytes: number;
  quotaBytes: number;
  /** Whether the browser has promised not to clear it when space runs short. */
  isPersistent: boolean;
}

/** `models.json`: the models that `Engine.load` knows by id, the preferred one first. */
export interface Catalogue {
  models: CatalogueModel[];
}

/** One entry of the catalogue. */
export interface CatalogueModel {
  /** Without `/`, `:` or `?`. */
  id: string;
  name: string;
  /** One sentence about what it is good for. */
  description: string;
  /** Addresses of the same file, absolute or relative to `models.json`, in the order in which to try them. */
  urls: string[];
  /** Size of the file. */
  bytes: number;
  /** Of the file, in hexadecimal. Without it the file is not checked. */
  sha256?: string;
  /** For example `Q4_K_M`. */
  quantization?: string;
  /** Most tokens that the model was made for. */
  contextLength?: number;
  /** SPDX identifier. */
  license?: string;
  /** Address of its model card: what its makers say of it. */
  card?: string;
  /**
   * What it is good for, after its model card: 3 is made for it or the best here at it; 2 has it among its strengths, or is the
   * smaller one of those made for it; 1 can do it. What is left out it was not made for.
   */
  tasks?: Partial<Record<Task, 1 | 2 | 3>>;
  /**
   * Bytes of weights that computing one token reads, by their type, as they are in the file: the matrices of all layers, the
   * norms, and the head. An embedding that is not the head as well is looked up in single rows, and does not count.
   */
  weightBytesPerToken?: Record<string, number>;
  /** How many layers it has: a token takes 5 dispatches of each, 6 in a long conversation, and 3 or 4 more. */
  layers?: number;
  /** Keys and values of a token of the conversation, in f16. */
  kvCacheBytesPerToken?: number;
  /** The model makers' recommendation, to be passed to `chat`. Default: the engine's own defaults suit the model. */
  sampling?: Pick<ChatOptions, "temperature" | "topP" | "topK" | "minP" | "repetitionPenalty" | "presencePenalty">;
}
