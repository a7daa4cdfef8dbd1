/** The chat page as a person uses it: consent, an answer that can be stopped, a failure with a way on. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, it } from "node:test";
import { describeInEachBrowser, openBrowser } from "./support/browser.mjs";
import { startTestServer } from "./support/test_server.mjs";
import { makeTinyModel } from "./support/tiny_model.mjs";

const TIMEOUT_MS = 120_000;

describeInEachBrowser("the chat page", { timeout: 4 * TIMEOUT_MS }, (browserName) => {
  const modelPath = makeTinyModel();
  /** @type {import("./support/browser.mjs").TestBrowser} */
  let browser;
  /** @type {import("./support/test_server.mjs").TestServer} */
  let server;
  /** What went wrong in the page without the page saying so. @type {string[]} */
  const complaints = [];

  before(async () => {
    server = await startTestServer({ modelPath });
    browser = await openBrowser(browserName);
  });

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  /**
   * @param {Record<string, string>} parameters of the address
   * @param {{ context?: import("./support/browser.mjs").TestContext }} [options]
   */
  async function openPage(parameters, { context = browser.context } = {}) {
    const page = await context.newPage();
    page.setDefaultTimeout(TIMEOUT_MS / 2);
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    await page.goto(
      `${server.url}?${new URLSearchParams({ backend: "webgpu", temperature: "0", "new-chat": "1", ...parameters })}`,
    );
    return page;
  }

  /**
   * Asks, and waits for the answer.
   * @param {import("./support/browser.mjs").TestPage} page
   */
  async function askAndWait(page) {
    await page.getByRole("textbox", { name: "Message" }).fill("Hello there");
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByRole("status").getByText("Done").waitFor();
    const conversation = await page.getByRole("log").innerText();
    assert.match(conversation, /Hello there/);
    assert.ok(conversation.length > "Hello there".length + 2, `the conversation shows an answer: ${conversation}`);
  }

  /**
   * Opens the model from a file, as a person would: not before there is a choice.
   * @param {import("./support/browser.mjs").TestPage} page
   */
  async function openFile(page) {
    await page.getByRole("button", { name: /^(Download|Start$)/ }).waitFor();
    await page.getByLabel("Use a GGUF file from this device").setInputFiles(modelPath);
    await page.getByRole("button", { name: "Open once" }).click();
  }

  it("asks before it downloads, then answers", { timeout: TIMEOUT_MS }, async () => {
    const page = await openPage({ model: server.modelUrl, "max-tokens": "12" });
    const download = page.getByRole("button", { name: /^Download .*B$/ });
    await download.waitFor();
    // The size is asked for with a HEAD request; the file itself is not.
    assert.ok(!server.downloads().includes(new URL(server.modelUrl).pathname), "nothing is downloaded unasked");
    await download.click();

    await askAndWait(page);
    assert.match(await page.getByRole("banner").innerText(), /WebGPU/);

    await page.getByRole("button", { name: "New chat" }).click();
    assert.equal((await page.getByRole("log").innerText()).trim(), "");
    await page.close();
    assert.deepEqual(complaints, []);
  });

  it("stops an answer, and takes the next question", { timeout: TIMEOUT_MS }, async () => {
    const parameters = { model: server.modelUrl, autoload: "1", "max-tokens": "200" };
    const page = await openPage(parameters);
    const message = page.getByRole("textbox", { name: "Message" });
    await message.fill("Hello there");
    await message.press("Enter");
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("status").getByText("Stopped").waitFor();
    await message.fill("Once more");
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("status").getByText("Stopped").waitFor();
    await page.close();
    assert.deepEqual(complaints, []);
  });

  it("says what is wrong with a model, and lets people choose another", { timeout: TIMEOUT_MS }, async () => {
    const page = await openPage({ model: server.htmlUrl });
    await page.getByRole("button", { name: /^Download/ }).click();
    await page.getByRole("heading", { name: "This isn't a model Qwisp can read" }).waitFor();
    await page.getByRole("button", { name: "Choose another model" }).click();
    await page.getByRole("button", { name: /^Download/ }).waitFor();
    await page.close();
    assert.deepEqual(complaints, []);
  });

  it("does not take an address's word for a person's consent", { timeout: TIMEOUT_MS }, async () => {
    const url = await server.addFile("other.gguf", readFileSync(modelPath));
    const page = await openPage({ model: url, autoload: "1" });
    await page.getByRole("button", { name: /^Download .*B$/ }).waitFor();
    assert.ok(!server.downloads().includes(new URL(url).pathname));
    await page.close();
    assert.deepEqual(complaints, []);
  });

  it("asks at once although a server keeps the size to itself", { timeout: TIMEOUT_MS }, async () => {
    const page = await openPage({ model: server.imperfectUrl({ stallOffset: 0 }) });
    await page.getByRole("button", { name: "Download", exact: true }).waitFor();
    await page.getByText("size unknown").waitFor();
    await page.close();
    assert.deepEqual(complaints, []);
  });

  it("opens a file of this device", { timeout: TIMEOUT_MS }, async () => {
    const page = await openPage({ "max-tokens": "8" });
    await openFile(page);
    await page.getByRole("banner").getByText("tiny.gguf").waitFor();
    await askAndWait(page);
    await page.close();
    assert.deepEqual(complaints, []);
  });

  it("shows no more than one question that failed", { timeout: TIMEOUT_MS }, async () => {
    const page = await openPage({ "max-tokens": "0" });
    await openFile(page);
    const log = page.getByRole("log");
    for (const question of ["The first", "The second"]) {
      await page.getByRole("textbox", { name: "Message" }).fill(question);
      await page.getByRole("button", { name: "Send" }).click();
      await log.getByText(question).waitFor();
      await log.getByRole("alert").waitFor();
    }
    assert.equal(await log.getByText("The first").count(), 0);
    await page.getByRole("button", { name: "Try again" }).click();
    await log.getByRole("alert").waitFor();
    assert.equal(await log.getByText("The second").count(), 1);
    await page.close();
    assert.deepEqual(complaints, []);
  });

  it("says that the browser refused to store the model", { timeout: TIMEOUT_MS }, async () => {
    const page = await browser.context.newPage();
    page.setDefaultTimeout(TIMEOUT_MS / 2);
    const undo = server.prepend(
      "/engine/worker.js",
      'IDBFactory.prototype.open = () => { throw new DOMException("refused", "UnknownError"); };',
    );
    const url = await server.addFile("refused.gguf", readFileSync(modelPath));
    await page.goto(
      `${server.url}?${new URLSearchParams({ model: url, backend: "webgpu", "max-tokens": "8", "new-chat": "1" })}`,
    );
    await page.getByRole("button", { name: /^Download/ }).click();
    await page.getByRole("status").getByText("Not kept on this device").waitFor();
    await askAndWait(page);
    await page.close();
    undo();
  });

  it("says what it takes where there is no WebGPU, and stays usable", { timeout: TIMEOUT_MS }, async () => {
    const without = await openBrowser(browserName, { webgpu: false });
    try {
      const page = await openPage({ model: server.modelUrl }, { context: without.context });
      await page.getByRole("button", { name: /^Download/ }).click();
      await page.getByRole("heading", { name: "This browser offers no WebGPU" }).waitFor();
      const advice = await page.getByRole("main").innerText();
      for (const word of ["browser", "HTTPS", "localhost", "driver"]) assert.match(advice, new RegExp(word));
      assert.match(advice, /backend=webgpu/);
      await page.getByRole("button", { name: "Choose another model" }).click();
      await page.getByRole("button", { name: /^Download/ }).waitFor();
      assert.deepEqual(complaints, []);
    } finally {
      await without.close();
    }
  });
});
