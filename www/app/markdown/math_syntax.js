/**
 * Maths in Markdown, as language models write it: `$…$` and `\(…\)` in a line, `$$…$$` and `\[…\]` on their own. The
 * tokens have the types `math` and `mathBlock`, with the TeX in `text`; one that is `open` has begun, and its end is to come.
 */

/** @typedef {import("../vendor/marked.js").TokenizerAndRendererExtension} Extension */

/** TeX that is longer is no formula. */
const MAX_TEX = 4000;

const DISPLAY = /^ {0,3}(?:\$\$((?:(?!\$\$)[^])+?)\$\$|\\\[((?:(?!\\\])[^])+?)\\\])[ \t]*(?:\n|$)/;
/** A formula that has begun and is on its way: no blank line, no end. */
const OPEN_DISPLAY = /^ {0,3}(?:\$\$|\\\[)(?:(?!\n[ \t]*\n|\$\$|\\\])[^])*$/;
// A price is no formula: the `$` at its end follows no space, and no digit follows it.
const INLINE =
  /^(?:\$\$((?:(?!\$\$)[^])+?)\$\$|\$(?![\s$])((?:\\[^]|[^$\\\n])*?(?:\\[^\s]|[^\s$\\]))\$(?!\d)|\\\(((?:(?!\\\))[^])+?)\\\)|\\\[((?:(?!\\\])[^])+?)\\\])/;

/** @type {Extension} */
export const displayMath = {
  name: "displayMath",
  level: "block",
  start(source) {
    const index = source.search(/\n {0,3}(?:\$\$|\\\[)/);
    return index < 0 ? undefined : index + 1;
  },
  tokenizer(source) {
    const start = source.slice(0, MAX_TEX);
    const match = DISPLAY.exec(start);
    if (match) return { type: "mathBlock", raw: match[0], text: (match[1] ?? match[2]).trim(), open: false };
    if (source.length > MAX_TEX || !OPEN_DISPLAY.test(start)) return undefined;
    return { type: "mathBlock", raw: start, text: start, open: true };
  },
};

/** @type {Extension} */
export const inlineMath = {
  name: "inlineMath",
  level: "inline",
  start: (source) => source.match(/\$|\\[([]/)?.index,
  tokenizer(source) {
    const match = INLINE.exec(source.slice(0, MAX_TEX));
    if (!match) return undefined;
    const text = match[1] ?? match[2] ?? match[3] ?? match[4];
    return { type: "math", raw: match[0], text: text.trim(), display: (match[1] ?? match[4]) !== undefined };
  },
};
