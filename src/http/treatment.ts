import { Elysia, ElysiaCustomStatusResponse } from "elysia";
import type { Config } from "../config";
import { forbidden, invalidFields, notFound, Refusal, unauthorized } from "../refusal";
import type { Log } from "../telemetry/log";
import type { Metrics } from "../telemetry/metrics";
import { baseHeaders, failure, json, respond } from "./answer";
import { bodyLimit, formFields, lenientBody, readBytes, readingOf, strictBody, tidy } from "./body";
import { can, isWorkerToken } from "./caller";
import { CsrfMismatch, checkCsrf, needsCsrf } from "./csrf";
import { answerOf, databaseDown, errorAnswer, isDatabaseDown, serverError, wrongMethod } from "./errors";
import type { Guards } from "./guards";
import { methodsOf, type Route, type RouteTable } from "./routes";
import { addHeaders, type RequestState, stateOf } from "./state";
import { checkThrottle, type Throttle } from "./throttle";
import { type Schema, translate } from "./translate";

/** What the treatment of requests needs. */
export interface Treatment {
  config: Config;
  appUrl(): string;
  now(): Date;
  log: Log;
  metrics: Metrics;
  guards: Guards;
  throttle: Throttle;
  routes: RouteTable;
  /** The page that a browser sees for an error on a page route, or null for JSON (http-platform 2.8). */
  page?: (request: Request, state: RequestState, status: number) => Response | null;
}

/** Steps 10, 11 and 13 of http-platform 2.1 for every route: guards, throttle, body, and the answer's headers. */
export function treatment(deps: Treatment) {
  return new Elysia({ name: "treatment" })
    .onParse({ as: "global" }, () => ({}))
    .onTransform({ as: "global" }, async (context) => {
      // Elysia reads this function's text to learn what to prepare: only members named here cost anything.
      const input = await treat(deps, context.request, context.route, context.params);
      if (!input) return;
      if (input.body !== undefined) context.body = input.body;
      if (input.query !== undefined) context.query = input.query as Record<string, string>;
    })
    .mapResponse({ as: "global" }, ({ request, set, responseValue }) => answer(deps, request, set, responseValue))
    .onError({ as: "global" }, async ({ request, error, code }) => {
      const state = stateOf(request);
      const failed = deps.routes.get(`${request.method} ${state.route}`)?.declared.failure;
      if (failed && error instanceof Refusal) await deps.guards.refused?.(failed, error, state.facts);
      if (error instanceof SignedIn) return redirect(deps, request, state, "/");
      const answer = code === "NOT_FOUND" ? unmatched(deps.routes, request, state.path) : explain(deps, state, error);
      const isPage = wantsPage(deps.routes.get(`${request.method} ${state.route}`), request, state.path);
      if (isPage && answer.status === 401) return redirect(deps, request, state, "/login");
      if (deps.page && isPage) {
        addHeaders(state, answer.headers);
        const page = deps.page(request, state, answer.status);
        if (page) return page;
      }
      return failure(deps.config, request, state.path, state, answer);
    });
}

/** A handler's result as a response with the headers of every answer. */
function answer(
  { config }: Treatment,
  request: Request,
  set: { status?: number | string; headers: Record<string, unknown> },
  given: unknown,
): Response | Promise<Response> {
  const state = stateOf(request);
  const chosen = given instanceof ElysiaCustomStatusResponse;
  const value: unknown = chosen ? given.response : given;
  const status = chosen ? Number(given.code) : typeof set.status === "number" ? set.status : 200;
  const out = baseHeaders(config, request, state.path, state);
  for (const name in set.headers) {
    const text = set.headers[name];
    if (text !== undefined) out[name.toLowerCase()] = String(text);
  }
  if (value instanceof Response) {
    value.headers.forEach((text, name) => {
      out[name] = text;
    });
    return respond(value.body, value.status, out, state);
  }
  if (status === 204 || value === undefined || value === null) {
    delete out["content-type"];
    return respond(null, status === 200 ? 204 : status, out, state);
  }
  if (typeof value === "string") return respond(value, status, out, state);
  return json(request, state, status, value, out);
}

