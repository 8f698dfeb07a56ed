/**
 * The service worker (web-ui 8, http-platform 3.7): hashed files of this build from the cache, pages from the network and
 * from the cached shell only when the network fails. Everything else passes untouched. The build fills in the three values.
 */
const BUILD_ID = "__OA_BUILD_ID__";
const PINNED = "__OA_PINNED__" as unknown as string[];
const ROLLBACK_CACHES = "__OA_ROLLBACK_CACHES__" as unknown as string[];
const PREFIX = "openagents-web-shell::";
const CACHE = PREFIX + BUILD_ID;
const SHELL = "/index.html";

const scope = globalThis as unknown as ServiceWorkerGlobalScope;

scope.addEventListener("install", (event) => {
  event.waitUntil(install());
});

async function install() {
  const cache = await caches.open(CACHE);
  await cache.addAll([...PINNED, "/manifest.json"].map((path) => new Request(path, { cache: "reload" })));
  if (!scope.registration.active) await scope.skipWaiting();
}

scope.addEventListener("activate", (event) => {
  event.waitUntil(activate());
});

async function activate() {
  const kept = new Set([CACHE, ...ROLLBACK_CACHES]);
  const names = await caches.keys();
  await Promise.all(
    names.filter((name) => name.startsWith(PREFIX) && !kept.has(name)).map((name) => caches.delete(name)),
  );
  await scope.clients.claim();
}

scope.addEventListener("message", ({ data }) => {
  if (data === "SKIP_WAITING" || data?.type === "SKIP_WAITING") void scope.skipWaiting();
});

scope.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { url } = (event.notification.data ?? {}) as { url?: unknown };
  if (typeof url === "string" && /^\/(?![/\\])/.test(url)) event.waitUntil(show(url));
});

/** Brings a window of the app to the front and leads it there; opens one where there is none. */
async function show(url: string) {
  const [first] = await scope.clients.matchAll({ type: "window", includeUncontrolled: true });
  if (!first) {
    await scope.clients.openWindow(url);
    return;
  }
  await first.focus().catch(() => {}); // the browser may keep the focus where it is
  first.postMessage({ kind: "open", url });
}

scope.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  const url = new URL(request.url);
  if (url.origin !== scope.location.origin) return;
  if (request.mode === "navigate") event.respondWith(page(request));
  else if (url.pathname !== SHELL && PINNED.includes(url.pathname)) event.respondWith(pinned(request, url.pathname));
});

async function pinned(request: Request, path: string): Promise<Response> {
  const cache = await caches.open(CACHE);
  return (await cache.match(path, { ignoreSearch: true })) ?? (await fetch(request));
}

async function page(request: Request): Promise<Response> {
  try {
    const answer = await fetch(request);
    if (isShell(answer)) await keep(answer.clone());
    return answer;
  } catch (error) {
    const shell = await (await caches.open(CACHE)).match(SHELL);
    if (shell) return shell;
    throw error;
  }
}

/** Only this build's own shell may stand in for a page: no redirect, no error, no other document. */
const isShell = (answer: Response): boolean =>
  answer.status === 200 &&
  !answer.redirected &&
  (answer.headers.get("content-type") ?? "").startsWith("text/html") &&
  answer.headers.get("x-oa-shell") === BUILD_ID;

async function keep(answer: Response) {
  try {
    await (await caches.open(CACHE)).put(SHELL, answer);
  } catch {
    // full or closed storage: the precached shell stays
  }
}
