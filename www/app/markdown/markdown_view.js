import { element } from "../dom.js";
import { translate } from "../i18n.js";
import { codeBlock, finishCodeBlock, growCodeBlock } from "./code_block.js";
import { sanitizeText } from "./sanitize.js";
import { readBlocks } from "./read_blocks.js";
import { escapeHtml, tokensToHtml } from "./to_html.js";
import { typeset } from "./typeset.js";

/**
 * @typedef {import("./to_html.js").Token} Token
 * @typedef {import("./to_html.js").List} List
 * @typedef {import("./to_html.js").Table} Table
 */

/**
 * A block that still grows. `parts` are the sources of those of its items or rows that aren't finished.
 *
 * `head` is what changes only if it all does.
 *
 * @typedef {{ type: string, raw: string, node: HTMLElement, head: string, parts: string[] }} OpenBlock
 */

/** From so many items or rows on, those that are finished are left alone for good. */
const MAX_OPEN_PARTS = 40;
/** A longer block is shown as plain text: reading it as Markdown again and again would hold up the page. */
const MAX_BLOCK = 16_000;
const MAX_LIST = 40_000;

/**
 * Shows a text of Markdown while it grows. What comes before the last block is finished: it is read once, rendered once
 * and never touched again, so that the cost of a piece doesn't depend on how long the text is.
 */
export class MarkdownView {
  #container;
  /** What isn't finished. */
  #rest = "";
  /** What has to be read before `#rest`: the head of a table whose first rows are finished. */
  #head = "";
  /** @type {OpenBlock[]} */
  #open = [];
  /** Depths of the headings that the next one may be below. @type {number[]} */
  #headings = [];
  /** @type {import("./to_html.js").Links} */
  #links = {};

  /** @param {HTMLElement} container empty; belongs to the view */
  constructor(container) {
    this.#container = container;
    container.classList.add("markdown");
  }

  /** @param {string} text */
  append(text) {
    this.#rest += text.replace(/\r\n?/g, "\n");
  }

  /** Shows what was appended. @param {{ isWhole?: boolean }} [options] `isWhole`: nothing follows */
  render({ isWhole = false } = {}) {
    const source = this.#head + this.#rest;
    const tokens = readBlocks(source, this.#links);
    const shown = tokens.filter(({ type }) => type !== "space" && type !== "def");
    const finished = isWhole ? shown.length : countFinished(shown);
    this.#placeHeadings(shown, finished).forEach((token, index) => this.#show(token, index));
    for (const { node } of this.#open.splice(shown.length)) node.remove();

    const next = shown.at(finished);
    const isAll = finished === shown.length;
    if (finished > 0) this.#finish(isAll ? tokens : tokens.slice(0, tokens.indexOf(shown[finished])));
    for (const { node } of this.#open.splice(0, finished)) finishNode(node);
    if (isWhole) this.#rest = "";
    else if (!isAll && next) this.#finishParts(next);
  }

  /**
   * Brings the `index`th open block up to date.
   *
   * @param {Token} token
   * @param {number} index
   */
  #show(token, index) {
    const block = this.#open[index];
    const type = shownType(token);
    if (block?.type === type && (block.raw === token.raw || growBlock(block, token))) {
      block.raw = token.raw;
      return;
    }
    const created = createBlock(type, token);
    if (!block) this.#container.append(created.node);
    // Finished items stay, whatever follows them.
    else if (block.node.querySelector(".finished")) block.node.after(created.node);
    else block.node.replaceWith(created.node);
    this.#open[index] = created;
  }

  /**
   * Gives headings the level below the one that they belong to, whatever their author's first level was: readers of outlines
   * must not miss any.
   *
   * @param {Token[]} tokens
   * @param {number} finished how many of them are
   */
  #placeHeadings(tokens, finished) {
    let above = this.#headings;
    return tokens.map((token, index) => {
      if (token.type !== "heading") return token;
      above = [...above.filter((depth) => depth < token.depth), token.depth];
      if (index < finished) this.#headings = above;
      return { ...token, depth: above.length };
    });
  }

  /** Lets go of the text of these tokens. @param {Token[]} tokens */
  #finish(tokens) {
    const length = tokens.reduce((sum, { raw }) => sum + raw.length, 0);
    this.#rest = this.#rest.slice(length - this.#head.length);
    this.#head = "";
  }

  /** Lets go of the first items or rows of a long list or table. @param {Token} token the first that is open */
  #finishParts(token) {
    const [block] = this.#open;
    if (block.parts.length <= MAX_OPEN_PARTS) return;
    if (!this.#head) this.#rest = this.#rest.replace(/^(?:[ \t]*\n)+/, "");
    const count = block.parts.length - 2; // the last item may still become another one
    if (token.type === "list") {
      const items = /** @type {List} */ (token).items.slice(0, count);
      this.#rest = this.#rest.slice(items.reduce((sum, { raw }) => sum + raw.length, 0));
    } else {
      const lines = token.raw.split("\n");
      const head = `${lines.slice(0, 2).join("\n")}\n`;
      const rows = `${lines.slice(2, 2 + count).join("\n")}\n`;
      this.#rest = this.#rest.slice((this.#head ? 0 : head.length) + rows.length);
      this.#head = head;
    }
    for (const part of unfinishedParts(block.node).slice(0, count)) {
      finishNode(part);
      part.classList.add("finished");
    }
    this.#open.splice(0, 1, { ...block, raw: "", parts: block.parts.slice(count) });
  }
}

