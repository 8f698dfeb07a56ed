import type { Config } from "../config";
import { baseHeaders, failure, respond } from "../http/answer";
import type { Caller } from "../http/caller";
import { cookieText } from "../http/cookies";
import { corsHeaders } from "../http/cors";
import { errorAnswer } from "../http/errors";
import type { Guards } from "../http/guards";
import { earlyRoute, type Route } from "../http/routes";
import { documentSecurity, plainSecurity, transportSecurity } from "../http/security-headers";
import type { RequestState } from "../http/state";
import { wantsHtml } from "../http/treatment";
import { randomLetters } from "../letters";
import { Refusal } from "../refusal";
import type { Archive } from "./archive";
import type { WebFile, WebFiles } from "./files";
import {
  hasExtension,
  isForeignPath,
  isPage,
  isPageMethod,
  type PageRule,
  pageRule,
  pages,
  pageTemplate,
} from "./pages";
import { type ReadyFile, readyFile } from "./serve-file";
import { startFiles } from "./start-files";
import { folderFile } from "./static-folder";

const noStore = "no-cache, no-store, must-revalidate";
const requestId = /^[A-Za-z0-9._:/+=@-]{1,160}$/;

export interface Shell {
  /** The pages and files that are answered before the routes. */
  routes: Route[];
  /** A hashed file, before anything else of the platform runs; null when the path is none. */
  asset(request: Request, path: string): Response | null;
  /** A page that is open to everybody, for somebody without any credential: nothing is looked up. Null for all else. */
  guestPage(request: Request, state: RequestState): Response | null;
  /** Files, pages, redirects and page errors; null when the path belongs to the routes. */
  page(request: Request, state: RequestState): Promise<Response | null>;
  /** The shell with an error's status, for page routes (http-platform 2.8). */
  errorPage(request: Request, state: RequestState, status: number): Response;
}

interface ShellDeps {
  config: Config;
  guards: Guards;
  web: WebFiles;
  /** Files of other builds, where there is a place for them. */
  archive?: Pick<Archive, "find"> | null;
  /** Pages that this server's configuration takes away. */
  closed?: (path: string) => boolean;
  /** Paths that a route has, under some method. */
  taken?: (path: string) => boolean;
  /** Told of each page that somebody who is known gets to see. */
  seen?: (request: Request, state: RequestState) => void;
}

