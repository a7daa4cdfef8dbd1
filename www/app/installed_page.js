import { byId } from "./dom.js";

/**
 * What makes the page an application: it opens without a network, can be installed, and says when there is a new version
 * of it, which never comes in the middle of something.
 */
export class InstalledPage {
  #install = byId("install", HTMLButtonElement);
  #notice = byId("update", HTMLElement);
  /** The browser's question whether to install. @type {any} */
  #question = null;
  /** Whether the new version was asked for in this tab. */
  #isAsked = false;

  constructor() {
    addEventListener("beforeinstallprompt", (event) => {
      event.preventDefault();
      this.#question = event;
      this.#install.hidden = false;
    });
    addEventListener("appinstalled", () => (this.#install.hidden = true));
    this.#install.addEventListener("click", async () => {
      this.#install.hidden = true;
      await this.#question?.prompt();
    });
    byId("update-later", HTMLButtonElement).addEventListener("click", () => (this.#notice.hidden = true));
    if ("serviceWorker" in navigator) void this.#register(navigator.serviceWorker);
  }

  /** @param {ServiceWorkerContainer} container */
  async #register(container) {
    let isControlled = container.controller !== null;
    container.addEventListener("controllerchange", () => {
      if (this.#isAsked) location.reload();
      // Another tab took the new version for all: this page's files are gone, but for what it has loaded.
      else if (isControlled) this.#offer(() => location.reload());
      isControlled = true;
    });
    try {
      const registration = await container.register("sw.js", { updateViaCache: "none" });
      const offer = () => {
        // The very first one replaces nothing.
        if (registration.waiting && container.controller) this.#offerUpdate(registration.waiting);
      };
      offer();
      registration.addEventListener("updatefound", () => {
        const { installing } = registration;
        installing?.addEventListener("statechange", () => installing.state === "installed" && offer());
      });
    } catch {
      // Where there are none, in a private window for instance, the page needs a network, and is the same otherwise.
    }
  }

  /** @param {ServiceWorker} waiting */
  #offerUpdate(waiting) {
    this.#offer(() => {
      this.#isAsked = true;
      waiting.postMessage("activate");
    });
  }

  /** @param {() => void} run what its button does */
  #offer(run) {
    this.#notice.hidden = false;
    byId("update-now", HTMLButtonElement).onclick = run;
  }
}
