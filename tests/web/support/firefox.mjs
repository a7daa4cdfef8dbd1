/** Starts a stock Firefox as the tests need it: headless, with WebGPU on lavapipe, Mesa's Vulkan driver on the CPU. */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { launch } from "puppeteer-core";
import { findBrowser } from "./find_browser.mjs";
import { FirefoxPage } from "./firefox_page.mjs";

// Firefox has WebGPU on Linux behind preferences, and refuses a Vulkan driver that only emulates a GPU.
const WEBGPU_PREFERENCES = {
  "dom.webgpu.enabled": true,
  "dom.webgpu.workers.enabled": true,
  "gfx.webgpu.ignore-blocklist": true,
};
const NO_WEBGPU_PREFERENCES = { "dom.webgpu.enabled": false };
// Whatever the server gives is what the page gets: tests change files under the page.
const NO_SERVICE_WORKERS = { "dom.serviceWorkers.enabled": false };
// Without it, reading from the clipboard asks whoever sits there.
const CLIPBOARD_PREFERENCES = { "dom.events.testing.asyncClipboard": true };

const VULKAN_FOLDERS = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

/**
 * The variables that let Vulkan see lavapipe alone: the same adapter on every machine, even where there is a GPU. On
 * systems without these folders Firefox takes what there is.
 * @returns {Record<string, string>}
 */
function lavapipeEnvironment() {
  for (const folder of VULKAN_FOLDERS) {
    try {
      const file = readdirSync(folder).find((name) => /^lvp_icd.*\.json$/.test(name));
      // The second name is the one of older Vulkan loaders.
      if (file) return { VK_DRIVER_FILES: join(folder, file), VK_ICD_FILENAMES: join(folder, file) };
    } catch {
      // No such folder.
    }
  }
  return {};
}

/**
 * Starts a browser with an empty profile on disk: unlike a private window it stores files as for any visitor.
 * @param {import("./browser.mjs").LaunchOptions} [options]
 * @returns {Promise<import("./browser.mjs").TestBrowser>}
 */
export async function launchFirefox({ webgpu = true, serviceWorkers = false } = {}) {
  const browser = await launch({
    browser: "firefox",
    executablePath: findBrowser("firefox"),
    headless: true,
    // The tests have their own timeouts: an answer of a real model takes minutes here.
    protocolTimeout: 0,
    env: { ...process.env, ...lavapipeEnvironment() },
    extraPrefsFirefox: {
      ...CLIPBOARD_PREFERENCES,
      ...(serviceWorkers ? {} : NO_SERVICE_WORKERS),
      ...(webgpu ? WEBGPU_PREFERENCES : NO_WEBGPU_PREFERENCES),
    },
  });
  const version = (await browser.version()).replace(/^firefox\//i, "Firefox ");
  return {
    context: { newPage: async () => new FirefoxPage(await browser.newPage()) },
    version,
    close: () => browser.close(),
  };
}
