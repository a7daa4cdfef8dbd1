/** The chat page as a person uses it: consent, an answer that can be stopped, a failure with a way on. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { launchChromium } from "./support/browser.mjs";
import { startTestServer } from "./support/test_server.mjs";
import { makeTinyModel } from "./support/tiny_model.mjs";

const TIMEOUT_MS = 120_000;

describe("the chat page", { timeout: 4 * TIMEOUT_MS }, () => {
  const modelPath = makeTinyModel();
  /** @type {Awaited<ReturnType<typeof launchChromium>>} */
  let browser;
  /** @type {import("./support/test_server.mjs").TestServer} */
  let server;
  /** What went wrong in the page without the page saying so. @type {string[]} */
  const complaints = [];

  before(async () => {
    server = await startTestServer({ modelPath });
    browser = await launchChromium();
  });

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  /** @param {Record<string, string>} parameters of the address */
  async function openPage(parameters) {
    const page = await browser.context.newPage();
    page.setDefaultTimeout(TIMEOUT_MS / 2);
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    await page.goto(`${server.url}?${new URLSearchParams({ backend: "webgpu", temperature: "0", ...parameters })}`);
    return page;
  }

  it("asks before it downloads, then answers", { timeout: TIMEOUT_MS }, async () => {
    const page = await openPage({ model: server.modelUrl, "max-tokens": "12" });
    const download = page.getByRole("button", { name: /^Download .*B$/ });
    await download.waitFor();
    // The size is asked for with a HEAD request; the file itself is not.
    assert.ok(!server.downloads().includes(new URL(server.modelUrl).pathname), "nothing is downloaded unasked");
    await download.click();

    await page.getByRole("textbox", { name: "Message" }).fill("Hello there");
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByRole("status").getByText("Done").waitFor();
    const conversation = await page.getByRole("log").innerText();
    assert.match(conversation, /Hello there/);
    assert.ok(conversation.length > "Hello there".length + 2, `the conversation shows an answer: ${conversation}`);
    assert.match(await page.getByRole("banner").innerText(), /WebGPU/);

    await page.getByRole("button", { name: "New chat" }).click();
    assert.equal((await page.getByRole("log").innerText()).trim(), "");
    await page.close();
    assert.deepEqual(complaints, []);
  });

  it("stops an answer, and takes the next question", { timeout: TIMEOUT_MS }, async () => {
    const page = await openPage({ model: server.modelUrl, autoload: "1", "max-tokens": "200" });
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
    const page = await openPage({ model: server.htmlUrl, autoload: "1" });
    await page.getByRole("heading", { name: "This isn't a model Qwisp can read" }).waitFor();
    await page.getByRole("button", { name: "Choose another model" }).click();
    await page.getByRole("button", { name: /^Download/ }).waitFor();
    await page.close();
    assert.deepEqual(complaints, []);
  });
});
