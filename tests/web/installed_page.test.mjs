/**
 * The page as an application: it can be installed, opens and answers without a server, and changes only when its reader
 * says so. On a plain server in a folder, too.
 */

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { listShellFiles } from "../../scripts/build/service_worker.mjs";
import { createHandler, listen, resolveInside } from "../../scripts/serve.mjs";
import { describeInEachBrowser, openBrowser } from "./support/browser.mjs";
import { makeTinyModel } from "./support/tiny_model.mjs";
import { DIST } from "./support/test_server.mjs";

const TIMEOUT_MS = 120_000;
/** In this folder the plain server has the page. */
const FOLDER = "/some/where/";

/** @param {Uint8Array} png @returns {string} as manifests write it */
function sizeOf(png) {
  const view = new DataView(png.buffer, png.byteOffset);
  assert.equal(view.getUint32(0), 0x89504e47, "a PNG");
  return `${view.getUint32(16)}x${view.getUint32(20)}`;
}

/**
 * A server that only knows files and a few types, as the simplest do.
 * @param {string} dist
 * @param {string} modelPath
 * @returns {import("../../scripts/serve.mjs").Handler}
 */
function plainHandler(dist, modelPath) {
  /** @type {Record<string, string>} */
  const types = {
    html: "text/html",
    js: "text/javascript",
    css: "text/css",
    svg: "image/svg+xml",
    wasm: "application/wasm",
  };
  return async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const inside = pathname.startsWith(FOLDER) ? pathname.slice(FOLDER.length - 1) : "/nowhere";
    const path = inside === "/tiny.gguf" ? modelPath : await resolveInside(dist, inside);
    if (!path) return void response.writeHead(404).end();
    const body = readFileSync(path);
    const type = types[path.split(".").at(-1) ?? ""] ?? "application/octet-stream";
    response.writeHead(200, { "Content-Type": type, "Content-Length": body.length }).end(body);
  };
}

