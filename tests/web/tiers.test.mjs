/** The tiers of kernels that a browser's adapter offers compute what the native engine does; the others are refused. */

import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { describeInEachBrowser, openBrowser } from "./support/browser.mjs";
import { EnginePage } from "./support/engine_page.mjs";
import { scoreNatively } from "./support/native.mjs";
import { startTestServer } from "./support/test_server.mjs";
import { makeTinyModel } from "./support/tiny_model.mjs";

/** @typedef {import("../../www/engine/qwisp.d.ts").Tier} Tier */

const TIMEOUT_MS = 180_000;

/**
 * The tiers besides `core`, which every other test runs on.
 * @type {Record<import("./support/browser.mjs").BrowserName, { offered: Tier[], refused: Tier }>}
 */
const EXPECTED = {
  chromium: { offered: ["subgroups", "packed"], refused: "f16" },
  firefox: { offered: ["f16", "packed"], refused: "subgroups" },
};

/**
 * How far the log-probabilities may be from the native engine's on the same tier, as a normalised squared error. A product's
 * own error is 1e-10, 1e-6 and 1e-4 (tests/kernels); layers of random weights multiply it by 5. A wrong kernel gives 1.
 * @type {Record<string, number>}
 */
const TOLERANCE = { subgroups: 5e-10, f16: 5e-6, packed: 5e-4 };

/**
 * The squared differences as a part of the squared distances from the mean.
 * @param {number[]} got
 * @param {number[]} expected
 */
function normalisedSquaredError(got, expected) {
  const mean = expected.reduce((sum, value) => sum + value, 0) / expected.length;
  const squares = (/** @type {(value: number, index: number) => number} */ difference) =>
    expected.reduce((sum, value, index) => sum + difference(value, index) ** 2, 0);
  return squares((value, index) => got[index] - value) / squares((value) => value - mean);
}

describeInEachBrowser("the tiers", { timeout: 4 * TIMEOUT_MS }, (browserName) => {
  const modelPath = makeTinyModel();
  /** @type {import("./support/browser.mjs").TestBrowser} */
  let browser;
  /** @type {import("./support/test_server.mjs").TestServer} */
  let server;
  /** @type {EnginePage} */
  let page;

  before(async () => {
    server = await startTestServer({ modelPath });
    browser = await openBrowser(browserName);
    page = await EnginePage.open(browser.context, server.url);
  });

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  const { offered, refused } = EXPECTED[browserName];
  const load = (/** @type {Tier} */ tier) => page.load({ model: server.modelUrl, backend: "webgpu", tier });

  for (const tier of offered) {
    it(`offer ${tier}, which scores as the native engine does`, { timeout: TIMEOUT_MS }, async (test) => {
      const { info } = await load(tier);
      assert.equal(info.tier, tier);
      const { ids, scores } = await page.page.evaluate(async () => {
        const { engine } = /** @type {any} */ (globalThis);
        const ids = await engine.tokenize("The quick brown fox jumps over the lazy dog. 0123456789");
        return { ids: [...ids], scores: await engine.score(ids) };
      });
      const native = scoreNatively(modelPath, ids, "f16", tier);
      assert.equal(scores.length, native.length);
      const error = normalisedSquaredError(
        scores.map((/** @type {{ logprob: number }} */ { logprob }) => logprob),
        native.map(({ logprob }) => logprob),
      );
      test.diagnostic(`normalised squared error ${error}`);
      assert.ok(error < TOLERANCE[tier], `the normalised squared error of the log-probabilities is ${error}`);
    });
  }

  it(`do not offer ${refused}, and say what there is`, { timeout: TIMEOUT_MS }, async () => {
    await assert.rejects(load(refused), { kind: "invalid-argument", message: /expected "core".*"packed"/ });
    assert.deepEqual(page.uncaught, []);
  });
});
