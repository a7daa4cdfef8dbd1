/** The chat page with a model loaded, whose answers a test may dictate: a tiny model of random weights has little to say. */

import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * @typedef {object} DictatedPiece
 * @property {string} [text]
 * @property {string} [thinking]
 * @property {number} [waitMs] before it comes
 * @property {number} [stopMs] how long the engine takes to stop, if it is told to before the piece has come
 * @property {import("../../../www/engine/qwisp.js").ErrorKind} [fail]
 * @typedef {import("./browser.mjs").TestPage} TestPage
 */

/** Runs in the page, before its chat: an engine says what the test has put into `dictated`, one list for each answer. */
const DICTATION = `
import { Engine as DictatedEngine, QwispError as DictatedError } from "../qwisp.js";
const askTheModel = DictatedEngine.prototype.chat;
globalThis.dictated = JSON.parse(sessionStorage.getItem("dictated") ?? "[]");
globalThis.asked = [];
DictatedEngine.prototype.chat = function (messages, options) {
  globalThis.asked.push(messages);
  const pieces = globalThis.dictated.shift();
  if (!pieces) return askTheModel.call(this, messages, options);
  let text = "", thinking = "", finishReason = "stop";
  let end;
  const result = new Promise((resolve) => (end = resolve));
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  async function* read() {
    for (const piece of pieces) {
      if (piece.waitMs) await Promise.race([pause(piece.waitMs), new Promise((resolve) => options.signal.addEventListener("abort", resolve))]);
      if (options.signal.aborted) { await pause(piece.stopMs ?? 0); finishReason = "abort"; break; }
      if (piece.fail) throw new DictatedError(piece.fail, "a dictated failure");
      text += piece.text ?? "";
      thinking += piece.thinking ?? "";
      yield { text: piece.text ?? "", thinking: piece.thinking ?? "" };
    }
    const usage = { promptTokens: 20, cachedTokens: 4, completionTokens: 30, thinkingTokens: 0, droppedMessages: 0 };
    const timings = { prefillMs: 100, decodeMs: 1000, prefillTokensPerSecond: 160, decodeTokensPerSecond: 30 };
    end({ text, thinking, finishReason, usage, timings });
  }
  return { [Symbol.asyncIterator]: read, result };
};
`;

/**
 * Opens the page, with the tiny model of the server to be loaded on the processor.
 * @template {TestPage} P
 * @param {{ newPage(): Promise<P> }} context
 * @param {import("./test_server.mjs").TestServer} server
 * @param {{ parameters?: Record<string, string>, complaints?: string[], beforeLoad?: (page: P) => Promise<unknown> }} [options]
 *   `complaints` collects what went wrong in the page without the page saying so
 * @returns {Promise<P>}
 */
export async function openPage(context, server, { parameters = {}, complaints = [], beforeLoad } = {}) {
  server.prepend("/app/chat_view.js", DICTATION);
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  await page.setViewportSize({ width: 1280, height: 800 }); // wide enough for the list beside the chat
  await beforeLoad?.(page);
  const options = { model: server.modelUrl, backend: "cpu", temperature: "0", "max-tokens": "12", lang: "en" };
  await page.goto(`${server.url}?${new URLSearchParams({ ...options, ...parameters })}`);
  return page;
}

/**
 * The same, and loads the model.
 * @template {TestPage} P
 * @param {{ newPage(): Promise<P> }} context
 * @param {import("./test_server.mjs").TestServer} server
 * @param {Parameters<typeof openPage<P>>[2]} [options]
 */
export async function openChat(context, server, options) {
  const page = await openPage(context, server, options);
  await startModel(page);
  return page;
}

/** @param {TestPage} page */
export async function startModel(page) {
  await page.getByRole("button", { name: /^(Download|Start)/ }).click();
  await page.getByRole("textbox", { name: "Message", exact: true }).waitFor();
}

/**
 * What the next answers are, instead of the model's.
 * @param {TestPage} page
 * @param {...(string | DictatedPiece[])} answers
 */
export async function dictate(page, ...answers) {
  const pieces = answers.map((answer) => (typeof answer === "string" ? [{ text: answer }] : answer));
  await page.evaluate((added) => /** @type {any} */ (globalThis).dictated.push(...added), pieces);
}

/**
 * Asks, and waits until the answer is whole.
 * @param {TestPage} page
 * @param {string} question
 */
export async function ask(page, question) {
  await send(page, question);
  await page.locator(".question").getByText(question, { exact: true }).last().waitFor();
  await waitForAnswer(page);
}

/**
 * Asks, and waits for nothing.
 * @param {TestPage} page
 * @param {string} question
 */
export async function send(page, question) {
  const message = page.getByRole("textbox", { name: "Message", exact: true });
  await message.fill(question);
  await message.press("Enter");
}

/** @param {TestPage} page */
export async function waitForAnswer(page) {
  await page.locator("#status").getByText("Done").waitFor();
}

/**
 * The file of exported conversations with these titles and texts, question and answer in turn.
 * @param {{ title: string, texts: string[], updatedAt?: number }[]} conversations
 */
export function exportedFile(conversations) {
  const written = conversations.map(({ title, texts, updatedAt = Date.now() }) => {
    const ids = texts.map(() => randomUUID());
    const messages = texts.map((text, index) => ({
      id: ids[index],
      parentId: index ? ids[index - 1] : null,
      role: index % 2 ? "assistant" : "user",
      text,
      createdAt: updatedAt - texts.length + index,
    }));
    return { id: randomUUID(), title, createdAt: updatedAt, updatedAt, leafId: ids.at(-1), messages };
  });
  const text = JSON.stringify({ format: "qwisp-conversations", version: 1, conversations: written });
  return { name: "conversations.json", mimeType: "application/json", buffer: Buffer.from(text) };
}

/**
 * @param {TestPage} page
 * @param {{ name: string, buffer: Buffer }} file
 */
export async function importFile(page, { name, buffer }) {
  const folder = await mkdtemp(join(tmpdir(), "qwisp-import-"));
  try {
    const path = join(folder, name);
    await writeFile(path, buffer);
    // What an earlier import said is not this one's answer.
    await page.evaluate(() => document.getElementById("conversations-message")?.replaceChildren());
    await page.locator("#conversation-files").setInputFiles(path);
    await page
      .locator("#conversations-message")
      .getByText(/imported|could not be read/)
      .first()
      .waitFor();
  } finally {
    await rm(folder, { recursive: true });
  }
}
