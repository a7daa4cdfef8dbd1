import { element } from "./dom.js";
import { translate } from "./i18n.js";
import { icon } from "./icons.js";

const SHOWN_MS = 2000;

/**
 * @typedef {object} ToolHandlers
 * @property {() => string} readText what is copied
 * @property {(step: -1 | 1) => void} onSwitch shows the version before or after
 */

/** The buttons under a message: its versions, what can be done with it. */
export class MessageTools {
  element;
  #versions;
  #label = element("span", { className: "version" });
  #previous;
  #next;

  /**
   * @param {ToolHandlers} handlers
   * @param {HTMLButtonElement[]} more
   */
  constructor({ readText, onSwitch }, more) {
    this.#previous = toolButton("previous", translate("message.branchPrevious"), () => onSwitch(-1));
    this.#next = toolButton("next", translate("message.branchNext"), () => onSwitch(1));
    this.#versions = element("div", { className: "versions" }, this.#previous, this.#label, this.#next);
    this.#versions.hidden = true;
    const copy = toolButton("copy", translate("message.copy"), async () => {
      const succeeded = await copyText(readText());
      copy.classList.toggle("done", succeeded);
      copy.title = translate(succeeded ? "code.copied" : "code.notAllowed");
      copy.ariaLabel = copy.title;
      setTimeout(() => {
        copy.classList.remove("done");
        copy.title = translate("message.copy");
        copy.ariaLabel = copy.title;
      }, SHOWN_MS);
    });
    this.element = element("div", { className: "message-tools" }, this.#versions, copy, ...more);
  }

  /** @param {number} index @param {number} total */
  showVersions(index, total) {
    this.#versions.hidden = total < 2;
    this.#label.textContent = `${index + 1}/${total}`;
    this.#label.ariaLabel = translate("message.branch", { number: index + 1, total });
    this.#label.role = "img"; // so that the label is read instead of the figures
    this.#previous.disabled = index === 0;
    this.#next.disabled = index === total - 1;
  }

  /** Puts the focus on the button that goes that way, or on the other one. @param {-1 | 1} step */
  focusSwitch(step) {
    const [wanted, other] = step < 0 ? [this.#previous, this.#next] : [this.#next, this.#previous];
    (wanted.disabled ? other : wanted).focus();
  }
}

/**
 * @param {import("./icons.js").IconName} name
 * @param {string} label
 * @param {() => void} run
 * @param {{ needsModel?: boolean }} [options] `needsModel`: not there while a conversation can only be read
 */
export function toolButton(name, label, run, { needsModel = false } = {}) {
  const className = needsModel ? "tool needs-model" : "tool";
  const button = element("button", { type: "button", className, ariaLabel: label, title: label }, icon(name));
  button.addEventListener("click", run);
  return button;
}

/** @param {string} text @returns {Promise<boolean>} whether the browser allowed it */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
