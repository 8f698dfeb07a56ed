import type { Config } from "../config";
import type { Log } from "../telemetry/log";
import type { Metrics } from "../telemetry/metrics";
import { redact } from "../telemetry/redact";
import type { Span, Spans } from "../telemetry/spans";
import { remembering } from "./address";
import { baseHeaders, failure, respond } from "./answer";
import { hasCors } from "./cors";
import { errorAnswer, methodList, wrongMethod } from "./errors";
import { formRequest, isFormPost } from "./form-method";
import { handlerLimit } from "./handler-limit";
import { factsOf, isServedHost, type Reception } from "./receive";
import type { RecentErrors } from "./recent-errors";
import { methodsOf, type RouteTable } from "./routes";
import { type RequestState, remember } from "./state";
import { explain } from "./treatment";

/** The server as the entry sees it. */
export interface Peer {
  requestIP(request: Request): { address: string } | null;
  /** Seconds that this request's connection may be silent; 0 = for ever. */
  timeout?(request: Request, seconds: number): void;
}

export interface Entry {
  config: Config;
  log: Log;
  metrics: Metrics;
  /** Where spans go, when somebody collects them. */
  spans: Spans | null;
  reception: Reception;
  routes: RouteTable;
  /** Answers before any route: sockets, health, files, pages. Null = go on to the routes. */
  before(
    request: Request,
    state: RequestState,
    server: Peer,
  ): Response | null | undefined | Promise<Response | null | undefined>;
  /** Turns requests away before anything is looked up: what clients are too old, maintenance. Null = go on. */
  gate?: (request: Request, state: RequestState) => Response | Promise<Response> | null;
  /** Whether the gate lets hashed files through without a look. */
  open?: () => boolean;
  errors: RecentErrors;
  /** Hashed files, which need nothing of what follows. Null = no such file. */
  fast(request: Request, path: string): Response | null;
  /** The composed routes. */
  handle(request: Request): Response | Promise<Response>;
}

const longestUrl = 8192;
const hostless = new Set(["/healthz", "/readyz", "/up", "/metrics"]);

/** The request's path as sent, without query; null when it is no valid percent-encoding of UTF-8 (http-platform 2.2). */
function pathOf(url: string): { path: string; valid: boolean } {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const at = start < 0 ? url.length : start;
  const query = url.indexOf("?", at);
  const path = url.slice(at, query < 0 ? undefined : query) || "/";
  if (!path.includes("%")) return { path, valid: true };
  try {
    decodeURIComponent(path);
    return { path, valid: true };
  } catch {
    return { path, valid: false };
  }
}

/**
 * The first steps of http-platform 2.1 for every request, then the routes, then the access log. Never throws, never answers
 * without a request id.
 */
export function entry(deps: Entry) {
  const { config } = deps;
  const inFlight = { now: 0 };
  const limit = handlerLimit(config, deps.routes);

  const answer = (
    request: Request,
    state: RequestState,
    server: Peer,
    valid: boolean,
  ): Response | Promise<Response> => {
    const { path } = state;
    const refuse = (status: number, code: string, message: string, headers = {}) =>
      failure(config, request, path, state, errorAnswer(status, code, message, headers));
    if (request.url.length > longestUrl)
      return refuse(414, "invalid_request", "Request-URI Too Long", { connection: "close" });
    if (!hostless.has(path) && !isServedHost(state.facts.host, deps.reception.hosts)) {
      return refuse(
        421,
        "misdirected_request",
        `Host '${printable(state.facts.host)}' is not served here. Set APP_URL or OA_ALLOWED_HOSTS.`,
      );
    }
    if (request.method === "OPTIONS") return options(deps, request, state);
    const turned = deps.gate?.(request, state);
    if (turned) return turned;
    if (!valid) return refuse(400, "invalid_request", "Malformed URL.");
    if (request.method === "TRACE" || request.method === "CONNECT") {
      return failure(config, request, path, state, wrongMethod(request.method, path, methodsOf(deps.routes, path)));
    }
    const early = deps.before(request, state, server);
    if (early instanceof Response) return early;
    return early === null ? route(deps, request, state) : routed(early, request, state);
  };

  const routed = async (
    early: ReturnType<Entry["before"]>,
    request: Request,
    state: RequestState,
  ): Promise<Response> => {
    const answered = await early;
    return answered === null ? route(deps, request, state) : (answered as Response);
  };

  return {
    inFlight: () => inFlight.now + limit.late(),
    /** What needs nothing of the database is answered without a promise, which every one of them would pay for. */
    fetch(request: Request, server: Peer): Response | undefined | Promise<Response | undefined> {
      const { path, valid } = pathOf(request.url);
      if (path.startsWith("/assets/") && deps.open?.() !== false) {
        const file = deps.fast(request, path);
        if (file) return file;
      }
      const facts = factsOf(request, server.requestIP(request)?.address ?? null, deps.reception);
      const state = remember(request, {
        facts,
        caller: null,
        route: "-",
        headers: null,
        cookies: null,
        raw: null,
        bodyAt: 0,
        bytesIn: 0,
        bytesOut: 0,
        limiter: null,
        errorCode: null,
        path,
      });
      const done = (response: Response | undefined) => {
        inFlight.now--;
        if (response) observe(deps, request, state, response);
        return response;
      };
      const failed = (error: unknown) => done(failure(config, request, path, state, explain(deps, state, error)));
      inFlight.now++;
      let answered: Response | Promise<Response>;
      try {
        answered = answer(request, state, server, valid);
      } catch (error) {
        return failed(error);
      }
      return answered instanceof Promise
        ? limit.watch(answered, request, state, server).then(done, failed)
        : done(answered);
    },
  };
}

