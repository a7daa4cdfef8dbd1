import { QwispError } from "../qwisp.js";
import { closeOnBackdrop } from "./dialog.js";
import { byId, element } from "./dom.js";
import { formatBytes, formatDuration, formatNumber, formatRate } from "./format.js";
import { judgeHealth } from "./health.js";
import { onLanguageChange, translate } from "./i18n.js";
import { describeNotKept } from "./not_kept.js";

/**
 * @typedef {import("../qwisp.js").EngineInfo} EngineInfo
 * @typedef {import("../qwisp.js").ChatResult} ChatResult
 */

/** The model, what it runs on, how fast and how well: one line at the top of the page, all of it in a dialog. */
export class HealthView {
  #button = byId("engine-facts", HTMLButtonElement);
  #model = byId("engine-model", HTMLElement);
  #speed = byId("engine-speed", HTMLElement);
  #light = byId("health-light", HTMLElement);
  #dialog = byId("health", HTMLDialogElement);
  #line = byId("health-line", HTMLElement);
  #advice = byId("health-advice", HTMLElement);
  #meter = byId("context-meter", HTMLElement);
  #amount = byId("context-amount", HTMLElement);
  #facts = byId("health-facts", HTMLElement);
  /** @type {EngineInfo | null} */
  #info = null;
  #modelName = "";
  #isFile = false;
  #hasFailedChecks = false;
  /** @type {number[]} */
  #speeds = [];
  /** @type {import("../qwisp.js").ErrorKind[]} */
  #failures = [];
  /** @type {ChatResult | null} */
  #last = null;
  /** @type {number | null} */
  #firstTokenMs = null;

  /** @param {() => void} onOtherModel */
  constructor(onOtherModel) {
    closeOnBackdrop(this.#dialog);
    this.#button.addEventListener("click", () => this.#dialog.showModal());
    byId("other-model", HTMLButtonElement).addEventListener("click", () => {
      this.#dialog.close();
      onOtherModel();
    });
    onLanguageChange(() => this.#describe());
  }

  /**
   * @param {object} loaded
   * @param {string} loaded.modelName
   * @param {EngineInfo} loaded.info
   * @param {boolean} loaded.isFile Whether it is a file of this device, which needs no keeping.
   * @param {boolean} loaded.hasFailedChecks
   */
  show({ modelName, info, isFile, hasFailedChecks }) {
    if (info !== this.#info) {
      this.#info = info;
      this.#speeds = [];
      this.#failures = [];
      this.#last = null;
      this.#firstTokenMs = null;
    }
    this.#modelName = modelName;
    this.#isFile = isFile;
    this.#hasFailedChecks = hasFailedChecks;
    this.#button.hidden = false;
    this.#describe();
  }

  hide() {
    this.#button.hidden = true;
  }

  /**
   * @param {ChatResult} result
   * @param {{ firstTokenMs: number | null }} measured
   */
  update(result, { firstTokenMs }) {
    this.#last = result;
    this.#failures = [];
    this.#firstTokenMs = firstTokenMs;
    // Fewer tokens are too little to measure.
    if (result.usage.completionTokens > 1) this.#speeds.push(result.timings.decodeTokensPerSecond);
    this.#describe();
  }

  /** @param {unknown} error */
  fail(error) {
    this.#failures.push(error instanceof QwispError ? error.kind : "internal");
    this.#describe();
  }

  #describe() {
    const info = this.#info;
    if (!info) return;
    const usage = this.#last?.usage;
    const contextTokens = usage ? usage.promptTokens + usage.completionTokens : 0;
    const { contextLength } = info.model;
    const { level, advice } = judgeHealth({
      backend: info.backend,
      isStored: info.stored || this.#isFile,
      contextLength,
      contextTokens,
      speeds: this.#speeds,
      droppedMessages: usage?.droppedMessages ?? 0,
      failures: this.#failures,
      hasFailedChecks: this.#hasFailedChecks,
    });
    const levelName = translate(`health.${level}`);
    const backend = info.backend === "webgpu" ? "WebGPU" : translate("health.cpu");
    const rate = this.#speeds.length ? `${formatRate(this.#speeds[this.#speeds.length - 1])} tok/s` : "";
    const percent = Math.round((100 * contextTokens) / contextLength);
    const share = contextTokens ? translate("health.contextShort", { percent }) : "";

    this.#model.textContent = this.#modelName;
    this.#speed.textContent = [backend, rate, share].filter(Boolean).join(" · ");
    this.#light.dataset.level = level;
    // What can be seen comes first in the name, so that it can be spoken.
    this.#button.title = translate("health.open", { model: this.#modelName, level: levelName });
    this.#line.textContent = levelName;
    this.#line.dataset.level = level;
    this.#advice.replaceChildren(...advice.map(({ key, values = {} }) => element("li", {}, translate(key, values))));
    this.#meter.ariaValueNow = String(percent);
    this.#meter.dataset.level = percent > 90 ? "full" : percent > 75 ? "high" : "low";
    /** @type {HTMLElement} */ (this.#meter.firstElementChild).style.width = `${percent}%`;
    this.#amount.textContent = translate("health.contextAmount", { used: contextTokens, total: contextLength });
    this.#facts.replaceChildren(...this.#factRows(info, rate, backend));
  }

  /**
   * @param {EngineInfo} info
   * @param {string} rate
   * @param {string} backend
   */
  #factRows({ model, adapter, tier, fallback, memory, stored, notKept }, rate, backend) {
    const notYet = translate("health.notYet");
    const timings = this.#last?.timings;
    const weights = formatBytes(memory.weightsBytes);
    const cache = formatBytes(memory.kvCacheBytes);
    const kept = notKept ? describeNotKept(notKept) : translate(stored ? "health.yes" : "health.no");
    const rows = [
      [translate("health.speed"), rate || notYet],
      [translate("health.firstToken"), this.#firstTokenMs === null ? notYet : formatDuration(this.#firstTokenMs)],
      [translate("health.prefill"), timings ? `${formatRate(timings.prefillTokensPerSecond)} tok/s` : notYet],
      [translate("health.memory"), translate("health.memoryAmount", { weights, cache })],
      [translate("health.runsOn"), [backend, adapter, tier].filter(Boolean).join(", ")],
      ...(fallback ? [[translate("health.fallback"), describeFallback(fallback)]] : []),
      [translate("health.model"), `${model.name}, ${model.quantization}, ${formatNumber(model.parameters / 1e9, 2)} B`],
      ...(this.#isFile ? [] : [[translate("health.storage"), kept]]),
    ];
    return rows.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  }
}

/** @param {import("../qwisp.js").Fallback} fallback */
function describeFallback({ from, reason }) {
  return translate(`health.fallback.${reason}`, { from: from === "webgpu" ? "WebGPU" : from });
}
