/** What this device is good for, measured in a worker that lives no longer than that. */
import { QwispError } from "./errors.js";
import { startWorker } from "./start_worker.js";
import { WorkerClient } from "./worker_client.js";

/** The type of weights whose rate stands for all: most weights of a Q4_K_M file are of it. */
const USUAL_TYPE = "Q4_K";

/**
 * @param {import("./qwisp.d.ts").ProbeOptions} options Checked.
 * @returns {Promise<import("./qwisp.d.ts").Probe>}
 */
export async function probeDevice({ backend = "auto", tier = "auto", signal }) {
  const aborted = () => new QwispError("aborted", "Engine.probe was aborted by its signal");
  if (signal?.aborted) throw aborted();
  const client = new WorkerClient(startWorker());
  // Measuring does not look at signals: the worker ends, and its device with it.
  const abort = () => client.close(aborted());
  signal?.addEventListener("abort", abort, { once: true });
  try {
    const { bytesPerSecond, ...probe } = await client.call("probe", [{ backend, tier }]);
    return { ...probe, weightBytesPerSecond: bytesPerSecond[USUAL_TYPE], bytesPerSecondByType: bytesPerSecond };
  } finally {
    signal?.removeEventListener("abort", abort);
    client.close(new QwispError("unloaded", "Engine.probe is over"));
  }
}
