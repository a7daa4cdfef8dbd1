import { byId } from "./dom.js";
import { formatBytes, formatTimeLeft } from "./format.js";
import { TransferRate } from "./transfer_rate.js";

/** @typedef {import("../qwisp.js").LoadProgress} LoadProgress */

/** @type {Record<LoadProgress["phase"], string>} */
const PHASE_WORDS = {
  wait: "Another tab is downloading it",
  download: "Downloading",
  verify: "Checking the file",
  upload: "Reading from this device",
  compile: "Preparing the computation",
  ready: "Ready",
};

/** Shows how far loading has come, and lets people cancel it. */
export class LoadingView {
  #section = byId("loading", HTMLElement);
  #title = byId("loading-title", HTMLElement);
  #phase = byId("loading-phase", HTMLElement);
  #bar = byId("loading-bar", HTMLProgressElement);
  #amount = byId("loading-amount", HTMLElement);
  #pace = byId("loading-pace", HTMLElement);
  #cancelButton = byId("cancel-loading", HTMLButtonElement);
  #stage = "";
  #rate = new TransferRate();

  /** @param {() => void} onCancel */
  constructor(onCancel) {
    this.#cancelButton.addEventListener("click", onCancel);
  }

  /** @param {string} modelName */
  show(modelName) {
    this.#title.textContent = modelName;
    this.#showStage("Starting the engine");
    this.#section.hidden = false;
    this.#cancelButton.focus();
  }

  hide() {
    this.#section.hidden = true;
  }

  /** @param {LoadProgress} progress */
  update({ phase, loadedBytes, totalBytes }) {
    const stage = PHASE_WORDS[phase];
    if (stage !== this.#stage) this.#showStage(stage);
    if (!totalBytes) return;

    this.#rate.add(loadedBytes, performance.now());
    this.#bar.max = totalBytes;
    this.#bar.value = loadedBytes;
    this.#amount.textContent = `${formatBytes(loadedBytes)} of ${formatBytes(totalBytes)}`;
    this.#pace.textContent = this.#describePace(totalBytes - loadedBytes);
  }

  /** @param {string} stage */
  #showStage(stage) {
    this.#stage = stage;
    this.#rate = new TransferRate();
    this.#phase.textContent = stage;
    this.#bar.removeAttribute("value"); // how far is unknown
    this.#amount.textContent = "";
    this.#pace.textContent = "";
  }

  /** @param {number} bytesLeft */
  #describePace(bytesLeft) {
    const { bytesPerSecond } = this.#rate;
    if (!bytesPerSecond || !bytesLeft) return "";
    return `${formatBytes(bytesPerSecond)}/s · ${formatTimeLeft(bytesLeft / bytesPerSecond)}`;
  }
}