const printable = (text: string) => text.replace(/[^\x21-\x7e]/g, "").slice(0, 255);

function options(deps: Entry, request: Request, state: RequestState): Response {
  const out = baseHeaders(deps.config, request, state.path, state);
  if (!hasCors(state.path)) {
    const found = methodsOf(deps.routes, state.path);
    out.allow = `${methodList(found.length ? found : ["GET"])}, OPTIONS`;
  }
  return respond(null, 204, out, state);
}

/** `HEAD` runs the GET route and drops the body; a trailing slash on `/api/*` counts as none (http-platform 2.2). */
function route(deps: Entry, request: Request, state: RequestState): Response | Promise<Response> {
  if (isFormPost(request, state)) {
    return formRequest(request, state, deps.routes, deps.config.OA_HTTP_MAX_BODY_BYTES).then(deps.handle);
  }
  const head = request.method === "HEAD";
  const slashed = state.path.length > 5 && state.path.startsWith("/api/") && state.path.endsWith("/");
  return head || slashed ? rewritten(deps, request, state, head, slashed) : deps.handle(request);
}

/** The headers of a request whose answer must not be compressed: what HEAD measures is the plain length. */
function plainly(headers: Headers): Headers {
  const out = new Headers(headers);
  out.delete("accept-encoding");
  return out;
}

async function rewritten(
  deps: Entry,
  request: Request,
  state: RequestState,
  head: boolean,
  slashed: boolean,
): Promise<Response> {
  const url = slashed ? request.url.replace(/\/(?=\?|$)/, "") : request.url;
  const inner = new Request(url, head ? { method: "GET", headers: plainly(request.headers) } : request);
  remember(inner, state);
  const response = await deps.handle(inner);
  if (!head) return response;
  const size = response.headers.get("content-length") ?? String((await response.arrayBuffer()).byteLength);
  const headers = new Headers(response.headers);
  headers.set("content-length", size);
  return new Response(null, { status: response.status, headers });
}

const none = {};
/** Names of programs are few. */
const shown = remembering(redact);
const quiet = (path: string) => path.startsWith("/assets/") || hostless.has(path);

/** Metrics and the access line of a finished request (http-platform 3.10). */
function observe(
  { log, metrics, errors, spans }: Entry,
  request: Request,
  state: RequestState,
  response: Response,
): void {
  const { facts, caller, path, route } = state;
  const { method } = request;
  const { status } = response;
  const duration = performance.now() - facts.startedAt;
  metrics.count("http_requests_total", { method, route, status });
  metrics.observe("http_request_duration_seconds", duration / 1000, { method, route });
  if (status >= 500) errors.note({ at: Date.now(), route, status, code: state.errorCode, requestId: facts.requestId });
  const bytesOut = method === "HEAD" ? 0 : state.bytesOut;
  if (state.bytesIn) metrics.count("http_request_bytes", none, state.bytesIn);
  if (bytesOut) metrics.count("http_response_bytes", none, bytesOut);
  if (spans && facts.sampled && !quiet(path)) spans.record(spanOf(state, method, status, duration));
  const level = quiet(path) && status < 400 ? "debug" : "info";
  if (!log.writes(level)) return;
  const client = request.headers.get("x-client");
  log.clean(level, "oa.access", "request", {
    request_id: redact(facts.requestId),
    trace_id: facts.traceId,
    span_id: facts.spanId,
    method,
    route,
    path: redact(path),
    status,
    duration_ms: Math.round(duration * 10) / 10,
    bytes_in: state.bytesIn,
    bytes_out: bytesOut,
    client_ip: facts.ip,
    user_agent: shown(facts.userAgent.slice(0, 256)),
    client: client === null ? undefined : shown(client),
    auth: caller ? caller.credential : "none",
    user_id: caller?.user.id,
    session_id: caller?.sessionId,
    org_id: caller?.activeOrgId,
    error_code: state.errorCode ?? undefined,
    limiter: state.limiter ?? undefined,
  });
}

const spanOf = ({ facts, route }: RequestState, method: string, status: number, durationMs: number): Span => ({
  traceId: facts.traceId,
  spanId: facts.spanId,
  parentId: facts.parentSpanId,
  kind: "server",
  name: `${method} ${route}`,
  startedAt: Date.now() - durationMs,
  durationMs,
  attributes: {
    "http.request.method": method,
    "http.route": route,
    "http.response.status_code": status,
    "url.scheme": facts.scheme,
    "oa.request_id": redact(facts.requestId),
  },
  failed: status >= 500,
});
