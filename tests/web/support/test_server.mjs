/** The server of the browser tests: the one of `make serve`, and beside it addresses that misbehave. */

import { createReadStream } from "node:fs";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { createHandler, listen, parseRange, sendFile, sendText } from "../../../scripts/serve.mjs";

export const DIST = resolve("dist");

/** A page of the same origin that loads nothing: tests import the public module into it. */
export const BLANK_PAGE = '<!doctype html><html lang="en"><title>test</title></html>';

/**
 * Gives a file as an honest server would, and cuts the connection when it comes to `cutOffset`.
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 * @param {string} path
 * @param {number} cutOffset
 */
async function sendFileAndCut(request, response, path, cutOffset) {
  const fileBytes = (await stat(path)).size;
  const range = parseRange(request.headers.range, fileBytes);
  if (range === "unsatisfiable") return sendText(response, 416, "no such range");
  const { first, last } = range === "whole" ? { first: 0, last: fileBytes - 1 } : range;
  if (request.method !== "HEAD" && first >= cutOffset) return void request.socket.destroy();

  response.writeHead(range === "whole" ? 200 : 206, {
    "Accept-Ranges": "bytes",
    "Content-Length": last - first + 1,
    "Content-Type": "application/octet-stream",
    ...(range === "whole" ? {} : { "Content-Range": `bytes ${first}-${last}/${fileBytes}` }),
  });
  if (request.method === "HEAD") return void response.end();
  if (last < cutOffset) return void createReadStream(path, { start: first, end: last }).pipe(response);
  for await (const chunk of createReadStream(path, { start: first, end: cutOffset - 1 })) {
    await new Promise((written) => response.write(chunk, written));
  }
  request.socket.destroy();
}

/**
 * @typedef {object} TestServer
 * @property {string} url with a slash at its end
 * @property {string} modelUrl where the model is served properly
 * @property {string} missingUrl answers 404
 * @property {string} htmlUrl answers 200 with a page
 * @property {string} streamedHtmlUrl the same, without saying how long it is, as servers do that make pages on the spot
 * @property {(offset: number) => string} cutUrl the model from a server that cuts the connection at this byte
 * @property {(name: string, bytes: Uint8Array) => Promise<string>} addFile serves other bytes; returns their address
 * @property {() => string[]} downloads the paths of which a body was asked for so far
 * @property {() => Promise<void>} close
 */

/**
 * @param {{ modelPath: string }} options
 * @returns {Promise<TestServer>}
 */
export async function startTestServer({ modelPath }) {
  const folder = await mkdtemp(join(tmpdir(), "qwisp-files-"));
  const honest = createHandler({ distDir: DIST, modelPath });
  /** @type {string[]} */
  const downloads = [];

  const server = await listen(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    if (request.method === "GET") downloads.push(pathname);
    if (pathname === "/blank.html" || pathname === "/page.gguf") {
      response.writeHead(200, { "Content-Type": "text/html", "Content-Length": BLANK_PAGE.length }).end(BLANK_PAGE);
      return;
    }
    if (pathname === "/streamed_page.gguf") {
      response.writeHead(200, { "Content-Type": "text/html" }).end(BLANK_PAGE);
      return;
    }
    const cut = /^\/cut\/(\d+)\/model\.gguf$/.exec(pathname);
    if (cut) return sendFileAndCut(request, response, modelPath, Number(cut[1]));
    if (pathname.startsWith("/files/")) return sendFile(request, response, join(folder, basename(pathname)));
    return honest(request, response);
  });

  return {
    url: server.url,
    modelUrl: `${server.url}models/${encodeURIComponent(basename(modelPath))}`,
    missingUrl: `${server.url}missing.gguf`,
    htmlUrl: `${server.url}page.gguf`,
    streamedHtmlUrl: `${server.url}streamed_page.gguf`,
    cutUrl: (offset) => `${server.url}cut/${offset}/model.gguf`,
    addFile: async (name, bytes) => {
      await writeFile(join(folder, name), bytes);
      return `${server.url}files/${name}`;
    },
    downloads: () => downloads,
    close: async () => {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * Lets a browser have the page's own files although their server is stopped, as a service worker would. Whatever else
 * it asks for goes to the network, and fails there.
 * @param {import("playwright-core").BrowserContext} context
 * @param {string} url of the stopped server, with a slash at its end
 */
export async function provideDistWithoutServer(context, url) {
  await context.route(`${url}**`, async (route) => {
    const { pathname } = new URL(route.request().url());
    if (pathname === "/blank.html") return route.fulfill({ contentType: "text/html", body: BLANK_PAGE });
    const path = join(DIST, pathname === "/" ? "index.html" : pathname);
    const isPageFile = !pathname.startsWith("/models/") && (await readFile(path).catch(() => null));
    return isPageFile ? route.fulfill({ path }) : route.continue();
  });
}
