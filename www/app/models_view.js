import { rankModels, storedModels } from "../qwisp.js";
import { DeviceView } from "./device_view.js";
import { askInDialog } from "./dialog.js";
import { byId } from "./dom.js";
import { formatBytes } from "./format.js";
import { onLanguageChange, translate } from "./i18n.js";
import { modelCard } from "./model_card.js";
import { askForSize, choiceOfStored } from "./model_choices.js";
import { StorageView } from "./storage_view.js";
import { TaskChips } from "./task_chips.js";

/**
 * @typedef {import("./model_choices.js").ModelChoice} ModelChoice
 * @typedef {import("../qwisp.js").StoredModel} StoredModel
 * @typedef {import("../qwisp.js").RankedModel} RankedModel
 */

/** So many models are shown at first. */
const SHORT_LIST = 3;

/** Which model to load, and what that costs. Nothing is downloaded before its button is pressed. */
export class ModelsView {
  #section = byId("start", HTMLElement);
  #title = byId("start-title", HTMLElement);
  #list = byId("model-choices", HTMLFieldSetElement);
  #button = byId("start-button", HTMLButtonElement);
  #more = byId("more-models", HTMLButtonElement);
  #note = byId("start-note", HTMLElement);
  #storedActions = byId("stored-actions", HTMLElement);
  #exportButton = byId("export-model", HTMLButtonElement);
  #removeDialog = byId("remove-dialog", HTMLDialogElement);
  #offered;
  /** All that can be chosen, in the order of the page. @type {ModelChoice[]} */
  #shown = [];
  /** What is known of the models of the catalogue, by id. @type {Map<string, RankedModel>} */
  #ranks = new Map();
  /** By address. @type {Map<string, StoredModel>} */
  #stored = new Map();
  /** What people chose, rather than what was chosen for them. @type {ModelChoice["model"] | null} */
  #chosen = null;
  #tasks = new TaskChips(() => this.#arrange());
  #storage = new StorageView();
  #device;
  /** Whether all models are listed, and not just those to begin with. */
  #isExpanded = false;