/** The embedded web app: assets, page fallback, service worker (http-platform 3.6, 3.7; web-ui 2.1). */
export function createShell(deps: ShellDeps): Shell {
  const { config, guards, web: built, archive = null, closed = () => false, taken = () => false, seen } = deps;
  const web = startFiles(config, built);
  const { files } = web;
  const folder = config.OA_CONTROL_STATIC_DIR;
  const buildId = web.facts.buildId;

  const assetHeaders = ({ hashed }: Pick<WebFile, "hashed">) => ({
    ...plainSecurity,
    "cross-origin-resource-policy": "same-origin",
    "cache-control": hashed ? "public, max-age=31536000, immutable" : "public, max-age=60",
    "accept-ranges": "none",
  });
  const assets = new Map<string, ReadyFile>();
  for (const [path, file] of files)
    if (path.startsWith("/assets/")) assets.set(path, readyFile(file, assetHeaders(file)));

  const asset = (request: Request, path: string): Response | null => {
    const ready = assets.get(path);
    if (!ready || folder || (request.method !== "GET" && request.method !== "HEAD")) return null;
    const response = ready(request);
    const given = request.headers.get("x-request-id");
    response.headers.set("x-request-id", given && requestId.test(given) ? given : crypto.randomUUID());
    return response;
  };

  const shellHeaders = { ...documentSecurity, "cache-control": noStore, "x-oa-shell": buildId };
  const shells = new Map<number, ReadyFile>();
  const shellOf = (status: number): ReadyFile => {
    const known = shells.get(status);
    if (known) return known;
    const ready = readyFile(files.get("/index.html") as WebFile, shellHeaders, status);
    shells.set(status, ready);
    return ready;
  };

  /** Adds to a copy of a ready answer what belongs to the request. */
  const complete = (response: Response, state: RequestState): Response => {
    response.headers.set("x-request-id", state.facts.requestId);
    const transport = transportSecurity(config, state.facts);
    if (transport) response.headers.set("strict-transport-security", transport);
    for (const name in state.headers) response.headers.set(name, state.headers[name] as string);
    for (const cookie of state.cookies ?? []) response.headers.append("set-cookie", cookie);
    return response;
  };

  const document = (request: Request, state: RequestState, status = 200): Response => {
    if (!state.facts.cookies["XSRF-TOKEN"]) {
      state.cookies ??= [];
      state.cookies.push(cookieText(state.facts, "XSRF-TOKEN", randomLetters(40), { maxAge: 7200, readable: true }));
    }
    return complete(shellOf(status)(request, state), state);
  };

  const redirect = (request: Request, state: RequestState, to: string, status = 302): Response =>
    respond(null, status, { ...baseHeaders(config, request, state.path, state), location: to }, state);

  const refuse = (request: Request, state: RequestState, message: string): Response =>
    failure(config, request, state.path, state, errorAnswer(404, "not_found", message));

  const addressOf = (request: Request, path: string): string => {
    const query = request.url.indexOf("?");
    return path + (query < 0 ? "" : request.url.slice(query));
  };

  /** To the login, which leads on to `path`. */
  const gate = (request: Request, state: RequestState, path = state.path): Response => {
    const wanted = addressOf(request, path);
    if (isPage(wanted)) {
      state.cookies ??= [];
      state.cookies.push(
        cookieText(state.facts, "oa_return_to", encodeURIComponent(wanted), { maxAge: 600, readable: true }),
      );
    }
    return redirect(request, state, "/login");
  };

  const isGuest = (request: Request, { facts: { cookies } }: RequestState): boolean =>
    !cookies.oa_access_token && !cookies.oa_refresh_token && !request.headers.has("authorization");

  const visitor = async (request: Request, state: RequestState): Promise<Caller | null> => {
    if (isGuest(request, state)) return null;
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

  const headersOf = (path: string): Record<string, string> => {
    if (path === "/api/docs") return { ...documentSecurity, "cache-control": "public, max-age=60" };
    if (path.startsWith("/assets/")) return assetHeaders({ hashed: false });
    const machine = path === "/manifest.json" || path === "/sw.js";
    return {
      ...plainSecurity,
      "cross-origin-resource-policy": "same-origin",
      "cache-control": machine ? noStore : "public, max-age=60",
      // A worker obeys the policy of its own script; with `default-src 'none'` it could fetch nothing.
      ...(path === "/sw.js" ? { "content-security-policy": documentSecurity["content-security-policy"] } : {}),
    };
  };
  const readyFiles = new Map<string, ReadyFile>();

  const file = (request: Request, state: RequestState): Response | null => {
    const { path } = state;
    if (path === "/index.html") {
      state.route = path;
      return document(request, state);
    }
    const found = files.get(path);
    if (!found) return null;
    state.route = path.startsWith("/assets/") ? "/assets/:path" : path;
    if (path === "/manifest.json") {
      const headers = { ...headersOf(path), ...corsHeaders(config, request.headers.get("origin")) };
      return complete(readyFile(found, headers)(request, state), state);
    }
    const ready = readyFiles.get(path) ?? readyFile(found, headersOf(path));
    readyFiles.set(path, ready);
    return complete(ready(request, state), state);
  };

  /** For work on the web app: what the folder has comes from there, the shell too. */
  const fromFolder = async (request: Request, state: RequestState): Promise<Response | null> => {
    const { path } = state;
    if (!folder || isForeignPath(path.replace(/^\/assets\//, "/"))) return null;
    const isFile = hasExtension(path) && path !== "/index.html";
    const found = await folderFile(folder, isFile ? path : "/index.html");
    if (!found) return null;
    if (isFile) return complete(readyFile(found, headersOf(path))(request, state), state);
    files.set("/index.html", found);
    shells.clear();
    return null;
  };

  return {
    routes: [
      ...Object.entries(pages)
        .filter(([path]) => !closed(path))
        .flatMap(([path, rule]) => pageRoutes(path, rule)),
      ...["/index.html", ...files.keys()]
        .filter((path) => !path.startsWith("/assets/"))
        .map((path) =>
          earlyRoute("shell", path, {}, path === "/index.html" ? noStore : headersOf(path)["cache-control"]),
        ),
      earlyRoute("shell", "/assets/:path", {}, "public, max-age=31536000, immutable"),
    ],
    asset,
    errorPage: document,
    guestPage(request, state) {
      if (folder || (request.method !== "GET" && request.method !== "HEAD")) return null;
      if (pageRule(state.path).kind !== "public" || !isGuest(request, state)) return null;
      state.route = pageTemplate(state.path);
      return document(request, state);
    },
    async page(request, state) {
      const { path } = state;
      if (!isPageMethod(request.method, path)) return null;
      const found = (await fromFolder(request, state)) ?? file(request, state);
      if (found) return found;
      if (path.startsWith("/assets/")) {
        state.route = "/assets/:path";
        const other = (await archive?.find(path)) ?? null;
        if (other) return complete(readyFile(other, assetHeaders(other))(request, state), state);
        return refuse(request, state, `Asset '${decoded(path.slice(8))}' was not found.`);
      }
      if (isForeignPath(path) || path === "/openapi.json") return null;
      if (path.length > 1 && path.endsWith("/") && !path.includes("//")) {
        return redirect(request, state, addressOf(request, path.replace(/\/+$/, "") || "/"), 301);
      }
      const rule: PageRule = closed(path) ? { kind: "missing" } : pageRule(path);
      if (rule.kind === "missing") {
        if (taken(path) && !closed(path)) return null;
        return hasExtension(path)
          ? refuse(request, state, `Asset '${path.slice(1)}' was not found.`)
          : missing(request, state);
      }
      state.route = pageTemplate(path);
      const caller = await visitor(request, state);
      if (rule.kind === "redirect") {
        return !caller && rule.guest === "/login" && isPage(rule.member)
          ? gate(request, state, rule.member)
          : redirect(request, state, caller ? rule.member : rule.guest);
      }
      if (rule.kind === "guest" && caller) return redirect(request, state, "/");
      if ((rule.kind === "member" || rule.kind === "admin") && !caller) return gate(request, state);
      if (rule.kind === "admin" && !caller?.user.isAdmin) return document(request, state, 403);
      if (caller) seen?.(request, state);
      return document(request, state);
    },
  };
}

function pageRoutes(path: string, rule: PageRule): Route[] {
  switch (rule.kind) {
    case "redirect":
      return (rule.methods ?? ["GET"]).map((method) => ({
        ...earlyRoute("shell", path, rule.methods ? { proof: "page" } : {}),
        method,
      }));
    case "guest":
      return [earlyRoute("shell", path, { guest: true }, noStore)];
    case "member":
      return [earlyRoute("shell", path, { proof: "page" }, noStore)];
    case "admin":
      return [earlyRoute("shell", path, { proof: "page, admin" }, noStore)];
    default:
      return [earlyRoute("shell", path, {}, noStore)];
  }
}

const decoded = (path: string): string => {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
};
