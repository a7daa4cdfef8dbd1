import { byId, element } from "./dom.js";
import { translate } from "./i18n.js";

/** Shows what this page has asked the network for since it was opened, as the browser itself counts it. */
export class PrivacyView {
  #dialog = byId("privacy", HTMLDialogElement);
  #list = byId("privacy-requests", HTMLElement);
  /** @type {PerformanceResourceTiming[]} */
  #requests = [];
  /** What the engine's worker downloads, or has begun to: the page doesn't see what its worker asks for. @type {Set<string>} */
  #downloads = new Set();
  /** Where the model is from, if not over the network. @type {"privacy.modelFile" | "privacy.modelStored" | null} */
  #local = null;

  constructor() {
    new PerformanceObserver((list) => {
      this.#requests.push(.../** @type {PerformanceResourceTiming[]} */ (list.getEntries()));
      if (this.#dialog.open) this.#render();
    }).observe({ type: "resource", buffered: true });
    byId("open-privacy", HTMLButtonElement).addEventListener("click", () => {
      this.#render();
      this.#dialog.showModal();
    });
  }

  /** @param {string} address of a model, from the first byte on */
  addDownload(address) {
    this.#local = null;
    if (this.#downloads.has(address)) return;
    this.#downloads.add(address);
    if (this.#dialog.open) this.#render();
  }

  /** @param {string | null} address of a model that came without a download; null for a file */
  setModel(address) {
    this.#local = address === null ? "privacy.modelFile" : "privacy.modelStored";
  }

  #render() {
    const addresses = this.#requests.map(({ name }) => new URL(name)).filter(({ protocol }) => protocol !== "blob:");
    const own = new Set(addresses.filter(({ origin }) => origin === location.origin).map(({ href }) => href));
    const others = new Set(addresses.filter(({ origin }) => origin !== location.origin).map(({ href }) => href));
    const lines = [translate("privacy.own", { count: own.size, host: location.host })];
    for (const address of this.#downloads) {
      const { host } = new URL(address, location.href);
      lines.push(translate("privacy.model", { host, address }));
    }
    if (this.#local) lines.push(translate(this.#local));
    lines.push(...others);
    if (!others.size) lines.push(translate("privacy.noOthers"));
    this.#list.replaceChildren(...lines.map((line) => element("li", { dir: "auto" }, line)));
  }
}
