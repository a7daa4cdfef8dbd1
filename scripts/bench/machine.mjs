/** What figures were measured on, and with what. */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { arch, cpus, platform, release, totalmem } from "node:os";

/** @returns {string[]} a line each */
export function describeMachine() {
  const memory = `${Math.round(totalmem() / (1 << 30))} GiB`;
  const { version } = JSON.parse(readFileSync("node_modules/@wllama/wllama/package.json", "utf8"));
  return [
    `Machine: ${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown processor"}, ${memory}, ${platform()} ${release()} ${arch()}`,
    `Versions: Qwisp ${output("git", ["describe", "--always", "--dirty"])}, ${output("rustc", ["--version"])}, ` +
      `Node ${process.version}, wllama ${version}`,
  ];
}

/**
 * @param {string} program
 * @param {string[]} words
 */
function output(program, words) {
  try {
    return execFileSync(program, words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return `without ${program}`;
  }
}
