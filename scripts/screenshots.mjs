/**
 * Pictures of the page's main states for the README and the manifest, from the built page and a real model:
 *
 *     node scripts/screenshots.mjs [--dist dist] [--model models/….gguf] [--out docs/screenshots]
 *
 * The model is the default one of the catalogue, wherever its file is.
 *
 * Each state once on a desk and once on a phone, in light and in dark.
 */

import { createReadStream } from "node:fs";
import { mkdir, readFile, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { launchChromium } from "../tests/web/support/chromium.mjs";
import { createHandler, listen } from "./serve.mjs";

const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
const SCHEMES = /** @type {const} */ (["light", "dark"]);
/** Long enough for a processor that does nothing else. */
const PATIENCE_MS = 600_000;
const MODEL_ID = "qwen2.5-coder-0.5b";
const QUESTION = "Write a Python function that returns the n-th Fibonacci number, with a short explanation.";
/** The download of the picture: so much of it has come, at this pace. */
const PICTURED_SHARE = 0.32;
const BYTES_PER_SECOND = 60e6;

const { values } = parseArgs({
  options: {
    dist: { type: "string", default: "dist" },
    model: { type: "string", default: "models/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf" },
    out: { type: "string", default: "docs/screenshots" },
  },
});
const modelPath = resolve(values.model);
const handler = createHandler({ distDir: resolve(values.dist), modelPath });
/** Where the catalogue has its entry of this model from; null leaves it as it is. @type {string | null} */
let modelUrl = null;

/** The built catalogue, with the model where a picture needs it. @type {import("./serve.mjs").Handler} */
async function catalogue(_request, response) {
  const { models } = JSON.parse(await readFile(join(values.dist, "models.json"), "utf8"));
  for (const model of models) {
    if (modelUrl !== null && model.id === MODEL_ID) model.urls = [modelUrl];
  }
  response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ models }));
}

/** A download that comes to its picture, and then waits. @type {import("./serve.mjs").Handler} */
async function slowly(request, response) {
  const { size } = await stat(modelPath);
  response.writeHead(200, { "Content-Length": size });
  if (request.method === "HEAD") return void response.end();
  let sent = 0;
  for await (const chunk of createReadStream(modelPath, { highWaterMark: 4 << 20 })) {
    if (response.destroyed) return;
    response.write(chunk);
    sent += chunk.length;
    await sleep((1000 * chunk.length) / BYTES_PER_SECOND);
    if (sent > PICTURED_SHARE * size) return; // the connection stays open
  }
}

const server = await listen((request, response) => {
  if (request.url === "/models.json") return catalogue(request, response);
  return request.url?.startsWith("/slow/") ? slowly(request, response) : handler(request, response);
});
const browser = await launchChromium({ webgpu: false });
try {
  await mkdir(values.out, { recursive: true });
  const page = await browser.context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.setViewportSize(SIZES.desktop);

  /** @param {string} state */
  const takeAll = async (state) => {
    for (const [size, viewport] of Object.entries(SIZES)) {
      await page.setViewportSize(viewport);
      for (const colorScheme of SCHEMES) {
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await sleep(250); // for what follows a change of size
        await page.screenshot({ path: join(values.out, `${state}-${size}-${colorScheme}.png`) });
      }
    }
    await page.setViewportSize(SIZES.desktop);
    console.log(state);
  };

  /** @param {Record<string, string>} [parameters] */
  const open = async (parameters = {}) => {
    await page.goto(`${server.url}?${new URLSearchParams({ backend: "cpu", ...parameters })}`);
    await page.locator("#start-button:enabled").waitFor();
  };

  await open();
  await page.getByRole("button", { name: "Measure this device" }).click();
  await page.getByRole("button", { name: "Measure again" }).waitFor();
  await page.evaluate(() => /** @type {HTMLElement} */ (document.activeElement)?.blur());
  await takeAll("start");

  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByRole("combobox", { name: "Preset" }).selectOption("code");
  await takeAll("settings");
  await page.getByRole("combobox", { name: "Preset" }).selectOption("none");
  await page.getByRole("button", { name: "Close" }).click();

  modelUrl = `slow/${basename(modelPath)}`;
  await open({ model: MODEL_ID });
  await page.getByRole("button", { name: /^Download/ }).click();
  await page.waitForFunction((share) => {
    const bar = document.querySelector("progress");
    return bar && bar.value > share * bar.max;
  }, PICTURED_SHARE - 0.02);
  await takeAll("loading");

  modelUrl = `models/${basename(modelPath)}`;
  await open({ model: MODEL_ID, temperature: "0" });
  await page.locator("#start-button").click();
  await page.getByRole("textbox", { name: "Message" }).fill(QUESTION);
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("status").getByText("Done").waitFor();
  await takeAll("chat");

  await page.locator("#engine-facts").click();
  await takeAll("health");
} finally {
  await browser.close();
  await server.close();
}
