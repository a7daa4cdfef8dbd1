/** Which models are recommended for a task and a device. No browser is needed. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { rankModels } from "../../www/engine/rank_models.js";

/**
 * @typedef {import("../../www/engine/qwisp.d.ts").CatalogueModel} CatalogueModel
 * @typedef {import("../../www/engine/qwisp.d.ts").Probe} Probe
 * @typedef {import("../../www/engine/qwisp.d.ts").Task} Task
 * @typedef {import("../../www/engine/qwisp.d.ts").RankedModel} RankedModel
 */

/** @type {{ models: CatalogueModel[] }} */
const { models } = JSON.parse(readFileSync("www/models.json", "utf8"));
const GIB = 2 ** 30;

/**
 * @param {number} bytesPerSecond
 * @param {Partial<Probe>} [facts]
 * @returns {Probe}
 */
function probe(bytesPerSecond, facts = {}) {
  const device = {
    backend: /** @type {const} */ ("webgpu"),
    adapter: "",
    tier: "core",
    isSoftware: false,
    fallback: null,
    checks: [],
  };
  return {
    ...device,
    weightBytesPerSecond: bytesPerSecond,
    bytesPerSecondByType: {},
    secondsPerDispatch: 0,
    ...facts,
  };
}

/** @param {RankedModel[]} ranked */
const ids = (ranked) => ranked.map(({ model }) => model.id);

/** @param {RankedModel[]} ranked */
const recommended = (ranked) => ids(ranked.filter(({ recommended }) => recommended));

/**
 * @param {RankedModel[]} ranked
 * @param {string} id
 */
function entry(ranked, id) {
  const found = ranked.find(({ model }) => model.id === id);
  assert.ok(found, id);
  return found;
}

describe("on a fast device", () => {
  /** @type {[Task, string][]} */
  const best = [
    ["chat", "qwen2.5-1.5b"],
    ["code", "qwen2.5-coder-1.5b"],
    ["maths", "qwen2.5-math-1.5b"],
    ["reasoning", "qwen3-1.7b"],
    ["languages", "qwen3-1.7b"],
  ];
  for (const [task, id] of best) {
    it(`recommends ${id} for ${task}, and only that`, () => {
      const ranked = rankModels(models, { task, probe: probe(100e9), memoryBytes: 8 * GIB });
      assert.deepEqual([ids(ranked)[0], recommended(ranked), ranked[0].reason], [id, [id], "best"]);
      assert.equal(ranked.length, models.length);
      assert.deepEqual(new Set(ids(ranked)), new Set(models.map(({ id }) => id)));
    });
  }

  it("puts what was made for something else last", () => {
    const ranked = rankModels(models, { task: "languages", probe: probe(100e9) });
    const reasons = ranked.map(({ reason }) => reason);
    assert.equal(reasons.indexOf("other-task"), 4);
    assert.ok(reasons.slice(4).every((reason) => reason === "other-task"));
    assert.equal(entry(ranked, "qwen2.5-math-1.5b").reason, "other-task");
  });

  it("takes chat for the task that nobody named", () => {
    const options = { probe: probe(100e9) };
    assert.deepEqual(rankModels(models, options), rankModels(models, { ...options, task: "chat" }));
  });
});

describe("on a slow device", () => {
  it("recommends what is fast enough for reading, though it is less good", () => {
    const ranked = rankModels(models, { task: "code", probe: probe(3e9) });
    assert.deepEqual(recommended(ranked), ["qwen2.5-coder-0.5b"]);
    const slow = entry(ranked, "qwen2.5-coder-1.5b");
    assert.deepEqual([slow.reason, slow.recommended], ["slow", false]);
    assert.ok(slow.tokensPerSecond && slow.tokensPerSecond < 5);
    assert.ok((ranked[0].tokensPerSecond ?? 0) >= 5);
  });

  it("recommends the fastest where none is fast enough", () => {
    const ranked = rankModels(models, { task: "maths", probe: probe(1e9) });
    assert.deepEqual(recommended(ranked), ["qwen3-0.6b"]);
    assert.equal(ranked[0].reason, "slow");
  });
});

