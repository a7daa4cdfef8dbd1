import { byId, element } from "./dom.js";
import { translate } from "./i18n.js";

/** Shows what this page has asked the network for since it was opened, as the browser itself counts it. */
export class PrivacyView {
  #dialog = byId("privacy", HTMLDialogElement);
  #list = byId("privacy-requests", HTMLElement);
  /** @type {PerformanceResourceTiming[]} */
  #requests = [];
  /** Where the engine's worker has the model from. @type {{ address: string | null, isDownload: boolean } | null} */
  #model = null;

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

  /** @param {{ address: string | null, isDownload: boolean }} model The page doesn't see what its worker asks for. */
  setModel(model) {
    this.#model = model;
  }

  #render() {
    const addresses = this.#requests.map(({ name }) => new URL(name)).filter(({ protocol }) => protocol !== "blob:");
    const own = new Set(addresses.filter(({ origin }) => origin === location.origin).map(({ href }) => href));
    const others = new Set(addresses.filter(({ origin }) => origin !== location.origin).map(({ href }) => href));
    const lines = [translate("privacy.own", { count: own.size, host: location.host })];
    if (this.#model) lines.push(describeModel(this.#model));
    lines.push(...others);
    if (!others.size) lines.push(translate("privacy.noOthers"));
    this.#list.replaceChildren(...lines.map((line) => element("li", { dir: "auto" }, line)));
  }
}

/** @param {{ address: string | null, isDownload: boolean }} model */
function describeModel({ address, isDownload }) {
  if (address === null) return translate("privacy.modelFile");
  if (!isDownload) return translate("privacy.modelStored");
  const { host } = new URL(address, location.href);
  return translate("privacy.model", { host, address });
}
