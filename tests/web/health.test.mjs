/** What the page says of how the engine does, from the engine's own figures. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { judgeHealth } from "../../www/app/health.js";

/** @typedef {import("../../www/app/health.js").HealthFigures} HealthFigures */

/** @type {HealthFigures} */
const FINE = {
  backend: "webgpu",
  isStored: true,
  contextLength: 4096,
  contextTokens: 100,
  speeds: [30, 29],
  droppedMessages: 0,
  failures: [],
  hasFailedChecks: false,
};

/** @type {{ name: string, figures: Partial<HealthFigures>, level: string, advice: string[] }[]} */
const CASES = [
  { name: "nothing wrong", figures: {}, level: "healthy", advice: ["fine"] },
  { name: "nothing answered yet", figures: { speeds: [], contextTokens: 0 }, level: "healthy", advice: ["fine"] },
  { name: "the processor is slow, and no fault", figures: { backend: "cpu" }, level: "healthy", advice: ["cpu"] },
  { name: "not kept", figures: { isStored: false }, level: "healthy", advice: ["notStored"] },
  { name: "simpler kernels", figures: { hasFailedChecks: true }, level: "healthy", advice: ["checksFailed"] },
  { name: "slower than reading", figures: { speeds: [4, 3.9] }, level: "degraded", advice: ["slow"] },
  { name: "much slower than before", figures: { speeds: [30, 12] }, level: "degraded", advice: ["slower"] },
  { name: "a little slower than before", figures: { speeds: [30, 25] }, level: "healthy", advice: ["fine"] },
  { name: "nearly full", figures: { contextTokens: 3600 }, level: "degraded", advice: ["contextNearlyFull"] },
  { name: "full", figures: { failures: ["context-full"] }, level: "degraded", advice: ["contextNearlyFull"] },
  {
    name: "turns left out of a full context",
    figures: { contextTokens: 3600, droppedMessages: 2 },
    level: "degraded",
    advice: ["turnsDropped"],
  },
  { name: "one failure that may pass", figures: { failures: ["network"] }, level: "healthy", advice: ["fine"] },
  { name: "two of them", figures: { failures: ["network", "network"] }, level: "failing", advice: ["failures"] },
  {
    name: "what people did wrong themselves",
    figures: { failures: ["invalid-argument", "aborted", "invalid-argument"] },
    level: "healthy",
    advice: ["fine"],
  },
  { name: "the GPU went away", figures: { failures: ["device-lost"] }, level: "failing", advice: ["deviceLost"] },
  { name: "no memory", figures: { failures: ["out-of-memory"] }, level: "failing", advice: ["outOfMemory"] },
  { name: "the engine broke", figures: { failures: ["internal"] }, level: "failing", advice: ["dead"] },
  {
    name: "several things, the worst first",
    figures: { failures: ["device-lost"], speeds: [30, 3], backend: "cpu", isStored: false },
    level: "failing",
    advice: ["deviceLost", "slower", "cpu", "notStored"],
  },
];

describe("the health of the engine", () => {
  const messages = JSON.parse(readFileSync("www/app/messages/en.json", "utf8"));

  for (const { name, figures, level, advice } of CASES) {
    it(`is ${level}: ${name}`, () => {
      const judged = judgeHealth({ ...FINE, ...figures });
      assert.equal(judged.level, level);
      assert.deepEqual(
        judged.advice.map(({ key }) => key),
        advice.map((key) => `health.advice.${key}`),
      );
      for (const { key } of judged.advice) assert.ok(key in messages, key);
    });
  }

  it("says how much slower", () => {
    const [{ values }] = judgeHealth({ ...FINE, speeds: [30.4, 8.26] }).advice;
    assert.deepEqual(values, { rate: 8.3, best: 30 });
  });
});
