/** Two tabs that want the same model download it once. */

import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { describeInEachBrowser } from "./support/browser.mjs";
import { EnginePage } from "./support/engine_page.mjs";
import { ModelBench, RECORD_BYTES } from "./support/model_bench.mjs";

const TIMEOUT_MS = 60_000;
const SLOW = 20_000_000;

describeInEachBrowser("two tabs", { timeout: 4 * TIMEOUT_MS }, (browserName) => {
  const bench = new ModelBench();
  before(() => bench.open(browserName));
  after(() => bench.close());

  it("download once, and the second one shows the first one's progress", { timeout: TIMEOUT_MS }, async () => {
    const url = bench.server.imperfectUrl({ bytesPerSecond: SLOW });
    const second = await EnginePage.open(bench.browser.context, bench.server.url);
    await bench.startLoad(url);
    await bench.waitForProgress(({ loadedBytes }) => loadedBytes > 0);
    await bench.startLoad(url, {}, second);
    await bench.waitForProgress(({ phase, loadedBytes }) => phase === "wait" && loadedBytes > RECORD_BYTES, second);
    await bench.finishLoad();
    await bench.finishLoad(second);
    assert.equal(await bench.ask(), bench.answer);
    assert.equal(await bench.ask(second), bench.answer);
    assert.equal(bench.sentBytes(url), bench.modelBytes);

    const progress = await bench.progressOf(second);
    const phases = [...new Set(progress.map(({ phase }) => phase))];
    assert.deepEqual(phases, ["wait", "upload", "verify", "compile", "ready"]);
    const waits = progress.filter(({ phase }) => phase === "wait");
    assert.equal(waits.at(-1)?.totalBytes, bench.modelBytes);
    for (const [index, { loadedBytes }] of waits.entries()) {
      assert.ok(loadedBytes >= (waits[index - 1]?.loadedBytes ?? 0), "progress never goes back");
    }
    await second.close();
  });

  it("hand over when the first one is closed in the middle", { timeout: TIMEOUT_MS }, async () => {
    /** @type {import("./support/imperfect_server.mjs").Flaws} */
    const flaws = { stallOffset: 2.5 * RECORD_BYTES };
    const url = bench.server.imperfectUrl(flaws);
    const first = await EnginePage.open(bench.browser.context, bench.server.url);
    await bench.startLoad(url, {}, first);
    await bench.waitForProgress(({ loadedBytes }) => loadedBytes >= 2 * RECORD_BYTES, first);
    await bench.startLoad(url);
    await bench.waitForProgress(({ phase }) => phase === "wait");
    flaws.stallOffset = undefined;
    await first.close();
    await bench.finishLoad();
    assert.equal(await bench.ask(), bench.answer);
    assert.equal((await bench.stored(url))?.isComplete, true);
    const again = bench.sentBytes(url) - bench.modelBytes;
    assert.ok(again <= RECORD_BYTES, `${again} bytes were sent again`);
  });

  it("go on each for itself when the first one keeps nothing", { timeout: TIMEOUT_MS }, async () => {
    const url = bench.server.imperfectUrl({ bytesPerSecond: SLOW });
    const second = await EnginePage.open(bench.browser.context, bench.server.url);
    await bench.startLoad(url, { cache: false });
    await bench.waitForProgress(({ loadedBytes }) => loadedBytes > 0);
    await bench.startLoad(url, {}, second);
    await bench.finishLoad(second);
    await bench.finishLoad();
    assert.equal(await bench.ask(second), bench.answer);
    assert.equal((await bench.stored(url))?.isComplete, true);
    await second.close();
  });

  it("left nothing uncaught in the page", () => assert.deepEqual(bench.page.uncaught, []));
});
