import { element } from "./dom.js";
import { formatBytes, formatTimeLeft } from "./format.js";
import { translate } from "./i18n.js";
import { describeNotKept } from "./not_kept.js";

/**
 * @typedef {import("../qwisp.js").LoadProgress} LoadProgress
 * @typedef {import("../qwisp.js").LoadNotice} LoadNotice
 */

/** Phases in which bytes come over the network, and stay when loading is interrupted. */
const PAUSABLE = new Set(["download", "wait"]);

/** Shows how far loading has come, and lets people pause or cancel it. */
export class LoadingView {
  #title = element("h1", { id: "loading-title" });
  #phase = element("p", { className: "lead", id: "loading-phase", role: "status" });
  #bar = element("progress", {});
  #amount = element("span");
  #pace = element("span");
  #stopButton = element("button", { type: "button" });
  #note = element("p", { className: "note" });
  #section = element(
    "section",
    { className: "panel", id: "loading", hidden: true },
    this.#title,
    this.#phase,
    this.#bar,
    element("p", { className: "figures" }, this.#amount, this.#pace),
    this.#stopButton,
    this.#note,
  );
  #stage = "";
  /** Counts down to the next try. */
  #countdown = 0;

  /** @param {() => void} onStop */
  constructor(onStop) {
    this.#section.setAttribute("aria-labelledby", this.#title.id);
    this.#bar.setAttribute("aria-labelledby", this.#phase.id);
    this.#stopButton.addEventListener("click", onStop);
    document.querySelector("main")?.append(this.#section);
  }

  /** Another model is about to be loaded. @param {string} modelName */
  begin(modelName) {
    clearInterval(this.#countdown);
    this.#title.textContent = modelName;
    this.#showStage(translate("loading.starting"));
    this.#showNote(false, null);
  }

  show() {
    this.#section.hidden = false;
    this.#stopButton.focus();
  }

  hide() {
    this.#section.hidden = true;
  }

  /** @param {LoadProgress} progress */
  update({ phase, loadedBytes, totalBytes, bytesPerSecond, secondsLeft, retryInMs, notice }) {
    this.#showStage(translate(`loading.${phase}`));
    this.#showNote(PAUSABLE.has(phase), notice);
    clearInterval(this.#countdown);
    if (retryInMs !== null) this.#countDown(retryInMs);
    if (!totalBytes) return;
    this.#bar.max = totalBytes;
    this.#bar.value = loadedBytes;
    const amounts = { loaded: formatBytes(loadedBytes), total: formatBytes(totalBytes) };
    this.#amount.textContent = translate("loading.amount", amounts);
    this.#pace.textContent =
      bytesPerSecond && secondsLeft !== null && loadedBytes < totalBytes
        ? translate("loading.pace", { rate: formatBytes(bytesPerSecond), left: formatTimeLeft(secondsLeft) })
        : "";
  }

  /**
   * Shows how much of a file of this device has been kept.
   *
   * @param {import("../engine/qwisp.d.ts").ImportProgress} progress
   */
  updateKeeping({ phase, loadedBytes, totalBytes }) {
    this.#showStage(translate(phase === "wait" ? "loading.wait" : "loading.keeping"));
    this.#showNote(false, null);
    if (totalBytes === 0) return; // nothing is known of the other tab yet
    this.#bar.max = totalBytes;
    this.#bar.value = loadedBytes;
    const amounts = { loaded: formatBytes(loadedBytes), total: formatBytes(totalBytes) };
    this.#amount.textContent = translate("loading.amount", amounts);
  }

  /** @param {string} stage */
  #showStage(stage) {
    if (stage === this.#stage) return;
    this.#stage = stage;
    this.#phase.textContent = stage;
    this.#bar.removeAttribute("value"); // how far is unknown
    this.#amount.textContent = "";
    this.#pace.textContent = "";
  }

  /**
   * @param {boolean} isPausable
   * @param {LoadNotice | null} notice
   */
  #showNote(isPausable, notice) {
    // What isn't kept can't go on later.
    const isKept = isPausable && notice?.kind !== "not-kept";
    const texts = isKept ? [translate("loading.pauseNote")] : [];
    if (notice) texts.unshift(notice.kind === "changed" ? translate("loading.changed") : describeNotKept(notice));
    const note = texts.join(" ");
    const stop = translate(isKept ? "loading.pause" : "loading.cancel");
    if (this.#note.textContent !== note) this.#note.textContent = note; // it may be read aloud
    if (this.#stopButton.textContent !== stop) this.#stopButton.textContent = stop;
  }

  /** @param {number} ms */
  #countDown(ms) {
    const end = performance.now() + ms;
    const say = () => {
      const seconds = Math.max(0, Math.ceil((end - performance.now()) / 1000));
      this.#pace.textContent = "";
      this.#phase.textContent = translate("loading.retry", { seconds });
      if (seconds === 0) clearInterval(this.#countdown);
    };
    this.#countdown = setInterval(say, 1000);
    say();
    this.#stage = ""; // so that the next progress writes the phase again
  }
}
