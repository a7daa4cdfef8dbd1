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
    try {
      const registration = await container.register("sw.js", { updateViaCache: "none" });
      const offer = () => {
        // The very first one replaces nothing.
        if (registration.waiting && container.controller) this.#offerUpdate(registration.waiting, container);
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

  /**
   * @param {ServiceWorker} waiting
   * @param {ServiceWorkerContainer} container
   */
  #offerUpdate(waiting, container) {
    this.#notice.hidden = false;
    byId("update-now", HTMLButtonElement).onclick = () => {
      container.addEventListener("controllerchange", () => location.reload(), { once: true });
      waiting.postMessage("activate");
    };
  }
}