/** What an error says on the wire; anything that is no refusal is logged with its stack (http-platform 2.1 step 13). */
export function explain(deps: Pick<Treatment, "log" | "metrics">, state: RequestState, error: unknown) {
  if (error instanceof Refusal) {
    if (error.kind === "too_many" && state.limiter)
      deps.metrics.count("http_throttled_total", { limiter: state.limiter });
    if (error instanceof CsrfMismatch) deps.metrics.count("http_csrf_rejections_total", { rule: error.rule });
    if (error.kind === "invalid") deps.metrics.count("http_validation_failures_total", { route: state.route });
    return answerOf(error);
  }
  if (isDatabaseDown(error)) return databaseDown();
  const known = error instanceof Error ? error : new Error(String(error));
  deps.log.error("oa.error", "request failed", {
    request_id: state.facts.requestId,
    trace_id: state.facts.traceId,
    route: state.route,
    error_name: known.name,
    error_message: known.message,
    stack: known.stack,
    ...(known.cause ? { cause: String(known.cause) } : {}),
  });
  return serverError();
}

interface Input {
  body?: unknown;
  query?: unknown;
}

async function treat(
  deps: Treatment,
  request: Request,
  template: string,
  params: Record<string, string | undefined> | undefined,
): Promise<Input | null> {
  const state = stateOf(request);
  const route = deps.routes.get(`${request.method} ${template}`);
  state.route = template;
  refuseControls(params);
  if (!route) return null;
  await guard(deps, route, request, state);
  return readInput(deps, route, request, state);
}

/** Elysia has decoded the parameters; what Postgres cannot hold is not found. */
function refuseControls(params: Record<string, string | undefined> | undefined): void {
  for (const text of Object.values(params ?? {})) if (text?.includes("\0")) throw notFound();
}

async function guard(deps: Treatment, route: Route, request: Request, state: RequestState): Promise<void> {
  const { guard: who, maybe, guest, csrf, throttle, counts, carries, stranger, ability, open } = route.declared;
  if (open && !open()) throw notFound();
  const { facts } = state;
  const cookieChange = needsCsrf(request, state.path, facts, csrf ?? false);
  if (cookieChange && !isForm(request)) checkCsrf(request, facts, deps.appUrl());
  if (who || maybe || guest || throttle?.by === "shared") {
    const identify = () => deps.guards.caller(request, facts);
    const lenient = guest || !(who || maybe) || stranger !== undefined;
    state.caller = lenient ? await quietly(identify) : await identify();
  }
  if (guest && state.caller) throw new SignedIn();
  if (state.caller && carries) addHeaders(state, carries);
  if (who) admit(who, state, stranger);
  if (ability && !(state.caller && can(state.caller, ability))) throw forbidden();
  if (counts) state.limiter = counts;
  if (throttle) await checkThrottle(deps.throttle, throttle, state, deps.now().getTime());
}

/** A guest page is also for whoever holds a dead credential. */
async function quietly<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Refusal && error.kind === "unauthorized") return null;
    throw error;
  }
}

/** Thrown on a guest route for somebody who is signed in: 302 `/`. */
export class SignedIn extends Refusal {
  constructor() {
    super("conflict", "Already signed in.");
  }
}

function admit(who: NonNullable<Route["declared"]["guard"]>, { caller }: RequestState, stranger?: string): void {
  if (!caller) throw unauthorized(stranger);
  if (who === "session" && caller.credential !== "session") throw unauthorized();
  if (who !== "worker" && isWorkerToken(caller)) throw forbidden("This token may only run a worker.");
  if (who === "admin" && !caller.user.isAdmin) throw forbidden("Forbidden");
}

const isForm = (request: Request): boolean =>
  /^(application\/x-www-form-urlencoded|multipart\/form-data)/i.test(request.headers.get("content-type") ?? "");

