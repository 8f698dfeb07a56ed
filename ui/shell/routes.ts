/** The route table (web-ui 2.2): pure, so that links, the gate, the return path and the router agree. */
export type PageKey =
  | "home"
  | "thread"
  | "login"
  | "login-link"
  | "pair"
  | "settings-profile"
  | "settings-sessions"
  | "settings-tokens"
  | "admin"
  | "not-found"
  | "forbidden"
  | "error"
  | "maintenance";

export interface Route {
  page: PageKey;
  /** Path parameters, decoded once. */
  params: Record<string, string>;
  /** Document title without the app's name; "" is the name alone. Pages with their own data set it later. */
  title: string;
  needs: "nothing" | "session" | "admin" | "guest";
}

interface Pattern extends Omit<Route, "params"> {
  path: RegExp;
  names?: string[];
}

const PATTERNS: Pattern[] = [
  { path: /^\/$/, page: "home", title: "", needs: "nothing" },
  { path: /^\/chat\/([^/]+)$/, names: ["threadId"], page: "thread", title: "Conversation", needs: "session" },
  { path: /^\/login$/, page: "login", title: "Log in", needs: "guest" },
  { path: /^\/login\/link\/([^/]+)$/, names: ["token"], page: "login-link", title: "Sign in", needs: "nothing" },
  { path: /^\/pair$/, page: "pair", title: "Pair a machine", needs: "session" },
  { path: /^\/settings\/profile$/, page: "settings-profile", title: "Profile settings", needs: "session" },
  { path: /^\/settings\/sessions$/, page: "settings-sessions", title: "Sessions", needs: "session" },
  { path: /^\/settings\/tokens$/, page: "settings-tokens", title: "API tokens", needs: "session" },
  { path: /^\/admin$/, page: "admin", title: "Admin", needs: "admin" },
];

/** The pages that have a path. */
export const pageKeys: readonly PageKey[] = PATTERNS.map(({ page }) => page);

/** Old names of pages; entering one replaces it. */
const ALIASES: Record<string, string> = {
  "/chat": "/",
  "/register": "/login",
  "/authenticate": "/login",
  "/settings": "/settings/profile",
};

export const status = (page: "not-found" | "forbidden" | "error" | "maintenance"): Route => ({
  page,
  params: {},
  title: { "not-found": "Not found", forbidden: "Forbidden", error: "Error", maintenance: "We'll be right back" }[page],
  needs: "nothing",
});

/** The route of a pathname, or null when it is none of the app's pages. Aliases are resolved by `canonical` before. */
export function match(pathname: string): Route | null {
  for (const { path, names, ...route } of PATTERNS) {
    const found = path.exec(pathname);
    if (!found) continue;
    const params: Record<string, string> = {};
    try {
      for (const [n, name] of (names ?? []).entries()) params[name] = decodeURIComponent(found[n + 1] ?? "");
    } catch {
      return null;
    }
    return { ...route, params };
  }
  return null;
}

/** The path a page is known by: aliases resolved, no trailing slash. */
export function canonical(pathname: string): string {
  const plain = pathname.length > 1 ? pathname.replace(/\/+$/, "") || "/" : pathname;
  return ALIASES[plain] ?? plain;
}

/** The route to show for a pathname; what is no page is the not-found page. */
export const parse = (pathname: string): Route => match(canonical(pathname)) ?? status("not-found");

export const threadPath = (threadId: string): string => `/chat/${encodeURIComponent(threadId)}`;

/** Page title rule (web-ui 2.2). */
export const documentTitle = (title: string, app: string): string =>
  title === "" || title === app ? app : `${title} - ${app}`;

export const RETURN_COOKIE = "oa_return_to";

/** A return path the app may go to after sign-in; anything else is "/" (web-ui 2.5). */
export function returnPath(value: string | null): string | null {
  if (!value || !/^\/(?![/\\])/.test(value)) return null;
  if ([...value].some((char) => char < " ")) return null;
  const pathname = value.split(/[?#]/, 1)[0] ?? "";
  const route = match(pathname);
  return route && route.page !== "login" && route.page !== "login-link" ? value : null;
}

export interface Click {
  defaultPrevented: boolean;
  button: number;
  metaKey: boolean;
  ctrlKey: boolean;
  shiftKey: boolean;
  altKey: boolean;
}
export interface Anchor {
  href: string | null;
  target: string | null;
  download: boolean;
}

/** Where a click leads inside the app, or null when it is the browser's (web-ui 2.3). */
export function intent(click: Click, anchor: Anchor | null, base: string): string | null {
  if (click.defaultPrevented || click.button !== 0) return null;
  if (click.metaKey || click.ctrlKey || click.shiftKey || click.altKey) return null;
  if (!anchor?.href || anchor.href.startsWith("#") || anchor.download) return null;
  if (anchor.target && anchor.target.toLowerCase() !== "_self") return null;
  if (!URL.canParse(anchor.href, base)) return null;
  const url = new URL(anchor.href, base);
  if (url.origin !== new URL(base).origin) return null;
  if (!match(canonical(url.pathname))) return null;
  return url.pathname + url.search + url.hash;
}
