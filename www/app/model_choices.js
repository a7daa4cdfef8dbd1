import { QwispError } from "../qwisp.js";
import { hasMessage, translate } from "./i18n.js";

/** How long a server may take to say how large a file is. */
const SIZE_PATIENCE_MS = 5000;
/** The id under which `make serve` offers the file that it was started with. */
const LOCAL_ID = "local";

/**
 * @typedef {import("../qwisp.js").CatalogueModel} CatalogueModel
 * @typedef {import("../qwisp.js").StoredModel} StoredModel
 */

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
 * @property {CatalogueModel | null} entry Of the catalogue.
 * @property {boolean} isPreferred Whether it comes first, whatever is good at what.
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
  const preferred = { ...(known ?? choiceOfAddress(wanted)), isPreferred: true };
  return [preferred, ...choices.filter((choice) => choice !== known)];
}

/**
 * @param {File} file
 * @returns {ModelChoice}
 */
export function choiceOfFile(file) {
  return { ...UNKNOWN, model: file, name: file.name, address: null, bytes: file.size };
}

/**
 * @param {StoredModel} stored
 * @returns {ModelChoice} A model that is on this device, and in no catalogue.
 */
export function choiceOfStored({ address, name, totalBytes }) {
  return { ...UNKNOWN, model: address, name, description: translate("models.fromFile"), address, bytes: totalBytes };
}

/** The catalogue's description in the language of the page, where there is one. @param {ModelChoice} choice */
export function describeChoice({ entry, description }) {
  const key = `models.${entry?.id}.description`;
  return hasMessage(key) ? translate(key) : description;
}

const UNKNOWN = { description: "", sampling: {}, entry: null, isPreferred: false };

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
  return catalogue.models.map((entry) => ({
    model: entry.id,
    name: entry.name,
    description: entry.description,
    address: new URL(entry.urls[0], catalogueUrl).href,
    bytes: entry.bytes,
    sampling: entry.sampling ?? {},
    entry,
    isPreferred: entry.id === LOCAL_ID,
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
  const name = url.pathname.split("/").at(-1) || url.host;
  return { ...UNKNOWN, model: url.href, name, address: url.href, bytes: null };
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
