/**
 * WebGPU in the browser has the feature `subgroups`, but wgpu, which opens the device for the engine, does not know it
 * there yet and so cannot ask for it. Until it does, and this file goes, every device of this worker is asked for with
 * the feature where the adapter has it. The worker belongs to the engine alone: no other device is concerned.
 */

const SUBGROUPS = "subgroups";

let isAdded = false;

/** To be called before the engine opens its device; does nothing where there is no WebGPU. */
export function requestSubgroups() {
  /** @type {any} */
  const prototype = /** @type {any} */ (globalThis).GPUAdapter?.prototype;
  if (isAdded || !prototype) return;
  isAdded = true;
  const { requestDevice } = prototype;
  prototype.requestDevice = function (/** @type {any} */ descriptor) {
    const requiredFeatures = new Set(descriptor?.requiredFeatures);
    if (this.features.has(SUBGROUPS)) requiredFeatures.add(SUBGROUPS);
    return requestDevice.call(this, { ...descriptor, requiredFeatures: [...requiredFeatures] });
  };
}