describeInEachBrowser("the installed page", { timeout: 8 * TIMEOUT_MS }, (browserName) => {
  const modelPath = makeTinyModel();
  /** @type {import("./support/browser.mjs").TestBrowser} */
  let browser;

  before(async () => {
    browser = await openBrowser(browserName, { webgpu: false, serviceWorkers: true });
  });
  after(() => browser?.close());

  /**
   * Opens the page and waits until the service worker has it all.
   * @param {string} url
   */
  async function openPage(url) {
    const page = await browser.context.newPage();
    page.setDefaultTimeout(TIMEOUT_MS / 2);
    await page.goto(url);
    await page.waitForFunction(() => navigator.serviceWorker.controller?.state === "activated");
    return page;
  }

  /** @param {import("./support/browser.mjs").TestPage} page */
  async function askAndWait(page) {
    const message = page.getByRole("textbox", { name: "Message" });
    await message.waitFor(); // the last conversation is there by then
    const answers = await page.locator(".message.answer").count();
    await message.fill("Hello there");
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByRole("status").getByText("Done").waitFor();
    assert.equal(await page.locator(".message.answer").count(), answers + 1);
  }

  const query = `?${new URLSearchParams({ backend: "cpu", "max-tokens": "8", temperature: "0" })}`;

  /** What makes a page an application is asked of Chromium's developer tools; caches and versions are the same everywhere. */
  const skip = browserName !== "chromium" && "asked of Chromium's developer tools";

  it("meets what browsers ask of an application", { timeout: TIMEOUT_MS, skip }, async () => {
    const server = await listen(createHandler({ distDir: DIST }));
    const page = await openPage(server.url);
    const session = await /** @type {import("playwright-core").Page} */ (page)
      .context()
      .newCDPSession(/** @type {any} */ (page));
    const { errors, url } = await session.send("Page.getAppManifest");
    assert.deepEqual(errors, []);
    const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
    assert.deepEqual(installabilityErrors, []);

    const manifest = JSON.parse(readFileSync(join(DIST, "manifest.webmanifest"), "utf8"));
    for (const field of [
      "id",
      "name",
      "short_name",
      "description",
      "start_url",
      "scope",
      "theme_color",
      "background_color",
    ]) {
      assert.ok(manifest[field], field);
    }
    assert.equal(manifest.display, "standalone");
    assert.equal(new URL(manifest.scope, url).href, server.url);
    for (const { url: shortcut } of [{ url: manifest.start_url }, ...manifest.shortcuts]) {
      assert.ok(new URL(shortcut, url).href.startsWith(server.url), shortcut);
    }
    const shortcutIcons = manifest.shortcuts.flatMap((/** @type {any} */ { icons }) => icons);
    for (const { src, sizes, type } of [...manifest.icons, ...manifest.screenshots, ...shortcutIcons]) {
      const response = await fetch(new URL(src, url));
      assert.equal(response.status, 200, src);
      assert.equal(response.headers.get("content-type")?.split(";")[0], type, src);
      if (type === "image/png") assert.equal(sizeOf(new Uint8Array(await response.arrayBuffer())), sizes, src);
    }
    const has = (/** @type {string} */ purpose, /** @type {string} */ size) =>
      manifest.icons.some((/** @type {any} */ icon) => icon.purpose === purpose && icon.sizes === size);
    assert.ok(has("any", "192x192") && has("any", "512x512") && has("maskable", "512x512"));
    const forms = manifest.screenshots.map((/** @type {any} */ shot) => shot.form_factor);
    assert.deepEqual([...new Set(forms)].sort(), ["narrow", "wide"]);
    await page.close();
    await server.close();
  });

  it("opens, loads its model and answers with the server gone", { timeout: TIMEOUT_MS }, async () => {
    const server = await listen(createHandler({ distDir: DIST, modelPath }));
    const page = await openPage(`${server.url}${query}`);
    await page.getByRole("button", { name: /^Download/ }).click();
    await askAndWait(page);

    await server.close();
    await page.reload();
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await askAndWait(page);
    // The same without a question, as from the icon on a home screen.
    await page.goto(`${server.url}${query}&autoload=1`);
    await askAndWait(page);
    await page.close();
  });

  it("keeps no weights itself", { timeout: TIMEOUT_MS, skip }, async () => {
    const server = await listen(createHandler({ distDir: DIST, modelPath }));
    const page = await openPage(`${server.url}${query}`);
    await page.getByRole("button", { name: /^Download/ }).click();
    await askAndWait(page);
    const kept = await page.evaluate(async () => {
      /** @type {string[]} */
      const urls = [];
      for (const name of await caches.keys()) {
        for (const { url } of await (await caches.open(name)).keys()) urls.push(url);
      }
      return urls;
    });
    const expected = Object.entries(listShellFiles(DIST)).map(([path, hash]) => `${server.url}${path}?${hash}`);
    assert.deepEqual(kept.sort(), expected.sort());
    await page.close();
    await server.close();
  });

  it("works on a plain server in a folder", { timeout: TIMEOUT_MS }, async () => {
    const server = await listen(plainHandler(DIST, modelPath));
    const folder = new URL(FOLDER, server.url).href;
    const parameters = `${query}&model=tiny.gguf`;
    const page = await openPage(`${folder}${parameters}`);
    await page.getByRole("button", { name: /^Download/ }).click();
    await askAndWait(page);
    await server.close();
    await page.goto(`${folder}index.html${parameters}`);
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await askAndWait(page);
    await page.close();
  });

  it("offers a new version, and changes when told to", { timeout: TIMEOUT_MS, skip }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "qwisp-dist-"));
    cpSync(DIST, folder, { recursive: true });
    const server = await listen(createHandler({ distDir: folder, modelPath }));
    const page = await openPage(`${server.url}${query}`);
    assert.equal(await page.locator("#update").isVisible(), false, "the first version replaces nothing");
    const names = () => page.evaluate(async () => (await caches.keys()).sort());
    await page.evaluate(() => caches.open("of another page"));
    const [, first] = await names();

    // A new version: another title, so another list of files.
    const pagePath = join(folder, "index.html");
    const workerPath = join(folder, "sw.js");
    const html = readFileSync(pagePath, "utf8");
    writeFileSync(pagePath, html.replace("<title>Qwisp</title>", "<title>Qwisp, new</title>"));
    const hashOf = (/** @type {string} */ path) => listShellFiles(path)[""];
    const [oldHash, newHash] = [hashOf(DIST), hashOf(folder)];
    assert.notEqual(oldHash, newHash);
    const worker = readFileSync(workerPath, "utf8").replace(/"version":"\w+"/, '"version":"next"');
    writeFileSync(workerPath, worker.replace(oldHash, newHash));

    // A server in the middle of its update has the old page still.
    writeFileSync(pagePath, html);
    const state = await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.getRegistration();
      const updated = await registration?.update();
      const installing = updated?.installing;
      if (!installing) return "none";
      await new Promise((resolve) => installing.addEventListener("statechange", resolve, { once: true }));
      return installing.state;
    });
    assert.equal(state, "redundant", "no version is made of files of two");
    writeFileSync(pagePath, html.replace("<title>Qwisp</title>", "<title>Qwisp, new</title>"));

    await page.reload();
    await page.locator("#update").waitFor();
    assert.equal(await page.title(), "Qwisp", "nothing changes by itself");
    await page.reload();
    await page.locator("#update").waitFor();
    assert.equal(await page.title(), "Qwisp", "not at the next visit either, as long as it is open");
    await page.getByRole("button", { name: "Later" }).click();
    assert.equal(await page.locator("#update").isVisible(), false);
    await page.reload();
    const other = await openPage(`${server.url}${query}`);
    await other.locator("#update").waitFor();
    await other.getByRole("button", { name: "Later" }).click();
    await page.getByRole("button", { name: "Reload" }).click();
    await page.waitForFunction(() => document.title === "Qwisp, new");
    await other.getByRole("button", { name: "Reload" }).click();
    await other.waitForFunction(() => document.title === "Qwisp, new");
    await other.close();
    const last = await names();
    assert.deepEqual(last, ["of another page", "qwisp-shell / next"]);
    assert.ok(!last.includes(first));
    await page.close();
    await server.close();
    rmSync(folder, { recursive: true });
  });
});
