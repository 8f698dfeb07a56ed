import { batch, computed, effect, signal } from "@preact/signals";
import { cookie, dropCookie, setCookie } from "../cookies";
import { session } from "../session";
import { freshId } from "../world";
import { app } from "./app";
import { canonical, documentTitle, intent, parse, RETURN_COOKIE, type Route, returnPath, status } from "./routes";

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

/** True while the page holds edits that leaving would lose; it asks before any navigation goes on (web-ui 7.5). */
export const unsaved = signal(false);
/** The navigation that waits for an answer: `go` lets it happen, null when none does. */
export const held = signal<{ go: () => void } | null>(null);

export const title = computed(() => documentTitle(pageTitle.value ?? route.value.title, app.name));

interface Entry {
  key: string;
  /** Position in the tab's history, so that a step back can be taken back. */
  at: number;
}

const positions = new Map<string, number>();
const POSITIONS = "oa.scroll";
/** True for back and forward: the page restores its scroll position instead of starting at the top. */
let restoring = false;
let position = 0;
/** A held step through history is being undone. */
let undoing = false;

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
  if (unsaved.peek() && !replace) {
    hold(() => navigate(target));
    return;
  }
  remember();
  const key = freshId("e");
  if (replace) history.replaceState({ key, at: position } satisfies Entry, "", address);
  else history.pushState({ key, at: ++position } satisfies Entry, "", address);
  restoring = false;
  show(key);
}

function hold(leave: () => void) {
  held.value = {
    go: () => {
      unsaved.value = false;
      leave();
    },
  };
}

/** Changes the address of the page that is shown, without a new entry, scroll or focus (filters, a thread's first id). */
export function readdress(address: string, { push = false }: { push?: boolean } = {}) {
  remember();
  const key = push ? freshId("e") : entry.value;
  if (push) history.pushState({ key, at: ++position } satisfies Entry, "", address);
  else history.replaceState({ key, at: position } satisfies Entry, "", address);
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
  const now = session.peek();
  const { kind } = now;
  if ((next.needs === "session" || next.needs === "admin") && kind === "guest") {
    setCookie(RETURN_COOKIE, location.pathname + location.search, 600);
    history.replaceState(history.state, "", "/login");
    return parse("/login");
  }
  if ((next.page === "login" || next.page === "login-link") && kind === "user") {
    const target = takeReturnPath();
    history.replaceState(history.state, "", target);
    return gated(parse(new URL(target, location.href).pathname));
  }
  if (next.needs === "admin" && now.kind === "user" && !now.isAdmin) return status("forbidden");
  return next;
}

/** Where to go after sign-in; forgets it. */
function takeReturnPath(): string {
  const target = returnPath(cookie(RETURN_COOKIE)) ?? "/";
  dropCookie(RETURN_COOKIE);
  return target;
}

/** Shows a status page under the current address (403, 404, 500 of a document or of the page's data). */
export function showStatus(page: Route) {
  batch(() => {
    pageTitle.value = null;
    route.value = page;
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
  const known = history.state as Partial<Entry> | null;
  restoring = known?.key !== undefined;
  position = known?.at ?? 0;
  const key = known?.key ?? freshId("e");
  const address = canonical(location.pathname) + location.search + location.hash;
  history.replaceState({ key, at: position } satisfies Entry, "", address);
  show(key);
  if (documentStatus === 403) showStatus(status("forbidden"));
  if (documentStatus === 500) showStatus(status("error"));
  if (documentStatus === 404) showStatus(status("not-found"));

  document.addEventListener("click", onClick, { capture: true });
  document.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("popstate", () => {
    const { key, at = position } = (history.state as Partial<Entry> | null) ?? {};
    if (undoing) {
      undoing = false;
      return;
    }
    const samePage = key === undefined || key === entry.value;
    if (samePage) {
      hash.value = location.hash;
      return settleScroll();
    }
    const step = at - position;
    if (unsaved.peek() && step !== 0) {
      undoing = true;
      history.go(-step);
      return hold(() => history.go(step));
    }
    position = at;
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
    if (!unsaved.value) return;
    const warn = (event: Event) => event.preventDefault();
    addEventListener("beforeunload", warn);
    return () => removeEventListener("beforeunload", warn);
  });
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
