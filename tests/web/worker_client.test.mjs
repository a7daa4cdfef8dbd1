/** The line to the worker: which failures end it, and what an aborted load leaves running. No browser is needed. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as settle } from "node:timers/promises";
import { FATAL_KINDS, QwispError } from "../../www/engine/errors.js";
import { loadModel } from "../../www/engine/load_model.js";
import { WorkerClient } from "../../www/engine/worker_client.js";
import { FakeWorker } from "./support/fake_worker.mjs";

const OPTIONS = { address: "https://example.org/a.gguf" };

function startFake() {
  const worker = new FakeWorker();
  return { worker, client: new WorkerClient(/** @type {any} */ (worker)) };
}

describe("a failed call", () => {
  for (const kind of ["out-of-memory", "device-lost", "internal"]) {
    it(`is the last one after ${kind}`, async () => {
      assert.ok(FATAL_KINDS.has(/** @type {any} */ (kind)));
      const { worker, client } = startFake();
      const call = client.call("chat", []);
      worker.failNewestCall(kind);
      await assert.rejects(call, { name: "QwispError", kind });
      assert.ok(worker.terminated);
      await assert.rejects(client.call("tokenize", []), { kind });
    });
  }

  it("is one like another after context-full", async () => {
    const { worker, client } = startFake();
    const call = client.call("chat", []);
    worker.failNewestCall("context-full");
    await assert.rejects(call, { kind: "context-full" });
    assert.ok(!worker.terminated);
    const next = client.call("tokenize", []);
    worker.send({ type: "result", id: worker.newestCall().id, value: "tokens" });
    assert.equal(await next, "tokens");
  });
});

describe("the signal of a call", () => {
  it("reaches the worker with the call when it is aborted before, and on its own later", async () => {
    const { worker, client } = startFake();
    client.call("chat", [], { signal: AbortSignal.abort() });
    assert.equal(worker.newestCall().aborted, true);

    const abort = new AbortController();
    client.call("chat", [], { signal: abort.signal });
    const { id, aborted } = worker.newestCall();
    assert.equal(aborted, false);
    abort.abort();
    assert.deepEqual(worker.received.at(-1), { type: "abort", id });
  });
});

describe("a load", () => {
  it("ends its worker when it fails", async () => {
    const { worker, client } = startFake();
    const loading = loadModel(client, OPTIONS, {});
    await settle();
    assert.deepEqual(worker.newestCall().args, [OPTIONS]);
    worker.failNewestCall("network");
    await assert.rejects(loading, { kind: "network" });
    assert.ok(worker.terminated);
  });

  it("does not begin when it is aborted before", async () => {
    const { worker, client } = startFake();
    await assert.rejects(loadModel(client, OPTIONS, { signal: AbortSignal.abort() }), { kind: "aborted" });
    await settle();
    assert.equal(worker.newestCall(), undefined);
    assert.ok(worker.terminated);
  });

  it("is aborted at once, but its worker may end what it is doing", async () => {
    const { worker, client } = startFake();
    const abort = new AbortController();
    /** @type {any[]} */
    const progress = [];
    const loading = loadModel(client, OPTIONS, { signal: abort.signal, onProgress: (step) => progress.push(step) });
    await settle();
    const { id } = worker.newestCall();
    worker.send({ type: "event", id, value: "before" });
    abort.abort();
    await assert.rejects(loading, (error) => error instanceof QwispError && error.kind === "aborted");
    assert.deepEqual(worker.received.at(-1), { type: "abort", id });
    worker.send({ type: "event", id, value: "after" });
    assert.deepEqual(progress, ["before"]);

    assert.ok(!worker.terminated);
    worker.failNewestCall("aborted");
    await settle();
    assert.ok(worker.terminated);
  });

  it("ends a worker that does not answer its abort", async ({ mock }) => {
    mock.timers.enable({ apis: ["setTimeout"] });
    const { worker, client } = startFake();
    const abort = new AbortController();
    const loading = loadModel(client, OPTIONS, { signal: abort.signal });
    await settle();
    abort.abort();
    await assert.rejects(loading, { kind: "aborted" });
    mock.timers.tick(1999);
    await settle();
    assert.ok(!worker.terminated);
    mock.timers.tick(1);
    await settle();
    assert.ok(worker.terminated);
  });
});
