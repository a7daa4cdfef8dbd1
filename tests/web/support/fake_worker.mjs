/** Stands in for the engine's worker in tests that need no browser: it notes what it is told, and says what it must. */
export class FakeWorker extends EventTarget {
  /** What the page sent. @type {any[]} */
  received = [];
  terminated = false;

  /** @param {any} message */
  postMessage(message) {
    this.received.push(message);
  }

  terminate() {
    this.terminated = true;
  }

  /** @param {any} message */
  send(message) {
    this.dispatchEvent(new MessageEvent("message", { data: message }));
  }

  /**
   * Lets the newest call fail.
   * @param {string} kind
   */
  failNewestCall(kind) {
    this.send({ type: "error", id: this.newestCall().id, error: { kind, message: `made up: ${kind}` } });
  }

  newestCall() {
    return this.received.findLast(({ type }) => type === "call");
  }
}
