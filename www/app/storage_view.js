import { storedModels } from "../qwisp.js";
import { byId } from "./dom.js";
import { formatBytes } from "./format.js";
import { translate } from "./i18n.js";

/** @typedef {import("../qwisp.js").StoredModel} StoredModel */

/** How much of this device's storage models take, and whether the browser may clear them. */
export class StorageView {
  #box = byId("storage", HTMLElement);
  #facts = byId("storage-facts", HTMLElement);
  #keep = byId("keep-storage", HTMLButtonElement);
  #wasRefused = false;
  #count = 0;

  constructor() {
    this.#keep.addEventListener("click", async () => {
      this.#wasRefused = !(await storedModels.askToKeep().catch(() => false));
      await this.show(this.#count);
    });
  }

  /** @param {number} count of the models that are stored */
  async show(count) {
    this.#count = count;
    const usage = count > 0 ? await storedModels.usage().catch(() => null) : null;
    this.#box.hidden = usage === null;
    if (usage === null) return;
    const { usedBytes, quotaBytes, isPersistent } = usage;
    const facts = translate("storage.facts", { count, used: formatBytes(usedBytes), quota: formatBytes(quotaBytes) });
    const future = isPersistent ? "storage.kept" : this.#wasRefused ? "storage.refused" : "storage.mayGo";
    this.#facts.textContent = `${facts} ${translate(future)}`;
    this.#keep.hidden = isPersistent || this.#wasRefused;
  }
}
