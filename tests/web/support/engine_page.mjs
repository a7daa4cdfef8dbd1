/** Drives the public module, `qwisp.js`, in a browser's page. */

/**
 * @typedef {import("../../../www/engine/qwisp.d.ts").Engine} Engine
 * @typedef {import("../../../www/engine/qwisp.d.ts").EngineInfo} EngineInfo
 * @typedef {import("../../../www/engine/qwisp.d.ts").LoadProgress} LoadProgress
 * @typedef {import("../../../www/engine/qwisp.d.ts").Message} Message
 * @typedef {import("../../../www/engine/qwisp.d.ts").ChatResult} ChatResult
 * @typedef {Omit<import("../../../www/engine/qwisp.d.ts").LoadOptions, "onProgress" | "signal" | "model">
 *   & { model: string }} LoadOptions
 * @typedef {Omit<import("../../../www/engine/qwisp.d.ts").ChatOptions, "signal">} ChatOptions
 */

/** A failure inside the page; `kind` is that of the `QwispError`. */
export class PageError extends Error {
  /** @param {{ name: string, kind: string, message: string }} error */
  constructor({ name, kind, message }) {
    super(`${name} (${kind}): ${message}`);
    this.kind = kind;
    this.originalName = name;
  }
}

/** One tab with at most one engine in it. */
export class EnginePage {
  /** @param {import("./browser.mjs").TestPage} page */
  constructor(page) {
    this.page = page;
    /** What went wrong in the page without anybody catching it. @type {string[]} */
    this.uncaught = [];
    page.on("pageerror", (error) => this.uncaught.push(String(error)));
  }

  /**
   * @param {import("./browser.mjs").TestContext} context
   * @param {string} url of the server, with a slash at its end
   */
  static async open(context, url) {
    const page = await context.newPage();
    await page.goto(`${url}blank.html`);
    return new EnginePage(page);
  }

  /**
   * Loads a model; an engine that was there before is unloaded.
   * @param {LoadOptions} options
   * @param {{ abortAtBytes?: number }} [test] aborts as soon as so many bytes are reported
   * @returns {Promise<{ info: EngineInfo, progress: LoadProgress[] }>}
   */
  async load(options, { abortAtBytes = Infinity } = {}) {
    const outcome = await this.page.evaluate(
      async ({ options, abortAtBytes }) => {
        const page = /** @type {{ engine?: Engine } & typeof globalThis} */ (globalThis);
        const moduleUrl = new URL("qwisp.js", location.href).href;
        const { Engine } = await import(moduleUrl);
        await page.engine?.unload();
        page.engine = undefined;
        /** @type {LoadProgress[]} */
        const progress = [];
        const abort = new AbortController();
        const onProgress = (/** @type {LoadProgress} */ step) => {
          progress.push(step);
          if (step.loadedBytes >= abortAtBytes) abort.abort();
        };
        try {
          const engine = /** @type {Engine} */ (await Engine.load({ ...options, onProgress, signal: abort.signal }));
          page.engine = engine;
          return { value: { info: engine.info, progress } };
        } catch (error) {
          const { name, kind, message } = /** @type {any} */ (error);
          return { error: { name, kind, message } };
        }
      },
      { options, abortAtBytes },
    );
    if (!outcome.value) throw new PageError(outcome.error);
    return outcome.value;
  }

  /**
   * Sends a chat and reads the whole stream.
   * @param {Message[]} messages
   * @param {ChatOptions} [options]
   * @param {{ abortAfterTexts?: number }} [test] aborts when so many pieces of text have come
   * @returns {Promise<{ texts: string[], result: ChatResult }>}
   */
  async chat(messages, options = {}, { abortAfterTexts = Infinity } = {}) {
    const outcome = await this.page.evaluate(
      async ({ messages, options, abortAfterTexts }) => {
        const { engine } = /** @type {{ engine?: Engine } & typeof globalThis} */ (globalThis);
        if (!engine) return { error: { name: "Error", kind: "test", message: "no engine is loaded" } };
        const abort = new AbortController();
        /** @type {string[]} */
        const texts = [];
        try {
          const reply = engine.chat(messages, { ...options, signal: abort.signal });
          for await (const { text } of reply) {
            texts.push(text);
            if (texts.length === abortAfterTexts) abort.abort();
          }
          return { value: { texts, result: await reply.result } };
        } catch (error) {
          const { name, kind, message } = /** @type {any} */ (error);
          return { error: { name, kind, message } };
        }
      },
      { messages, options, abortAfterTexts },
    );
    if (!outcome.value) throw new PageError(outcome.error);
    return outcome.value;
  }

  async close() {
    await this.page.close();
  }
}
