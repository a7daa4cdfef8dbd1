/**
 * What the tests of downloads and storage have in common: a server, a browser, a page, and a model of several records whose
 * answer is known. The model is the tiny one behind padding, and runs on the processor.
 */

import assert from "node:assert/strict";
import { createHash, randomFillSync } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launchChromium, openBrowser } from "./browser.mjs";
import { EnginePage } from "./engine_page.mjs";
import { storedRecords } from "./stored_records.mjs";
import { startTestServer } from "./test_server.mjs";
import { makeTinyModel } from "./tiny_model.mjs";

/** As the engine stores files. */
export const RECORD_BYTES = 4 << 20;
const PADDING_BYTES = 22_000_000;
/** Head and weights together are shorter: what is between so much at either end is padding. */
const MARGIN_BYTES = 1 << 20;

/** @type {import("./engine_page.mjs").Message[]} */
const QUESTION = [{ role: "user", content: "Hello there" }];

/**
 * @typedef {import("./engine_page.mjs").LoadOptions} LoadOptions
 * @typedef {import("./imperfect_server.mjs").Flaws} Flaws
 * @typedef {import("../../../www/engine/qwisp.d.ts").LoadProgress} LoadProgress
 * @typedef {import("../../../www/engine/qwisp.d.ts").StoredModel} StoredModel
 */

export class ModelBench {
  modelPath = "";
  /** @type {import("./test_server.mjs").TestServer} */
  server = /** @type {any} */ (undefined);
  /** @type {import("./browser.mjs").TestBrowser} */
  browser = /** @type {any} */ (undefined);
  /** @type {EnginePage} */
  page = /** @type {any} */ (undefined);
  /** What the model says after an undisturbed load. */
  answer = "";
  modelBytes = 0;
  sha256 = "";
  /** Of the same length, and another one in every record; the model in it is the same. */
  otherPath = "";
  otherSha256 = "";
  /** All of the file. @type {number[]} */
  recordIndexes = [];
  #folder = "";