async function readInput(deps: Treatment, route: Route, request: Request, state: RequestState): Promise<Input> {
  const input: Input = {};
  const errors: Record<string, string[]> = {};
  if (request.method !== "GET" && request.method !== "HEAD") {
    const reading = route.declared.reading ?? readingOf(state.path);
    const type = request.headers.get("content-type");
    state.bodyAt = Number.POSITIVE_INFINITY;
    const bytes = await readBytes(request, bodyLimit(state.path, deps.config.OA_HTTP_MAX_BODY_BYTES));
    state.bodyAt = performance.now();
    state.bytesIn = bytes.byteLength;
    if (reading === "raw") {
      state.raw = bytes;
      input.body = bytes;
    } else {
      const fields =
        reading === "strict" && !strictForm(state.path, type)
          ? strictBody(bytes, type)
          : await lenientBody(bytes, type);
      if (isForm(request) && needsCsrf(request, state.path, state.facts, route.declared.csrf ?? false)) {
        const token = fields._token;
        if (token !== undefined && typeof token !== "string") throw new CsrfMismatch("token");
        checkCsrf(request, state.facts, deps.appUrl(), token);
      }
      const clean = tidy(fields) as Record<string, unknown>;
      input.body = route.body ? checked(route.body, clean, errors) : clean;
    }
  }
  if (route.query) {
    const at = request.url.indexOf("?");
    const fields = formFields(new URLSearchParams(at < 0 ? "" : request.url.slice(at + 1)));
    input.query = checked(route.query, tidy(fields) as Record<string, unknown>, errors);
  }
  if (Object.keys(errors).length) throw invalidFields(errors);
  return input;
}

/** `/api/pair/token` also takes a form (http-platform 2.3). */
const strictForm = (path: string, type: string | null): boolean =>
  path === "/api/pair/token" && /^application\/x-www-form-urlencoded/i.test(type ?? "");

function checked(
  schema: Schema,
  fields: Record<string, unknown>,
  errors: Record<string, string[]>,
): Record<string, unknown> {
  const { errors: found, value } = translate(schema, fields);
  Object.assign(errors, found);
  return value;
}

/** 405 when the path has other methods, else 404 (http-platform 2.2). */
export function unmatched(routes: RouteTable, request: Request, path: string) {
  const methods = methodsOf(routes, path.length > 1 ? path.replace(/\/$/, "") : path);
  if (methods.length) return wrongMethod(request.method, path, methods);
  return errorAnswer(404, "not_found", `Route '${path}' was not found.`);
}

/** A redirect with the headers of every answer. `to` is a path. */
export function redirect(
  deps: Pick<Treatment, "config">,
  request: Request,
  state: RequestState,
  to: string,
  status = 302,
): Response {
  return respond(null, status, { ...baseHeaders(deps.config, request, state.path, state), location: to }, state);
}

/** Whether the first `Accept` type is JSON, or a script asks (http-platform 2.8). */
export function expectsJson(request: Request): boolean {
  const accept = request.headers.get("accept") ?? "";
  const first = accept.split(",")[0] ?? "";
  if (/[/+]json/.test(first)) return true;
  return (
    request.headers.get("x-requested-with") === "XMLHttpRequest" && (accept === "" || first.trim().startsWith("*/*"))
  );
}

/** `Accept` lists `text/html` with q > 0. */
export function wantsHtml(request: Request): boolean {
  return (request.headers.get("accept") ?? "")
    .split(",")
    .some((part) => /^\s*text\/html\b/.test(part) && !/;\s*q=0(\.0*)?\s*(;|$)/.test(part));
}

/** Paths that no browser shows. */
const machinePath = /^\/(api|assets|sanctum|internal|sync|socket)(\/|$)/;

/** Whether an error is a page: on page routes unless JSON is expected, on unknown paths and methods when HTML is asked for. */
const wantsPage = (route: Route | undefined, request: Request, path: string): boolean =>
  route ? !!route.declared.page && !expectsJson(request) : !machinePath.test(path) && wantsHtml(request);
