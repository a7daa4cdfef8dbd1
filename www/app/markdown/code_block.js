import { element } from "../dom.js";
import { translate } from "../i18n.js";
import { highlight } from "./highlight.js";

const SHOWN_MS = 2000;

/**
 * Code with its language and a button that copies it.
 *
 * @param {string} text
 * @param {string} language as the answer calls it; may be empty
 */
export function codeBlock(text, language) {
  const code = element("code", { translate: false }, text);
  const name = language || translate("code.title");
  const pre = element("pre", { tabIndex: 0, role: "group", ariaLabel: name, dir: "ltr" }, code);
  const bar = element("div", { className: "code-bar" }, element("span", { className: "code-language" }, language));
  bar.append(copyButton(translate("code.copy"), () => code.textContent ?? ""));
  const block = element("div", { className: "code-block" }, bar, pre);
  block.dataset.language = language;
  return block;
}

/**
 * Shows more of code that is on its way, and touches nothing else.
 *
 * @param {HTMLElement} block
 * @param {string} text
 */
export function growCodeBlock(block, text) {
  const code = block.querySelector("code");
  const shown = code?.firstChild;
  if (!code || !(shown instanceof Text)) code?.replaceChildren(text);
  else if (text.startsWith(shown.data)) shown.appendData(text.slice(shown.data.length));
  else shown.data = text;
}

/** Gives colours to finished code. @param {HTMLElement} block */
export function finishCodeBlock(block) {
  const code = block.querySelector("code");
  if (code && block.dataset.language) void highlight(code, block.dataset.language);
}

/**
 * @param {string} label
 * @param {() => string} read what is to be copied
 */
export function copyButton(label, read) {
  const button = element("button", { type: "button", className: "copy" }, label);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(read());
      button.textContent = translate("code.copied");
    } catch {
      button.textContent = translate("code.notAllowed");
    }
    setTimeout(() => (button.textContent = label), SHOWN_MS);
  });
  return button;
}
