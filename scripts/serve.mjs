/**
 * A static file server for the built page and one model file: what `make serve` runs and what the browser tests start.
 *
 *     node scripts/serve.mjs [--dist dist] [--model FILE.gguf] [--port 8080]
 *
 * It speaks the part of HTTP that loading a model needs: ranges, validators, and headers that let pages of other
 * origins use the files.
 */

import { createReadStream } from "node:fs";
import { readFile, realpath, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { basename, extname, join, resolve, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** @typedef {import("node:http").IncomingMessage} Request */
/** @typedef {import("node:http").ServerResponse} Response */
/** @typedef {(request: Request, response: Response) => Promise<void>} Handler */

const MIME_TYPES = new Map([
  [".css", "text/css; charset=utf-8"],
  [".gguf", "application/octet-stream"],
  [".html", "text/html; charset=utf-8"],
  [".ico", "image/x-icon"],
  [".js", "text/javascript; charset=utf-8"],
  [".json", "application/json"],
  [".mjs", "text/javascript; charset=utf-8"],
  [".png", "image/png"],
  [".svg", "image/svg+xml"],
  [".ts", "text/plain; charset=utf-8"],
  [".wasm", "application/wasm"],
  [".webmanifest", "application/manifest+json"],
  [".woff2", "font/woff2"],
]);

const COMMON_HEADERS = {
  "Accept-Ranges": "bytes",
  "Access-Control-Allow-Headers": "Range, If-Range",
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Expose-Headers": "Accept-Ranges, Content-Length, Content-Range, ETag",
  // Kept, but asked about each time: a rebuilt page shows at once.
  "Cache-Control": "no-cache",
  "Cross-Origin-Resource-Policy": "cross-origin",
  "X-Content-Type-Options": "nosniff",
};

/**
 * Answers with a status and a line of text.
 * @param {Response} response
 * @param {number} status
 * @param {string} text
 * @param {Record<string, string>} [headers]
 */
export function sendText(response, status, text, headers = {}) {
  const body = Buffer.from(`${text}\n`);
  response.writeHead(status, {
    ...COMMON_HEADERS,
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": body.length,
    ...headers,
  });
  response.end(response.req.method === "HEAD" ? undefined : body);
}

/**
 * Answers with a JSON document that exists only in memory.
 * @param {Response} response
 * @param {unknown} value
 */
export function sendJson(response, value) {
  const body = Buffer.from(JSON.stringify(value, null, 2));
  response.writeHead(200, { ...COMMON_HEADERS, "Content-Type": "application/json", "Content-Length": body.length });
  response.end(response.req.method === "HEAD" ? undefined : body);
}

/**
 * The one byte range that a `Range` header asks for. Several ranges at once are not supported: HTTP lets a server
 * answer such a request with the whole file.
 * @param {string | undefined} header
 * @param {number} fileBytes
 * @returns {{ first: number, last: number } | "whole" | "unsatisfiable"}
 */
export function parseRange(header, fileBytes) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return "whole";
  if (match[1] === "") {
    const suffixBytes = Math.min(Number(match[2]), fileBytes);
    return suffixBytes === 0 ? "unsatisfiable" : { first: fileBytes - suffixBytes, last: fileBytes - 1 };
  }
  const first = Number(match[1]);
  if (match[2] !== "" && Number(match[2]) < first) return "whole";
  if (first >= fileBytes) return "unsatisfiable";
  const last = match[2] === "" ? fileBytes - 1 : Math.min(Number(match[2]), fileBytes - 1);
  return { first, last };
}

/**
 * Answers a GET or HEAD with a file, or with the range of it that was asked for.
 * @param {Request} request
 * @param {Response} response
 * @param {string} path
 */
export async function sendFile(request, response, path) {
  const { size, mtimeNs } = await stat(path, { bigint: true });
  const fileBytes = Number(size);
  const etag = `"${size.toString(16)}-${mtimeNs.toString(16)}"`;
  const headers = {
    ...COMMON_HEADERS,
    "Content-Type": MIME_TYPES.get(extname(path).toLowerCase()) ?? "application/octet-stream",
    ETag: etag,
  };

  const known = request.headers["if-none-match"]?.split(",").map((tag) => tag.trim());
  if (known?.some((tag) => tag === etag || tag === "*")) {
    response.writeHead(304, headers).end();
    return;
  }

  const ifRange = request.headers["if-range"];
  const range = ifRange && ifRange !== etag ? "whole" : parseRange(request.headers.range, fileBytes);
  if (range === "unsatisfiable") {
    sendText(response, 416, `${basename(path)} has ${fileBytes} bytes`, { "Content-Range": `bytes */${fileBytes}` });
    return;
  }
  if (range === "whole") {
    response.writeHead(200, { ...headers, "Content-Length": fileBytes });
  } else {
    response.writeHead(206, {
      ...headers,
      "Content-Length": range.last - range.first + 1,
      "Content-Range": `bytes ${range.first}-${range.last}/${fileBytes}`,
    });
  }
  if (request.method === "HEAD" || fileBytes === 0) {
    response.end();
    return;
  }
  const { first: start, last: end } = range === "whole" ? { first: 0, last: fileBytes - 1 } : range;
  await pipeline(createReadStream(path, { start, end }), response);
}

/**
 * The file inside `root` that a URL path names, or null where there is none. What leads outside, through `..` or
 * through a symbolic link, does not exist.
 * @param {string} root
 * @param {string} urlPath
 * @returns {Promise<string | null>}
 */
export async function resolveInside(root, urlPath) {
  /** @type {string} */
  let decoded;
  try {
    decoded = decodeURIComponent(urlPath);
  } catch {
    return null;
  }
  if (decoded.includes("\0")) return null;
  try {
    const realRoot = await realpath(root);
    const path = await realpath(join(realRoot, decoded.endsWith("/") ? `${decoded}index.html` : decoded));
    return path.startsWith(realRoot + sep) && (await stat(path)).isFile() ? path : null;
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    if (code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP" || code === "ENAMETOOLONG") return null;
    throw error;
  }
}

/**
 * The catalogue as this server shows it: the local model first, then the built page's own entries.
 * @param {string} distDir
 * @param {string | undefined} modelPath
 */
export async function catalogueWithLocalModel(distDir, modelPath) {
  /** @type {{ models: Array<{ name: string, bytes: number, urls: string[] }> }} */
  const catalogue = JSON.parse(await readFile(join(distDir, "models.json"), "utf8"));
  if (!modelPath) return catalogue;
  const file = basename(modelPath);
  const bytes = (await stat(modelPath)).size;
  const local = { id: "local", urls: [`models/${encodeURIComponent(file)}`], bytes };
  // The same name with the same length is taken for the same file, so that its hash is checked when it is loaded.
  const known = catalogue.models.find(
    (entry) => entry.bytes === bytes && entry.urls.some((url) => url.endsWith(`/${file}`)),
  );
  const described = known
    ? { ...known, name: `${known.name} (from this computer)` }
    : { name: basename(file, ".gguf"), description: "The file that this server was started with.", sampling: {} };
  return { ...catalogue, models: [{ ...described, ...local }, ...catalogue.models] };
}

/**
 * What answers every request. Tests wrap it to misbehave on some of them.
 * @param {{ distDir: string, modelPath?: string }} options
 * @returns {Handler}
 */
export function createHandler({ distDir, modelPath }) {
  return async (request, response) => {
    if (request.method === "OPTIONS") {
      response.writeHead(204, { ...COMMON_HEADERS, "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS" }).end();
      return;
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      sendText(response, 405, `${request.method} is not supported`, { Allow: "GET, HEAD, OPTIONS" });
      return;
    }
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    if (pathname === "/models.json") {
      sendJson(response, await catalogueWithLocalModel(distDir, modelPath));
      return;
    }
    const isModel = modelPath && pathname === `/models/${encodeURIComponent(basename(modelPath))}`;
    const path = isModel ? modelPath : await resolveInside(distDir, pathname);
    if (path) await sendFile(request, response, path);
    else sendText(response, 404, `there is no ${pathname}`);
  };
}

/**
 * Listens on this machine alone.
 * @param {Handler} handler
 * @param {number} [port] 0, the default, takes a free one
 * @returns {Promise<{ url: string, close: () => Promise<void> }>} `url` ends with a slash; `close` also cuts the
 * connections that are open
 */
export async function listen(handler, port = 0) {
  const server = createServer((request, response) => {
    handler(request, response).catch((error) => {
      // A page that goes away in the middle of a download is no fault of the server.
      if (error.code === "ERR_STREAM_PREMATURE_CLOSE" || error.code === "ECONNRESET") return;
      console.error(`${request.method} ${request.url}: ${error.stack}`);
      if (response.headersSent) response.destroy();
      else sendText(response, 500, "the server failed; its terminal says how");
    });
  });
  await new Promise((resolvePromise, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolvePromise(undefined));
  });
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${address.port}/`,
    close: () =>
      new Promise((resolvePromise) => {
        server.close(() => resolvePromise());
        server.closeAllConnections();
      }),
  };
}

/**
 * Fails unless the server really gives the page, and the model in ranges.
 * @param {string} url
 * @param {string | undefined} modelPath
 */
async function assertAnswers(url, modelPath) {
  const page = await fetch(url);
  if (!page.ok) throw new Error(`the page answers with HTTP ${page.status}; is dist/ built?`);
  if (!modelPath) return;
  const modelUrl = `${url}models/${encodeURIComponent(basename(modelPath))}`;
  const head = await fetch(modelUrl, { headers: { Range: "bytes=0-3" } });
  if (head.status !== 206) throw new Error(`${modelUrl} answers a Range request with HTTP ${head.status}`);
  if ((await head.text()) !== "GGUF") throw new Error(`${modelPath} is not a GGUF file: it does not begin with "GGUF"`);
}

async function main() {
  const { values } = parseArgs({
    options: {
      dist: { type: "string", default: "dist" },
      model: { type: "string" },
      port: { type: "string", default: "8080" },
    },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error(`--port ${values.port} is not a port`);
  const modelPath = values.model && resolve(values.model);
  const server = await listen(createHandler({ distDir: resolve(values.dist), modelPath }), port).catch((error) => {
    if (error.code === "EADDRINUSE") throw new Error(`port ${port} is in use; choose another: make serve PORT=8081`);
    throw error;
  });
  await assertAnswers(server.url, modelPath);
  console.log(`Qwisp is at ${server.url.replace("127.0.0.1", "localhost")} (Ctrl-C stops it)`);
  if (modelPath) console.log(`It offers ${modelPath}`);
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main().catch((error) => {
    console.error(`error: ${error.message}`);
    process.exit(1);
  });
}