/** All but the last block, and the one before while the last one's first line may still make it part of that. @param {Token[]} shown */
function countFinished(shown) {
  const last = shown.at(-1);
  if (!last) return 0;
  return Math.max(0, shown.length - (last.raw.includes("\n") ? 1 : 2));
}

/** @param {Token} token */
function shownType(token) {
  const { type, raw } = token;
  if (type === "code" || type === "plain") return type;
  if (type === "list") return raw.length > MAX_LIST ? "plain" : token.ordered ? "ol" : "ul";
  return raw.length > (type === "table" ? MAX_LIST : MAX_BLOCK) ? "plain" : type;
}

/**
 * @param {string} type
 * @param {Token} token
 * @returns {OpenBlock}
 */
function createBlock(type, token) {
  if (type === "code")
    return { type, raw: token.raw, node: codeBlock(token.text, languageOf(token)), head: "", parts: [] };
  if (type === "plain") return { type, raw: token.raw, node: plainBlock(token.raw), head: "", parts: [] };
  const node = toNode(token);
  return { type, raw: token.raw, node, head: headOf(token), parts: partSources(token) };
}

/**
 * Changes what differs, if the kind of block allows it.
 *
 * @param {OpenBlock} block
 * @param {Token} token
 * @returns {boolean} whether the block shows the token now
 */
function growBlock(block, token) {
  const { node, type } = block;
  if (type === "plain") {
    node.textContent = token.raw;
    return true;
  }
  if (type === "code") {
    if (node.dataset.language !== languageOf(token)) return false;
    growCodeBlock(node, token.text);
    return true;
  }
  if ((type !== "ol" && type !== "ul" && type !== "table") || block.head !== headOf(token)) return false;
  const sources = partSources(token);
  const same = sources.findIndex((source, index) => source !== block.parts[index]);
  const from = same < 0 ? sources.length : same;
  for (const part of unfinishedParts(node).slice(from)) part.remove();
  if (from < sources.length) holderOf(node).append(...partsOf(toNode(partOf(token, from))));
  block.parts = sources;
  return true;
}

/** @param {Token} token */
function headOf(token) {
  if (token.type !== "table") return "";
  return JSON.stringify([token.align, token.header.map((/** @type {{ text: string }} */ { text }) => text)]);
}

/** @param {Token} token @returns {string[]} */
function partSources(token) {
  // A list with a blank line between its items has paragraphs in all of them.
  if (token.type === "list") return token.items.map((/** @type {any} */ item) => `${item.loose} ${item.raw}`);
  if (token.type === "table")
    return token.rows.map((/** @type {any[]} */ row) => row.map(({ text }) => text).join("\n"));
  return [];
}

/** The token from its `from`th item or row on. @param {Token} token @param {number} from @returns {Token} */
function partOf(token, from) {
  if (token.type === "list") return /** @type {List} */ ({ ...token, items: token.items.slice(from) });
  return /** @type {Table} */ ({ ...token, rows: token.rows.slice(from) });
}

/** The items or rows of a block's element. @param {HTMLElement} node */
function partsOf(node) {
  return holderOf(node).children;
}

/** @param {HTMLElement} node */
function unfinishedParts(node) {
  return [...partsOf(node)].filter((part) => !part.classList.contains("finished"));
}

/** @param {HTMLElement} node */
function holderOf(node) {
  return node.matches(".table") ? (node.querySelector("tbody") ?? node) : node;
}

/** @param {Token} token @returns {HTMLElement} */
function toNode(token) {
  const fragment = sanitizeText(blockHtml(token));
  for (const code of fragment.querySelectorAll("pre > code")) {
    const language = code.className.replace(/^language-/, "");
    code.parentElement?.replaceWith(codeBlock(code.textContent ?? "", language));
  }
  for (const link of fragment.querySelectorAll("a")) {
    link.rel = "noopener noreferrer nofollow";
    link.target = "_blank";
  }
  for (const code of fragment.querySelectorAll("code[class^=math]")) typeset(/** @type {HTMLElement} */ (code));
  for (const table of fragment.querySelectorAll("table")) {
    // What scrolls must be reachable with the keyboard.
    const holder = element("div", {
      className: "table",
      role: "group",
      tabIndex: 0,
      ariaLabel: translate("table.title"),
    });
    table.before(holder);
    holder.append(table);
    if (!table.tBodies.length) table.append(element("tbody"));
  }
  const node = fragment.firstElementChild;
  if (!(node instanceof HTMLElement) || fragment.childNodes.length > 1) {
    return element("div", { className: "paragraph", dir: "auto" }, fragment);
  }
  node.dir = "auto";
  return node;
}

/** @param {Token} token */
function blockHtml(token) {
  try {
    return tokensToHtml([token]).trim();
  } catch {
    return `<p>${escapeHtml(token.raw)}</p>`;
  }
}

/** @param {string} text */
function plainBlock(text) {
  return element("p", { className: "plain", dir: "auto" }, text);
}

/** @param {Token} token */
function languageOf({ lang }) {
  return (lang ?? "").match(/^[\w+#.-]{1,24}/)?.[0] ?? "";
}

/** @param {Element} node */
function finishNode(node) {
  const blocks = node.matches(".code-block") ? [node] : node.querySelectorAll(".code-block");
  for (const block of blocks) finishCodeBlock(/** @type {HTMLElement} */ (block));
}
