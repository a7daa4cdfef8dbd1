/** What a device is good for, found out before a download; and what becomes of a GPU that computes wrongly. */

import assert from "node:assert/strict";
import { after, afterEach, before, it } from "node:test";
import { describeInEachBrowser, openBrowser } from "./support/browser.mjs";
import { EnginePage } from "./support/engine_page.mjs";
import { startTestServer } from "./support/test_server.mjs";
import { makeTinyModel } from "./support/tiny_model.mjs";

/** @typedef {import("../../www/engine/qwisp.d.ts").Probe} Probe */

const TIMEOUT_MS = 180_000;
const WORKER = "/engine/worker.js";
const TYPES = ["Q4_K", "Q5_0", "Q6_K", "Q8_0"];

/** Code for the worker: the activation function of its kernels has a wrong sign. */
const WRONG_KERNELS = `
const { createShaderModule } = GPUDevice.prototype;
GPUDevice.prototype.createShaderModule = function (descriptor) {
  return createShaderModule.call(this, { ...descriptor, code: descriptor.code.replaceAll("exp(min(-x,", "exp(min(x,") });
};`;

/** Code for the worker: its adapter says that it is a GPU. */
const LIKE_A_GPU = `
for (const [name, value] of [["isFallbackAdapter", false], ["architecture", "test"]]) {
  Object.defineProperty(GPUAdapterInfo.prototype, name, { get: () => value });
}`;

/** Code for the worker: there is no WebGPU, as in browsers that don't have it. */
const NO_WEBGPU = 'Object.defineProperty(WorkerNavigator.prototype, "gpu", { get: () => undefined });';

/** Code for the worker: no buffer finds room. The error is what a full GPU gives. */
const NO_MEMORY = `
const { popErrorScope } = GPUDevice.prototype;
GPUDevice.prototype.popErrorScope = async function () {
  await popErrorScope.call(this);
  return new GPUOutOfMemoryError("no room");
};`;

/** Code for the worker: its GPU is unplugged. */
const LOST_DEVICE = `
const lost = Promise.resolve({ reason: "unknown", message: "unplugged" });
Object.defineProperty(GPUDevice.prototype, "lost", { get: () => lost });`;

