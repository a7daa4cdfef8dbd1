/** The same engine natively, on Vulkan, to compare with: two devices and drivers that share no code. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";

/**
 * @param {string} example
 * @param {string[]} args
 */
function runExample(example, args) {
  return execFileSync("cargo", ["run", "--locked", "--quiet", "--example", example, "--", ...args], {
    stdio: ["ignore", "pipe", "ignore"],
    encoding: "utf8",
  });
}

/**
 * What the native engine says to a prompt, taking the most likely token each time.
 * @param {string} modelPath
 * @param {string} prompt
 * @param {number} maxTokens
 */
export function answerNatively(modelPath, prompt, maxTokens) {
  const args = ["--model", modelPath, "--prompt", prompt, "--temperature", "0", "--max-tokens", String(maxTokens)];
  return runExample("chat", args).replace(/\n$/, "");
}

/**
 * How likely the native engine finds tokens: an entry for each but the first.
 * @param {string} modelPath
 * @param {number[]} ids
 * @param {import("../../../www/engine/qwisp.d.ts").KvCache} [kvCache]
 * @param {import("../../../www/engine/qwisp.d.ts").Tier} [tier]
 * @returns {Array<{ id: number, logprob: number }>}
 */
export function scoreNatively(modelPath, ids, kvCache = "f16", tier = "core") {
  return JSON.parse(runExample("score", [modelPath, "--kv-cache", kvCache, "--tier", tier, ...ids.map(String)]));
}

/**
 * Fails unless the engine of a page scores a text as the native engine does.
 * @param {import("./browser.mjs").TestPage} page
 * @param {string} modelPath
 * @param {string} text
 * @param {number} tolerance of a log-probability
 * @param {import("../../../www/engine/qwisp.d.ts").KvCache} [kvCache]
 * @returns {Promise<number>} how many tokens the text has
 */
export async function assertScoresAreNative(page, modelPath, text, tolerance, kvCache = "f16") {
  const { ids, scores } = await page.evaluate(async (text) => {
    const { engine } = /** @type {any} */ (globalThis);
    const ids = await engine.tokenize(text);
    return { ids: [...ids], scores: await engine.score(ids) };
  }, text);
  const native = scoreNatively(modelPath, ids, kvCache);
  assert.equal(scores.length, native.length);
  for (const [index, { id, logprob }] of native.entries()) {
    const got = scores[index];
    const isClose = got.id === id && Math.abs(got.logprob - logprob) < tolerance;
    assert.ok(isClose, `token ${index}: got ${got.logprob}, natively ${logprob}`);
  }
  return ids.length;
}
