import { Engine } from "../qwisp.js";
import { byId } from "./dom.js";
import { formatNumber } from "./format.js";
import { translate } from "./i18n.js";
import { readStored, writeStored } from "./stored_choice.js";

/** @typedef {import("../qwisp.js").Probe} Probe */

const STORED_AS = "qwisp.probe";
/** How long the browser may keep the measurement waiting for a quiet moment. */
const IDLE_PATIENCE_MS = 3000;

/** How fast this device is, measured without a download. It is remembered, because it seldom changes. */
export class DeviceView {
  #facts = byId("device-facts", HTMLElement);
  #button = byId("measure-device", HTMLButtonElement);
  #backend;
  #tier;
  #onProbe;
  /** @type {AbortController | null} */
  #running = null;
  /** Why the last measurement failed. */
  #failure = "";
  /** @type {Probe | undefined} */
  probe = readProbe();

  /**
   * @param {object} options
   * @param {import("../qwisp.js").Backend} options.backend
   * @param {import("../qwisp.js").Tier} options.tier
   * @param {() => void} options.onProbe
   */
  constructor({ backend, tier, onProbe }) {
    this.#backend = backend;
    this.#tier = tier;
    this.#onProbe = onProbe;
    this.#button.addEventListener("click", () => this.measure());
    this.describe();
  }

  /**
   * Measures once when the page has nothing else to do. Only with WebGPU: a processor needs seconds for it, and those
   * belong to whoever sits there. An address that says what to compute with needs no recommendation.
   */
  measureWhenIdle() {
    if (this.probe || this.#backend !== "auto" || !("gpu" in navigator)) return;
    this.#isStopped = false;
    const start = () => {
      if (!document.hidden && !this.#isStopped && !this.probe) void this.measure();
    };
    if ("requestIdleCallback" in window) requestIdleCallback(start, { timeout: IDLE_PATIENCE_MS });
    else setTimeout(start, IDLE_PATIENCE_MS);
  }

  #isStopped = false;

  /** Leaves the device to something else. */
  stop() {
    this.#isStopped = true;
    this.#running?.abort();
  }

  async measure() {
    if (this.#running) return;
    const running = new AbortController();
    this.#running = running;
    this.#failure = "";
    this.describe();
    try {
      this.probe = await Engine.probe({ backend: this.#backend, tier: this.#tier, signal: running.signal });
      writeStored(STORED_AS, JSON.stringify({ browser: navigator.userAgent, probe: this.probe }));
    } catch (error) {
      if (!running.signal.aborted) this.#failure = error instanceof Error ? error.message : String(error);
    } finally {
      this.#running = null;
      this.describe();
    }
    this.#onProbe();
  }

  /** Says in the language of the page what is known. */
  describe() {
    this.#button.ariaDisabled = String(this.#running !== null); // not hidden: it would lose the focus
    this.#button.textContent = translate(this.probe ? "device.again" : "device.measure");
    this.#facts.textContent = this.#running
      ? translate("device.measuring")
      : this.#failure
        ? translate("device.failed", { reason: this.#failure })
        : this.probe
          ? describeProbe(this.probe)
          : translate("device.unknown");
  }
}

/** @param {Probe} probe */
function describeProbe({ backend, adapter, weightBytesPerSecond, checks }) {
  const rate = formatNumber(weightBytesPerSecond / 1e9, 1);
  const facts = backend === "webgpu" ? translate("device.gpu", { adapter, rate }) : translate("device.cpu", { rate });
  const failed = checks.filter(({ passed }) => !passed).length;
  return failed ? `${facts} ${translate("device.checksFailed", { count: failed })}` : facts;
}

/** @returns {Probe | undefined} That of an earlier visit by this very browser. */
function readProbe() {
  try {
    const { browser, probe } = JSON.parse(readStored(STORED_AS) ?? "{}");
    return browser === navigator.userAgent && typeof probe?.weightBytesPerSecond === "number" ? probe : undefined;
  } catch {
    return undefined;
  }
}
