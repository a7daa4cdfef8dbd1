/**
 * Markdown into tokens, and tokens into HTML. What an answer holds of HTML is text, but for a few tags without attributes;
 * pictures become links. The HTML still has to pass the sanitiser: see `sanitize.js`.
 */
import { Lexer, Marked, Parser } from "../vendor/marked.js";
import { displayMath, inlineMath } from "./math_syntax.js";

/**
 * @typedef {import("../vendor/marked.js").Tokens.Generic} Token
 * @typedef {import("../vendor/marked.js").Tokens.List} List
 * @typedef {import("../vendor/marked.js").Tokens.Table} Table
 * @typedef {Record<string, { href: string, title: string | null | undefined }>} Links where `[text][name]` leads
 */

/** Models write these in tables and formulas. */
const HARMLESS_TAG = /^<\/?(?:b|br|i|kbd|s|sub|sup|u)\s*\/?>/i;
/** Above the headings of an answer are those of the page and of the message. */
const FIRST_HEADING = 3;

const marked = new Marked({ gfm: true, breaks: false });
marked.use({
  extensions: [
    displayMath,
    inlineMath,
    { name: "math", renderer: ({ text, display }) => mathHtml(text, display) },
    { name: "mathBlock", renderer: ({ text, open }) => `<p>${open ? escapeHtml(text) : mathHtml(text, true)}</p>` },
  ],
  tokenizer: {
    html: () => undefined,
    tag(source) {
      const raw = HARMLESS_TAG.exec(source)?.[0];
      if (raw === undefined) return undefined;
      return { type: "html", raw, text: raw, block: false, inLink: false, inRawBlock: false };
    },
  },
  renderer: {
    heading({ depth, tokens }) {
      const level = Math.min(6, FIRST_HEADING - 1 + depth);
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>`;
    },
    code({ text, lang }) {
      const language = (lang ?? "").match(/^[\w+#.-]{1,24}/)?.[0];
      return `<pre><code${language ? ` class="language-${language}"` : ""}>${escapeHtml(text)}</code></pre>`;
    },
    link({ href, tokens, text }) {
      const label = this.parser.parseInline(tokens);
      const address = safeAddress(href);
      if (address === null) return `${label} (${escapeHtml(href)})`;
      // An address as the text of a link must not be another one than the link's.
      return anchor(address, /^(?:https?:|www\.)/i.test(text) ? escapeHtml(address) : label);
    },
    image({ href, text }) {
      const address = safeAddress(href);
      const label = escapeHtml(text || href);
      return address === null ? label : anchor(address, label);
    },
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
  },
});

/**
 * The blocks of a text, one after the other; their `raw` together are the text.
 *
 * @param {string} text
 * @param {Links} links those found so far, to which new ones are added
 * @returns {Token[]}
 */
export function lexBlocks(text, links) {
  const lexer = new Lexer({ ...marked.defaults });
  Object.assign(lexer.tokens.links, links);
  const tokens = lexer.lex(text);
  Object.assign(links, lexer.tokens.links);
  return tokens;
}

/** @param {Token[]} tokens @returns {string} HTML that still has to be sanitised */
export function tokensToHtml(tokens) {
  return /** @type {string} */ (Parser.parse(tokens, { ...marked.defaults }));
}

/** @param {string} text */
export function escapeHtml(text) {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/**
 * @param {string} address
 * @param {string} label HTML
 */
function anchor(address, label) {
  const quoted = escapeHtml(address);
  return `<a href="${quoted}" title="${quoted}">${label}</a>`;
}

/**
 * The address as the browser will understand it, or null if nobody should be led there.
 *
 * @param {string} href
 */
function safeAddress(href) {
  if (!/^(?:https?:\/\/|mailto:)/i.test(href)) return null;
  try {
    return new URL(href).href;
  } catch {
    return null;
  }
}

/**
 * @param {string} tex
 * @param {boolean} display
 */
function mathHtml(tex, display) {
  return `<code class="math-${display ? "display" : "inline"}">${escapeHtml(tex)}</code>`;
}
