/** Starts Chromium as the tests need it: headless, quiet, with WebGPU on the CPU. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { findBrowser } from "./find_browser.mjs";

const QUIET_FLAGS = [
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

// SwiftShader even where there is a GPU: the same adapter on every machine.
const WEBGPU_FLAGS = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
const NO_WEBGPU_FLAGS = ["--disable-features=WebGPU", "--disable-gpu"];

/**
 * Starts a browser with an empty profile on disk: unlike a private window it stores files as for any visitor.
 * @param {{ webgpu?: boolean, serviceWorkers?: boolean }} [options] `webgpu: false` is a browser without an adapter. Without
 *   `serviceWorkers`, whatever the server gives is what the page gets: tests change files under the page.
 * @returns {Promise<{ context: import("playwright-core").BrowserContext, version: string, close: () => Promise<void> }>}
 */
export async function launchChromium({ webgpu = true, serviceWorkers = false } = {}) {
  const profile = await mkdtemp(join(tmpdir(), "qwisp-profile-"));
  // Chromium refuses to put root into its sandbox.
  const isRoot = process.getuid?.() === 0;
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: findBrowser("chromium"),
    headless: true,
    serviceWorkers: serviceWorkers ? "allow" : "block",
    chromiumSandbox: !isRoot,
    args: [...QUIET_FLAGS, ...(webgpu ? WEBGPU_FLAGS : NO_WEBGPU_FLAGS)],
  });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  return {
    context,
    version: `Chromium ${context.browser()?.version() ?? ""}`.trim(),
    close: async () => {
      await context.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}
