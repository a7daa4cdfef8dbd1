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
 * - `no-webgpu`: no WebGPU here, or no usable adapter, where the backend `webgpu` was asked for.
 * - `unsupported-model`: a sound GGUF whose architecture or tensor type the engine does not know.
 * - `bad-file`: not a GGUF, or a damaged or truncated one.
 * - `network`: a file could not be fetched, or the connection broke.
 * - `integrity`: the file does not have the expected SHA-256.
 * - `quota`: the browser's storage is full.
 * - `out-of-memory`: the model or its KV cache does not fit in memory. The engine is dead; load it again, perhaps with a
 *   shorter context or a smaller model.
 * - `device-lost`: the GPU went away. The engine is dead; load it again.
 * - `context-full`: the messages do not fit in the context. The engine still works.
 * - `aborted`: `Engine.load` or `score` was stopped by its signal.
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
   * SHA-256 of the file, 64 hexadecimal digits; another file fails with `integrity`. Default: the catalogue's, or no
   * check.
   */
  sha256?: string;
  /**
   * What computes: a GPU by `webgpu`, or the processor by `cpu`, in one thread. `auto` is `webgpu` where there is a GPU
   * for it, or a `tier` is asked for, and `cpu` elsewhere: also where WebGPU has only a software adapter. Default: `auto`.
   */
  backend?: Backend;
  /**
   * Which features of the GPU the kernels may use: `core` is what every WebGPU has, `f16` adds 16-bit numbers, `packed`
   * products of packed 8-bit integers, `subgroups` sums across neighbouring threads. One that the GPU lacks is refused,
   * as is any with the backend `cpu`. Default: `auto`, the best there is.
   */
  tier?: Tier;
  /** Tokens that prompt and answer share, at least 2. Default: 4096, or the model's own limit when that is lower. */
  contextLength?: number;
  /** Whether to keep the file in IndexedDB for the next visit. Files and Blobs are never kept. Default: `true`. */
  cache?: boolean;
  /** Called while loading. */
  onProgress?: (progress: LoadProgress) => void;
  /** Stops the load, which then rejects with `aborted` at once and leaves nothing of an incomplete file stored. */
  signal?: AbortSignal;
}

/** What computes; see `LoadOptions`. */
export type Backend = "auto" | "webgpu" | "cpu";

/** Which features of the GPU to use; see `LoadOptions`. */
export type Tier = "auto" | "core" | "f16" | "packed" | "subgroups";

export interface LoadProgress {
  /**
   * `download` takes the file from its address and `upload` from this device's storage, both to what computes; `compile`
   * prepares the shaders; `ready` comes once, last.
   */
  phase: "download" | "verify" | "upload" | "compile" | "ready";
  loadedBytes: number;
  totalBytes: number;
  /** Whether the bytes come from this device's storage rather than the network. */
  fromCache: boolean;
}

/** What was loaded and what it runs on, as of the moment when loading ended. */
export interface EngineInfo {
  model: {
    /** As the file names it. */
    name: string;
    /** For example `qwen2`. */
    architecture: string;
    /** Number of weights. */
    parameters: number;
    /** For example `Q4_K_M`. */
    quantization: string;
    /** Tokens that prompt and answer share, in this engine. */
    contextLength: number;
  };
  backend: "webgpu" | "cpu";
  /** The GPU, in the browser's words; on the backend `cpu`, what it computes with. */
  adapter: string;
  /** The tier of kernels that was chosen, `core` for instance; see `LoadOptions`. On the backend `cpu`, `simd128`. */
  tier: string;
  memory: {
    weightsBytes: number;
    kvCacheBytes: number;
    /** Size of the WebAssembly module's memory; on the backend `cpu`, weights and KV cache are in it. */
    wasmBytes: number;
  };
  /** Whether the file is kept on this device now, so that the next load needs no network. */
  stored: boolean;
}

export interface Message {
  role: "system" | "user" | "assistant" | "tool";
  /** Plain text: control tokens written in it have no effect. */
  content: string;
}

/**
 * How to generate. Steps are taken in this order: penalties, temperature, top-k, top-p, min-p, then a draw from what is
 * left. The defaults are what Qwen recommends, but for the repetition penalty, which is off.
 */
export interface ChatOptions {
  /** Most tokens to write. Default: what the context has left. */
  maxTokens?: number;
  /** Randomness; 0 always takes the likeliest token. Default: 0.7. */
  temperature?: number;
  /** Keep the likeliest tokens that together have this probability. Default: 0.8. */
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
  /** Texts that end the answer; they are not part of it. */
  stop?: string[];
  /** Whether a model that can think before it answers does. */
  thinking?: boolean;
  /** Stops the answer, which then ends with the finish reason `abort`. */
  signal?: AbortSignal;
}

export interface ChatResult {
  /** The whole answer. */
  text: string;
  /** What the model thought before it answered; empty for a model that does not think. */
  thinking: string;
  /** `stop`: the model ended it, or a stop text did; `length`: `maxTokens` or the context ended it. */
  finishReason: "stop" | "length" | "abort";
  usage: {
    promptTokens: number;
    /** Prompt tokens that did not have to be computed again. */
    cachedTokens: number;
    completionTokens: number;
  };
  timings: {
    prefillMs: number;
    decodeMs: number;
    /** Of the prompt tokens that had to be computed; cached ones do not count. */
    prefillTokensPerSecond: number;
    decodeTokensPerSecond: number;
  };
}

/**
 * An answer on its way. Iterating over it is optional, always starts at its first text, and throws what `result`
 * rejects with. Leaving the loop early stops the generation.
 */
export interface Reply extends AsyncIterable<{ text: string }> {
  /** The finished answer. Nobody has to look at it: its failure is never reported as unhandled. */
  readonly result: Promise<ChatResult>;
}

export interface TokenLogprob {
  id: number;
  /** Natural logarithm of the probability. */
  logprob: number;
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
  /** The tokens after the first. */
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

  readonly info: EngineInfo;

  /** Answers the last message. Tokens shared with the previous chat are not computed again. */
  chat(messages: Message[], options?: ChatOptions): Reply;

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

  /** What the last reply asked of the GPU. */
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
  /** The model makers' recommendation, to be passed to `chat`. */
  sampling: Pick<ChatOptions, "temperature" | "topP" | "topK" | "minP" | "repetitionPenalty" | "presencePenalty">;
}
