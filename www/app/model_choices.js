import { QwispError } from "../qwisp.js";

/** How long a server may take to say how large a file is. */
const SIZE_PATIENCE_MS = 5000;

/**
 * A model that the page can load, and what it can tell about it beforehand.
 *
 * @typedef {object} ModelChoice
 * @property {string | File} model What goes to `Engine.load`.
 * @property {string} name
 * @property {string} description
 * @property {string | null} address Where it is downloaded from; null for a file of this device.
 * @property {number | null} bytes Null while nobody has said; see `askForSize`.
 * @property {import("../qwisp.js").ChatOptions} sampling
 */

/**
 * What to offer, the preferred model first: the one that the address asks for, then the catalogue.
 *
 * @param {string | null} wanted The address's `model`.
 * @returns {Promise<ModelChoice[]>}
 */
export async function listModelChoices(wanted) {
  const choices = await fetchCatalogueChoices();
  if (wanted === null) return choices;
  const known = choices.find((choice) => choice.model === wanted);
  return known ? [known, ...choices.filter((choice) => choice !== known)] : [choiceOfAddress(wanted), ...choices];
}

/**
 * @param {File} file
 * @returns {ModelChoice}
 */
export function choiceOfFile(file) {
  return { model: file, name: file.name, description: "", address: null, bytes: file.size, sampling: {} };
}

/** @returns {Promise<ModelChoice[]>} */
async function fetchCatalogueChoices() {
  const catalogueUrl = new URL("models.json", document.baseURI);
  let catalogue;
  try {
    const response = await fetch(catalogueUrl);
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    catalogue = /** @type {import("../qwisp.js").Catalogue} */ (await response.json());
  } catch (cause) {
    throw new QwispError("network", `${catalogueUrl}: expected the list of models, got ${cause}`, { cause });
  }
  return catalogue.models.map(({ id, name, description, urls, bytes, sampling = {} }) => ({
    model: id,
    name,
    description,
    address: new URL(urls[0], catalogueUrl).href,
    bytes,
    sampling,
  }));
}

/**
 * @param {string} wanted
 * @returns {ModelChoice}
 */
function choiceOfAddress(wanted) {
  if (!URL.canParse(wanted, document.baseURI)) {
    throw new QwispError(
      "invalid-argument",
      `model in the page's address: expected an address or a known id, got "${wanted}"`,
    );
  }
  const url = new URL(wanted, document.baseURI);
  return {
    model: url.href,
    name: url.pathname.split("/").at(-1) || url.host,
    description: "",
    address: url.href,
    bytes: null,
    sampling: {},
  };
}

/**
 * The size of a file is worth one small request, but no waiting. Null without an answer.
 *
 * @param {string} address
 * @returns {Promise<number | null>}
 */
export async function askForSize(address) {
  try {
    const signal = AbortSignal.timeout(SIZE_PATIENCE_MS);
    const response = await fetch(address, { method: "HEAD", credentials: "omit", signal });
    return response.ok ? Number(response.headers.get("content-length")) || null : null;
  } catch {
    return null;
  }
}
