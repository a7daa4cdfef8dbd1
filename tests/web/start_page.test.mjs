/**
 * Choosing, keeping and losing models on the page: what suits, what is stored, downloads that pause and go on, files that
 * are dropped; and the settings, as a person changes them.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { launchChromium } from "./support/browser.mjs";
import { startTestServer } from "./support/test_server.mjs";
import { makeTinyModel } from "./support/tiny_model.mjs";

const TIMEOUT_MS = 120_000;
/** Three records, so that a paused download has something to keep. */
const PADDING_BYTES = 11 << 20;
const MESSAGE_KEYS = new Set(Object.keys(JSON.parse(readFileSync("www/app/messages/en.json", "utf8"))));
MESSAGE_KEYS.delete("tokens"); // a word as well

/** @typedef {import("playwright-core").Page} Page */

describe("the start page", { timeout: 12 * TIMEOUT_MS }, () => {
  const tinyPath = makeTinyModel();
  const modelPath = makeTinyModel({ paddingBytes: PADDING_BYTES });
  /** @type {Awaited<ReturnType<typeof launchChromium>>} */
  let browser;
  /** @type {import("./support/test_server.mjs").TestServer} */
  let server;
  /** What went wrong in the page without the page saying so. @type {string[]} */
  const complaints = [];

  before(async () => {
    server = await startTestServer({ modelPath });
    browser = await launchChromium({ webgpu: false });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  /**
   * @param {Record<string, string>} [parameters] of the address
   * @param {(page: Page) => Promise<unknown>} [prepare] before the page is opened
   */
  async function openPage(parameters = {}, prepare = async () => {}) {
    const page = await browser.context.newPage();
    page.setDefaultTimeout(TIMEOUT_MS / 2);
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    await prepare(page);
    const query = new URLSearchParams({ backend: "cpu", temperature: "0", "max-tokens": "8", ...parameters });
    await page.goto(`${server.url}?${query}`);
    await page.locator("#start-button:enabled").waitFor();
    return page;
  }

  /** @param {Page} page */
  const names = (page) => page.locator(".model-choice:visible .model-name > span:first-child").allInnerTexts();
  /** @param {Page} page */
  const loaded = (page) => page.getByRole("textbox", { name: "Message" }).waitFor();

  it("recommends for a task, and says how fast here", { timeout: TIMEOUT_MS }, async () => {
    const page = await openPage();
    assert.equal((await names(page)).length, 3, "a short list at first");
    assert.equal(await page.locator(".badge.best").count(), 0, "nothing is recommended before anything is known");
    await page.getByRole("button", { name: /^Show all/ }).click();
    const all = await names(page);
    assert.ok(all.length > 5);

    const maths = page.getByRole("button", { name: "Maths" });
    await maths.click();
    assert.equal(await maths.getAttribute("aria-pressed"), "true");
    const ranked = await names(page);
    assert.notDeepEqual(ranked.slice(1), all.slice(1));
    assert.deepEqual([...ranked].sort(), [...all].sort(), "another order, the same models");
    assert.equal(await page.locator(".badge.best").count(), 1);
    await maths.click();
    assert.equal(await maths.getAttribute("aria-pressed"), "false");

    await page.evaluate((probe) => localStorage.setItem("qwisp.probe", JSON.stringify(probe)), {
      browser: await page.evaluate(() => navigator.userAgent),
      probe: {
        backend: "cpu",
        adapter: "SIMD",
        tier: "simd128",
        isSoftware: true,
        weightBytesPerSecond: 5e9,
        fallback: null,
        checks: [],
      },
    });
    await page.reload();
    await page
      .getByText(/about [\d.]+ tok\/s here/)
      .first()
      .waitFor();
    await page.getByText("The processor, 5.0 GB/s").waitFor();
    await page.evaluate(() => localStorage.clear());
    await page.close();
    assert.deepEqual(complaints, []);
  });

  it("measures the device when asked to", { timeout: TIMEOUT_MS }, async () => {
    const page = await openPage();
    await page.getByRole("button", { name: "Measure this device" }).click();
    await page.getByText(/^The processor, [\d.,]+ GB\/s/).waitFor();
    await page
      .getByText(/about [\d.,]+ tok\/s here/)
      .first()
      .waitFor();
    await page.reload();
    await page.getByText(/^The processor, [\d.,]+ GB\/s/).waitFor();
    await page.evaluate(() => localStorage.clear());
    await page.close();
    assert.deepEqual(complaints, []);
  });

  it("measures the device by itself where there is WebGPU", { timeout: TIMEOUT_MS }, async () => {
    const page = await openPage({ backend: "auto" }, (fresh) =>
      fresh.addInitScript(() => Object.defineProperty(navigator, "gpu", { value: {} })),
    );
    await page.locator(".model-choice input:checked").focus();
    await page.getByText(/^The processor, [\d.,]+ GB\/s/).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.matches("input:checked")), true, "the focus stays");
    await page.evaluate(() => localStorage.clear());
    await page.close();
    assert.deepEqual(complaints, []);
  });

  it("pauses a download, keeps what came, goes on, and deletes", { timeout: 2 * TIMEOUT_MS }, async () => {
    /** @type {import("./support/imperfect_server.mjs").Flaws} */
    const flaws = { bytesPerSecond: 2e6 };
    const url = server.imperfectUrl(flaws);
    const page = await openPage({ model: url });
    await page.getByRole("button", { name: /^Download/ }).click();
    await page.getByText("Downloading", { exact: true }).waitFor();
    await page.getByText(/\/s · .* left$/).waitFor();
    await page.waitForFunction(() => Number(document.querySelector("progress")?.value) > 5e6);
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("button", { name: /^Resume: \d+ MB of 13 MB are here$/ }).waitFor();
    await page.getByText(/^\d+% here$/).waitFor();

    // At another visit, too.
    await page.reload();
    delete flaws.bytesPerSecond;
    await page.getByRole("button", { name: /^Resume/ }).click();
    await loaded(page);
    const resumed = server.answersOf(url).at(-1);
    assert.ok(resumed && resumed.first >= 4 << 20, `goes on from where it was: ${JSON.stringify(resumed)}`);

    await page.locator("#engine-facts").click();
    await page.getByRole("button", { name: "Choose another model" }).click();
    await page.getByText("On this device", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Start", exact: true }).waitFor();
    await page.getByText(/^1 model stored, /).waitFor();

    const saving = page.waitForEvent("download");
    await page.getByRole("button", { name: "Save as a file" }).click();
    const download = await saving;
    assert.ok(readFileSync(await download.path()).equals(readFileSync(modelPath)), "the very same file");

    await page.getByRole("button", { name: "Delete from this device" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
    await page.getByText("On this device", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Delete from this device" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.getByRole("button", { name: /^Download/ }).waitFor();
    assert.equal(await page.locator("#storage").isVisible(), false);
    await page.getByRole("button", { name: "Back to the chat" }).click();
    await loaded(page);
    await page.close();
    assert.deepEqual(complaints, []);
  });

  it("says when it tries again", { timeout: TIMEOUT_MS }, async () => {
    // One of the two answers the question how large the file is.
    const waiting = await openPage({ model: server.imperfectUrl({ status: 503, retryAfter: "3", refusals: 2 }) });
    await waiting.getByRole("button", { name: /^Download/ }).click();
    await waiting.getByText(/^The connection broke\. Next try in \d s$/).waitFor();
    await loaded(waiting);
    await waiting.close();
    complaints.length = 0; // the browser complains of the 503
  });

  /**
   * Drags a file of the tiny model over the page, or drops it there.
   * @param {Page} page
   * @param {"dragover" | "drop"} type
   * @param {string} name
   */
  const drag = (page, type, name) =>
    page.evaluate(
      ({ type, bytes, name }) => {
        const file = new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name, { lastModified: 1 });
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(file);
        document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
      },
      { type, bytes: readFileSync(tinyPath).toString("base64"), name },
    );

  it("loads the model that was chosen last, whatever was on its way", { timeout: TIMEOUT_MS }, async () => {
    const slow = server.imperfectUrl({ bytesPerSecond: 2e6 });
    const page = await openPage({ model: slow });
    await page.getByRole("button", { name: /^Download/ }).click();
    await page.waitForFunction(() => Number(document.querySelector("progress")?.value) > 2e6);
    await drag(page, "drop", "second.gguf");
    await page.getByRole("button", { name: "Open once" }).click();
    await loaded(page);
    const isSecond = () => page.getByRole("banner").getByText("second.gguf").isVisible();
    assert.ok(await isSecond());
    // Longer than what is left of the first one takes.
    await page.waitForTimeout(7000);
    assert.ok(await isSecond(), "the first one is gone");
    const sentBytes = server.answersOf(slow).at(-1)?.sentBytes ?? 0;
    assert.ok(sentBytes < PADDING_BYTES, `its download has ended, at ${sentBytes} bytes`);
    await page.close();
    assert.deepEqual(complaints, []);
  });

  it("offers to be installed when the browser does", { timeout: TIMEOUT_MS }, async () => {
    const page = await openPage();
    await page.getByRole("button", { name: "Settings" }).click();
    const install = page.getByRole("button", { name: "Install as an app" });
    assert.equal(await install.isVisible(), false);
    /** The browser's offer, which no browser makes to a test. */
    const offer = () =>
      page.evaluate(() => {
        const log = /** @type {any} */ (globalThis);
        log.prompts = 0;
        const event = new Event("beforeinstallprompt", { cancelable: true });
        dispatchEvent(Object.assign(event, { prompt: async () => void log.prompts++ }));
        return event.defaultPrevented;
      });
    assert.equal(await offer(), true, "the browser shows no bar of its own");
    await install.click();
    assert.equal(await page.evaluate(() => /** @type {any} */ (globalThis).prompts), 1);
    assert.equal(await install.isVisible(), false, "a question can be asked once");
    await offer();
    await install.waitFor();
    await page.evaluate(() => dispatchEvent(new Event("appinstalled")));
    assert.equal(await install.isVisible(), false);
    await page.close();
    assert.deepEqual(complaints, []);
  });

  it("keeps a file that was dropped", { timeout: TIMEOUT_MS }, async () => {
    const page = await openPage();
    await drag(page, "drop", "notes.txt");
    await page.getByText("That is not a GGUF file.").waitFor();
    await drag(page, "dragover", "mine.gguf");
    await page.getByText("Drop the GGUF file to open it").waitFor();
    await drag(page, "drop", "mine.gguf");
    await page.getByRole("heading", { name: /^Open mine\.gguf/ }).waitFor();
    await page.getByRole("button", { name: "Keep and open" }).click();
    await loaded(page);
    await page.reload();
    const card = page.locator(".model-choice", { hasText: "mine.gguf" });
    await card.getByText("On this device", { exact: true }).waitFor();
    await card.click();
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await loaded(page);
    await page.close();
    assert.deepEqual(complaints, []);
  });

  it("keeps settings, and uses them", { timeout: TIMEOUT_MS }, async () => {
    const page = await openPage({ model: server.modelUrl });
    await page.getByRole("button", { name: "Settings" }).click();
    await page.getByRole("combobox", { name: "Preset" }).selectOption("translation");
    await page.getByRole("combobox", { name: "Into which language" }).fill("Tagalog");
    assert.match(await page.getByRole("textbox", { name: "System prompt" }).inputValue(), /into Tagalog\./);
    const topK = page.getByRole("spinbutton", { name: /^Top K/ });
    await topK.fill("-3");
    assert.equal(await topK.getAttribute("aria-invalid"), "true");
    await topK.fill("7");
    await page.getByRole("combobox", { name: "Theme" }).selectOption("dark");
    await page.keyboard.press("Escape");
    assert.equal(await page.getByRole("dialog").count(), 0);
    assert.equal(await page.evaluate(() => document.activeElement?.id), "open-settings");

    await page.reload();
    const dark = await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
    assert.equal(dark, "dark");
    await page.getByRole("button", { name: "Settings" }).click();
    assert.equal(await topK.inputValue(), "7");
    await page.getByRole("button", { name: "Reset to the recommendation" }).click();
    assert.equal(await topK.inputValue(), "");
    await page.getByRole("button", { name: "Close" }).click();
    const { numbers, system } = await page.evaluate(() => JSON.parse(localStorage["qwisp.settings"]));
    assert.deepEqual(numbers, {});
    assert.match(system, /Tagalog/);
    await page.evaluate(() => localStorage.clear());
    await page.close();
    assert.deepEqual(complaints, []);
  });

  it("shows how the engine does", { timeout: TIMEOUT_MS }, async () => {
    const page = await openPage({ model: server.modelUrl, backend: "auto" });
    await page.getByRole("button", { name: /^(Download|Start)/ }).click();
    await page.getByRole("textbox", { name: "Message" }).fill("Hello there");
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText(/Processor · [\d.,]+ tok\/s · \d+% of context/).waitFor();
    await page.locator("#engine-facts").click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText(/^(Healthy|Degraded)$/).waitFor();
    await dialog.getByText(/^[\d,]+ of [\d,]+ tokens$/).waitFor();
    const facts = await dialog.locator(".facts").innerText();
    assert.match(facts, /Time to first token\s+[\d.]+ m?s/);
    assert.match(facts, /Memory\s+\d+ .B weights/);
    assert.match(facts, /Not on\s+WebGPU: this browser or device does not offer it/);
    assert.ok(Number(await dialog.getByRole("meter").getAttribute("aria-valuenow")) > 0);
    await page.evaluate(() => localStorage.clear()); // the next visit begins with a choice
    await page.close();
    assert.deepEqual(complaints, []);
  });

  for (const [language, title, send] of [
    ["zh", "一个小模型，全在你的设备上", "发送"],
    ["es", "Un modelo pequeño, todo en tu dispositivo", "Enviar"],
    ["tl", "Maliit na model, nasa device mo lahat", "Ipadala"],
  ]) {
    it(`speaks ${language}`, { timeout: TIMEOUT_MS }, async () => {
      const page = await openPage({ lang: language });
      await page.getByRole("heading", { name: title }).waitFor();
      assert.equal(await page.getAttribute("html", "lang"), language);
      assert.equal(await page.locator("#send").textContent(), send);
      const texts = await page.evaluate(() =>
        [...document.querySelectorAll("body *")]
          .flatMap((found) => [...found.childNodes])
          .filter((node) => node.nodeType === Node.TEXT_NODE)
          .map((node) => node.textContent?.trim() ?? ""),
      );
      assert.deepEqual(
        texts.filter((text) => MESSAGE_KEYS.has(text)),
        [],
        "no key stands for a message",
      );
      await page.close();
      assert.deepEqual(complaints, []);
    });
  }

  it("changes its language at once, and remembers it", { timeout: TIMEOUT_MS }, async () => {
    const page = await openPage();
    await page.getByRole("button", { name: "Settings" }).click();
    await page.getByRole("combobox", { name: "Language" }).selectOption("es");
    await page.getByRole("heading", { name: "Ajustes" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "Un modelo pequeño, todo en tu dispositivo" }).waitFor();
    await page.evaluate(() => localStorage.clear());
    await page.close();
    assert.deepEqual(complaints, []);
  });
});
