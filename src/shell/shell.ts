import { randomBytes } from "node:crypto";
import type { Config } from "../config";
import { baseHeaders, failure, respond } from "../http/answer";
import type { Caller } from "../http/caller";
import { cookieText } from "../http/cookies";
import { corsHeaders } from "../http/cors";
import { errorAnswer } from "../http/errors";
import type { Guards } from "../http/guards";
import { documentSecurity, plainSecurity, transportSecurity } from "../http/security-headers";
import type { RequestState } from "../http/state";
import { Refusal } from "../refusal";
import type { WebFile, WebFiles } from "./files";
import { hasExtension, isForeignPath, isPage, pageRule } from "./pages";
import { serveFile } from "./serve-file";
import { startFiles } from "./start-files";

const noStore = "no-cache, no-store, must-revalidate";
const requestId = /^[A-Za-z0-9._:/+=@-]{1,160}$/;

export interface Shell {
  /** A hashed file, before anything else of the platform runs; null when the path is none. */
  asset(request: Request, path: string): Response | null;
  /** Files, pages, redirects and page errors; null when the path belongs to the routes. */
  page(request: Request, state: RequestState): Promise<Response | null>;
  /** The shell with an error's status, for page routes (http-platform 2.8). */
  errorPage(request: Request, state: RequestState, status: number): Response;
}

interface ShellDeps {
  config: Config;
  guards: Guards;
  web: WebFiles;
}

/** The embedded web app: assets, page fallback, service worker (http-platform 3.6, 3.7; web-ui 2.1). */
export function createShell({ config, guards, web: built }: ShellDeps): Shell {
  const web = startFiles(config, built);
  const { files } = web;
  const shell = files.get("/index.html") as WebFile;
  const buildId = web.facts.buildId;

  const asset = (request: Request, path: string): Response | null => {
    const file = files.get(path);
    if (!file || (request.method !== "GET" && request.method !== "HEAD")) return null;
    const given = request.headers.get("x-request-id");
    return serveFile(request, file, {
      ...plainSecurity,
      "cross-origin-resource-policy": "same-origin",
      "x-request-id": given && requestId.test(given) ? given : crypto.randomUUID(),
      "cache-control": file.hashed ? "public, max-age=31536000, immutable" : "public, max-age=60",
      "accept-ranges": "none",
    });
  };

  const documentHeaders = (state: RequestState): Record<string, string> => {
    const headers: Record<string, string> = {
      ...documentSecurity,
      "x-request-id": state.facts.requestId,
      "cache-control": noStore,
      "x-oa-shell": buildId,
    };
    const transport = transportSecurity(config, state.facts);
    if (transport) headers["strict-transport-security"] = transport;
    return headers;
  };

  const document = (request: Request, state: RequestState, status = 200): Response => {
    if (!state.facts.cookies["XSRF-TOKEN"]) {
      state.cookies ??= [];
      state.cookies.push(cookieText(state.facts, "XSRF-TOKEN", csrfToken(), { maxAge: 7200, readable: true }));
    }
    const response = serveFile(request, shell, { ...documentHeaders(state), ...state.headers }, status);
    for (const cookie of state.cookies ?? []) response.headers.append("set-cookie", cookie);
    return response;
  };

  const redirect = (request: Request, state: RequestState, to: string, status = 302): Response =>
    respond(null, status, { ...baseHeaders(config, request, state.path, state), location: to }, state);

  const refuse = (request: Request, state: RequestState, message: string): Response =>
    failure(config, request, state.path, state, errorAnswer(404, "not_found", message));

  const gate = (request: Request, state: RequestState): Response => {
    const query = request.url.indexOf("?");
    const wanted = state.path + (query < 0 ? "" : request.url.slice(query));
    if (isPage(wanted)) {
      state.cookies ??= [];
      state.cookies.push(
        cookieText(state.facts, "oa_return_to", encodeURIComponent(wanted), { maxAge: 600, readable: true }),
      );
    }
    return redirect(request, state, "/login");
  };

  const visitor = async (request: Request, state: RequestState): Promise<Caller | null> => {
    const { cookies } = state.facts;
    if (!cookies.oa_access_token && !cookies.oa_refresh_token && !request.headers.has("authorization")) return null;
    try {
      state.caller = await guards.caller(request, state.facts);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
    }
    return state.caller;
  };

  const missing = (request: Request, state: RequestState): Response => {
    if (wantsHtml(request)) return document(request, state, 404);
    return refuse(request, state, `Route '${state.path}' was not found.`);
  };

  const file = (request: Request, state: RequestState): Response | null => {
    const { path } = state;
    if (path === "/index.html") return document(request, state);
    const found = files.get(path);
    if (!found) return null;
    if (path === "/api/docs") {
      const headers = {
        ...documentSecurity,
        "x-request-id": state.facts.requestId,
        "cache-control": "public, max-age=60",
      };
      return serveFile(request, found, headers);
    }
    const machine = path === "/manifest.json" || path === "/sw.js";
    const headers: Record<string, string> = {
      ...plainSecurity,
      "x-request-id": state.facts.requestId,
      "cross-origin-resource-policy": "same-origin",
      "cache-control": machine ? noStore : "public, max-age=60",
    };
    // A worker obeys the policy of its own script; with `default-src 'none'` it could fetch nothing.
    if (path === "/sw.js") headers["content-security-policy"] = documentSecurity["content-security-policy"];
    if (path === "/manifest.json") Object.assign(headers, corsHeaders(config, request.headers.get("origin")));
    return serveFile(request, found, headers);
  };

  return {
    asset,
    errorPage: document,
    async page(request, state) {
      const { path } = state;
      if (request.method !== "GET" && request.method !== "HEAD") return null;
      const found = file(request, state);
      if (found) return found;
      if (path.startsWith("/assets/"))
        return refuse(request, state, `Asset '${decoded(path.slice(8))}' was not found.`);
      if (isForeignPath(path) || path === "/openapi.json") return null;
      if (path.length > 1 && path.endsWith("/") && !path.includes("//")) {
        const query = request.url.indexOf("?");
        const bare = path.replace(/\/+$/, "") || "/";
        return redirect(request, state, bare + (query < 0 ? "" : request.url.slice(query)), 301);
      }
      const rule = pageRule(path);
      if (rule.kind === "missing") {
        return hasExtension(path)
          ? refuse(request, state, `Asset '${path.slice(1)}' was not found.`)
          : missing(request, state);
      }
      const caller = await visitor(request, state);
      if (rule.kind === "redirect") return redirect(request, state, caller ? rule.member : rule.guest);
      if (rule.kind === "guest" && caller) return redirect(request, state, "/");
      if ((rule.kind === "member" || rule.kind === "admin") && !caller) return gate(request, state);
      if (rule.kind === "admin" && !caller?.user.isAdmin) return document(request, state, 403);
      return document(request, state);
    },
  };
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** 40 alphanumerics (auth 2.0). */
function csrfToken(): string {
  let text = "";
  while (text.length < 40) {
    for (const byte of randomBytes(64)) if (byte < 248 && text.length < 40) text += alphabet[byte % 62];
  }
  return text;
}

const decoded = (path: string): string => {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
};

/** `Accept` lists `text/html` with q > 0. */
function wantsHtml(request: Request): boolean {
  return (request.headers.get("accept") ?? "")
    .split(",")
    .some((part) => /^\s*text\/html\b/.test(part) && !/;\s*q=0(\.0*)?\s*(;|$)/.test(part));
}
