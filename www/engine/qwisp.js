/**
 * Qwisp's public module: a small Qwen language model that runs in the browser, in a worker of its own. Types and full
 * documentation are in `qwisp.d.ts`.
 *
 * The build places this file at the root of the site and the rest of its folder in `engine/` beside it; the imports
 * are written for that place.
 */
import {
  checkBatch,
  checkBoolean,
  checkChat,
  checkLoadOptions,
  checkProbeOptions,
  checkScoreOptions,
  checkText,
  plainJson,
  tokenIds,
  withPlainTools,
  withoutUndefined,
} from "./engine/arguments.js";
import { FATAL_KINDS, QwispError, errorFromPlain } from "./engine/errors.js";
import { loadModel } from "./engine/load_model.js";
import { resolveModel } from "./engine/model_source.js";
import { probeDevice } from "./engine/probe_device.js";
import { rankModels } from "./engine/rank_models.js";
import { Reply } from "./engine/reply.js";
import { settleWithin } from "./engine/settle_within.js";
import { startWorker } from "./engine/start_worker.js";
import { storedModels } from "./engine/stored_models.js";
import { WorkerClient } from "./engine/worker_client.js";

export { FATAL_KINDS, QwispError, rankModels, storedModels };

/** How long a server that brings no bytes is waited for. */
const DEFAULT_PATIENCE_MS = 120_000;
/** A connection that brings nothing is given up after a part of the patience. */
const STALLS_IN_PATIENCE = 6;
const MIN_STALL_MS = 1000;
const MAX_STALL_MS = 20_000;
/** How long `unload` waits for the module to free what it holds before it ends the worker regardless. */
const UNLOAD_PATIENCE_MS = 2000;

/** A loaded model. Made by `Engine.load`. */
export class Engine {
  /** @type {WorkerClient} */
  #client;
  /** @type {import("./qwisp.d.ts").EngineInfo} */
  #info;
  /** Stops every chat that is under way when the engine is unloaded. */
  #closing = new AbortController();
  /** @type {Promise<void> | null} */
  #unloading = null;

  /**
   * @param {WorkerClient} client
   * @param {import("./qwisp.d.ts").EngineInfo} info
   */
  constructor(client, info) {
    this.#client = client;
    this.#info = info;
  }

  /** @param {import("./qwisp.d.ts").LoadOptions} options */
  static async load(options) {
    checkLoadOptions(options);
    const { model, backend = "auto", tier = "auto", contextLength, onProgress, signal } = options;
    const { patienceMs = DEFAULT_PATIENCE_MS } = options;
    const source = await resolveModel(model, signal);
    const { cache = !source.isLocal } = options;
    const moduleOptions = {
      address: source.address,
      urls: source.urls,
      sha256: options.sha256 ?? source.sha256,
      backend,
      tier,
      contextLength,
      cache: cache && source.cacheable,
      patienceMs,
      stallMs: Math.min(Math.max(patienceMs / STALLS_IN_PATIENCE, MIN_STALL_MS), MAX_STALL_MS),
    };

    try {
      const client = new WorkerClient(startWorker());
      return new Engine(client, await loadModel(client, moduleOptions, { onProgress, signal }));
    } finally {
      source.release();
    }
  }

  /** @param {import("./qwisp.d.ts").ProbeOptions} [options] */
  static async probe(options = {}) {
    checkProbeOptions(options);
    return await probeDevice(options);
  }

  get info() {
    return this.#info;
  }

  /**
   * @param {import("./qwisp.d.ts").Message[]} messages
   * @param {import("./qwisp.d.ts").ChatOptions} [options]
   */
  chat(messages, options = {}) {
    /** @type {import("./engine/reply.js").StartGeneration} */
    const start = async (onPiece, stopSignal) => {
      checkChat(messages, options);
      const { signal, onContextSlide, ...moduleOptions } = withoutUndefined(options);
      // What a listener throws is its own affair, as with any event.
      const onEvent = (/** @type {any} */ event) =>
        event.contextSlide ? onContextSlide?.(event.contextSlide) : onPiece(event);
      const stopSignals = [stopSignal, this.#closing.signal, ...(signal ? [signal] : [])];
      return await this.#call("chat", [plainJson("chat: messages", messages), withPlainTools("chat", moduleOptions)], {
        onEvent,
        signal: AbortSignal.any(stopSignals),
      });
    };
    return new Reply(start);
  }

  /**
   * @param {import("./qwisp.d.ts").Message[][]} conversations
   * @param {import("./qwisp.d.ts").BatchOptions} [options]
   * @returns {Promise<import("./qwisp.d.ts").BatchEntry[]>}
   */
  async batch(conversations, options = {}) {
    checkBatch(conversations, options);
    const { each = [], onText, signal, ...common } = withoutUndefined(options);
    const moduleOptions = conversations.map((_, index) =>
      withPlainTools("batch", { ...common, ...withoutUndefined(each[index] ?? {}) }),
    );
    const entries = await this.#call("batch", [plainJson("batch: conversations", conversations), moduleOptions], {
      onEvent: ({ index, text }) => onText?.(index, text),
      signal: AbortSignal.any([this.#closing.signal, ...(signal ? [signal] : [])]),
    });
    return entries.map((/** @type {any} */ { result, error }) =>
      error ? { error: errorFromPlain(error) } : { result },
    );
  }

  /**
   * @param {string} text
   * @param {{ special?: boolean }} [options]
   * @returns {Promise<Uint32Array>}
   */
  async tokenize(text, { special = false } = {}) {
    checkText("tokenize: text", text);
    checkBoolean("tokenize: special", special);
    return await this.#call("tokenize", [text, special]);
  }

  /**
   * @param {Uint32Array | number[]} ids
   * @returns {Promise<string>}
   */
  async detokenize(ids) {
    return await this.#call("detokenize", [tokenIds("detokenize: ids", ids)]);
  }

  /**
   * @param {Uint32Array | number[]} ids
   * @param {{ from?: number, topK?: number, signal?: AbortSignal }} [options]
   * @returns {Promise<import("./qwisp.d.ts").TokenScore[]>}
   */
  async score(ids, options = {}) {
    checkScoreOptions(options);
    const { from = 1, topK = 0, signal } = options;
    return await this.#call("score", [tokenIds("score: ids", ids), from, topK], { signal });
  }

  /** @returns {Promise<import("./qwisp.d.ts").ReplyCounters>} */
  async counters() {
    return await this.#call("counters", []);
  }

  /** @returns {Promise<number>} */
  async measureBandwidth() {
    return await this.#call("measureBandwidth", []);
  }

  /** @returns {Promise<void>} */
  unload() {
    this.#unloading ??= this.#close();
    return this.#unloading;
  }

  async #close() {
    const freed = this.#client.call("unload", []);
    this.#closing.abort();
    // An engine that has already failed has nothing left to free.
    await settleWithin(freed, UNLOAD_PATIENCE_MS);
    this.#client.close(new QwispError("unloaded", "The engine was unloaded; load it again with Engine.load()"));
  }

  /**
   * @param {string} method
   * @param {unknown[]} args
   * @param {{ onEvent?: (value: any) => void, signal?: AbortSignal }} [options]
   */
  #call(method, args, options) {
    if (this.#unloading) {
      return Promise.reject(
        new QwispError("unloaded", `${method}: the engine was unloaded; load it again with Engine.load()`),
      );
    }
    return this.#client.call(method, args, options);
  }
}