  /**
   * @param {object} options
   * @param {ModelChoice[]} options.choices At least one.
   * @param {(choice: ModelChoice) => void} options.onStart
   * @param {import("./page_options.js").PageOptions} options.options
   */
  constructor({ choices, onStart, options: { backend, tier } }) {
    this.#offered = choices;
    this.#device = new DeviceView({
      backend,
      tier,
      onProbe: () => this.#arrange({ keepOrder: this.#chosen !== null }),
    });
    this.#list.addEventListener("change", () => {
      this.#chosen = this.#selected().model;
      this.#describeSelected();
    });
    byId("start-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      onStart(this.#selected());
    });
    this.#more.addEventListener("click", () => {
      this.#isExpanded = true;
      this.#shortenList();
      this.#list.querySelectorAll("input")[SHORT_LIST].focus();
    });
    byId("remove-model", HTMLButtonElement).addEventListener("click", () => this.#remove());
    this.#exportButton.addEventListener("click", () => this.#export());
    onLanguageChange(() => {
      this.#tasks.translate();
      this.#device.describe();
      this.#arrange({ keepOrder: true });
    });
  }

  /** How fast this device was found to be. */
  get probe() {
    return this.#device.probe;
  }

  /**
   * @param {object} [options]
   * @param {ModelChoice} [options.selected] What to select, for example what was just paused.
   */
  async show({ selected } = {}) {
    if (selected) this.#chosen = selected.model;
    this.#section.hidden = false;
    await this.#refresh();
    this.#device.measureWhenIdle();
  }

  hide() {
    this.#section.hidden = true;
    this.#device.stop();
  }

  focus() {
    if (this.#button.disabled) this.#title.focus();
    else this.#button.focus();
  }

  /** Looks what is stored on this device. */
  async look() {
    const stored = await storedModels.list().catch(() => []); // storage may be forbidden
    this.#stored = new Map(stored.map((model) => [model.address, model]));
    this.#arrange();
  }

  async #refresh() {
    await this.look();
    await this.#storage.show(this.#stored.size);
    for (const choice of this.#shown) void this.#completeSize(choice);
  }

  /**
   * What can start without a question: the model that the address asks for, or else the one that is selected anyway.
   *
   * @param {string | null} wanted
   * @returns {ModelChoice | null} Null unless the whole model is on this device.
   */
  storedChoice(wanted) {
    const choice = wanted === null ? this.#selected() : this.#shown[0];
    return this.#storedOf(choice)?.isComplete ? choice : null;
  }

  /** Puts what suits best first. @param {{ keepOrder?: boolean }} [options] */
  #arrange({ keepOrder = false } = {}) {
    const entries = this.#offered.flatMap(({ entry }) => entry ?? []);
    const { chosen: task } = this.#tasks;
    const ranked = rankModels(entries, { task, probe: this.#device.probe, memoryBytes: knownMemory() });
    const isInformed = task !== undefined || this.#device.probe !== undefined;
    this.#ranks = new Map(isInformed ? ranked.map((rank) => [rank.model.id, rank]) : []);

    const selected = this.#shown.length ? this.#selected().model : null;
    const known = new Set(this.#offered.map(({ address }) => address));
    const others = [...this.#stored.values()].filter(({ address }) => !known.has(address)).map(choiceOfStored);
    const places = new Map(ranked.map(({ model }, place) => [model.id, place]));
    const place = (/** @type {ModelChoice} */ { entry, isPreferred }) =>
      isPreferred ? -1 : entry && isInformed ? (places.get(entry.id) ?? 0) : 0;
    const before = new Map(this.#shown.map(({ model }, index) => [model, index]));
    const order = keepOrder ? (/** @type {ModelChoice} */ choice) => before.get(choice.model) ?? Infinity : place;
    this.#shown = [...[...this.#offered].sort((a, b) => order(a) - order(b)), ...others];

    // A task that was just asked for decides; else what people chose stays.
    const wanted = task !== undefined && !keepOrder ? null : (this.#chosen ?? (keepOrder ? selected : null));
    const hadFocus = this.#list.contains(document.activeElement);
    this.#list.replaceChildren(this.#list.children[0], ...this.#shown.map((choice) => this.#cardOf(choice)));
    this.#select(this.#shown.find(({ model }) => model === wanted) ?? this.#proposed());
    if (hadFocus) this.#focusSelected();
    this.#button.disabled = false;
  }

  /** A long list is for those who ask for it. What is on this device is always there, as is what is selected. */
  #shortenList() {
    const cards = [...this.#list.querySelectorAll("label")];
    const isListed = (/** @type {number} */ place) =>
      this.#isExpanded || place < SHORT_LIST || this.#storedOf(this.#shown[place]) !== undefined;
    cards.forEach((card, place) => (card.hidden = !isListed(place) && !card.querySelector("input")?.checked));
    this.#more.hidden = cards.every((card) => !card.hidden);
    this.#more.textContent = translate("start.more", { count: cards.length });
  }

  /** What to select for people who have chosen nothing. */
  #proposed() {
    const [first] = this.#shown;
    if (first.isPreferred || this.#tasks.chosen !== undefined) return first;
    const [last] = [...this.#stored.values()].sort((a, b) => b.lastUsedAt - a.lastUsedAt);
    return this.#shown.find(({ address }) => address !== null && address === last?.address) ?? first;
  }

  /** @param {ModelChoice} choice */
  #cardOf(choice) {
    return modelCard(choice, {
      value: String(this.#shown.indexOf(choice)),
      rank: choice.entry ? this.#ranks.get(choice.entry.id) : undefined,
      stored: this.#storedOf(choice),
    });
  }

  /** @param {ModelChoice} choice */
  #storedOf({ address }) {
    return address === null ? undefined : this.#stored.get(address);
  }

  /** @param {ModelChoice} choice */
  async #completeSize(choice) {
    if (choice.bytes !== null || choice.address === null) return;
    choice.bytes = this.#storedOf(choice)?.totalBytes ?? (await askForSize(choice.address));
    const card = this.#list.querySelectorAll(".model-choice")[this.#shown.indexOf(choice)];
    const isSelected = card?.querySelector("input")?.checked;
    const hadFocus = card?.contains(document.activeElement);
    card?.replaceWith(this.#cardOf(choice));
    if (isSelected) this.#select(choice);
    if (hadFocus) this.#focusSelected();
  }

  /** @param {ModelChoice} choice */
  #select(choice) {
    const input = this.#list.querySelectorAll("input")[this.#shown.indexOf(choice)];
    input.checked = true;
    this.#shortenList();
    this.#describeSelected();
  }

  /** After the cards were made anew: the one with the focus is gone. */
  #focusSelected() {
    /** @type {HTMLInputElement | null} */ (this.#list.querySelector("input:checked"))?.focus();
  }

  #selected() {
    const checked = this.#list.querySelector("input:checked");
    return this.#shown[Number(/** @type {HTMLInputElement} */ (checked).value)];
  }

  #describeSelected() {
    const choice = this.#selected();
    const stored = this.#storedOf(choice);
    const size = choice.bytes === null ? null : formatBytes(choice.bytes);
    const host = choice.address === null ? "" : new URL(choice.address).host;
    this.#storedActions.hidden = !stored;
    this.#exportButton.hidden = !stored?.isComplete;
    if (stored?.isComplete) {
      this.#button.textContent = translate("start.start");
      this.#note.textContent = translate("start.noteStored");
    } else if (stored && stored.storedBytes > 0) {
      const amounts = { stored: formatBytes(stored.storedBytes), size: formatBytes(stored.totalBytes) };
      this.#button.textContent = translate("start.resume", amounts);
      this.#note.textContent = translate("start.notePartial", { host });
    } else {
      this.#button.textContent = size ? translate("start.download", { size }) : translate("start.downloadUnknown");
      this.#note.textContent = translate("start.noteDownload", { size: size ?? translate("start.unknownSize"), host });
    }
  }

  async #remove() {
    const choice = this.#selected();
    const stored = this.#storedOf(choice);
    if (!stored) return;
    byId("remove-title", HTMLElement).textContent = translate("stored.removeTitle", { name: choice.name });
    const size = formatBytes(stored.storedBytes);
    byId("remove-text", HTMLElement).textContent = translate("stored.removeText", { size });
    if ((await askInDialog(this.#removeDialog)) !== "remove") return;
    await this.#tryStored(() => storedModels.remove(stored.address));
    await this.#refresh();
    this.focus();
  }

  async #export() {
    const stored = this.#storedOf(this.#selected());
    if (!stored) return;
    await this.#tryStored(async () => saveFile(await storedModels.exportFile(stored.address)));
  }

  /** @param {() => Promise<void>} run */
  async #tryStored(run) {
    try {
      await run();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#note.textContent = translate("stored.failed", { reason });
    }
  }
}

/** What some browsers tell of this device's memory, roughly. @returns {number | undefined} */
function knownMemory() {
  const { deviceMemory } = /** @type {{ deviceMemory?: number }} */ (navigator);
  return deviceMemory && deviceMemory * 2 ** 30;
}

/** @param {File} file */
function saveFile(file) {
  const url = URL.createObjectURL(file);
  const link = Object.assign(document.createElement("a"), { href: url, download: file.name });
  link.click();
  // The browser reads the file on its own time.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
