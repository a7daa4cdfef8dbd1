/** Starts Chromium as the tests need it: headless, quiet, with WebGPU on the CPU. */

import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
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
 * @typedef {object} Chromium
 * @property {import("playwright-core").BrowserContext} context
 * @property {string} version
 * @property {() => Promise<void>} close
 * @property {() => Promise<number>} gpuBytes the memory that its GPU process has, files that it has opened left out
 * @property {() => Promise<void>} kill ends it as a loss of power does, and leaves the profile
 */

/**
 * Starts a browser with an empty profile on disk: unlike a private window it stores files as for any visitor.
 * @param {{ webgpu?: boolean, serviceWorkers?: boolean, profile?: string, flags?: string[] }} [options] `webgpu: false` is a
 *   browser without an adapter; `profile` is a folder that the caller deletes. Without `serviceWorkers`, whatever the
 *   server gives is what the page gets: tests change files under the page.
 * @returns {Promise<Chromium>}
 */
export async function launchChromium({
  webgpu = true,
  serviceWorkers = false,
  profile: givenProfile,
  flags = [],
} = {}) {
  const profile = givenProfile ?? (await mkdtemp(join(tmpdir(), "qwisp-profile-")));
  // Chromium refuses to put root into its sandbox.
  const isRoot = process.getuid?.() === 0;
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: findBrowser("chromium"),
    headless: true,
    serviceWorkers: serviceWorkers ? "allow" : "block",
    chromiumSandbox: !isRoot,
    args: [...QUIET_FLAGS, ...(webgpu ? WEBGPU_FLAGS : NO_WEBGPU_FLAGS), ...flags],
  });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  return {
    context,
    version: `Chromium ${context.browser()?.version() ?? ""}`.trim(),
    close: async () => {
      await context.close();
      if (!givenProfile) await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
    gpuBytes: async () => {
      const session = await /** @type {import("playwright-core").Browser} */ (context.browser()).newBrowserCDPSession();
      const { processInfo } = await session.send("SystemInfo.getProcessInfo");
      await session.detach();
      const gpu = processInfo.find(({ type }) => type === "GPU");
      const status = await readFile(`/proc/${gpu?.id}/status`, "utf8");
      const kilobytes = (/** @type {string} */ field) => Number(status.match(`${field}:\\s+(\\d+) kB`)?.[1]);
      return 1024 * (kilobytes("RssAnon") + kilobytes("RssShmem"));
    },
    kill: async () => {
      const closed = new Promise((resolve) => context.on("close", resolve));
      process.kill(await findProcess(profile), "SIGKILL");
      await closed;
    },
  };
}

/**
 * The process of the browser with a profile: Playwright tells of none. Its children have a type.
 * @param {string} profile
 * @returns {Promise<number>}
 */
async function findProcess(profile) {
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const commandLine = await readFile(join("/proc", name, "cmdline"), "utf8").catch(() => "");
    const words = commandLine.split("\0");
    const isBrowser = words.includes(`--user-data-dir=${profile}`) && !words.some((word) => word.startsWith("--type="));
    // A script that starts the browser may stay as its parent.
    if (isBrowser && !/(^|\/)(ba|da)?sh$/.test(words[0])) return Number(name);
  }
  throw new Error(`no browser runs with the profile ${profile}`);
}
