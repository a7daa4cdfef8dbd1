/** The server of `make serve`: ranges, validators, and what it keeps to itself. No browser is needed. */

import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createHandler, listen, parseRange } from "../../scripts/serve.mjs";

const MODEL = "GGUF0123456789";
const CATALOGUE_ENTRY = {
  id: "known",
  name: "Known",
  urls: ["https://example.org/known.gguf"],
  bytes: MODEL.length,
  sha256: "ab",
};

describe("parseRange", () => {
  const cases = [
    { name: "no header", header: undefined, expected: "whole" },
    { name: "first bytes", header: "bytes=0-3", expected: { first: 0, last: 3 } },
    { name: "open end", header: "bytes=4-", expected: { first: 4, last: 9 } },
    { name: "end past the file", header: "bytes=4-99", expected: { first: 4, last: 9 } },
    { name: "last bytes", header: "bytes=-3", expected: { first: 7, last: 9 } },
    { name: "more last bytes than there are", header: "bytes=-99", expected: { first: 0, last: 9 } },
    { name: "start past the file", header: "bytes=10-", expected: "unsatisfiable" },
    { name: "no last bytes", header: "bytes=-0", expected: "unsatisfiable" },
    { name: "backwards", header: "bytes=5-2", expected: "whole" },
    { name: "several ranges", header: "bytes=0-1,4-5", expected: "whole" },
    { name: "another unit", header: "lines=0-1", expected: "whole" },
  ];
  for (const { name, header, expected } of cases) {
    it(name, () => assert.deepEqual(parseRange(header, 10), expected));
  }
});

describe("the server", () => {
  /** @type {string} */
  let folder;
  /** @type {Awaited<ReturnType<typeof listen>>} */
  let server;
  /** @type {string} */
  let modelUrl;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "qwisp-serve-"));
    const distDir = join(folder, "dist");
    await mkdir(distDir);
    await writeFile(join(distDir, "index.html"), "<!doctype html>");
    await writeFile(join(distDir, "module.wasm"), "\0asm");
    await writeFile(join(distDir, "empty.js"), "");
    await writeFile(join(distDir, "models.json"), JSON.stringify({ models: [CATALOGUE_ENTRY] }));
    await writeFile(join(folder, "secret.txt"), "secret");
    await symlink(join(folder, "secret.txt"), join(distDir, "link.txt"));
    const modelPath = join(folder, "known.gguf");
    await writeFile(modelPath, MODEL);
    server = await listen(createHandler({ distDir, modelPath }));
    modelUrl = `${server.url}models/known.gguf`;
  });

  after(async () => {
    await server.close();
    await rm(folder, { recursive: true });
  });

  it("gives the page at the root, with the types that browsers insist on", async () => {
    assert.match((await fetch(server.url)).headers.get("content-type") ?? "", /^text\/html/);
    assert.equal((await fetch(`${server.url}module.wasm`)).headers.get("content-type"), "application/wasm");
    const script = await fetch(`${server.url}empty.js`);
    assert.match(script.headers.get("content-type") ?? "", /^text\/javascript/);
    assert.equal(await script.text(), "");
  });

  it("gives the whole model, and says that it knows ranges", async () => {
    const response = await fetch(modelUrl);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("accept-ranges"), "bytes");
    assert.equal(response.headers.get("content-length"), String(MODEL.length));
    assert.equal(await response.text(), MODEL);
  });

  it("gives a range, also to a page of another origin", async () => {
    const response = await fetch(modelUrl, { headers: { Range: "bytes=4-6" } });
    assert.equal(response.status, 206);
    assert.equal(response.headers.get("content-range"), `bytes 4-6/${MODEL.length}`);
    assert.equal(await response.text(), "012");
    assert.equal(response.headers.get("access-control-allow-origin"), "*");
    assert.match(response.headers.get("access-control-expose-headers") ?? "", /Content-Range/);
    assert.equal(response.headers.get("cross-origin-resource-policy"), "cross-origin");
  });

  it("refuses a range past the end, and says how long the file is", async () => {
    const response = await fetch(modelUrl, { headers: { Range: "bytes=99-" } });
    assert.equal(response.status, 416);
    assert.equal(response.headers.get("content-range"), `bytes */${MODEL.length}`);
  });

  it("answers HEAD without a body", async () => {
    const response = await fetch(modelUrl, { method: "HEAD" });
    assert.equal(response.headers.get("content-length"), String(MODEL.length));
    assert.equal(await response.text(), "");
  });

  it("continues a download only of the file that it began with", async () => {
    const etag = (await fetch(modelUrl, { method: "HEAD" })).headers.get("etag") ?? "";
    assert.match(etag, /^"[^"]+"$/); // strong: If-Range takes no weak one
    const same = await fetch(modelUrl, { headers: { Range: "bytes=4-", "If-Range": etag } });
    assert.equal(same.status, 206);
    const other = await fetch(modelUrl, { headers: { Range: "bytes=4-", "If-Range": '"other"' } });
    assert.equal(other.status, 200);
    assert.equal(await other.text(), MODEL);

    await utimes(join(folder, "known.gguf"), 1, 1);
    const changed = await fetch(modelUrl, { headers: { Range: "bytes=4-", "If-Range": etag } });
    assert.equal(changed.status, 200);
    await changed.text();
  });

  it("sends nothing that the browser has already", async () => {
    const etag = (await fetch(server.url, { method: "HEAD" })).headers.get("etag") ?? "";
    assert.equal((await fetch(server.url, { headers: { "If-None-Match": etag } })).status, 304);
  });

  it("shows nothing outside its folder", async () => {
    // fetch would tidy up such a path before it is sent.
    const statusOf = (/** @type {string} */ path) =>
      new Promise((resolve, reject) => {
        const { port } = new URL(server.url);
        request({ port, path }, (response) => resolve(response.resume().statusCode))
          .on("error", reject)
          .end();
      });
    for (const path of ["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/link.txt", "/%00", "/%zz"]) {
      assert.equal(await statusOf(path), 404, path);
    }
  });

  it("answers 404 for what is not there, and 405 for what it does not do", async () => {
    assert.equal((await fetch(`${server.url}missing.js`)).status, 404);
    assert.equal((await fetch(`${server.url}models/other.gguf`)).status, 404);
    assert.equal((await fetch(server.url, { method: "POST" })).status, 405);
  });

  it("lists the local model first, with the hash that the catalogue knows for it", async () => {
    const { models } = await (await fetch(`${server.url}models.json`)).json();
    assert.equal(models.length, 2);
    assert.equal(models[0].id, "local");
    assert.deepEqual(models[0].urls, ["models/known.gguf"]);
    assert.equal(models[0].bytes, MODEL.length);
    assert.equal(models[0].sha256, CATALOGUE_ENTRY.sha256);
    assert.deepEqual(models[1], CATALOGUE_ENTRY);
  });
});
