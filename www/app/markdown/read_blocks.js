/**
 * Reads blocks of Markdown in a time that can be relied on: what would take the parser too long, because someone wrote
 * thousands of stars or levels, is text.
 */
import { lexBlocks } from "./to_html.js";

/**
 * @typedef {import("./to_html.js").Token} Token
 * @typedef {import("./to_html.js").Links} Links
 */

/** Marks from which the parser looks far and wide; the time for that grows with their square. */
const PAIRED_MARK = /[*_~$@]/g;
const MAX_PAIRED_MARKS = 1200;
/** So many levels of quotes or lists are no text. */
const TOO_DEEP = /^(?:[ \t]*(?:>|[-*+][ \t]|\d+[.)][ \t])){30}|^[ \t]{60,}(?:[-*+]|\d+[.)]) /m;
const FENCE = /^ {0,3}(?:```|~~~)/;

/**
 * @param {string} source
 * @param {Links} links those found so far, to which new ones are added
 * @returns {Token[]} their `raw` together are the source
 */
export function readBlocks(source, links) {
  // Within a block of code there are no marks.
  if (FENCE.test(source) || isReadable(source)) {
    const tokens = tryToRead(source, links);
    if (tokens) return tokens;
  }
  const end = source.search(/\n[ \t]*\n/);
  const raw = end < 0 ? source : source.slice(0, source.indexOf("\n", end + 1) + 1);
  /** @type {Token} */
  const plain = { type: "plain", raw, text: raw };
  return raw.length === source.length ? [plain] : [plain, ...readBlocks(source.slice(raw.length), links)];
}

/** @param {string} source */
function isReadable(source) {
  return (source.match(PAIRED_MARK)?.length ?? 0) <= MAX_PAIRED_MARKS && !TOO_DEEP.test(source);
}

/**
 * @param {string} source
 * @param {Links} links
 * @returns {Token[] | null}
 */
function tryToRead(source, links) {
  try {
    const tokens = lexBlocks(source, links);
    // Who counts on the lengths must not lose a letter.
    return tokens.reduce((sum, { raw }) => sum + raw.length, 0) === source.length ? tokens : null;
  } catch {
    return null; // nested too deeply
  }
}