  /**
   * @param {import("./browser.mjs").BrowserName} browserName
   * @param {{ flags?: string[], paddingBytes?: number }} [options] flags are for Chromium alone
   */
  async open(browserName, { flags, paddingBytes = PADDING_BYTES } = {}) {
    const model = await readFile(makeTinyModel({ paddingBytes }));
    // What can't be compressed takes the room that its length says.
    randomFillSync(model, MARGIN_BYTES, model.length - 2 * MARGIN_BYTES);
    this.#folder = await mkdtemp(join(tmpdir(), "qwisp-models-"));
    this.modelPath = join(this.#folder, "model.gguf");
    await writeFile(this.modelPath, model);
    this.modelBytes = model.length;
    this.sha256 = createHash("sha256").update(model).digest("hex");
    this.recordIndexes = Array.from({ length: Math.ceil(model.length / RECORD_BYTES) }, (_, index) => index);
    this.otherPath = join(this.#folder, "other.gguf");
    for (const index of this.recordIndexes) model[paddingOffset(model.length, index)] ^= 1;
    await writeFile(this.otherPath, model);
    this.otherSha256 = createHash("sha256").update(model).digest("hex");

    this.server = await startTestServer({ modelPath: this.modelPath });
    this.browser = flags ? await launchChromium({ flags }) : await openBrowser(browserName);
    this.page = await EnginePage.open(this.browser.context, this.server.url);
    await this.load(this.server.modelUrl, { cache: false });
    this.answer = await this.ask();
  }

  async close() {
    await this.browser?.close();
    await this.server?.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Closes the tab, whatever it is doing, and opens another one. */
  async replacePage() {
    await this.page.close();
    this.page = await EnginePage.open(this.browser.context, this.server.url);
  }

  /**
   * @param {string} model
   * @param {Partial<LoadOptions>} [options]
   */
  async load(model, options = {}) {
    return await this.page.load({ model, backend: "cpu", ...options });
  }

  /**
   * What the loaded model says.
   * @param {EnginePage} page
   */
  async ask(page = this.page) {
    const { result } = await page.chat(QUESTION, { temperature: 0, maxTokens: 8 });
    return result.text;
  }

  /**
   * Loads a model that has to be complete and right in the end: in the engine, and in the store.
   * @param {string} url
   * @param {Partial<LoadOptions>} [options]
   * @param {string} [sha256] of the file that has to be stored
   */
  async loadWhole(url, options, sha256 = this.sha256) {
    const outcome = await this.load(url, options);
    assert.equal(await this.ask(), this.answer);
    assert.equal(outcome.info.stored, true);
    const stored = await this.stored(url);
    assert.equal(stored?.isComplete, true);
    assert.equal(stored?.sha256, sha256);
    assert.equal(stored?.storedBytes, this.modelBytes);
    assert.deepEqual(await storedRecords(this.page.page, url), this.recordIndexes);
    return outcome;
  }

  /**
   * What `storedModels` lists under an address.
   * @param {string} address
   */
  async stored(address) {
    const models = await this.call("list", []);
    return /** @type {StoredModel[]} */ (models).find((model) => model.address === address);
  }

  /**
   * Calls a method of `storedModels` in the page, or says with what it rejects.
   * @param {string} method
   * @param {unknown[]} args
   * @param {EnginePage} page
   * @returns {Promise<any>}
   */
  async call(method, args, page = this.page) {
    const outcome = await page.page.evaluate(
      async ({ method, args }) => {
        const { storedModels } = await import(new URL("qwisp.js", location.href).href);
        try {
          return { value: await storedModels[method](...args) };
        } catch (error) {
          const { name, kind, message } = /** @type {any} */ (error);
          return { error: { name, kind, message } };
        }
      },
      { method, args },
    );
    if (outcome.error) throw Object.assign(new Error(outcome.error.message), { kind: outcome.error.kind });
    return outcome.value;
  }

  /**
   * How many bytes the server has sent of an imperfect address.
   * @param {string} url
   */
  sentBytes(url) {
    return this.server.answersOf(url).reduce((sum, { sentBytes }) => sum + sentBytes, 0);
  }

  /**
   * Begins to load in the page, and doesn't wait for it.
   * @param {string} model
   * @param {Partial<LoadOptions>} [options]
   * @param {EnginePage} page
   */
  async startLoad(model, options = {}, page = this.page) {
    await page.page.evaluate(
      async (options) => {
        const { Engine } = await import(new URL("qwisp.js", location.href).href);
        /** @type {LoadProgress[]} */
        const progress = [];
        const abort = new AbortController();
        const onProgress = (/** @type {LoadProgress} */ step) => void progress.push(step);
        const loading = Engine.load({ ...options, onProgress, signal: abort.signal });
        loading.catch(() => {});
        Object.assign(globalThis, { started: { loading, progress, abort } });
      },
      { model, backend: "cpu", ...options },
    );
  }

  /**
   * What a load that was started has reported so far.
   * @param {EnginePage} page
   * @returns {Promise<LoadProgress[]>}
   */
  async progressOf(page = this.page) {
    return await page.page.evaluate(() => /** @type {any} */ (globalThis).started.progress);
  }

  /**
   * Waits until a load that was started has reported something.
   * @param {(step: LoadProgress) => boolean} isWanted
   * @param {EnginePage} page
   */
  async waitForProgress(isWanted, page = this.page) {
    for (;;) {
      const progress = await this.progressOf(page);
      const found = progress.find(isWanted);
      if (found) return found;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /**
   * Aborts a load that was started, and says how it ended.
   * @param {EnginePage} page
   */
  async abortLoad(page = this.page) {
    return await page.page.evaluate(async () => {
      const { loading, abort } = /** @type {any} */ (globalThis).started;
      const start = performance.now();
      abort.abort();
      const kind = await loading.then(
        () => "loaded",
        (/** @type {any} */ error) => error.kind,
      );
      return { kind, tookMs: performance.now() - start };
    });
  }

  /**
   * Waits for a load that was started, whose engine is then the page's.
   * @param {EnginePage} page
   */
  async finishLoad(page = this.page) {
    await page.page.evaluate(async () => {
      const all = /** @type {any} */ (globalThis);
      all.engine = await all.started.loading;
    });
  }
}

/**
 * A byte of a record that is padding: the head of the file is at its beginning, the weights are at its end.
 * @param {number} fileBytes
 * @param {number} index
 */
function paddingOffset(fileBytes, index) {
  const isLast = (index + 1) * RECORD_BYTES >= fileBytes;
  return index * RECORD_BYTES + (isLast ? 0 : RECORD_BYTES - 1);
}
