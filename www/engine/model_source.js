import { QwispError } from "./errors.js";
import { absoluteAddress, fileAddress } from "./file_address.js";
import { canonicalAddress } from "./model_store.js";

/** The catalogue lies beside the public module, one folder up from here. */
const CATALOGUE_URL = new URL("../models.json", import.meta.url);

/**
 * Where a model's bytes come from.
 *
 * @typedef {object} ModelSource
 * @property {string} address Under which it is kept.
 * @property {string[]} urls Absolute addresses of the same file, in the order in which to try them.
 * @property {string} [sha256]
 * @property {boolean} cacheable Whether it can be kept: it can, under a name.
 * @property {boolean} isLocal Whether the bytes are on this device already.
 * @property {() => void} release To be called when the bytes are no longer needed.
 */

/**
 * @param {unknown} model What the caller passed: an address, a catalogue id, a `File` or a `Blob`.
 * @param {AbortSignal} [signal]
 * @returns {Promise<ModelSource>}
 */
export async function resolveModel(model, signal) {
  if (model instanceof Blob) {
    const url = URL.createObjectURL(model);
    const isFile = model instanceof File;
    return {
      address: isFile ? fileAddress(model) : url,
      urls: [url],
      cacheable: isFile,
      isLocal: true,
      release: () => URL.revokeObjectURL(url),
    };
  }
  if (model instanceof URL) return fromUrls([model.href]);
  if (typeof model !== "string" || model === "") {
    throw new QwispError(
      "invalid-argument",
      `Engine.load: expected model to be an address, a catalogue id, a File or a Blob, got ${model === "" ? "an empty string" : typeof model}`,
    );
  }
  return looksLikeAddress(model) ? fromUrls([resolveAddress(model)]) : await fromCatalogue(model, signal);
}

/**
 * An id is one plain word; whatever has a path, a scheme or the format's extension is an address.
 *
 * @param {string} model
 */
function looksLikeAddress(model) {
  return /[/:?]|\.gguf$/i.test(model);
}

/** @param {string} address */
function resolveAddress(address) {
  try {
    return absoluteAddress(address);
  } catch (cause) {
    throw new QwispError("invalid-argument", `Engine.load: expected model to be a valid address, got "${address}"`, {
      cause,
    });
  }
}

/**
 * @param {string[]} urls
 * @param {string} [sha256]
 * @returns {ModelSource}
 */
function fromUrls(urls, sha256) {
  // A catalogue's file is the same one wherever it is taken from.
  return { address: canonicalAddress(urls[0]), urls, sha256, cacheable: true, isLocal: false, release() {} };
}

/**
 * @param {string} id
 * @param {AbortSignal} [signal]
 */
async function fromCatalogue(id, signal) {
  const models = await fetchCatalogue(signal);
  const entry = models.find((candidate) => candidate.id === id);
  if (!entry) {
    const known = models.map((candidate) => candidate.id).join(", ");
    throw new QwispError(
      "invalid-argument",
      `Engine.load: expected model to be an id in ${CATALOGUE_URL} (${known}), got "${id}"`,
    );
  }
  return fromUrls(
    entry.urls.map((url) => new URL(url, CATALOGUE_URL).href),
    entry.sha256,
  );
}

/**
 * @param {AbortSignal} [signal]
 * @returns {Promise<import("./qwisp.d.ts").CatalogueModel[]>}
 */
async function fetchCatalogue(signal) {
  try {
    const response = await fetch(CATALOGUE_URL, { signal });
    if (!response.ok) throw new Error(`HTTP ${response.status} ${response.statusText}`);
    return (await response.json()).models;
  } catch (cause) {
    if (signal?.aborted) throw new QwispError("aborted", "Engine.load was aborted by its signal", { cause });
    throw new QwispError("network", `${CATALOGUE_URL}: expected the model catalogue, got ${cause}`, { cause });
  }
}
