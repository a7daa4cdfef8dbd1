/** A GPU with less memory than a model needs: simulated, because one that says so is not at hand. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { launchChromium } from "./support/browser.mjs";
import { EnginePage } from "./support/engine_page.mjs";
import { DIST, startTestServer } from "./support/test_server.mjs";
import { makeTinyModel } from "./support/tiny_model.mjs";

const TIMEOUT_MS = 120_000;
const PADDING_BYTES = 64 << 20;

/** Runs in the worker, before its own script: buffers of more than `limitBytes` in all are an error, as WebGPU has it. */
function limitMemory(/** @type {number} */ limitBytes) {
  const device = /** @type {any} */ (globalThis).GPUDevice.prototype;
  const { createBuffer, pushErrorScope, popErrorScope } = device;
  let bytes = 0;
  /** @type {string[]} */
  const scopes = [];
  device.createBuffer = function (/** @type {any} */ descriptor) {
    bytes += descriptor.size;
    return createBuffer.call(this, descriptor);
  };
  device.pushErrorScope = function (/** @type {string} */ filter) {
    scopes.push(filter);
    return pushErrorScope.call(this, filter);
  };
  device.popErrorScope = async function () {
    const filter = scopes.pop();
    const error = await popErrorScope.call(this);
    const isFull = filter === "out-of-memory" && bytes > limitBytes;
    return isFull ? new /** @type {any} */ (globalThis).GPUOutOfMemoryError("simulated") : error;
  };
}

describe("a GPU without room for the model", { timeout: 2 * TIMEOUT_MS }, () => {
  /** @type {Awaited<ReturnType<typeof launchChromium>>} */
  let browser;
  /** @type {import("./support/test_server.mjs").TestServer} */
  let server;

  before(async () => {
    server = await startTestServer({ modelPath: makeTinyModel({ paddingBytes: PADDING_BYTES }) });
    browser = await launchChromium();
    const worker = await readFile(join(DIST, "engine/worker.js"), "utf8");
    await browser.context.route("**/engine/worker.js", (route) =>
      route.fulfill({ contentType: "text/javascript", body: `(${limitMemory})(1_000_000);\n${worker}` }),
    );
  });

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  it("refuses it with the figures before the weights are downloaded", { timeout: TIMEOUT_MS }, async () => {
    const page = await EnginePage.open(browser.context, server.url);
    const error = await page.load({ model: server.modelUrl, backend: "webgpu", cache: false }).then(
      () => assert.fail("it loads"),
      (error) => error,
    );
    assert.equal(error.kind, "out-of-memory", error.message);
    assert.match(error.message, /\d+ MB of weights and \d+ MB of keys and values for \d+ tokens/);
    assert.deepEqual(page.uncaught, []);
  });
});
