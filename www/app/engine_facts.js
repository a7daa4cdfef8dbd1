import { byId } from "./dom.js";
import { formatRate } from "./format.js";

/** @type {Record<import("../qwisp.js").EngineInfo["backend"], string>} */
const BACKEND_NAMES = { webgpu: "WebGPU", cpu: "CPU" };

/** The model, what it runs on and how fast, at the top of the page. */
export class EngineFacts {
  #box = byId("engine-facts", HTMLElement);
  #model = byId("engine-model", HTMLElement);
  #speed = byId("engine-speed", HTMLElement);
  #backend = "";

  /**
   * @param {string} modelName
   * @param {import("../qwisp.js").EngineInfo} info
   */
  show(modelName, { backend, adapter, tier, model }) {
    this.#backend = BACKEND_NAMES[backend];
    this.#model.textContent = modelName;
    this.#speed.textContent = this.#backend;
    this.#box.title = [model.quantization, `context of ${model.contextLength} tokens`, adapter, `tier ${tier}`]
      .filter(Boolean)
      .join(" · ");
    this.#box.hidden = false;
  }

  hide() {
    this.#box.hidden = true;
  }

  /** @param {import("../qwisp.js").ChatResult} result */
  update({ usage, timings }) {
    if (usage.completionTokens < 2) return; // too little to measure
    this.#speed.textContent = `${this.#backend} · ${formatRate(timings.decodeTokensPerSecond)} tok/s`;
  }
}