describe("the predicted speed", () => {
  it("is that of the weights by their types, and of the dispatches", () => {
    /** @type {CatalogueModel} */
    const model = {
      ...models[0],
      weightBytesPerToken: { Q4_K: 100e6, Q8_0: 40e6, F32: 2e6 },
      layers: 20,
    };
    const rates = { bytesPerSecondByType: { Q4_K: 10e9, Q8_0: 20e9 }, secondsPerDispatch: 10e-6 };
    const [{ tokensPerSecond }] = rankModels([model], { probe: probe(10e9, rates) });
    // 10 ms, 2 ms, and for want of a rate of its own 0.2 ms; 104 dispatches of 10 µs.
    assert.equal(tokensPerSecond?.toFixed(6), (1 / (0.0122 + 0.00104)).toFixed(6));
  });

  it("is that of the whole file where nothing else is known, and null without a probe", () => {
    const { weightBytesPerToken, layers, ...model } = models[0];
    assert.equal(rankModels([model], { probe: probe(2 * model.bytes) })[0].tokensPerSecond, 2);
    assert.equal(rankModels([model])[0].tokensPerSecond, null);
  });
});

describe("memory", () => {
  it("is null where nobody knows it", () => {
    assert.ok(rankModels(models).every(({ fits }) => fits === null));
  });

  it("keeps what finds no room from being recommended", () => {
    const ranked = rankModels(models, { task: "chat", probe: probe(100e9), memoryBytes: 2 * GIB });
    assert.deepEqual(recommended(ranked), ["qwen2.5-0.5b"]);
    assert.deepEqual([entry(ranked, "qwen3-1.7b").fits, entry(ranked, "qwen3-1.7b").reason], [false, "memory"]);
    // 397 MB of weights alone would fit, but not with 470 MB of keys and values.
    assert.equal(entry(ranked, "qwen3-0.6b").fits, true);
    assert.equal(entry(rankModels(models, { memoryBytes: 1.9 * GIB }), "qwen3-0.6b").fits, false);
  });

  it("counts more weights for the processor", () => {
    const fits = (/** @type {Probe["backend"]} */ backend) =>
      entry(rankModels(models, { probe: probe(10e9, { backend }), memoryBytes: 3 * GIB }), "qwen2.5-1.5b").fits;
    assert.deepEqual([fits("webgpu"), fits("cpu")], [true, false]);
  });

  it("recommends nothing where nothing fits", () => {
    const ranked = rankModels(models, { memoryBytes: GIB / 2 });
    assert.deepEqual(recommended(ranked), []);
    assert.ok(ranked.every(({ reason }) => reason === "memory" || reason === "other-task"));
  });
});

it("knows of every model of the catalogue what it needs", () => {
  for (const { id, card, tasks, weightBytesPerToken = {}, layers, kvCacheBytesPerToken, bytes } of models) {
    assert.match(card ?? "", /^https:\/\/huggingface\.co\/(Qwen|deepseek-ai)\//, id);
    assert.ok(layers && kvCacheBytesPerToken, id);
    assert.ok(Object.values(tasks ?? {}).every((grade) => [1, 2, 3].includes(grade)) && tasks, id);
    // What is left is an embedding of its own and 6 MB of vocabulary.
    const rest = bytes - Object.values(weightBytesPerToken).reduce((sum, bytes) => sum + bytes, 0);
    assert.ok(rest > 5.9e6 && rest < 140e6, `${id}: ${rest} bytes are not read`);
  }
});

it("leaves what it is given as it is", () => {
  const before = JSON.stringify(models);
  rankModels(models, { task: "maths", probe: probe(1e9), memoryBytes: GIB });
  assert.equal(JSON.stringify(models), before);
});
