/** The same engine natively, on Vulkan, to compare with: two devices and drivers that share no code. */

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
 * @returns {Array<{ id: number, logprob: number }>}
 */
export function scoreNatively(modelPath, ids) {
  return JSON.parse(runExample("score", [modelPath, ...ids.map(String)]));
}
