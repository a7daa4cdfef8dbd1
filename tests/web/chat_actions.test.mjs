/** What people do with answers: read them as they come, stop them, have them again, ask differently, copy them. */

import assert from "node:assert/strict";
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

describe("the chat", { timeout: 300_000 }, () => {
  /** @type {Awaited<ReturnType<typeof launchChromium>>} */
  let browser;
  /** @type {import("./support/test_server.mjs").TestServer} */
  let server;
  /** @type {import("playwright-core").Page} */
  let page;
  /** @type {string[]} */
  const complaints = [];

  before(async () => {
    server = await startTestServer({ modelPath: makeTinyModel() });
    browser = await launchChromium({ webgpu: false });
    page = await openChat(browser.context, server, { complaints });
  });

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  const newChat = () => page.getByRole("button", { name: "New chat" }).click();
  const answers = () => page.locator(".answer .message-text").allTextContents();
  const questions = () => page.locator(".question .message-text").allInnerTexts();
  /** @param {string} message selector */
  const version = (message) => page.locator(`${message} .version`).last().textContent();

  it("keeps an answer that is asked for again, and switches between the two", async () => {
    await newChat();
    await dictate(page, "The first answer.", "The second answer.");
    await ask(page, "Say something");
    await page.getByRole("button", { name: "Answer again" }).click();
    await page.locator(".answer").getByText("The second answer.").waitFor();
    await waitForAnswer(page);
    assert.deepEqual(await answers(), ["The second answer."]);
    assert.equal(await page.evaluate(() => document.activeElement?.id), "prompt", "its button is gone");
    assert.equal(await version(".answer"), "2/2");
    await page.locator(".answer").getByRole("button", { name: "Previous version" }).click();
    assert.deepEqual(await answers(), ["The first answer."]);
    assert.equal(await page.evaluate(() => document.activeElement?.ariaLabel), "Next version", "the focus stays");
    await page.keyboard.press("Enter");
    assert.deepEqual(await answers(), ["The second answer."]);
  });

  it("keeps a question that was asked differently, with all that followed it", async () => {
    await newChat();
    await dictate(page, "Answer one.", "Answer two.", "Another one.");
    await ask(page, "Question one");
    await ask(page, "Question two");
    await page.locator(".question").first().hover();
    await page.getByRole("button", { name: "Edit message" }).first().click();
    const field = page.getByRole("textbox", { name: "Edit message" });
    assert.equal(await field.inputValue(), "Question one");
    await page.keyboard.press("Escape");
    assert.equal(await page.evaluate(() => document.activeElement?.ariaLabel), "Edit message");
    await page.keyboard.press("Enter");
    await field.fill("Question three");
    await page.keyboard.press("Enter");
    await page.locator(".answer").getByText("Another one.").waitFor();
    await waitForAnswer(page);
    assert.deepEqual(await questions(), ["Question three"]);
    const asked = await page.evaluate(() => /** @type {any} */ (globalThis).asked.at(-1));
    assert.deepEqual(asked, [{ role: "user", content: "Question three" }]);
    await page.locator(".question").getByRole("button", { name: "Previous version" }).click();
    assert.deepEqual(await questions(), ["Question one", "Question two"]);
    assert.deepEqual(await answers(), ["Answer one.", "Answer two."]);
  });

  it("keeps an edited question while an answer is under way, and leaves Enter to input methods", async () => {
    await newChat();
    await dictate(page, "One.", [{ text: "Slow" }, { text: " end.", waitMs: 60_000 }], "Three.");
    await ask(page, "First");
    const message = page.getByRole("textbox", { name: "Message", exact: true });
    await message.fill("Second");
    const compose = (/** @type {Element} */ field) =>
      field.dispatchEvent(
        new KeyboardEvent("keydown", { key: "Enter", keyCode: 229, bubbles: true, cancelable: true }),
      );
    assert.equal(await message.evaluate(compose), true, "the input method's");
    assert.deepEqual(await questions(), ["First"]);
    await page.keyboard.press("Enter");
    await page.locator(".answer").getByText("Slow").waitFor();
    await page.locator(".question").first().hover();
    await page.getByRole("button", { name: "Edit message" }).first().click();
    const field = page.getByRole("textbox", { name: "Edit message" });
    await field.fill("Third");
    await page.keyboard.press("Enter");
    assert.equal(await field.inputValue(), "Third", "nothing is thrown away");
    await page.getByRole("button", { name: "Stop" }).click();
    await page.locator("#status").getByText("Stopped").waitFor();
    assert.equal(await field.evaluate(compose), true, "the input method's");
    await field.press("Enter");
    await page.locator(".answer").getByText("Three.").waitFor();
    await waitForAnswer(page);
    assert.deepEqual(await questions(), ["Third"]);
    assert.deepEqual(await page.evaluate(() => document.activeElement?.id), "prompt", "where one writes on");
  });

  it("has all versions again after a reload, and shows the one that was shown", async () => {
    await newChat();
    await dictate(page, "Old.", "New.");
    await ask(page, "Versions");
    await page.getByRole("button", { name: "Answer again" }).click();
    await page.locator(".answer").getByText("New.").waitFor();
    await waitForAnswer(page);
    await page.locator(".answer").getByRole("button", { name: "Previous version" }).click();
    await page.waitForTimeout(300); // until it is stored
    await page.reload();
    await startModel(page);
    await page.locator(".answer").getByText("Old.").waitFor();
    assert.equal(await version(".answer"), "1/2");
    await page.getByText("Versions", { exact: true }).last().waitFor();
  });

  it("goes on after a question that failed, which stays as a version, and has it all again after a reload", async () => {
    await newChat();
    await dictate(page, "One.", [{ fail: "context-full" }], "Three.");
    await ask(page, "First");
    await send(page, "Second");
    await page.getByRole("alert").waitFor();
    await ask(page, "Third");
    assert.deepEqual(await questions(), ["First", "Third"]);
    assert.deepEqual(await answers(), ["One.", "Three."]);
    const asked = await page.evaluate(() => /** @type {any} */ (globalThis).asked.at(-1));
    assert.deepEqual(
      asked.map((/** @type {any} */ { content }) => content),
      ["First", "One.", "Third"],
      "never two questions in a row",
    );
    await page.waitForTimeout(300); // until it is stored
    await page.reload();
    await startModel(page);
    await page.locator(".answer").getByText("Three.").waitFor();
    assert.deepEqual(await questions(), ["First", "Third"]);
    await page.locator(".question").last().getByRole("button", { name: "Previous version" }).click();
    assert.deepEqual(await questions(), ["First", "Second"]);
  });

  it("takes a question that is too long along into a new chat", async () => {
    await newChat();
    await dictate(page, [{ fail: "context-full" }]);
    await send(page, "Far too long");
    await page.getByRole("alert").getByRole("button", { name: "New chat" }).click();
    assert.deepEqual(await questions(), []);
    assert.equal(await page.getByRole("textbox", { name: "Message", exact: true }).inputValue(), "Far too long");
    await page.waitForFunction(
      () => !document.querySelector("#conversation-list")?.textContent?.includes("Far too long"),
    );
  });

  it("keeps a question at once, and offers an answer to it after a reload", async () => {
    await newChat();
    await dictate(page, [{ thinking: "Hm", waitMs: 60_000 }]);
    await send(page, "Are you thinking?");
    await page.locator("button.conversation").getByText("Are you thinking?").waitFor();
    await page.reload();
    await page.getByText("This question has no answer yet.").waitFor();
    assert.equal(await page.getByRole("button", { name: "Answer it" }).isVisible(), false, "there is no model");
    await startModel(page);
    await dictate(page, "Now I am.");
    await page.getByRole("button", { name: "Answer it" }).click();
    await page.locator(".answer").getByText("Now I am.").waitFor();
    await waitForAnswer(page);
    assert.deepEqual(await questions(), ["Are you thinking?"]);
    assert.equal(await page.getByText("This question has no answer yet.").count(), 0);
  });

  it("keeps what was written when the engine is lost, marked, and has it again after a reload", async () => {
    await newChat();
    await dictate(page, [
      { thinking: "Let me see. " },
      { text: "The half " },
      { text: "of it", waitMs: 100 },
      { fail: "device-lost", waitMs: 100 },
    ]);
    await send(page, "Will you be lost?");
    await page.getByRole("alert").getByText("The GPU went away").waitFor();
    assert.deepEqual(await answers(), ["The half of it"]);
    assert.equal(await page.locator(".answer-facts").innerText(), "Interrupted");
    await page.waitForTimeout(300); // until it is stored
    await page.reload();
    await page.locator(".answer").getByText("The half of it").waitFor();
    assert.equal(await page.locator(".answer-facts").innerText(), "Interrupted");
    await startModel(page);
    await dictate(page, "The whole of it.");
    await page.getByRole("button", { name: "Answer again" }).click();
    await page.locator(".answer").getByText("The whole of it.").waitFor();
    await waitForAnswer(page);
    assert.equal(await version(".answer"), "2/2");
    assert.match(await page.locator(".answer-facts").innerText(), /tok\/s/);
  });

  it("starts the model again after a loss, with the question at hand", async () => {
    await newChat();
    await dictate(page, [{ fail: "device-lost" }]);
    await send(page, "Are you there?");
    await page.getByRole("button", { name: "Start the model again" }).click();
    await page.getByRole("textbox", { name: "Message", exact: true }).waitFor();
    await dictate(page, "Here I am.");
    await page.getByRole("button", { name: "Answer it" }).click();
    await page.locator(".answer").getByText("Here I am.").waitFor();
    await waitForAnswer(page);
    assert.equal(await page.getByRole("alert").count(), 0);
  });

  it("takes a question back that was stopped before it had an answer", async () => {
    await newChat();
    await dictate(page, [{ thinking: "Hm", waitMs: 60_000 }]);
    await send(page, "Never mind");
    await page.locator("button.conversation").getByText("Never mind").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.locator("#empty-chat").waitFor();
    assert.equal(await page.getByRole("textbox", { name: "Message", exact: true }).inputValue(), "Never mind");
    await page.waitForFunction(
      () => !document.querySelector("#conversation-list")?.textContent?.includes("Never mind"),
    );
    await page.reload();
    await startModel(page);
    assert.equal(await page.locator(".message").count(), 0);
  });

  it("keeps a question in its conversation when it can't go back to where it was written", async () => {
    const field = page.getByRole("textbox", { name: "Message", exact: true });
    const unanswered = page.getByText("This question has no answer yet.");
    const thinking = [{ thinking: "Hm" }, { waitMs: 60_000 }];
    await newChat();
    await field.fill("");
    await dictate(page, thinking, thinking, "Here it is.", thinking, thinking);
    await send(page, "First draft");
    await page.locator("#status").getByText("Thinking…").waitFor();
    await field.fill("Second draft");
    await page.keyboard.press("Escape");
    await unanswered.waitFor();
    assert.deepEqual(await questions(), ["First draft"]);
    await page.getByRole("button", { name: "Answer it" }).click();
    await page.locator("#status").getByText("Thinking…").waitFor();
    assert.equal(await unanswered.count(), 0);
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("button", { name: "Answer it" }).click(); // it is offered again
    await page.locator(".answer").getByText("Here it is.").waitFor();
    await waitForAnswer(page);
    assert.equal(await field.inputValue(), "Second draft");

    await newChat();
    await send(page, "Left alone");
    await page.locator("#status").getByText("Thinking…").waitFor();
    await page.getByRole("button", { name: "First draft", exact: true }).click();
    await page.locator(".answer").getByText("Here it is.").waitFor();
    await page.getByRole("button", { name: "Send" }).waitFor();
    assert.equal(await field.inputValue(), "", "another conversation's field");
    await page.getByRole("button", { name: "Left alone", exact: true }).click();
    await unanswered.waitFor();

    await newChat();
    await send(page, "Deleted");
    await page.locator("#status").getByText("Thinking…").waitFor();
    await page.getByRole("button", { name: "Deleted", exact: true }).hover();
    await page.getByRole("button", { name: "More about Deleted" }).click();
    await page.getByRole("menuitem", { name: "Delete" }).click();
    await page.locator("#empty-chat").waitFor();
    await page.getByRole("button", { name: "Send" }).waitFor();
    assert.equal(await field.inputValue(), "");
  });

  it("waits for the end of an answer that its reader left and comes back to", async () => {
    await newChat();
    await dictate(page, "Elsewhere.", [
      { text: "Half of " },
      { text: "it", waitMs: 50 },
      { waitMs: 60_000, stopMs: 800 },
    ]);
    await ask(page, "Where?");
    await newChat();
    await send(page, "And back?");
    await page.locator(".answer").getByText("Half of it").waitFor();
    await page.getByRole("button", { name: "Where?", exact: true }).click();
    await page.locator(".answer").getByText("Elsewhere.").waitFor();
    await page.getByRole("button", { name: "And back?", exact: true }).click();
    await page.locator(".question").getByText("And back?").waitFor();
    assert.deepEqual(await answers(), ["Half of it"]);
    assert.match(await page.locator(".answer-facts").innerText(), /^Stopped/);
  });

  it("forgets the title with the question that was taken back", async () => {
    await newChat();
    await dictate(page, [{ thinking: "Hm" }, { waitMs: 60_000 }], "Better.");
    await send(page, "Badly put");
    await page.locator("#status").getByText("Thinking…").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.locator("#empty-chat").waitFor();
    await ask(page, "Well put");
    await page.locator("button.conversation[aria-current]").getByText("Well put", { exact: true }).waitFor();
  });

  it("shows all answers when a version is changed while they are still being shown", async () => {
    const conversation = JSON.parse(
      exportedFile([
        {
          title: "Long",
          texts: ["One", `${`${"A **word**. ".repeat(50)}\n\n`.repeat(300)}The end of it.`, "Two", "New."],
        },
      ]).buffer.toString(),
    );
    const { messages } = conversation.conversations[0];
    const [last] = messages.slice(-1);
    messages.push({ ...last, id: "old", text: "Old.", createdAt: last.createdAt - 0.5 });
    await importFile(page, { name: "long.json", buffer: Buffer.from(JSON.stringify(conversation)) });
    await page.getByRole("button", { name: "Long", exact: true }).waitFor();
    await page.evaluate(async () => {
      const find = (/** @type {string} */ selector, /** @type {string} */ label) =>
        [.../** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(selector))]
          .filter((button) => (button.ariaLabel ?? button.textContent) === label && !button.closest("[hidden]"))
          .at(-1);
      find("button.conversation", "Long")?.click();
      // At the first moment, when the long answer isn't there yet.
      await new Promise((resolve) => {
        new MutationObserver((_, observer) => {
          if (document.querySelectorAll(".answer").length < 2) return;
          observer.disconnect();
          resolve(undefined);
        }).observe(/** @type {Element} */ (document.getElementById("log")), { childList: true });
      });
      find(".answer button", "Previous version")?.click();
    });
    await page.locator(".answer").getByText("Old.").waitFor();
    await page.locator(".answer").getByText("The end of it.").waitFor();
  });

  it("keeps what was answered when it can't be stored, and stores it later", async () => {
    await newChat();
    await page.evaluate(() => {
      const { put } = IDBObjectStore.prototype;
      IDBObjectStore.prototype.put = function () {
        throw new DOMException("no room", "QuotaExceededError");
      };
      Object.assign(globalThis, { repair: () => (IDBObjectStore.prototype.put = put) });
    });
    await dictate(page, "Not stored.", "Stored.");
    await send(page, "Is there room?");
    await page
      .locator("#status")
      .getByText(/no room/)
      .waitFor();
    assert.deepEqual(await answers(), ["Not stored."]);
    await page.evaluate(() => /** @type {any} */ (globalThis).repair());
    await ask(page, "And now?");
    await page.waitForTimeout(300); // until it is stored
    await page.reload();
    await startModel(page);
    await page.locator(".answer").getByText("Not stored.").waitFor();
    assert.deepEqual(await answers(), ["Not stored.", "Stored."]);
  });

  it("folds the thoughts away, with the time that they took", async () => {
    await newChat();
    await dictate(page, [
      { thinking: "First **this**" },
      { thinking: ", then that.", waitMs: 1200 },
      { text: "So it is.", waitMs: 300 },
    ]);
    await send(page, "Think");
    await page.locator("summary").getByText("Thinking…").click();
    await page.locator(".thinking-text strong").getByText("this").waitFor();
    await waitForAnswer(page);
    assert.match(await page.locator("summary").innerText(), /^Thought for [12] s$/);
    assert.equal(await page.locator(".thinking-text").innerText(), "First this, then that.");
    assert.deepEqual(await answers(), ["So it is."]);
    await page.reload();
    await startModel(page);
    assert.match(await page.locator("summary").innerText(), /^Thought for [12] s$/);
    assert.equal(await page.locator("details").getAttribute("open"), null);
  });

  it("stops an answer, and keeps what was written", async () => {
    await newChat();
    await dictate(page, [{ text: "Once upon " }, { text: "a time", waitMs: 60_000 }]);
    await send(page, "A story");
    await page.locator(".answer").getByText("Once upon").waitFor();
    await page.keyboard.press("Escape");
    await page.locator("#status").getByText("Stopped").waitFor();
    assert.deepEqual(await answers(), ["Once upon "]);
    assert.match(await page.locator(".answer-facts").innerText(), /^Stopped/);
  });

  it("keeps what was written when the page is closed in the middle of it", async () => {
    await newChat();
    await dictate(page, [
      { text: "A beginning " },
      { text: "that ", waitMs: 1100 },
      { text: "is hidden ", waitMs: 50 },
      { text: "never ends", waitMs: 60_000 },
    ]);
    await send(page, "An epic");
    await page.locator(".answer").getByText("A beginning that is hidden").waitFor();
    // As when people change to another tab: the second has not passed yet.
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { configurable: true, value: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await page.waitForTimeout(100); // until it is stored
    await page.reload();
    await page.locator(".answer").getByText("A beginning that is hidden").waitFor();
    assert.deepEqual(await answers(), ["A beginning that is hidden "]);
    assert.equal(await page.locator(".answer-facts").innerText(), "Interrupted");
    await startModel(page);
  });

  it("copies a message as it was written", async () => {
    await newChat();
    await dictate(page, "**Bold** and `code`.");
    await ask(page, "# Not a heading");
    assert.equal(await page.locator(".question h3").count(), 0, "questions are plain text");
    await page.locator(".answer").getByRole("button", { name: "Copy message" }).click();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "**Bold** and `code`.");
  });

  it("follows the newest line, unless its reader has scrolled up", async () => {
    await newChat();
    const lines = Array.from({ length: 120 }, (_, index) => ({ text: `Line ${index}.\n\n`, waitMs: 15 }));
    await dictate(page, lines);
    await send(page, "Long");
    await page.getByText("Line 40.").waitFor();
    const distance = () => page.locator("#log").evaluate((log) => log.scrollHeight - log.clientHeight - log.scrollTop);
    await page.waitForTimeout(100);
    assert.ok((await distance()) < 60, "it follows");
    await page.locator("#log").evaluate((log) => (log.scrollTop = 0));
    await page.getByRole("button", { name: "↓ Newest" }).waitFor();
    await waitForAnswer(page);
    assert.ok((await page.locator("#log").evaluate((log) => log.scrollTop)) < 60, "it stays where its reader is");
    await page.getByRole("button", { name: "↓ Newest" }).click();
    await page.waitForTimeout(100);
    assert.ok((await distance()) < 2);
  });

  it("tells screen readers of an answer once, when it is whole", async () => {
    await newChat();
    await page.evaluate(() => {
      const said = /** @type {string[]} */ ([]);
      Object.assign(globalThis, { said });
      const announcer = /** @type {Element} */ (document.getElementById("announcer"));
      new MutationObserver(() => said.push(announcer.textContent ?? "")).observe(announcer, { childList: true });
    });
    await dictate(
      page,
      Array.from({ length: 20 }, (_, index) => ({ text: `word${index} `, waitMs: 5 })),
    );
    await ask(page, "Speak");
    const said = await page.evaluate(() => /** @type {any} */ (globalThis).said);
    assert.equal(said.length, 1);
    assert.match(said[0], /^word0 .* word19/);
    assert.equal(await page.locator("#log").getAttribute("aria-live"), "off");
  });

  it("gives right-to-left text its direction", async () => {
    await newChat();
    await dictate(page, "مرحبا، هذا نص.\n\nAnd this is English.");
    await ask(page, "كيف حالك؟");
    const directions = await page
      .locator(".question .message-text, .answer .message-text > *")
      .evaluateAll((elements) => elements.map((element) => getComputedStyle(element).direction));
    assert.deepEqual(directions, ["rtl", "rtl", "ltr"]);
    const title = page.locator("button.conversation", { hasText: "كيف حالك؟" });
    const { direction, textAlign } = await title.evaluate((found) => {
      const { direction, textAlign } = getComputedStyle(found);
      return { direction, textAlign };
    });
    assert.deepEqual(
      { direction, textAlign },
      { direction: "rtl", textAlign: "left" },
      "cut at its end, on the page's side",
    );
  });

  it("scrolls a wide table, and breaks no word in it", async () => {
    await newChat();
    await page.setViewportSize({ width: 320, height: 640 });
    await dictate(
      page,
      "| a | b | c | d | e |\n| - | - | - | - | - |\n| hundreds | hundreds | hundreds | hundreds | hundreds |",
    );
    await ask(page, "A table");
    const { height, line, isScrolled } = await page
      .locator("td")
      .first()
      .evaluate((cell) => {
        const { lineHeight, paddingTop, paddingBottom } = getComputedStyle(cell);
        const frame = /** @type {Element} */ (cell.closest(".table"));
        const height = cell.getBoundingClientRect().height - parseFloat(paddingTop) - parseFloat(paddingBottom);
        return { height, line: parseFloat(lineHeight), isScrolled: frame.scrollWidth > frame.clientWidth };
      });
    assert.ok(height < 1.5 * line, `a word takes ${height} px, lines of ${line} px`);
    assert.ok(isScrolled);
    await page.setViewportSize({ width: 1280, height: 720 });
  });

  it("complained of nothing", () => assert.deepEqual(complaints, []));
});
