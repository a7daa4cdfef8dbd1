/** Serves what the benchmark runs in a browser: a build, the model, the measurement itself, and wllama. */

import { join, resolve } from "node:path";
import { createHandler, listen, resolveInside, sendFile } from "../serve.mjs";

const BLANK_PAGE = '<!doctype html><html lang="en"><title>benchmark</title></html>';

/** Folders that are served beside a build, which may be an older one without them. */
const FOLDERS = new Map([
  ["/bench/", resolve("www/bench")],
  ["/scripts/bench/", resolve("scripts/bench")],
  ["/wllama/", resolve("node_modules/@wllama/wllama/esm")],
]);

/**
 * @param {{ distDir: string, modelPath: string }} options
 * @returns {ReturnType<typeof listen>} at its `url`, `blank.html` is an empty page and `model.gguf` the model
 */
export function startBenchServer({ distDir, modelPath }) {
  const build = createHandler({ distDir });
  return listen(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    if (pathname === "/blank.html") {
      response.writeHead(200, { "Content-Type": "text/html", "Content-Length": BLANK_PAGE.length }).end(BLANK_PAGE);
      return;
    }
    // Browsers ask for it by themselves.
    if (pathname === "/favicon.ico") return void response.writeHead(204).end();
    if (pathname === "/model.gguf") return sendFile(request, response, modelPath);
    const path = await findBeside(pathname);
    return path ? sendFile(request, response, path) : build(request, response);
  });
}

/** @param {string} pathname */
async function findBeside(pathname) {
  for (const [prefix, folder] of FOLDERS) {
    if (pathname.startsWith(prefix)) return resolveInside(folder, join("/", pathname.slice(prefix.length)));
  }
  return null;
}
