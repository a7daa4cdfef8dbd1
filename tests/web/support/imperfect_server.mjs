/** Gives a file as servers do that know less of HTTP than one may hope for, or whose network fails. */

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { parseRange, sendText } from "../../../scripts/serve.mjs";

/** What a piece of 64 KiB takes from a slow server. */
const SLOW_PIECE_MS = 20;

/**
 * @typedef {object} Flaws
 * @property {boolean} [ignoresRanges] the whole file is the answer to every request
 * @property {boolean} [hidesHeaders] pages of other origins can't read Content-Range
 * @property {boolean} [changes] the file is another one at each request
 * @property {number} [cutOffset] the connection breaks at this byte
 * @property {boolean} [isSlow] each piece takes a while, as long as this is set
 * @property {number} [stallOffset] nothing comes from this byte on, and the connection stays open
 */

/**
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 * @param {string} path
 * @param {Flaws} flaws
 */
export async function sendImperfectly(request, response, path, flaws) {
  const { ignoresRanges, hidesHeaders, changes, cutOffset = Infinity, stallOffset = Infinity } = flaws;
  const fileBytes = (await stat(path)).size;
  const etag = changes ? `"${process.hrtime.bigint()}"` : '"same"';
  const ifRange = request.headers["if-range"];
  const isWhole = ignoresRanges || (ifRange !== undefined && ifRange !== etag);
  const range = isWhole ? "whole" : parseRange(request.headers.range, fileBytes);
  if (range === "unsatisfiable") return sendText(response, 416, "no such range");
  const { first, last } = range === "whole" ? { first: 0, last: fileBytes - 1 } : range;
  if (first >= cutOffset) return void request.socket.destroy();
  if (first >= stallOffset) return;

  response.writeHead(range === "whole" ? 200 : 206, {
    "Access-Control-Allow-Origin": "*",
    "Content-Length": last - first + 1,
    "Content-Type": "application/octet-stream",
    ETag: etag,
    ...(hidesHeaders ? {} : { "Access-Control-Expose-Headers": "Content-Range, ETag" }),
    ...(range === "whole" ? {} : { "Content-Range": `bytes ${first}-${last}/${fileBytes}` }),
  });
  if (request.method === "HEAD") return void response.end();
  const end = Math.min(last, cutOffset - 1, stallOffset - 1);
  for await (const chunk of createReadStream(path, { start: first, end })) {
    await new Promise((written) => response.write(chunk, written));
    if (flaws.isSlow) await sleep(SLOW_PIECE_MS);
  }
  if (end === last) response.end();
  else if (end === cutOffset - 1) request.socket.destroy();
}
