/** Gives a file as servers do that know less of HTTP than one may hope for, or whose network fails. */

import { open, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { parseRange, sendText } from "../../../scripts/serve.mjs";

/**
 * What a test may change at any time.
 * @typedef {object} Flaws
 * @property {string} [path] of another file, if the usual one isn't given any more
 * @property {string | null} [etag] what names this version of the file; null for nothing. Default: `"same"`
 * @property {boolean} [ignoresRanges] the whole file is the answer to every request
 * @property {boolean} [hidesHeaders] pages of other origins can't read Content-Range
 * @property {boolean} [changes] the file is another one at each request
 * @property {number} [cutOffset] the connection breaks at this byte
 * @property {number[]} [cuts] it breaks at each of these bytes once; those that happened are taken out
 * @property {number} [stallOffset] nothing comes from this byte on, and the connection stays open
 * @property {boolean} [stallsOnce] only at the first request that gets there
 * @property {number} [status] what is answered instead of the file
 * @property {number} [refusals] how often, if not always; it counts down
 * @property {string} [retryAfter] the header of that name in such an answer
 * @property {string} [redirect] to where every request is sent on
 * @property {boolean} [compresses] the answer is encoded with gzip, of a length that isn't said
 * @property {number} [claimedBytes] how long the file is said to be
 * @property {number} [wrongOffset] this byte isn't what it is in the file
 * @property {number} [bytesPerSecond] of each connection
 * @property {number} [lineBytesPerSecond] of all of them together
 */

/**
 * An answer, as far as it came.
 * @typedef {{ status: number, first: number, askedBytes: number, sentBytes: number, isOpen: boolean }} SentAnswer
 */

const CHUNK_BYTES = 64 << 10;
/** Time for the client to read what was sent before the connection breaks: what is under way then is lost. */
const FLUSH_MS = 100;

/**
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 * @param {string} usualPath
 * @param {Flaws} flaws
 * @param {SentAnswer[]} sent where the answer is noted
 */
export async function sendImperfectly(request, response, usualPath, flaws, sent) {
  const common = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Range, If-Range",
    ...(flaws.hidesHeaders ? {} : { "Access-Control-Expose-Headers": "Content-Range, ETag, Retry-After" }),
  };
  if (request.method === "OPTIONS") return void response.writeHead(204, common).end();
  const note = { status: 0, first: 0, askedBytes: 0, sentBytes: 0, isOpen: true };
  response.on("close", () => (note.isOpen = false));
  sent.push(note);
  if (flaws.redirect) {
    note.status = 302;
    return void response.writeHead(302, { ...common, Location: flaws.redirect }).end();
  }
  if (flaws.status && (flaws.refusals ?? 1) > 0) {
    if (flaws.refusals !== undefined) flaws.refusals--;
    note.status = flaws.status;
    /** @type {Record<string, string>} */
    const headers = { ...common };
    if (flaws.retryAfter !== undefined) headers["Retry-After"] = flaws.retryAfter;
    return sendText(response, flaws.status, "as the test wants it", headers);
  }

  const path = flaws.path ?? usualPath;
  const fileBytes = (await stat(path)).size;
  const totalBytes = flaws.claimedBytes ?? fileBytes;
  const etag = flaws.changes ? `"${process.hrtime.bigint()}"` : flaws.etag === undefined ? '"same"' : flaws.etag;
  const ifRange = request.headers["if-range"];
  const isWhole = flaws.ignoresRanges || flaws.compresses || (ifRange !== undefined && ifRange !== etag);
  const range = isWhole ? "whole" : parseRange(request.headers.range, totalBytes);
  if (range === "unsatisfiable") {
    note.status = 416;
    return sendText(response, 416, "no such range", common);
  }
  const { first, last } = range === "whole" ? { first: 0, last: totalBytes - 1 } : range;
  const cut = nextCut(flaws, first, last);
  const stall = flaws.stallOffset ?? Infinity;
  Object.assign(note, { status: range === "whole" ? 200 : 206, first, askedBytes: last + 1 - first });
  if (first >= cut) return void request.socket.destroy();
  if (first >= stall) return takeStall(flaws);

  const headers = {
    ...common,
    "Content-Type": "application/octet-stream",
    ...(etag === null ? {} : { ETag: etag }),
    ...(range === "whole" ? {} : { "Content-Range": `bytes ${first}-${last}/${totalBytes}` }),
  };
  if (flaws.compresses) {
    const file = await open(path);
    const body = gzipSync(await file.readFile(), { level: 1 });
    await file.close();
    note.sentBytes = body.length;
    return void response.writeHead(note.status, { ...headers, "Content-Encoding": "gzip" }).end(body);
  }
  response.writeHead(note.status, { ...headers, "Content-Length": last - first + 1 });
  if (request.method === "HEAD") return void response.end();
  const end = Math.min(last + 1, cut, stall, fileBytes);
  for await (const chunk of readChunks(path, first, end, flaws)) {
    if (response.destroyed) return;
    await new Promise((written) => response.write(chunk, written));
    note.sentBytes += chunk.length;
  }
  if (end === last + 1) response.end();
  else if (end === stall) takeStall(flaws);
  else {
    if (flaws.cuts) flaws.cuts = flaws.cuts.filter((offset) => offset !== end);
    await sleep(FLUSH_MS);
    request.socket.destroy();
  }
}

/**
 * @param {Flaws} flaws
 * @param {number} first
 * @param {number} last
 */
function nextCut({ cutOffset = Infinity, cuts = [] }, first, last) {
  return Math.min(cutOffset, ...cuts.filter((offset) => offset > first && offset <= last));
}

/** @param {Flaws} flaws */
function takeStall(flaws) {
  if (flaws.stallsOnce) flaws.stallOffset = undefined;
}

/**
 * @param {string} path
 * @param {number} first
 * @param {number} end
 * @param {Flaws} flaws
 */
async function* readChunks(path, first, end, flaws) {
  const file = await open(path);
  try {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (let start = first; start < end; start += CHUNK_BYTES) {
      const { bytesRead } = await file.read(chunk, 0, Math.min(CHUNK_BYTES, end - start), start);
      const bytes = Buffer.from(chunk.subarray(0, bytesRead));
      const wrong = (flaws.wrongOffset ?? -1) - start;
      if (wrong >= 0 && wrong < bytesRead) bytes[wrong] ^= 1;
      if (flaws.bytesPerSecond) await sleep((1000 * bytesRead) / flaws.bytesPerSecond);
      if (flaws.lineBytesPerSecond) await takeLine(flaws, (1000 * bytesRead) / flaws.lineBytesPerSecond);
      yield bytes;
    }
  } finally {
    await file.close();
  }
}

/** When the line that all connections share has sent what was asked of it so far. @type {WeakMap<Flaws, number>} */
const lineFreeAt = new WeakMap();
/** What a line wasn't asked for in so many milliseconds it makes up for: else one connection, which pauses, would get less. */
const CREDIT_MS = 500;

/**
 * Waits for a turn of so many milliseconds.
 * @param {Flaws} flaws
 * @param {number} durationMs
 */
async function takeLine(flaws, durationMs) {
  const now = performance.now();
  const end = Math.max(now - CREDIT_MS, lineFreeAt.get(flaws) ?? now) + durationMs;
  lineFreeAt.set(flaws, end);
  if (end > now) await sleep(end - now);
}
