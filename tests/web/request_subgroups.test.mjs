/** The worker's stand-in for a feature that wgpu does not ask browsers for. No browser is needed. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { requestSubgroups } from "../../www/engine/request_subgroups.js";

/** Notes the features that a device is asked for with. */
class FakeAdapter {
  /** @param {string[]} features */
  constructor(features) {
    this.features = new Set(features);
  }

  /** @param {{ label?: string, requiredFeatures?: string[] }} [descriptor] */
  async requestDevice(descriptor) {
    return descriptor;
  }
}

it("asks for subgroups where the adapter has them, and changes nothing else", async () => {
  requestSubgroups(); // without WebGPU
  Object.assign(globalThis, { GPUAdapter: FakeAdapter });
  requestSubgroups();
  requestSubgroups();
  const [able, unable] = [new FakeAdapter(["shader-f16", "subgroups"]), new FakeAdapter(["shader-f16"])];
  const asked = { label: "qwisp", requiredFeatures: ["shader-f16"] };
  assert.deepEqual(await able.requestDevice(asked), { ...asked, requiredFeatures: ["shader-f16", "subgroups"] });
  assert.deepEqual(await unable.requestDevice(asked), asked);
  assert.deepEqual(await able.requestDevice(), { requiredFeatures: ["subgroups"] });
  assert.deepEqual(asked.requiredFeatures, ["shader-f16"]);
});
