/**
 * Conversations before there is a model: they are read, found, renamed, deleted, brought back and imported at once, and what
 * stands in the composer's place leads to a model. What an address or a shortcut asks for.
 */

import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { describeInEachBrowser, openBrowser } from "./support/browser.mjs";
import { ask, dictate, exportedFile, importFile, openPage } from "./support/chat_page.mjs";
import { startTestServer } from "./support/test_server.mjs";
import { makeTinyModel } from "./support/tiny_model.mjs";

/** @typedef {import("./support/browser.mjs").TestPage} TestPage */

const TWO = exportedFile([
  { title: "Sky", texts: ["Why is the sky blue?", "By **scattering**."], updatedAt: 1_700_000_000_000 },
  { title: "Sea", texts: ["Why is the sea salty?", "Rivers bring it."], updatedAt: 1_600_000_000_000 },
]);

describeInEachBrowser("conversations without a model", { timeout: 480_000 }, (browserName) => {
  /** @type {import("./support/browser.mjs").TestBrowser} */
  let browser;
  /** @type {import("./support/test_server.mjs").TestServer} */
  let server;
  /** @type {TestPage} */
  let page;
  /** @type {string[]} */
  const complaints = [];

  before(async () => {
    server = await startTestServer({ modelPath: makeTinyModel() });
    browser = await openBrowser(browserName, { webgpu: false });
    page = await openPage(browser.context, server, { complaints });
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  const titles = () => page.locator("button.conversation").allInnerTexts();
  const waitForTitles = (/** @type {string[]} */ ...expected) =>
    page.waitForFunction(
      (joined) => [...document.querySelectorAll("button.conversation")].map((n) => n.textContent).join() === joined,
      expected.join(),
    );
  /** @param {string} title */
  const open = (title) => page.getByRole("button", { name: title, exact: true }).click();
  const downloads = () => server.downloads().filter((path) => path.endsWith(".gguf"));

  /** @param {string} title @param {string} item */
  async function choose(title, item, tab = page) {
    await tab.getByRole("button", { name: title, exact: true }).hover();
    await tab.getByRole("button", { name: `More about ${title}` }).click();
    await tab.getByRole("menuitem", { name: item }).click();
  }

  it("leave the page to the choice of a model while there are none", async () => {
    await page.getByRole("button", { name: /^Download/ }).waitFor();
    assert.equal(await page.locator("#conversations").isVisible(), false);
    await page.getByRole("button", { name: "Show conversations" }).click();
    await page.getByText("No conversations yet").waitFor();
  });

  it("are imported, and read with their composer's place saying what is missing", async () => {
    await importFile(page, TWO);
    await waitForTitles("Sky", "Sea");
    await open("Sky");
    await page.locator(".answer strong").getByText("scattering").waitFor();
    await page.getByRole("status").getByText("To write here, open a model first.").waitFor();
    assert.equal(await page.getByRole("textbox", { name: "Message", exact: true }).isVisible(), false);
    assert.equal(await page.getByRole("button", { name: "Answer again" }).isVisible(), false, "nobody could");
    assert.equal(await page.getByRole("button", { name: "Copy message" }).last().isVisible(), true);
    assert.equal(await page.evaluate(() => document.activeElement?.id), "log", "to be scrolled with the keyboard");
    await page.getByRole("button", { name: "Choose a model" }).click();
    await page.getByRole("button", { name: /^Download/ }).waitFor();
    await page.getByRole("button", { name: "Back to the chat" }).click();
    await page.locator(".answer strong").getByText("scattering").waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Choose a model", "the way on");
    assert.deepEqual(downloads(), [], "nothing was asked of the network");
  });

  it("are not imported twice, even if a file has them twice", async () => {
    await importFile(page, TWO);
    await page.getByText("0 conversations imported · 2 were here already").waitFor();
    const file = JSON.parse(TWO.buffer.toString());
    const [sky] = file.conversations;
    // The same conversation, gone on with elsewhere: both are kept.
    const later = { ...sky, title: "Sky, later", updatedAt: sky.updatedAt + 1 };
    const buffer = Buffer.from(JSON.stringify({ ...file, conversations: [sky, later, later] }));
    await importFile(page, { name: "again.json", buffer });
    await page.getByText("1 conversation imported · 2 were here already").waitFor();
    await importFile(page, { name: "again.json", buffer });
    await page.getByText("0 conversations imported · 3 were here already").waitFor();
    await waitForTitles("Sky, later", "Sky", "Sea");
    await open("Sky, later");
    await page.locator(".answer strong").getByText("scattering").waitFor();
    await open("Sky");
    await page.locator(".answer strong").getByText("scattering").waitFor();
  });

  it("are found, renamed, deleted and brought back in a search", async () => {
    const search = page.getByRole("searchbox", { name: "Search conversations" });
    await search.fill("salty");
    await waitForTitles("Sea");
    await choose("Sea", "Rename");
    await page.keyboard.type("Salt water");
    await page.keyboard.press("Enter");
    await waitForTitles("Salt water");
    await choose("Salt water", "Delete");
    await page.getByText("Nothing found").first().waitFor();
    await page.getByRole("button", { name: "Undo" }).click();
    await waitForTitles("Salt water");
    assert.equal(await search.inputValue(), "salty", "the search goes on");
    await search.fill("");
    await waitForTitles("Sky, later", "Sky", "Salt water");
  });

  it("are there at the next visit, the last one open; a deleted one leaves the page to the models", async () => {
    await open("Salt water");
    await page.getByText("Rivers bring it.").waitFor();
    await page.reload();
    await page.getByText("Rivers bring it.").waitFor();
    await waitForTitles("Sky, later", "Sky", "Salt water");
    assert.equal(await page.evaluate(() => document.activeElement === document.body), true, "the page takes no focus");
    const other = await openPage(browser.context, server, { complaints });
    await page.getByRole("searchbox", { name: "Search conversations" }).focus();
    await choose("Salt water", "Delete", other);
    await page.getByRole("button", { name: /^Download/ }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.id), "conversation-search", "the focus stays");
    await other.getByRole("button", { name: /^Download/ }).waitFor();
    await other.close();
    assert.equal(await page.getByRole("button", { name: "Back to the chat" }).isVisible(), false);
    assert.deepEqual(await titles(), ["Sky, later", "Sky"]);
  });

  it("can be read while a model is on its way, and then go on", async () => {
    /** @type {import("./support/imperfect_server.mjs").Flaws} */
    const flaws = { bytesPerSecond: 20_000 };
    const slow = await openPage(browser.context, server, {
      complaints,
      parameters: { model: server.imperfectUrl(flaws) },
    });
    await slow.setViewportSize({ width: 1280, height: 800 });
    await slow.getByRole("button", { name: /^Download/ }).click();
    await slow.getByText("Downloading", { exact: true }).waitFor();
    await slow.getByRole("button", { name: "Sky", exact: true }).click();
    await slow.getByText(/^Opening .*…$/).waitFor();
    await slow.getByRole("button", { name: "Show progress" }).click();
    await slow.getByText("Downloading", { exact: true }).waitFor();
    await slow.getByRole("button", { name: "Sky", exact: true }).click();
    delete flaws.bytesPerSecond;
    await slow.getByRole("button", { name: "Show progress" }).click();
    await slow.getByRole("button", { name: "Pause" }).click();
    await slow.getByRole("button", { name: /^(Resume|Download)/ }).click();
    await slow.getByRole("textbox", { name: "Message", exact: true }).waitFor();
    await dictate(slow, "By Rayleigh.");
    await ask(slow, "By whom?");
    assert.deepEqual(
      await slow.evaluate(() => /** @type {any} */ (globalThis).asked.at(-1).map((/** @type {any} */ m) => m.content)),
      ["Why is the sky blue?", "By **scattering**.", "By whom?"],
    );
    await slow.close();
  });

  it("start the model that is on this device where they are read", async () => {
    await page.reload(); // the other tab's conversation isn't this one's
    await page.getByRole("button", { name: /^Download/ }).click();
    await page.getByRole("textbox", { name: "Message", exact: true }).waitFor();
    await open("Sky");
    await page.reload();
    await page.getByText("By Rayleigh.").waitFor();
    const start = page.getByRole("button", { name: "Start", exact: true });
    await start.click();
    await page.getByRole("textbox", { name: "Message", exact: true }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.id), "prompt");
    assert.equal(await page.getByText("By Rayleigh.").isVisible(), true);
  });

  it("give way to a new one when the address asks for it, once", async () => {
    await page.goto(`${page.url()}&autoload=1&new-chat=1`);
    await page.getByRole("textbox", { name: "Message", exact: true }).waitFor();
    await page.getByText("What would you like to know?").waitFor();
    assert.equal(new URL(page.url()).searchParams.has("new-chat"), false);
    assert.equal(new URL(page.url()).searchParams.get("autoload"), "1");
    await dictate(page, "New.");
    await ask(page, "Anything new?");
    await page.reload();
    await page.getByText("Anything new?").last().waitFor();
  });

  it("give way to a new one when the installed application is started again, with its model", async () => {
    // What browsers do when somebody uses the icon or a shortcut: the page hears of it when it wants to, at once or later,
    // and of the last one after each reload again.
    const stop = server.prepend(
      "/app/launch.js",
      `{
        const waiting = [];
        let consumer = null;
        globalThis.launch = (targetURL) => {
          sessionStorage.setItem("launched", targetURL);
          if (consumer) consumer({ targetURL });
          else waiting.push({ targetURL });
        };
        const last = sessionStorage.getItem("launched");
        if (last) globalThis.launch(last);
        const setConsumer = (given) => {
          consumer = given;
          for (const launched of waiting.splice(0)) consumer(launched);
        };
        Object.defineProperty(window, "launchQueue", { configurable: true, value: { setConsumer } });
      }`,
    );
    await page.reload();
    await page.getByRole("textbox", { name: "Message", exact: true }).waitFor();
    /** @param {string} query */
    const launch = (query) =>
      page.evaluate((query) => /** @type {any} */ (globalThis).launch(new URL(query, location.href).href), query);
    await launch("./?autoload=1");
    await page.locator(".answer").getByText("New.").waitFor();
    await launch("./?autoload=1&new-chat=1");
    await page.getByText("What would you like to know?").waitFor();
    assert.equal(await page.getByRole("textbox", { name: "Message", exact: true }).isVisible(), true, "no new load");
    await open("Anything new?");
    await page.reload();
    await page.getByRole("textbox", { name: "Message", exact: true }).waitFor();
    assert.equal(await page.locator(".answer").count(), 1, "the shortcut was for the last time");
    await launch("./?choose-model=1");
    await page.getByRole("button", { name: "Back to the chat" }).waitFor();
    await launch("./?autoload=1&new-chat=1");
    await page.getByText("What would you like to know?").waitFor();
    await open("Anything new?");
    stop();
    await launch("./?lang=es");
    await page.locator(".answer").getByText("New.").waitFor();
    await page.waitForFunction(() => document.documentElement.lang === "es" && location.search === "?lang=es");
    await page.goto(new URL("./?choose-model=1&lang=en", page.url()).href);
    await page.getByRole("button", { name: "Back to the chat" }).waitFor();
    assert.equal(new URL(page.url()).search, "?lang=en");
    await page.reload();
    await page.locator(".answer").getByText("New.").waitFor();
  });

  it("made the page complain of nothing", () => assert.deepEqual(complaints, []));
});
