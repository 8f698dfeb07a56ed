import { batch, computed, effect, signal } from "@preact/signals";
import { cookie, dropCookie, setCookie } from "../cookies";
import { session } from "../session";
import { freshId } from "../world";
import { app } from "./app";
import { canonical, documentTitle, intent, parse, RETURN_COOKIE, type Route, returnPath } from "./routes";

/**
 * Where the tab is. `route` is what to render: the gate and the alias rules are applied already. A page reads
 * `route.value.params` and `search`, and leaves with `navigate`.
 */
export const route = signal<Route>(parse(typeof location === "undefined" ? "/" : location.pathname));
export const search = signal("");
export const hash = signal("");
/** The history entry; changes with every navigation, also to the same page. */
export const entry = signal("");
/** Counts navigations after the first page (for diagnostics). */
export const navigations = signal(0);
/** Set by a page whose title comes with its data; reset by the next navigation. */
export const pageTitle = signal<string | null>(null);
/** Put before the document title while something waits in a hidden tab. */
export const badge = signal(false);

export const title = computed(() => documentTitle(pageTitle.value ?? route.value.title, app.name));

interface Entry {
  key: string;
}

const positions = new Map<string, number>();
const POSITIONS = "oa.scroll";
/** True for back and forward: the page restores its scroll position instead of starting at the top. */
let restoring = false;

const scroller = (): HTMLElement | null => document.getElementById("oa-main-shell");

function remember() {
  const main = scroller();
  if (!main || !entry.value) return;
  positions.set(entry.value, main.scrollTop);
  try {
    sessionStorage.setItem(POSITIONS, JSON.stringify([...positions].slice(-50)));
  } catch {
    // storage is off or full: positions live as long as the tab
  }
}

/** Called by the frame when the page's first content stands: restores the position or starts at the top. */
export function settleScroll() {
  const main = scroller();
  if (!main) return;
  if (hash.value.length > 1) {
    const target = document.getElementById(decodeHash(hash.value));
    if (target) return target.scrollIntoView();
  }
  main.scrollTop = restoring ? (positions.get(entry.value) ?? 0) : 0;
  restoring = false;
}

const decodeHash = (value: string): string => {
  try {
    return decodeURIComponent(value.slice(1));
  } catch {
    return "";
  }
};

/**
 * Goes to a page of the app. The same address again only scrolls up and focuses the heading. `replace` leaves no history
 * entry (aliases, gates, after sign-in).
 */
export function navigate(target: string, { replace = false }: { replace?: boolean } = {}) {
  const url = new URL(target, location.href);
  const address = canonical(url.pathname) + url.search + url.hash;
  if (!replace && address === location.pathname + location.search + location.hash) {
    scroller()?.scrollTo({ top: 0 });
    document.querySelector<HTMLElement>("#oa-main-shell h1")?.focus({ preventScroll: true });
    return;
  }
  remember();
  const key = freshId("e");
  if (replace) history.replaceState({ key } satisfies Entry, "", address);
  else history.pushState({ key } satisfies Entry, "", address);
  restoring = false;
  show(key);
}

/** Changes the address of the page that is shown, without a new entry, scroll or focus (filters, a thread's first id). */
export function readdress(address: string, { push = false }: { push?: boolean } = {}) {
  remember();
  const key = push ? freshId("e") : entry.value;
  if (push) history.pushState({ key } satisfies Entry, "", address);
  else history.replaceState({ key } satisfies Entry, "", address);
  batch(() => {
    if (push) navigations.value++;
    entry.value = key;
    search.value = location.search;
    hash.value = location.hash;
    route.value = gated(parse(location.pathname));
    pageTitle.value = null;
  });
}

function show(key: string) {
  const next = gated(parse(location.pathname));
  batch(() => {
    if (entry.value && entry.value !== key) navigations.value++;
    entry.value = key;
    search.value = location.search;
    hash.value = location.hash;
    pageTitle.value = null;
    route.value = next;
  });
}

/**
 * The gate (web-ui 2.5): a page that needs a session sends guests to the login and remembers the way back; the login sends
 * people who are signed in on. While the session is unknown nothing is decided.
 */
function gated(next: Route): Route {
  const { kind } = session.peek();
  if (next.needs === "session" && kind === "guest") {
    setCookie(RETURN_COOKIE, location.pathname + location.search, 600);
    history.replaceState(history.state, "", "/login");
    return parse("/login");
  }
  if ((next.page === "login" || next.page === "login-link") && kind === "user") {
    const target = takeReturnPath();
    history.replaceState(history.state, "", target);
    return parse(new URL(target, location.href).pathname);
  }
  return next;
}

/** Where to go after sign-in; forgets it. */
function takeReturnPath(): string {
  const target = returnPath(cookie(RETURN_COOKIE)) ?? "/";
  dropCookie(RETURN_COOKIE);
  return target;
}

/** Shows a status page under the current address (403, 404, 500 of a document or of the page's data). */
export function showStatus(status: Route) {
  batch(() => {
    pageTitle.value = null;
    route.value = status;
  });
}

/** Listens to links, history, scroll and the session. Call once at boot; `documentStatus` is the first answer's status. */
export function startRouter(documentStatus: number) {
  history.scrollRestoration = "manual";
  try {
    for (const [key, top] of JSON.parse(sessionStorage.getItem(POSITIONS) ?? "[]")) positions.set(key, top);
  } catch {
    // no positions
  }
  const known = (history.state as Partial<Entry> | null)?.key;
  restoring = known !== undefined;
  const key = known ?? freshId("e");
  const address = canonical(location.pathname) + location.search + location.hash;
  history.replaceState({ key } satisfies Entry, "", address);
  show(key);
  if (documentStatus === 403) showStatus({ page: "forbidden", params: {}, title: "Forbidden", needs: "nothing" });
  if (documentStatus === 500) showStatus({ page: "error", params: {}, title: "Error", needs: "nothing" });
  if (documentStatus === 404) showStatus({ page: "not-found", params: {}, title: "Not found", needs: "nothing" });

  document.addEventListener("click", onClick, { capture: true });
  document.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("popstate", () => {
    const { key } = (history.state as Partial<Entry> | null) ?? {};
    const samePage = key === undefined || key === entry.value;
    if (samePage) {
      hash.value = location.hash;
      return settleScroll();
    }
    remember();
    restoring = true;
    show(key);
  });
  addEventListener("pagehide", remember);
  let scrolled = false;
  document.addEventListener(
    "scroll",
    ({ target }) => {
      if (scrolled || !(target instanceof Element) || target.id !== "oa-main-shell") return;
      scrolled = true;
      setTimeout(() => {
        scrolled = false;
        remember();
      }, 250);
    },
    { capture: true, passive: true },
  );
  effect(() => {
    document.title = (badge.value ? "● " : "") + title.value;
  });
  effect(() => {
    session.value;
    const next = gated(route.peek());
    if (next !== route.peek()) show(entry.peek());
  });
}

function onClick(event: MouseEvent) {
  const anchor = event.composedPath().find((node): node is HTMLAnchorElement => node instanceof HTMLAnchorElement);
  const target = intent(
    event,
    anchor
      ? {
          href: anchor.getAttribute("href"),
          target: anchor.getAttribute("target"),
          download: anchor.hasAttribute("download"),
        }
      : null,
    location.href,
  );
  if (target === null) return;
  event.preventDefault();
  navigate(target);
}
