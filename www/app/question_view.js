import { element, isComposing } from "./dom.js";
import { translate } from "./i18n.js";
import { MessageTools, toolButton } from "./message_tools.js";

/** @typedef {import("./conversations/conversation_tree.js").StoredMessage} StoredMessage */

/** What someone asked: plain text, which can be changed and sent again. */
export class QuestionView {
  element;
  tools;
  #message;
  #text;
  #edit;
  #onEdit;

  /**
   * @param {StoredMessage} message
   * @param {{ onEdit: (text: string) => boolean, onSwitch: (step: -1 | 1) => void }} handlers `onEdit` says whether the
   *   question is asked; not while another answer is under way
   */
  constructor(message, { onEdit, onSwitch }) {
    this.#message = message;
    this.#onEdit = onEdit;
    this.#edit = toolButton("edit", translate("message.editLabel"), () => this.#startEdit(), { needsModel: true });
    this.tools = new MessageTools({ readText: () => message.text, onSwitch }, [this.#edit]);
    this.#text = element("p", { className: "message-text", dir: "auto" }, message.text);
    const heading = element("h2", { className: "visually-hidden" }, translate("message.you"));
    this.element = element("article", { className: "message question" }, heading, this.#text, this.tools.element);
  }

  #startEdit() {
    const field = element("textarea", { value: this.#message.text, dir: "auto", rows: 1 });
    field.ariaLabel = translate("message.editLabel");
    const fit = () => {
      field.style.height = "auto";
      field.style.height = `${field.scrollHeight}px`;
    };
    const close = () => {
      form.replaceWith(this.#text);
      this.element.classList.remove("editing");
      this.#edit.focus();
    };
    const form = element(
      "form",
      { className: "edit" },
      field,
      element(
        "p",
        { className: "actions" },
        element("button", { className: "primary" }, translate("message.editSend")),
        element("button", { type: "button", onclick: close }, translate("dialog.cancel")),
      ),
    );
    field.addEventListener("input", fit);
    field.addEventListener("keydown", (event) => {
      if (isComposing(event)) {
        event.stopPropagation();
      } else if (event.key === "Escape") {
        event.stopPropagation(); // it is the edit that ends, not an answer
        close();
      } else if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = field.value.trim();
      if (text !== "" && this.#onEdit(text)) close();
    });
    this.element.classList.add("editing");
    this.#text.replaceWith(form);
    fit();
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  }
}