describeInEachBrowser("a probe", { timeout: 5 * TIMEOUT_MS }, (browserName) => {
  /** @type {import("./support/browser.mjs").TestBrowser} */
  let browser;
  /** @type {import("./support/test_server.mjs").TestServer} */
  let server;
  /** @type {EnginePage} */
  let page;
  let restore = () => {};

  before(async () => {
    server = await startTestServer({ modelPath: makeTinyModel() });
    browser = await openBrowser(browserName);
    page = await EnginePage.open(browser.context, server.url);
  });

  afterEach(() => restore());

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  /**
   * @param {{ backend: "auto" | "webgpu" | "cpu", abortAfterMs?: number }} options
   * @returns {Promise<{ probe: Probe, ms: number }>}
   */
  async function measure({ backend, abortAfterMs }) {
    const outcome = await page.page.evaluate(
      async ({ backend, abortAfterMs }) => {
        const moduleUrl = new URL("qwisp.js", location.href).href;
        const { Engine } = await import(moduleUrl);
        const signal = abortAfterMs === undefined ? undefined : AbortSignal.timeout(abortAfterMs);
        const started = performance.now();
        try {
          return { probe: await Engine.probe({ backend, signal }), ms: performance.now() - started };
        } catch (error) {
          const { name, kind, message } = /** @type {any} */ (error);
          return { error: { name, kind, message } };
        }
      },
      { backend, abortAfterMs },
    );
    if (outcome.error) throw Object.assign(new Error(outcome.error.message), { kind: outcome.error.kind });
    return /** @type {any} */ (outcome);
  }

  /** @param {Probe} probe */
  function assertRates({ weightBytesPerSecond, bytesPerSecondByType }) {
    assert.deepEqual(Object.keys(bytesPerSecondByType).sort(), TYPES);
    for (const rate of Object.values(bytesPerSecondByType)) assert.ok(rate > 1e6 && rate < 1e12, `${rate}`);
    assert.equal(weightBytesPerSecond, bytesPerSecondByType.Q4_K);
  }

  it("is of the processor where the adapter is only software", { timeout: TIMEOUT_MS }, async (test) => {
    const { probe, ms } = await measure({ backend: "auto" });
    assertRates(probe);
    const { backend, tier, isSoftware, secondsPerDispatch, fallback, checks } = probe;
    assert.deepEqual(
      { backend, tier, isSoftware, secondsPerDispatch, checks },
      { backend: "cpu", tier: "simd128", isSoftware: true, secondsPerDispatch: 0, checks: [] },
    );
    assert.deepEqual([fallback?.from, fallback?.reason], ["webgpu", "software-adapter"]);
    assert.match(fallback?.message ?? "", /only software/);
    test.diagnostic(`${JSON.stringify(probe.bytesPerSecondByType)}, ${Math.round(ms)} ms`);
  });

  it("is of the adapter when that is asked for, after a test of it", { timeout: TIMEOUT_MS }, async (test) => {
    const { probe, ms } = await measure({ backend: "webgpu" });
    assertRates(probe);
    assert.deepEqual([probe.backend, probe.tier, probe.isSoftware], ["webgpu", "core", true]);
    assert.ok(probe.secondsPerDispatch > 0 && probe.secondsPerDispatch < 1, `${probe.secondsPerDispatch}`);
    assert.equal(probe.fallback, null);
    assert.deepEqual(probe.checks, [{ tier: "core", passed: true, detail: "" }]);
    test.diagnostic(`${JSON.stringify(probe)}, ${Math.round(ms)} ms`);
  });

  it("stops at once", { timeout: TIMEOUT_MS }, async () => {
    await assert.rejects(measure({ backend: "cpu", abortAfterMs: 0 }), { kind: "aborted" });
    await assert.rejects(measure({ backend: "cpu", abortAfterMs: 200 }), { kind: "aborted" });
    assert.deepEqual(page.uncaught, []);
  });

  it("and a load refuse an adapter that computes wrongly", { timeout: 2 * TIMEOUT_MS }, async () => {
    restore = server.prepend(WORKER, WRONG_KERNELS);
    const failure = {
      kind: "no-webgpu",
      message: /self-test \(tier core\).*the logits of a prompt.*got a squared error of.*expected at most/,
    };
    await assert.rejects(measure({ backend: "webgpu" }), failure);
    // A software adapter that was asked for is loaded onto without a test.
    restore = server.prepend(WORKER, WRONG_KERNELS + LIKE_A_GPU);
    await assert.rejects(page.load({ model: server.modelUrl, backend: "webgpu" }), failure);
    assert.ok(!server.downloads().includes(new URL(server.modelUrl).pathname), "nothing of the model was fetched");
  });

  it("and a load fall back to the processor from a GPU that does", { timeout: 3 * TIMEOUT_MS }, async () => {
    restore = server.prepend(WORKER, WRONG_KERNELS + LIKE_A_GPU);
    const { probe } = await measure({ backend: "auto" });
    assert.equal(probe.backend, "cpu");
    // Chromium's adapter has subgroups, which are tried first.
    const tried = browserName === "chromium" ? ["subgroups", "core"] : ["core"];
    assert.deepEqual(
      probe.checks.map(({ tier, passed }) => [tier, passed]),
      tried.map((tier) => [tier, false]),
    );
    const { info } = await page.load({ model: server.modelUrl });
    assert.equal(info.backend, "cpu");
    for (const { fallback } of [probe, info]) {
      assert.deepEqual([fallback?.from, fallback?.reason], ["webgpu", "self-test"]);
      assert.match(fallback?.message ?? "", /self-test \(tier core\).*the logits of a prompt/);
    }
    assert.deepEqual(page.uncaught, []);
  });

  it("and a load say that there is no WebGPU", { timeout: TIMEOUT_MS }, async () => {
    restore = server.prepend(WORKER, NO_WEBGPU);
    const { probe } = await measure({ backend: "auto" });
    const { info } = await page.load({ model: server.modelUrl });
    for (const { backend, fallback } of [probe, info]) {
      assert.equal(backend, "cpu");
      assert.deepEqual([fallback?.from, fallback?.reason], ["webgpu", "no-webgpu"]);
      assert.match(fallback?.message ?? "", /there is no WebGPU adapter/);
    }
    const chosen = await page.load({ model: server.modelUrl, backend: "cpu" });
    assert.equal(chosen.info.fallback, null, "nothing was to be tried");
  });

  it("and a load tell a GPU that has no memory or was lost from one that computes wrongly", async () => {
    for (const [code, kind, cause] of /** @type {const} */ ([
      [NO_MEMORY, "out-of-memory", /self-test.*no room/],
      [LOST_DEVICE, "device-lost", /the GPU device was lost.*unplugged/],
    ])) {
      restore = server.prepend(WORKER, code + LIKE_A_GPU);
      await assert.rejects(page.load({ model: server.modelUrl, backend: "webgpu" }), { kind, message: cause });
      const { probe } = await measure({ backend: "auto" });
      assert.equal(probe.backend, "cpu");
      assert.deepEqual([probe.fallback?.from, probe.fallback?.reason], ["webgpu", kind]);
      assert.match(probe.fallback?.message ?? "", cause);
      restore();
    }
    assert.deepEqual(page.uncaught, []);
  });
});
