/**
 * Keeps the page itself, so that it opens without a network. Models are none of its business: the engine keeps them.
 *
 * A version is a list of files with their hashes, filled in by the build. A new one waits until no tab uses the old one, or
 * until the page, which asks its reader, says so.
 */
const BUILD = /** @type {{ version: string, files: Record<string, string> }} */ ({ version: "", files: {} });

const scope = new URL(self.registration.scope);
const prefix = `qwisp-shell ${scope.pathname} `;
const cacheName = prefix + BUILD.version;
/** The list of models, which is as the server has it. */
const MODELS = "models.json";
/** So long the page waits for the server's list where it has an older one. */
const PATIENCE_MS = 3000;

/** The key of a file in a cache: a file that did not change is taken over from the version before. */
const keyOf = (path) => new URL(`${path}?${BUILD.files[path]}`, scope).href;

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("message", ({ data }) => {
  if (data === "activate") self.skipWaiting();
});
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== scope.origin || !url.pathname.startsWith(scope.pathname)) return;
  const path = url.pathname.slice(scope.pathname.length).replace(/^index\.html$/, "");
  if (Object.hasOwn(BUILD.files, path)) event.respondWith(path === MODELS ? newest(request) : kept(request, path));
});

async function install() {
  const cache = await caches.open(cacheName);
  const addFile = async (path) => {
    const key = keyOf(path);
    const response = (await matchOwn(key)) ?? (await fetchChecked(path));
    // A page may not be opened by a response that was redirected.
    await cache.put(key, response.redirected ? new Response(response.body, response) : response);
  };
  await Promise.all(Object.keys(BUILD.files).map(addFile));
}

/** A file of exactly this version: a server in the middle of an update has some of another. */
async function fetchChecked(path) {
  const response = await fetch(new URL(path, scope), { cache: "no-cache" });
  if (!response.ok) throw new Error(`${path}: expected a file of the page, got HTTP ${response.status}`);
  if (path === MODELS) return response; // belongs to no version
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await response.clone().arrayBuffer()));
  const hash = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const expected = BUILD.files[path];
  if (!hash.startsWith(expected)) throw new Error(`${path}: expected a file with the hash ${expected}, got ${hash}`);
  return response;
}

/** Deletes older versions of this page, and nothing else: other pages of this origin have caches, too. */
async function activate() {
  for (const name of await ownCaches()) if (name !== cacheName) await caches.delete(name);
  await self.clients.claim();
}

async function ownCaches() {
  return (await caches.keys()).filter((name) => name.startsWith(prefix));
}

async function matchOwn(key) {
  for (const name of await ownCaches()) {
    const found = await (await caches.open(name)).match(key);
    if (found) return found;
  }
}

async function kept(request, path) {
  return (await (await caches.open(cacheName)).match(keyOf(path))) ?? fetch(request);
}

/** The list of models as the server has it now, or, where that doesn't come soon or is none, as it was. */
async function newest(request) {
  const cache = await caches.open(cacheName);
  const key = keyOf(MODELS);
  const found = await cache.match(key);
  if (!found) return fetch(request);
  const fetched = async () => {
    const response = await fetch(request);
    if (!response.ok) throw new Error(`${MODELS}: expected a list, got HTTP ${response.status}`);
    await response.clone().json(); // some networks answer with a page of their own
    await cache.put(key, response.clone());
    return response;
  };
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, found));
  return Promise.race([fetched().catch(() => found), late]);
}
