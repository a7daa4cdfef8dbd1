/** Everyone can use the page: axe finds nothing in both themes, the keyboard reaches everything, 320 px are enough. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { launchChromium } from "./support/browser.mjs";
import { startTestServer } from "./support/test_server.mjs";
import { makeTinyModel } from "./support/tiny_model.mjs";

const TIMEOUT_MS = 120_000;
const AXE = readFileSync("node_modules/axe-core/axe.min.js", "utf8");

/** @typedef {import("playwright-core").Page} Page */

describe("the page for everyone", { timeout: 8 * TIMEOUT_MS }, () => {
  const modelPath = makeTinyModel();
  /** @type {Awaited<ReturnType<typeof launchChromium>>} */
  let browser;
  /** @type {import("./support/test_server.mjs").TestServer} */
  let server;
  /** @type {Page} */
  let page;

  before(async () => {
    server = await startTestServer({ modelPath });
    browser = await launchChromium({ webgpu: false });
    page = await browser.context.newPage();
    page.setDefaultTimeout(TIMEOUT_MS / 2);
    await page.emulateMedia({ reducedMotion: "reduce" }); // colours in the middle of a transition are nobody's
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  /** @param {string} [model] */
  async function openStart(model = server.modelUrl) {
    const query = new URLSearchParams({
      backend: "cpu",
      temperature: "0",
      "max-tokens": "12",
      "new-chat": "1",
      model,
    });
    await page.goto(`${server.url}?${query}`);
    await page.locator("#start-button:enabled").waitFor();
  }

  async function openChat() {
    await openStart();
    await page.getByRole("button", { name: /^(Download|Start)/ }).click();
    await page.getByRole("textbox", { name: "Message" }).fill("Hello there");
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByRole("status").getByText("Done").waitFor();
  }

  /** @type {Record<string, () => Promise<unknown>>} */
  const STATES = {
    start: () => openStart(),
    loading: async () => {
      await openStart(server.imperfectUrl({ stallOffset: 100_000 }));
      await page.getByRole("button", { name: /^Download/ }).click();
      await page.getByRole("button", { name: "Pause" }).waitFor();
    },
    failure: async () => {
      await openStart(server.htmlUrl);
      await page.getByRole("button", { name: /^Download/ }).click();
      await page.getByRole("heading", { name: "This isn't a model Qwisp can read" }).waitFor();
    },
    settings: async () => {
      await openStart();
      await page.getByRole("button", { name: "Settings" }).click();
      await page.getByRole("combobox", { name: "Preset" }).selectOption("code");
    },
    chat: openChat,
    reading: async () => {
      await openChat();
      await page.reload();
      await page.getByText(/^To write here, /).waitFor();
    },
    health: async () => {
      await openChat();
      await page.locator("#engine-facts").click();
    },
  };

  for (const [state, open] of Object.entries(STATES)) {
    it(`has nothing for axe to find: ${state}`, { timeout: TIMEOUT_MS }, async () => {
      await open();
      await page.evaluate(AXE);
      for (const theme of ["light", "dark"]) {
        for (const width of [1280, 390]) {
          await page.setViewportSize({ width, height: 800 });
          const violations = await page.evaluate(async (theme) => {
            document.documentElement.dataset.theme = theme;
            const { violations } = await /** @type {any} */ (globalThis).axe.run();
            return violations.map((/** @type {any} */ { id, nodes }) => [
              id,
              nodes.map((/** @type {any} */ n) => n.html),
            ]);
          }, theme);
          assert.deepEqual(violations, [], `${theme}, ${width} px`);
        }
      }
    });

    it(`fits 320 px, from left to right and from right to left: ${state}`, { timeout: TIMEOUT_MS }, async () => {
      await open();
      await page.setViewportSize({ width: 320, height: 640 });
      for (const direction of ["ltr", "rtl"]) {
        const overflowing = await page.evaluate((direction) => {
          document.documentElement.dir = direction;
          const isScrolled = (/** @type {Element | null} */ found) => {
            for (let at = found; at; at = at.parentElement) {
              if (/auto|scroll|hidden|clip/.test(getComputedStyle(at).overflowX) && at !== document.body) return true;
            }
            return false;
          };
          return [...document.querySelectorAll("body *")]
            .filter((found) => found.checkVisibility({ visibilityProperty: true }))
            .filter((found) => {
              const { left, right, width } = found.getBoundingClientRect();
              return width > 1 && (left < -1 || right > innerWidth + 1) && !isScrolled(found.parentElement);
            })
            .map((found) => `${found.tagName} #${found.id} .${found.className}`);
        }, direction);
        assert.deepEqual(overflowing, [], direction);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, direction);
      }
      await page.setViewportSize({ width: 1280, height: 800 });
    });
  }

  it("is used without a mouse, from choosing to an answer", { timeout: TIMEOUT_MS }, async () => {
    await openStart();
    /** @param {string} id */
    const tabTo = async (id) => {
      for (let presses = 0; presses < 40; presses++) {
        const focus = await page.evaluate(() => {
          const found = /** @type {HTMLElement} */ (document.activeElement);
          const { outlineStyle } = getComputedStyle(found.closest("label.model-choice") ?? found);
          return { id: found.id, isShown: outlineStyle !== "none" || found.id === "prompt" || found === document.body };
        });
        assert.ok(focus.isShown, `the focus on ${focus.id} can be seen`);
        if (focus.id === id) return;
        await page.keyboard.press("Tab");
      }
      assert.fail(`#${id} can't be reached`);
    };
    await tabTo("open-settings");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await tabTo("start-button");
    await page.keyboard.press("Enter");
    await page.getByRole("textbox", { name: "Message" }).waitFor();
    await tabTo("prompt");
    await page.keyboard.type("Hello");
    await page.keyboard.press("Enter");
    await page.getByRole("status").getByText("Done").waitFor();
    await tabTo("engine-facts");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "How it is running" }).waitFor();
    await page.keyboard.press("Escape");
    assert.equal(await page.evaluate(() => document.activeElement?.id), "engine-facts");
  });

  it("keeps still for those who ask for it", { timeout: TIMEOUT_MS }, async () => {
    await STATES.loading();
    const moving = await page.evaluate(() => document.getAnimations().length);
    assert.equal(moving, 0);
  });
});
