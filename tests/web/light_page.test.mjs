/** The page is light, paints before its engine is there, and runs nothing that is not its own. */

import assert from "node:assert/strict";
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { listShellFiles } from "../../scripts/build/service_worker.mjs";
import { launchChromium } from "./support/browser.mjs";
import { DIST, startTestServer } from "./support/test_server.mjs";
import { makeTinyModel } from "./support/tiny_model.mjs";

const TIMEOUT_MS = 120_000;
/** What the page may load before a chat, compressed, besides the WebAssembly module and its glue. */
const SHELL_BUDGET = 130_000;
/** All that the service worker keeps, with other languages and what is loaded for maths and code alone. */
const WHOLE_BUDGET = 265_000;
const SERVICE_WORKER_BUDGET = 5_000;

/** @param {string} path in dist/ */
const gzipBytes = (path) => gzipSync(readFileSync(join(DIST, path || "index.html")), { level: 9 }).length;
/** @param {string} path */
const isEngine = (path) => path.startsWith("engine/wasm/");

describe("the light page", { timeout: 4 * TIMEOUT_MS }, () => {
  const modelPath = makeTinyModel();
  /** @type {Awaited<ReturnType<typeof launchChromium>>} */
  let browser;
  /** @type {import("./support/test_server.mjs").TestServer} */
  let server;

  before(async () => {
    server = await startTestServer({ modelPath });
    browser = await launchChromium({ webgpu: false });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  it("loads less than its budget, and no engine, before a model is chosen", { timeout: TIMEOUT_MS }, async (test) => {
    const page = await browser.context.newPage();
    await page.goto(`${server.url}?backend=cpu`);
    await page.locator("#start-button:enabled").waitFor();
    await page.waitForLoadState("networkidle");
    const paths = await page.evaluate(() => {
      const entries = performance.getEntriesByType("resource").map(({ name }) => name);
      return [...new Set(entries)].filter((url) => url.startsWith(location.origin)).map((url) => new URL(url).pathname);
    });
    const loaded = ["", ...paths.map((path) => path.slice(1))].filter(
      (path) => statSync(join(DIST, path)).isFile() || !path,
    );
    assert.deepEqual(loaded.filter(isEngine), [], "the engine is not there yet");
    const bytes = loaded.reduce((sum, path) => sum + gzipBytes(path), 0);
    test.diagnostic(`${bytes} bytes in ${loaded.length} files before a chat`);
    assert.ok(bytes < SHELL_BUDGET, `${bytes} bytes: ${loaded.map((path) => `${path} ${gzipBytes(path)}`).join(", ")}`);
    await page.close();
  });

  it("is small as a whole", (test) => {
    const kept = Object.keys(listShellFiles(DIST)).filter((path) => !isEngine(path));
    const bytes = kept.reduce((sum, path) => sum + gzipBytes(path), 0);
    test.diagnostic(`${bytes} bytes in ${kept.length} files in all`);
    assert.ok(bytes < WHOLE_BUDGET, `${bytes} bytes`);
    assert.ok(gzipBytes("sw.js") < SERVICE_WORKER_BUDGET, `service worker: ${gzipBytes("sw.js")} bytes`);
  });

  it("paints its text before any script of it has come", { timeout: TIMEOUT_MS }, async () => {
    const page = await browser.context.newPage();
    // Modules wait for ever; the small script of the theme and the styles do not.
    await page.route(/\/(app\/main|qwisp)\.js$/, () => {});
    await page.goto(`${server.url}?backend=cpu`, { waitUntil: "commit" });
    await page.locator(".brand").waitFor();
    const painted = await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
    assert.ok(painted);
    await page.close();
  });

  for (const name of ["index.html", "bench.html"]) {
    it(`has a strict policy: ${name}`, () => {
      const html = readFileSync(join(DIST, name), "utf8");
      const policy = /http-equiv="Content-Security-Policy"\s+content="([^"]+)"/.exec(html)?.[1] ?? "";
      const rules = new Map(
        policy.split(";").map((rule) => /** @type {[string, string]} */ (rule.trim().split(/ (.*)/))),
      );
      assert.equal(rules.get("default-src"), "'none'");
      assert.equal(rules.get("script-src"), "'self' 'wasm-unsafe-eval'");
      assert.equal(rules.get("style-src"), "'self'");
      assert.equal(rules.get("base-uri"), "'none'");
      assert.equal(rules.get("form-action"), "'none'");
      for (const word of ["'unsafe-inline'", "'unsafe-eval'", "data:"]) assert.ok(!policy.includes(word), word);
      assert.doesNotMatch(html, /<script(?![^>]*\ssrc=)|\sstyle="|<style|\son\w+="/, "nothing inline");
    });
  }

  it(
    "runs nothing else: inline scripts, eval, styles and other sites are refused",
    { timeout: TIMEOUT_MS },
    async () => {
      const page = await browser.context.newPage();
      await page.goto(`${server.url}?backend=cpu`);
      await page.locator("#start-button:enabled").waitFor();
      const outcome = await page.evaluate(async () => {
        /** @type {string[]} */
        const refused = [];
        addEventListener("securitypolicyviolation", ({ effectiveDirective }) => refused.push(effectiveDirective));
        const ran = /** @type {any} */ (globalThis);
        const script = document.createElement("script");
        script.textContent = "globalThis.inlineRan = true";
        const image = new Image();
        image.src = "https://example.org/pixel.png";
        const button = document.createElement("button");
        button.setAttribute("onclick", "globalThis.handlerRan = true");
        const style = document.createElement("style");
        style.textContent = "body { display: none }";
        document.body.append(script, image, button, style);
        button.click();
        // In a task of its own: what a test evaluates is exempt from the policy.
        const evalRan = await new Promise((resolve) =>
          setTimeout(() => {
            try {
              resolve((0, eval)("true"));
            } catch {
              resolve(false);
            }
          }),
        );
        await new Promise((resolve) => setTimeout(resolve, 300));
        const display = getComputedStyle(document.body).display;
        return {
          refused: [...new Set(refused)].sort(),
          inline: ran.inlineRan,
          handler: ran.handlerRan,
          evalRan,
          display,
        };
      });
      assert.equal(outcome.inline, undefined);
      assert.equal(outcome.handler, undefined);
      assert.equal(outcome.evalRan, false);
      assert.notEqual(outcome.display, "none");
      for (const directive of ["img-src", "script-src-elem", "script-src-attr", "style-src-elem", "script-src"]) {
        assert.ok(outcome.refused.includes(directive), `${directive} in ${outcome.refused}`);
      }
      await page.close();
    },
  );

  it("is complete: all files that the built page names are there", () => {
    const html = readFileSync(join(DIST, "index.html"), "utf8");
    const files = new Set(readdirSync(DIST, { recursive: true, encoding: "utf8" }));
    for (const [, path] of html.matchAll(/\s(?:href|src)="([^"#:]+)"/g)) assert.ok(files.has(path), path);
  });
});
