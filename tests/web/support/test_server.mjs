/** The server of the browser tests: the one of `make serve`, and beside it addresses that misbehave. */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { createHandler, listen, sendFile } from "../../../scripts/serve.mjs";
import { sendImperfectly } from "./imperfect_server.mjs";

export const DIST = resolve("dist");

/** A page of the same origin that loads nothing, not even an icon: tests import the public module into it. */
const BLANK_PAGE = '<!doctype html><html lang="en"><title>test</title><link rel="icon" href="data:," /></html>';

/**
 * @typedef {object} TestServer
 * @property {string} url with a slash at its end
 * @property {string} modelUrl where the model is served properly
 * @property {string} missingUrl answers 404
 * @property {string} htmlUrl answers 200 with a page
 * @property {string} streamedHtmlUrl the same, without saying how long it is, as servers do that make pages on the spot
 * @property {(flaws: import("./imperfect_server.mjs").Flaws) => string} imperfectUrl the model from a server with these
 *   flaws, which a test may change at any time
 * @property {(name: string, bytes: Uint8Array) => Promise<string>} addFile serves other bytes; returns their address
 * @property {(model: { id: string, urls: string[], sha256?: string }) => void} offerModel makes it the only one of the catalogue
 * @property {(url: string) => import("./imperfect_server.mjs").SentAnswer[]} answersOf what an imperfect address has
 *   answered so far
 * @property {() => string[]} downloads the paths of which a body was asked for so far
 * @property {(path: string, code: string) => () => void} prepend puts code before a script of the page; returns what
 *   takes it away again
 * @property {() => void} goOffline from now on the page has its own files, as if from a service worker, and nothing else
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
  /** @type {Map<string, import("./imperfect_server.mjs").Flaws>} */
  const imperfect = new Map();
  /** @type {Map<string, import("./imperfect_server.mjs").SentAnswer[]>} */
  const answers = new Map();

  /** What comes before scripts, by path. @type {Map<string, string>} */
  const prepended = new Map();
  let isOffline = false;
  /** The catalogue, if it isn't that of the page. @type {string | undefined} */
  let catalogue;

  const server = await listen(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    if (request.method === "GET") downloads.push(pathname);
    if (isOffline && /^\/(models|files|imperfect)\//.test(pathname)) return void request.socket.destroy();
    const code = prepended.get(pathname);
    if (code !== undefined) {
      const body = `${code}\n${await readFile(join(DIST, pathname), "utf8")}`;
      return void response.writeHead(200, { "Content-Type": "text/javascript", "Cache-Control": "no-store" }).end(body);
    }
    if (pathname === "/blank.html" || pathname === "/page.gguf") {
      response.writeHead(200, { "Content-Type": "text/html", "Content-Length": BLANK_PAGE.length }).end(BLANK_PAGE);
      return;
    }
    if (pathname === "/streamed_page.gguf") {
      response.writeHead(200, { "Content-Type": "text/html" }).end(BLANK_PAGE);
      return;
    }
    if (catalogue !== undefined && pathname === "/models.json") {
      return void response.writeHead(200, { "Content-Type": "application/json" }).end(catalogue);
    }
    const flaws = imperfect.get(pathname);
    if (flaws) return sendImperfectly(request, response, modelPath, flaws, answers.get(pathname) ?? []);
    if (pathname.startsWith("/files/")) return sendFile(request, response, join(folder, basename(pathname)));
    return honest(request, response);
  });

  return {
    url: server.url,
    modelUrl: `${server.url}models/${encodeURIComponent(basename(modelPath))}`,
    missingUrl: `${server.url}missing.gguf`,
    htmlUrl: `${server.url}page.gguf`,
    streamedHtmlUrl: `${server.url}streamed_page.gguf`,
    imperfectUrl: (flaws) => {
      const path = `/imperfect/${imperfect.size}.gguf`;
      imperfect.set(path, flaws);
      answers.set(path, []);
      return new URL(path, server.url).href;
    },
    addFile: async (name, bytes) => {
      await writeFile(join(folder, name), bytes);
      return `${server.url}files/${name}`;
    },
    offerModel: (model) => void (catalogue = JSON.stringify({ models: [model] })),
    answersOf: (url) => answers.get(new URL(url).pathname) ?? [],
    downloads: () => downloads,
    prepend: (path, code) => {
      prepended.set(path, code);
      return () => void prepended.delete(path);
    },
    goOffline: () => void (isOffline = true),
    close: async () => {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
