/** The benchmark page as a person uses it: choose, wait, read the figures, copy them. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { median } from "../../www/bench/measure.js";
import { launchChromium } from "./support/browser.mjs";
import { EnginePage } from "./support/engine_page.mjs";
import { startTestServer } from "./support/test_server.mjs";
import { makeTinyModel } from "./support/tiny_model.mjs";

const TIMEOUT_MS = 180_000;
const COUNTER_NAMES = [
  "tokens",
  "dispatches",
  "passes",
  "submits",
  "bytesWritten",
  "bytesRead",
  "bindGroupsCreated",
  "weightBytesRead",
];

describe("the benchmark page", { timeout: 4 * TIMEOUT_MS }, () => {
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
    await browser.context.grantPermissions(["clipboard-read", "clipboard-write"], {
      origin: new URL(server.url).origin,
    });
  });

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  /** @param {Record<string, string>} parameters of the address */
  async function openPage(parameters) {
    const page = await browser.context.newPage();
    page.setDefaultTimeout(TIMEOUT_MS - 30_000);
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    await page.goto(
      `${server.url}bench.html?${new URLSearchParams({ model: server.modelUrl, backend: "webgpu", ...parameters })}`,
    );
    return page;
  }

  it("measures what it was asked to, and shows and copies it", { timeout: TIMEOUT_MS }, async () => {
    const page = await openPage({ prompts: "64,96", generate: "6", runs: "2", tier: "core" });
    await page.getByRole("button", { name: /^Download .*B$/ }).click();
    await page.getByRole("heading", { name: "What was measured" }).waitFor();

    const lengths = page.locator("#result-lengths tbody tr");
    const rows = await lengths.evaluateAll((found) =>
      found.map((row) => [...row.children].map((cell) => cell.textContent ?? "")),
    );
    assert.deepEqual(
      rows.map(([prompt]) => prompt),
      ["64 + 6", "96 + 6"],
    );
    for (const [prompt, prefill, decode, share, runs] of rows) {
      assert.ok(Number(prefill) > 0, `${prompt}: prefill of ${prefill} tok/s`);
      assert.ok(Number(decode) > 0, `${prompt}: decode of ${decode} tok/s`);
      assert.match(share, /^\d+(\.\d)? %$/, `${prompt}: share of bandwidth`);
      assert.equal(runs, "2");
    }

    const facts = new Map(
      await page
        .locator("#result-facts tr")
        .evaluateAll((found) =>
          found.map((row) => /** @type {[string, string]} */ ([...row.children].map((cell) => cell.textContent ?? ""))),
        ),
    );
    const fact = (/** @type {string} */ name) => facts.get(name) ?? "";
    assert.equal(fact("Tier"), "core");
    assert.match(fact("Runs on"), /^webgpu, .*swiftshader/i);
    // It was downloaded, kept, and loaded once more from there.
    for (const name of ["Load from the network", "Load from this device"]) assert.match(fact(name), /^\d.* m?s$/, name);
    assert.match(fact("Memory bandwidth"), /^\d+\.\d GB\/s$/);
    assert.match(fact("A decoded token costs"), /^\d+ dispatches, 1 pass, 1 submit, .* of weights read$/);

    await page.getByRole("button", { name: "Copy as text" }).click();
    await page.getByRole("status").getByText("Copied").waitFor();
    const text = await page.evaluate(() => navigator.clipboard.readText());
    for (const [name, value] of facts) assert.ok(text.includes(`${name}: ${value}`), `${name} is not in:\n${text}`);
    for (const row of rows) assert.ok(text.includes(row[1]) && text.includes(row[2]), `${row} is not in:\n${text}`);
    await page.close();
    assert.deepEqual(complaints, []);
  });

  it("stops when it is told to", { timeout: TIMEOUT_MS }, async () => {
    const page = await openPage({ prompts: "400", generate: "100", runs: "9" });
    await page.getByRole("button", { name: "Start" }).click();
    await page.getByText("Prompt of 400 tokens").waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: "Start" }).waitFor();
    await page.close();
    assert.deepEqual(complaints, []);
  });

  it("says what is wrong with its address", { timeout: TIMEOUT_MS }, async () => {
    const page = await openPage({ prompts: "64,many" });
    await page.getByText('prompts in the page\'s address: expected whole numbers, got "64,many"').waitFor();
    await page.close();
    assert.deepEqual(complaints, []);
  });

  it("gets its counters and its bandwidth from the public module", { timeout: TIMEOUT_MS }, async () => {
    const page = await EnginePage.open(browser.context, server.url);
    const { info } = await page.load({ model: server.modelUrl, backend: "webgpu", tier: "core" });
    assert.equal(info.tier, "core");
    const { result } = await page.chat([{ role: "user", content: "Hello there" }], { temperature: 0, maxTokens: 5 });
    const { counters, bandwidth } = await page.page.evaluate(async () => {
      const { engine } = /** @type {any} */ (globalThis);
      return { counters: await engine.counters(), bandwidth: await engine.measureBandwidth() };
    });
    const { prefill, decode } = counters;
    for (const phase of [prefill, decode]) {
      assert.deepEqual(Object.keys(phase).toSorted(), COUNTER_NAMES.toSorted());
      for (const value of Object.values(phase)) assert.ok(Number.isInteger(value) && value >= 0, `${value}`);
    }
    // The last token needs no computing; the device may be ahead of what was asked of it, but not by much.
    const { promptTokens, completionTokens } = result.usage;
    const [needed, computed] = [promptTokens + completionTokens - 1, prefill.tokens + decode.tokens];
    assert.ok(prefill.tokens >= promptTokens, `${prefill.tokens} of ${promptTokens} tokens were computed`);
    assert.ok(computed >= needed && computed <= needed + 8, `${computed} tokens were computed for ${needed}`);
    // Every weight but the embedding's is read for every token, and no weight twice.
    const { weightsBytes } = info.memory;
    const weightsOfToken = decode.weightBytesRead / decode.tokens;
    assert.ok(
      weightsOfToken > 0.5 * weightsBytes && weightsOfToken <= weightsBytes,
      `${weightsOfToken} of ${weightsBytes} bytes are read for a token`,
    );
    assert.ok(bandwidth > 1e7 && bandwidth < 1e14, `${bandwidth} bytes per second`);
    await page.close();
  });
});

describe("the median", () => {
  for (const { values, expected } of [
    { values: [3], expected: 3 },
    { values: [10, 2], expected: 6 },
    { values: [10, 1, 2], expected: 2 },
  ]) {
    it(`of ${values}`, () => assert.equal(median(values), expected));
  }
});
