import { element } from "./dom.js";

/**
 * A stretch of a message: running text, or a block of code.
 *
 * @typedef {{ kind: "text" | "code", language: string, text: string }} Segment
 */

const FENCE = /^ {0,3}```[ \t]*([^\s`]*)[^`]*$/;

/**
 * Splits a message at its code fences. A fence that is still open, as in a message on its way, counts up to the end.
 *
 * @param {string} message
 * @returns {Segment[]}
 */
export function splitSegments(message) {
  /** @type {{ kind: Segment["kind"], language: string, lines: string[] }[]} */
  const segments = [{ kind: "text", language: "", lines: [] }];
  for (const line of message.split("\n")) {
    const fence = line.match(FENCE);
    const current = segments[segments.length - 1];
    if (!fence) current.lines.push(line);
    else if (current.kind === "text") segments.push({ kind: "code", language: fence[1], lines: [] });
    else segments.push({ kind: "text", language: "", lines: [] });
  }
  return segments
    .map(({ kind, language, lines }) => ({ kind, language, text: trimBlankLines(lines, kind) }))
    .filter(({ kind, text }) => kind === "code" || text !== "");
}

/**
 * Shows a message, as text only. Called again and again while a message grows, it leaves finished segments alone, so
 * that what a reader has selected stays selected.
 *
 * @param {HTMLElement} container
 * @param {string} message
 */
export function renderMessageText(container, message) {
  const segments = splitSegments(message);
  segments.forEach((segment, index) => {
    const shown = container.children[index];
    if (shown?.getAttribute("data-kind") === segment.kind) updateSegment(shown, segment);
    else if (shown) shown.replaceWith(segmentElement(segment));
    else container.append(segmentElement(segment));
  });
  while (container.children.length > segments.length) container.lastElementChild?.remove();
}

/** @param {Segment} segment */
function segmentElement(segment) {
  const created =
    segment.kind === "code" ? codeElement() : element("p", {}, element("span", { className: "segment-text" }));
  created.dataset.kind = segment.kind;
  updateSegment(created, segment);
  return created;
}

function codeElement() {
  const code = element("code", { className: "segment-text" });
  const copy = element("button", { type: "button", className: "copy" }, "Copy");
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent ?? "");
      copy.textContent = "Copied";
    } catch {
      copy.textContent = "Not allowed";
    }
    setTimeout(() => (copy.textContent = "Copy"), 2000);
  });
  const bar = element("div", { className: "code-bar" }, element("span", { className: "code-language" }), copy);
  return element("div", { className: "code-block" }, bar, element("pre", { tabIndex: 0 }, code));
}

/**
 * @param {Element} shown
 * @param {Segment} segment
 */
function updateSegment(shown, { language, text }) {
  setText(shown.querySelector(".segment-text"), text);
  setText(shown.querySelector(".code-language"), language);
}

/**
 * @param {Element | null} target
 * @param {string} text
 */
function setText(target, text) {
  if (target && target.textContent !== text) target.textContent = text;
}

/**
 * Blank lines around a block of code are the block's margin; those inside code are the author's.
 *
 * @param {string[]} lines
 * @param {Segment["kind"]} kind
 */
function trimBlankLines(lines, kind) {
  const text = lines.join("\n");
  return kind === "code" ? text : text.replace(/^(?:[ \t]*\n)+|\s+$/g, "");
}
