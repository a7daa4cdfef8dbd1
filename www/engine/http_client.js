/**
 * How the engine's worker asks for files: ranges of them, with a limit to how long nothing may come. The WebAssembly module
 * decides what to ask for, and whether to ask again.
 */
import { nativeSha256, release } from "./model_store.js";

/** Of the text that stands for a large file in a repository, more is never needed. */
const POINTER_BYTES = 1024;

export class HttpClient {
  /** @type {AbortSignal} */
  #signal;
  /** @type {number} */
  #stallMs;

  /**
   * @param {AbortSignal} signal The caller's.
   * @param {number} stallMs After so long without a byte a connection counts as lost.
   */
  constructor(signal, stallMs) {
    this.#signal = signal;
    this.#stallMs = stallMs;
  }

  get isAborted() {
    return this.#signal.aborted;
  }

  /**
   * @param {string} url
   * @param {string} [range] For the header of that name; without one, the whole file.
   * @param {string} [validator] What named the version of the file of which the range is wanted.
   */
  open(url, range, validator) {
    const stall = new Stall(this.#stallMs);
    return new HttpAnswer(stall.watch(this.#fetch(url, range, validator, stall.signal)), stall);
  }

  /**
   * @param {string} url
   * @param {string | undefined} range
   * @param {string | undefined} validator
   * @param {AbortSignal} stallSignal
   */
  async #fetch(url, range, validator, stallSignal) {
    /** @type {Record<string, string>} */
    const headers = {};
    if (range !== undefined) headers.Range = range;
    // To another origin this header would need a permission that few servers give. There, what the answer says of its
    // version has to do.
    if (validator !== undefined && new URL(url).origin === location.origin) headers["If-Range"] = validator;
    const signal = AbortSignal.any([this.#signal, stallSignal]);
    // The browser's cache would keep a second copy, and mix what it has of one version with another.
    return await fetch(url, { headers, signal, cache: "no-store" });
  }

  /**
   * @param {number} durationMs
   * @returns {Promise<boolean>} Whether it was cut short: the network is back, or the caller aborted.
   */
  pause(durationMs) {
    const signal = this.#signal;
    return new Promise((resolve) => {
      const end = (/** @type {boolean} */ wasCutShort) => {
        clearTimeout(timer);
        removeEventListener("online", cut);
        signal.removeEventListener("abort", cut);
        resolve(wasCutShort);
      };
      const cut = () => end(true);
      const timer = setTimeout(() => end(false), durationMs);
      addEventListener("online", cut);
      signal.addEventListener("abort", cut);
      if (signal.aborted) cut();
    });
  }

  /** @param {BufferSource} bytes */
  sha256(bytes) {
    return nativeSha256(bytes);
  }

  /**
   * Hugging Face names a large file's hash in a header of a redirection, which a page can't read. The repository itself
   * has a short text in its place that states the hash, in the format of Git LFS.
   *
   * @param {string} url
   * @returns {Promise<string | null>}
   */
  async publishedSha256(url) {
    const pointerUrl = huggingFacePointer(url);
    if (!pointerUrl) return null;
    try {
      const answer = this.open(pointerUrl, `bytes=0-${POINTER_BYTES - 1}`);
      await answer.head();
      const bytes = await answer.read();
      answer.cancel();
      return bytes && readPointer(new TextDecoder().decode(bytes.subarray(0, POINTER_BYTES)));
    } catch {
      return null; // Then nothing was promised.
    }
  }
}

/** A response on its way, of which the module reads head and body. */
class HttpAnswer {
  #coming;
  #stall;
  #response = /** @type {Response} */ (/** @type {unknown} */ (undefined));
  /** @type {ReadableStreamDefaultReader<Uint8Array> | undefined} */
  #reader;
  /** The bytes that were read last. @type {Uint8Array | undefined} */
  #chunk;

  /**
   * @param {Promise<Response>} coming
   * @param {Stall} stall
   */
  constructor(coming, stall) {
    this.#coming = coming;
    this.#stall = stall;
  }

  /** Waits for status and headers: before that, there is nothing to read. */
  async head() {
    this.#response = await this.#coming;
    this.#reader = this.#response.body?.getReader();
  }

  get status() {
    return this.#response.status;
  }

  get statusText() {
    return this.#response.statusText;
  }

  get retryAfterMs() {
    return retryAfterMs(this.header("retry-after"), Date.now());
  }

  /** @param {string} name */
  header(name) {
    return this.#response.headers.get(name);
  }

  /** @returns {Promise<Uint8Array | null>} The next bytes, which are good until the next call; null at the end. */
  async read() {
    if (this.#chunk) release(this.#chunk);
    this.#chunk = undefined;
    if (!this.#reader) return null;
    const { done, value } = await this.#stall.watch(this.#reader.read());
    if (done) return null;
    this.#chunk = value;
    return value;
  }

  /** Whatever still comes is not wanted, the head among it. */
  cancel() {
    this.#stall.abort();
  }
}

/** Gives up a request of which nothing comes. */
class Stall {
  #controller = new AbortController();
  #patienceMs;

  /** @param {number} patienceMs */
  constructor(patienceMs) {
    this.#patienceMs = patienceMs;
  }

  get signal() {
    return this.#controller.signal;
  }

  abort() {
    this.#controller.abort();
  }

  /**
   * @template T
   * @param {Promise<T>} next What should come soon.
   * @returns {Promise<T>}
   */
  async watch(next) {
    const seconds = this.#patienceMs / 1000;
    const timer = setTimeout(
      () => this.#controller.abort(new Error(`nothing came for ${seconds} seconds`)),
      this.#patienceMs,
    );
    try {
      return await next;
    } finally {
      clearTimeout(timer);
    }
  }
}

/**
 * @param {string | null} header `Retry-After`: seconds, or a date.
 * @param {number} now
 * @returns {number | undefined}
 */
export function retryAfterMs(header, now) {
  if (header === null) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/**
 * Where the repository itself says what the file at an address of Hugging Face is.
 *
 * @param {string} url
 */
export function huggingFacePointer(url) {
  const { origin, pathname } = new URL(url);
  const parts = pathname.match(/^(\/[^/]+\/[^/]+)\/resolve\/(.+)$/);
  return origin === "https://huggingface.co" && parts ? `${origin}${parts[1]}/raw/${parts[2]}` : null;
}

/**
 * @param {string} text
 * @returns {string | null}
 */
export function readPointer(text) {
  if (!text.startsWith("version https://git-lfs.github.com/spec/")) return null;
  return text.match(/^oid sha256:([0-9a-f]{64})$/m)?.[1] ?? null;
}
