import { byId, element } from "../app/dom.js";
import { LENGTH_COLUMNS, factRows, lengthRows, reportText } from "./report.js";

/** @typedef {import("./report.js").Report} Report */

/** Shows what was measured, and gives it away as text. */
export class ResultView {
  #section = byId("result", HTMLElement);
  #title = byId("result-title", HTMLElement);
  #lengths = byId("result-lengths", HTMLTableElement);
  #facts = byId("result-facts", HTMLTableElement);
  #notes = byId("result-notes", HTMLElement);
  #status = byId("result-status", HTMLElement);
  #text = "";

  /** @param {() => void} onAgain */
  constructor(onAgain) {
    byId("measure-again", HTMLButtonElement).addEventListener("click", onAgain);
    byId("copy-result", HTMLButtonElement).addEventListener("click", () => this.#copy());
  }

  /** @param {Report} report */
  show(report) {
    this.#text = reportText(report);
    const head = element("tr", {}, ...LENGTH_COLUMNS.map((name) => element("th", { scope: "col" }, name)));
    this.#lengths.replaceChildren(element("thead", {}, head), tableBody(lengthRows(report)));
    this.#facts.replaceChildren(tableBody(factRows(report)));
    this.#notes.replaceChildren(...report.notes.map((note) => element("li", {}, note)));
    this.#status.textContent = "";
    this.#section.hidden = false;
    this.#title.focus();
  }

  hide() {
    this.#section.hidden = true;
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.#text);
      this.#status.textContent = "Copied";
    } catch {
      this.#status.textContent = "The browser does not let this page copy";
    }
  }
}

/** @param {string[][]} rows The first cell of each names it. */
function tableBody(rows) {
  return element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map(tableCell))));
}

/**
 * @param {string} text
 * @param {number} column
 */
function tableCell(text, column) {
  return column === 0 ? element("th", { scope: "row" }, text) : element("td", {}, text);
}
