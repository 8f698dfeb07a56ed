import { cookie } from "./cookies";
import { aborted, type Failure, failureOf, unreachable } from "./failure";
import { csrfLost, maintenance, online, reached, unreached, upgradeRequired } from "./status";
import { world } from "./world";

/** Either `data` (the parsed body, envelope included) or `failure`; never throws. */
export type Answer<T> =
  | { data: T; failure?: undefined; status: number }
  | { data?: undefined; failure: Failure; status: number };

export interface Ask {
  query?: Record<string, string | number | boolean | null | undefined>;
  signal?: AbortSignal;
  headers?: Record<string, string>;
  /** Lets the request outlive the page (telemetry on hide). */
  keepalive?: boolean;
  /** A 401 is an answer here, not the end of the session (boot, sign-in). */
  guest?: boolean;
}

type Method = "GET" | "POST" | "PATCH" | "PUT" | "DELETE";

/** What happens when the refresh was refused too: session.ts signs the tab out. */
export const hooks: { expired: () => void } = { expired: () => {} };

/** Builds a path and encodes every value: path`/api/runtime/threads/${id}`. */
export const path = (parts: TemplateStringsArray, ...values: (string | number)[]): string =>
  parts.reduce((all, part, n) => all + encodeURIComponent(String(values[n - 1])) + part);

function address(url: string, query: Ask["query"]): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== null && value !== undefined) search.set(name, String(value));
  }
  const text = search.toString();
  return text ? `${url}${url.includes("?") ? "&" : "?"}${text}` : url;
}

interface Wire {
  status: number;
  headers: Headers;
  text: string;
}

async function once(method: Method, url: string, body: unknown, ask: Ask): Promise<Wire | Failure> {
  const headers: Record<string, string> = { accept: "application/json", "x-client": "openagents-web", ...ask.headers };
  if (method !== "GET") {
    const token = cookie("XSRF-TOKEN");
    if (token) headers["x-xsrf-token"] = encodeURIComponent(token);
    if (body !== undefined) headers["content-type"] = "application/json";
  }
  try {
    const answer = await world.fetch(url, {
      method,
      headers,
      credentials: "same-origin",
      redirect: "manual",
      cache: "no-store",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(ask.signal ? { signal: ask.signal } : {}),
      ...(ask.keepalive ? { keepalive: true } : {}),
    });
    const text = await answer.text();
    reached();
    // A redirect is opaque to scripts: status 0, no headers. Only sign-in and sign-out forms answer so, with success.
    return { status: answer.type === "opaqueredirect" ? 302 : answer.status, headers: answer.headers, text };
  } catch {
    if (ask.signal?.aborted) return aborted();
    unreached();
    return unreachable(online.value);
  }
}

let refreshing: Promise<"renewed" | "refused" | "unknown"> | null = null;

/** One refresh at a time for the tab, whoever asks (web-ui 5.2). */
export function refresh(): Promise<"renewed" | "refused" | "unknown"> {
  refreshing ??= once("POST", "/api/auth/refresh", {}, {})
    .then((wire) => {
      if (!("text" in wire)) return "unknown" as const;
      if (wire.status < 300) return "renewed" as const;
      return wire.status === 401 || wire.status === 403 ? ("refused" as const) : ("unknown" as const);
    })
    .finally(() => {
      refreshing = null;
    });
  return refreshing;
}

const settled = (wire: Wire): boolean => wire.status >= 200 && wire.status < 400;

async function request<T>(method: Method, target: string, body: unknown, ask: Ask): Promise<Answer<T>> {
  const url = address(target, ask.query);
  const again = () => once(method, url, body, ask);
  let wire = await again();

  if ("text" in wire && wire.status === 401 && !ask.guest) {
    const session = await refresh();
    if (session === "renewed") wire = await again();
    if (session === "refused" || ("text" in wire && session === "renewed" && wire.status === 401)) hooks.expired();
  }
  if ("text" in wire && wire.status === 419) {
    await once("GET", "/sanctum/csrf-cookie", undefined, {});
    wire = await again();
    if ("text" in wire && wire.status === 419) csrfLost.value = true;
  }
  if (method === "GET" && "text" in wire && [500, 502, 504].includes(wire.status)) {
    await world.wait(1000);
    if (!ask.signal?.aborted) wire = await again();
  }

  if (ask.signal?.aborted) return { failure: aborted(), status: 0 };
  if (!("text" in wire)) return { failure: wire, status: 0 };
  if (settled(wire)) return { data: parse<T>(wire.text), status: wire.status };

  const failure = failureOf(wire.status, wire.headers, wire.text);
  if (failure.kind === "maintenance") maintenance.value = failure.message;
  if (failure.kind === "upgrade") upgradeRequired.value = failure.message;
  return { failure, status: wire.status };
}

function parse<T>(text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    return {} as T; // 204, redirects
  }
}

/**
 * The typed way to the API (web-ui 5). Same origin, cookies, XSRF header, JSON; `T` is the whole body.
 * 401: one shared refresh, one retry, then the session ends. 419: new token, one retry. GET on 500/502/504: one retry
 * after a second. Mutations are never repeated otherwise: pass the endpoint's own idempotency key and call again.
 *
 *     const { data, failure } = await api.get<{ data: Thread }>(path`/api/runtime/threads/${id}`, { signal });
 *     if (failure) return show(failure.message);   // failure.kind "aborted" when the page was left
 */
export const api = {
  get: <T>(url: string, ask: Ask = {}) => request<T>("GET", url, undefined, ask),
  post: <T>(url: string, body?: unknown, ask: Ask = {}) => request<T>("POST", url, body, ask),
  patch: <T>(url: string, body?: unknown, ask: Ask = {}) => request<T>("PATCH", url, body, ask),
  delete: <T>(url: string, body?: unknown, ask: Ask = {}) => request<T>("DELETE", url, body, ask),
};
