/**
 * The conversations of the chat page: kept, found, renamed, deleted and brought back, exported and imported; axe; 500 of them.
 * In Chromium alone, because it is about downloads, long tasks and axe; `reading.test.mjs` has the essence in each browser.
 */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { launchChromium } from "./support/browser.mjs";
import {
  ask,
  dictate,
  exportedFile,
  importFile,
  openChat,
  send,
  startModel,
  waitForAnswer,
} from "./support/chat_page.mjs";
import { startTestServer } from "./support/test_server.mjs";
import { makeTinyModel } from "./support/tiny_model.mjs";

/** @typedef {import("playwright-core").Page} Page */

describe("conversations", { timeout: 400_000 }, () => {
  /** @type {Awaited<ReturnType<typeof launchChromium>>} */
  let browser;
  /** @type {import("./support/test_server.mjs").TestServer} */
  let server;
  /** @type {Page} */
  let page;
  /** @type {string[]} */
  const complaints = [];

  before(async () => {
    server = await startTestServer({ modelPath: makeTinyModel() });
    browser = await launchChromium({ webgpu: false });
    page = await openChat(browser.context, server, { complaints });
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  const titles = () => page.locator("button.conversation").allTextContents();
  const newChat = () => page.getByRole("button", { name: "New chat" }).click();

  /** @param {string} title @param {string} item */
  async function choose(title, item) {
    await page.locator("#conversation-list li", { hasText: title }).hover();
    await page.getByRole("button", { name: `More about ${title}` }).click();
    await page.getByRole("menuitem", { name: item }).click();
  }

  it("get a title from the first question, and the last one opens again", async () => {
    await dictate(page, "By scattering.", "Hola.");
    await ask(page, "Why is the sky blue?");
    await newChat();
    await ask(page, "Translate hello into Spanish");
    assert.deepEqual(await titles(), ["Translate hello into Spanish", "Why is the sky blue?"]);
    await page.getByRole("button", { name: "Why is the sky blue?", exact: true }).click();
    await page.locator(".answer").getByText("By scattering.").waitFor();
    await newChat();
    await page.reload();
    await startModel(page);
    assert.equal(await page.locator(".message").count(), 0, "a new chat opens again as one");
    await page.getByRole("button", { name: "Translate hello into Spanish", exact: true }).click();
    await page.locator(".answer").getByText("Hola.").waitFor();
    await newChat();
    await dictate(page, "Sí.");
    await ask(page, "Last one");
    await page.reload();
    await startModel(page);
    await page.locator(".answer").getByText("Sí.").waitFor();
    assert.equal(await page.locator("button.conversation[aria-current]").textContent(), "Last one");
  });

  it("are found by title and by what was said, whatever the case and accents", async () => {
    const search = page.getByRole("searchbox", { name: "Search conversations" });
    for (const [text, found] of /** @type {[string, string[]][]} */ ([
      ["SKY", ["Why is the sky blue?"]],
      ["scattering", ["Why is the sky blue?"]],
      ["SI\u0301", ["Last one"]],
      ["hola spanish", ["Translate hello into Spanish"]],
      ["nowhere", []],
    ])) {
      await search.fill(text);
      await page.waitForFunction(
        (expected) =>
          [...document.querySelectorAll("button.conversation")].map(({ textContent }) => textContent).join() ===
          expected,
        found.join(),
      );
    }
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => document.querySelectorAll("button.conversation").length === 3);
  });

  it("are renamed with the keyboard alone", async () => {
    await page.getByRole("button", { name: "Why is the sky blue?", exact: true }).focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("menuitem", { name: "Rename" }).waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");
    await page.getByRole("textbox", { name: "Name of the conversation" }).waitFor();
    await page.keyboard.type("Sky");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Sky", exact: true }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Sky", "the focus is back");
    await page.keyboard.press("ArrowUp");
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Translate hello into Spanish");
  });

  it("are deleted, and come back", async () => {
    await choose("Sky", "Delete");
    await page.locator("#conversations-message").getByText("Deleted: Sky").waitFor();
    assert.deepEqual(await titles(), ["Last one", "Translate hello into Spanish"]);
    await page.getByRole("button", { name: "Undo" }).click();
    await page.getByRole("button", { name: "Sky", exact: true }).click();
    await page.locator(".answer").getByText("By scattering.").waitFor();
    await choose("Sky", "Delete");
    await page.locator("#empty-chat").waitFor();
    await page.reload();
    await startModel(page);
    assert.deepEqual(await titles(), ["Last one", "Translate hello into Spanish"]);
  });

  it("say when the store fails, and can be brought back all the same", async () => {
    const message = page.locator("#conversations-message");
    await choose("Last one", "Delete");
    await message.getByText("Deleted: Last one").waitFor();
    await page.evaluate(() => {
      const { put } = IDBObjectStore.prototype;
      IDBObjectStore.prototype.put = function () {
        throw new DOMException("no room", "QuotaExceededError");
      };
      Object.assign(globalThis, { repair: () => (IDBObjectStore.prototype.put = put) });
    });
    await page.getByRole("button", { name: "Undo" }).click();
    await message.getByText("This browser's storage failed: no room").waitFor();
    await page.evaluate(() => /** @type {any} */ (globalThis).repair());
    await page.getByRole("button", { name: "Undo" }).click();
    await page.getByRole("button", { name: "Last one", exact: true }).waitFor();
  });

  it("stay deleted while their answer is written, and in another tab", async () => {
    await newChat();
    await dictate(page, [{ text: "It goes on ", waitMs: 10 }, { text: "and on", waitMs: 3500 }, { waitMs: 60_000 }]);
    await send(page, "Endless");
    await page.getByRole("button", { name: "Endless", exact: true }).waitFor();
    const other = await openChat(browser.context, server, { complaints });
    await other.setViewportSize({ width: 1280, height: 800 });
    await other.locator(".answer").getByText("It goes on").waitFor();
    await page.locator("#conversation-list li", { hasText: "Endless" }).hover();
    await choose("Endless", "Delete");
    await page.locator("#empty-chat").waitFor();
    await other.locator("#empty-chat").waitFor();
    await page.waitForTimeout(500); // until the answer has ended
    assert.deepEqual(await titles(), ["Last one", "Translate hello into Spanish"]);
    await other.close();
  });

  it("keep what another tab has answered when this one takes its question back", async () => {
    await newChat();
    await dictate(page, [{ waitMs: 60_000 }]);
    const other = await openChat(browser.context, server, { complaints });
    await send(page, "Which tab?");
    await other.getByRole("button", { name: "Which tab?", exact: true }).click(); // it is listed there, too
    await dictate(other, "The other one.");
    await other.getByRole("button", { name: "Answer it" }).click();
    await waitForAnswer(other);
    await page.getByRole("button", { name: "Stop" }).click();
    await page.locator("#empty-chat").waitFor();
    await page.getByRole("textbox", { name: "Message", exact: true }).fill("");
    await other.reload();
    await other.locator(".answer").getByText("The other one.").waitFor();
    assert.equal(await other.locator(".question .message-text").innerText(), "Which tab?");
    await page.reload();
    await startModel(page);
    await choose("Which tab?", "Delete");
    await other.close();
  });

  it("keep a name that another tab gave them", async () => {
    const title = "Translate hello into Spanish";
    const other = await openChat(browser.context, server, { complaints });
    await other.setViewportSize({ width: 1280, height: 800 });
    for (const tab of [page, other]) await tab.getByRole("button", { name: title, exact: true }).click();
    await choose(title, "Rename");
    await page.keyboard.type("Greetings");
    await page.keyboard.press("Enter");
    await other.getByRole("button", { name: "Greetings", exact: true }).waitFor();
    await dictate(other, "More.");
    await ask(other, "And?");
    await other.waitForTimeout(300); // until it is stored
    assert.deepEqual(await other.locator("button.conversation").allTextContents(), ["Greetings", "Last one"]);
    // Each tab has its own last one.
    await page.getByRole("button", { name: "Last one", exact: true }).click();
    await page.locator(".answer").getByText("Sí.").waitFor();
    await other.reload();
    await other.locator(".answer").getByText("More.").waitFor();
    await other.close();
  });

  it("are saved as files and read back", async () => {
    /** @param {() => Promise<unknown>} act */
    const save = async (act) => {
      const [download] = await Promise.all([page.waitForEvent("download"), act()]);
      return { name: download.suggestedFilename(), text: await readFile(await download.path(), "utf8") };
    };
    const markdown = await save(() => choose("Last one", "Save as Markdown"));
    assert.equal(markdown.name, "Last-one.md");
    assert.match(markdown.text, /# Last one\n\n.*\*\*You\*\*\n\nLast one\n.*\*\*Qwisp[^\n]*\*\*\n\nSí\.\n$/s);
    const all = await save(() => page.getByRole("button", { name: "Export all" }).click());
    assert.match(all.name, /^qwisp-conversations-\d{4}-\d\d-\d\d\.json$/);
    assert.equal(JSON.parse(all.text).conversations.length, 2);
    const asFile = (/** @type {{ name: string, text: string }} */ { name, text }) => ({
      name,
      buffer: Buffer.from(text),
    });
    await importFile(page, asFile(all));
    await page.locator("#conversations-message").getByText("0 conversations imported · 2 were here already").waitFor();
    await importFile(page, asFile(markdown));
    await page.waitForFunction(() => document.querySelectorAll("button.conversation").length === 3);
    await page.getByRole("button", { name: "Last one", exact: true }).first().click();
    await page.locator(".answer").getByText("Sí.").waitFor();
    await importFile(page, asFile({ name: "notes.json", text: '{"format":"x"}' }));
    await page
      .locator("#conversations-message")
      .getByText(/notes\.json could not be read: expected the format/)
      .waitFor();
  });

  it("are a drawer on a phone, which gives the focus back", async () => {
    await page.setViewportSize({ width: 320, height: 640 });
    const toggle = page.getByRole("button", { name: "Show conversations" });
    await toggle.click();
    const drawer = page.getByRole("dialog", { name: "Conversations" });
    await drawer.waitFor();
    for (let presses = 0; presses < 25; presses++) {
      await page.keyboard.press("Tab");
      const isOutside = await page.evaluate(() => {
        const active = document.activeElement;
        return active !== document.body && !document.getElementById("conversations")?.contains(active);
      });
      assert.equal(isOutside, false, "the focus stays in it");
    }
    await page.getByRole("searchbox").focus();
    await page.keyboard.press("Escape");
    await drawer.waitFor({ state: "hidden" });
    assert.equal(await page.evaluate(() => document.activeElement?.id), "toggle-conversations");
    const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(tooWide <= 0, `${tooWide} px too wide`);
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  it("show what the page has asked the network for", async () => {
    await page.getByRole("button", { name: "Nothing you write leaves this device" }).click();
    const dialog = page.getByRole("dialog", { name: "What this page asks the network for" });
    await dialog.waitFor();
    const lines = await dialog.getByRole("listitem").allInnerTexts();
    assert.match(lines[0], new RegExp(`^\\d+ files of this page, from ${new URL(server.url).host}$`));
    assert.match(lines[1], /^The model, from/);
    assert.equal(lines.at(-1), "To nobody else.");
    await dialog.getByRole("button", { name: "Close" }).click();
    assert.equal(await page.evaluate(() => document.activeElement?.id), "open-privacy");
  });

  it("have no violation that axe finds, in light and dark", async () => {
    await newChat();
    await dictate(page, [
      { thinking: "I think." },
      {
        text: "# A\n\n### B\n\nText with [a link](https://example.org) and `code`, $x^2$.\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n- [ ] x\n\n```js\nlet a = 1; // why\n```\n\n> said",
      },
    ]);
    await ask(page, "Everything");
    await page.getByRole("button", { name: "Answer again" }).click();
    await page.locator("#status").getByText("Done").waitFor();
    await page.locator(".answer").getByRole("button", { name: "Previous version" }).click();
    await page.locator(".hljs-keyword").waitFor();
    await page.locator("summary").click();
    await page.evaluate(await readFile("node_modules/axe-core/axe.min.js", "utf8"));
    for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      for (const width of [1280, 390]) {
        await page.setViewportSize({ width, height: 800 });
        if (width === 390) await page.getByRole("button", { name: "Show conversations" }).click();
        await page.waitForTimeout(300);
        const violations = await page.evaluate(async () => {
          const { violations } = await /** @type {any} */ (globalThis).axe.run();
          return violations.map((/** @type {any} */ { id, nodes }) => [
            id,
            ...nodes.map((/** @type {any} */ node) => node.html.slice(0, 120)),
          ]);
        });
        assert.deepEqual(violations, [], `${colorScheme}, ${width} px`);
        if (width === 390) await page.keyboard.press("Escape");
      }
      await page.setViewportSize({ width: 1280, height: 800 });
    }
    await page.emulateMedia({ colorScheme: "light" });
  });

  it("are 500 beside an answer of 10,000 tokens, and nothing holds up the page for 100 ms", async () => {
    const paragraph =
      "The quick **brown** fox `jumps` over [the](https://example.org) lazy dog, and $x^2$ is a number. ";
    const block = `## Part\n\n${paragraph.repeat(3)}\n\n- one ${paragraph}\n- two\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n\`\`\`js\nconst a = 1;\n\`\`\`\n\n`;
    // About four characters are a token.
    const long = block.repeat(Math.ceil(40_000 / block.length));
    const made = Array.from({ length: 500 }, (_, index) => ({
      title: `Conversation ${index}`,
      texts: ["A question", index === 7 ? long : paragraph.repeat(20), "And then?", paragraph.repeat(5)],
      updatedAt: Date.now() - index * 3_600_000,
    }));
    await importFile(page, exportedFile(made));
    await page.reload();
    await page.evaluate(() => {
      const tasks = /** @type {number[]} */ ([]);
      Object.assign(globalThis, { tasks });
      new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({
        type: "longtask",
      });
    });
    await startModel(page);
    /** @param {string} what @param {() => Promise<unknown>} act */
    const assertSmooth = async (what, act) => {
      let worst = Infinity;
      // Other programs may have held it up: what takes long by itself does so again.
      for (let attempt = 0; attempt < 4 && worst >= 100; attempt++) {
        await page.evaluate(() => /** @type {any} */ (globalThis).tasks.splice(0));
        await act();
        const tasks = await page.evaluate(() => /** @type {number[]} */ (/** @type {any} */ (globalThis).tasks));
        worst = Math.min(worst, Math.max(0, ...tasks));
      }
      assert.ok(worst < 100, `${what}: the longest task took ${worst} ms`);
    };
    await page.waitForFunction(() => document.querySelectorAll("button.conversation").length >= 60);
    await assertSmooth("opening a long answer", async () => {
      await page.getByRole("button", { name: "Conversation 3", exact: true }).click();
      await page.getByRole("button", { name: "Conversation 7", exact: true }).click();
      await page.waitForFunction(() => document.querySelectorAll(".answer h3").length > 40);
      await page.waitForTimeout(300);
    });
    await assertSmooth("searching", async () => {
      await page.getByRole("searchbox").fill("");
      await page.getByRole("searchbox").fill("conversation 49");
      await page.locator("#conversations-message").getByText("15 conversations found").waitFor();
      await page.getByRole("searchbox").fill("");
      await page.waitForTimeout(400);
    });
    await assertSmooth("writing a long answer", async () => {
      await newChat();
      const pieces = long.match(/[^]{1,40}/g) ?? [];
      await dictate(
        page,
        pieces.map((text, index) => ({ text, waitMs: index % 4 ? 0 : 4 })),
      );
      await ask(page, "Write at length");
      await page.waitForTimeout(500);
    });
    await page.locator(".conversations-scroll").evaluate((scroller) => (scroller.scrollTop = scroller.scrollHeight));
    await page.waitForFunction(() => document.querySelectorAll("button.conversation").length > 60);
  });

  for (const [what, sabotage] of /** @type {[string, () => void][]} */ ([
    [
      "refuses to store them",
      () => {
        const { open } = IDBFactory.prototype;
        IDBFactory.prototype.open = function (/** @type {string} */ name, /** @type {number | undefined} */ version) {
          if (name === "qwisp-chats") throw new DOMException("refused", "UnknownError");
          return open.call(this, name, version);
        };
      },
    ],
    [
      "never opens their database",
      () => {
        const { open } = IDBFactory.prototype;
        IDBFactory.prototype.open = function (/** @type {string} */ name, /** @type {number | undefined} */ version) {
          const request = open.call(this, name, version);
          if (name === "qwisp-chats") request.addEventListener = () => {};
          return request;
        };
      },
    ],
    [
      "opens their database, and can't read it",
      () => {
        const { getAll } = IDBIndex.prototype;
        IDBIndex.prototype.getAll = function (/** @type {[]} */ ...given) {
          if (this.name === "updatedAt") throw new DOMException("broken", "UnknownError");
          return getAll.apply(this, given);
        };
      },
    ],
  ])) {
    it(`last as long as the page where the browser ${what}, which says so`, async () => {
      const other = await openChat(browser.context, server, { beforeLoad: (fresh) => fresh.addInitScript(sabotage) });
      await other.getByText("Conversations are not kept: this browser refused to store them.").waitFor();
      await dictate(other, "Here.");
      await ask(other, "Are you there?");
      await other.getByRole("button", { name: "New chat" }).click();
      await other.getByRole("button", { name: "Are you there?", exact: true }).click();
      await other.locator(".answer").getByText("Here.").waitFor();
      await other.close();
    });
  }

  it("are stored again after the database was closed", async () => {
    const closed = {
      "by someone who deleted it": () =>
        page.evaluate(
          () =>
            new Promise((resolve, reject) => {
              const request = indexedDB.deleteDatabase("qwisp-chats");
              request.onsuccess = resolve;
              request.onerror = request.onblocked = () => reject(new Error("the page holds on to it"));
            }),
        ),
      "by the browser": async () => {
        const session = await page.context().newCDPSession(page);
        await session.send("Storage.clearDataForOrigin", {
          origin: new URL(server.url).origin,
          storageTypes: "indexeddb",
        });
      },
    };
    for (const [how, close] of Object.entries(closed)) {
      await page.reload();
      await startModel(page);
      await newChat();
      await close();
      await dictate(page, "Stored.");
      await ask(page, `Closed ${how}`);
      await page.waitForFunction(() => document.querySelectorAll("button.conversation").length === 1);
      await page.reload();
      await page.locator(".answer").getByText("Stored.").waitFor();
      assert.deepEqual(await titles(), [`Closed ${how}`]);
    }
  });

  it("made the page complain of nothing", () => assert.deepEqual(complaints, []));
});
