import { Elysia, ElysiaCustomStatusResponse } from "elysia";
import type { Config } from "../config";
import { forbidden, invalidFields, notFound, Refusal, unauthorized } from "../refusal";
import type { Log } from "../telemetry/log";
import type { Metrics } from "../telemetry/metrics";
import { baseHeaders, failure, json } from "./answer";
import { bodyLimit, formFields, lenientBody, readBytes, readingOf, strictBody, tidy } from "./body";
import { isWorkerToken } from "./caller";
import { checkCsrf, mismatch, needsCsrf } from "./csrf";
import { answerOf, databaseDown, errorAnswer, isDatabaseDown, serverError, wrongMethod } from "./errors";
import type { Guards } from "./guards";
import { methodsOf, type Route, type RouteTable } from "./routes";
import { type RequestState, stateOf } from "./state";
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

/** The parts of Elysia's context that the treatment fills in. */
interface Handled {
  request: Request;
  route: string;
  body?: unknown;
  query?: unknown;
  params?: Record<string, string>;
  set: { status?: number | string; headers: Record<string, unknown> };
}

/** Steps 10, 11 and 13 of http-platform 2.1 for every route: guards, throttle, body, and the answer's headers. */
export function treatment(deps: Treatment) {
  return new Elysia({ name: "treatment" })
    .onParse({ as: "global" }, () => ({}))
    .onTransform({ as: "global" }, (context) => treat(deps, context as unknown as Handled))
    .mapResponse({ as: "global" }, (context) => {
      const { request, set, responseValue: given } = context as unknown as Handled & { responseValue: unknown };
      const state = stateOf(request);
      const chosen = given instanceof ElysiaCustomStatusResponse;
      const responseValue: unknown = chosen ? given.response : given;
      const status = chosen ? Number(given.code) : typeof set.status === "number" ? set.status : 200;
      const headers = baseHeaders(deps.config, request, state.path, state);
      for (const [name, value] of Object.entries(set.headers)) {
        if (value !== undefined) headers.set(name, String(value));
      }
      if (responseValue instanceof Response) {
        for (const [name, value] of responseValue.headers) headers.set(name, value);
        return new Response(responseValue.body, { status: responseValue.status, headers });
      }
      if (status === 204 || responseValue === undefined || responseValue === null) {
        headers.delete("content-type");
        return new Response(null, { status: status === 200 ? 204 : status, headers });
      }
      if (typeof responseValue === "string") return new Response(responseValue, { status, headers });
      return json(request, state.path, status, responseValue, headers);
    })
    .onError({ as: "global" }, async ({ request, error, code }) => {
      const state = stateOf(request);
      const failed = deps.routes.get(`${request.method} ${state.route}`)?.declared.failure;
      if (failed && error instanceof Refusal) await deps.guards.refused?.(failed, error, state.facts);
      if (error instanceof SignedIn) return redirect(deps, request, state, "/");
      const answer = code === "NOT_FOUND" ? unmatched(deps.routes, request, state.path) : explain(deps, state, error);
      if (deps.page && wantsPage(deps.routes.get(`${request.method} ${state.route}`), request)) {
        const page = deps.page(request, state, answer.status);
        if (page) return page;
      }
      return failure(deps.config, request, state.path, state, answer);
    });
}

/** What an error says on the wire; anything that is no refusal is logged with its stack (http-platform 2.1 step 13). */
export function explain(deps: Pick<Treatment, "log" | "metrics">, state: RequestState, error: unknown) {
  if (error instanceof Refusal) {
    if (error.kind === "too_many" && state.limiter)
      deps.metrics.count("http_throttled_total", { limiter: state.limiter });
    if (error.kind === "csrf") deps.metrics.count("http_csrf_rejections_total");
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

async function treat(deps: Treatment, context: Handled): Promise<void> {
  const { request } = context;
  const state = stateOf(request);
  const route = deps.routes.get(`${request.method} ${context.route}`);
  state.route = context.route;
  decodeParams(context.params);
  if (!route) return;
  await guard(deps, route, request, state);
  await readInput(deps, route, request, state, context);
}

/** Elysia decodes parameters already; a broken encoding was refused before the match. Blank segments count as not found. */
function decodeParams(params: Record<string, string> | undefined): void {
  for (const name of Object.keys(params ?? {})) {
    const text = (params as Record<string, string>)[name] as string;
    if (text.includes("\0")) throw notFound();
  }
}

async function guard(deps: Treatment, route: Route, request: Request, state: RequestState): Promise<void> {
  const { guard: who, maybe, guest, csrf, throttle } = route.declared;
  const { facts } = state;
  const cookieChange = needsCsrf(request, state.path, facts, csrf ?? false);
  if (cookieChange && !isForm(request)) checkCsrf(request, facts, deps.appUrl());
  if (who || maybe || guest || throttle?.by === "shared") {
    state.caller = guest || !(who || maybe)
      ? await quietly(() => deps.guards.caller(request, facts))
      : await deps.guards.caller(request, facts);
  }
  if (guest && state.caller) throw new SignedIn();
  if (who) admit(who, state);
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

function admit(who: NonNullable<Route["declared"]["guard"]>, { caller }: RequestState): void {
  if (!caller) throw unauthorized();
  if (who === "session" && caller.credential !== "session") throw unauthorized();
  if (who !== "worker" && isWorkerToken(caller)) throw forbidden("This token may only run a worker.");
  if (who === "admin" && !caller.user.isAdmin) throw forbidden("Forbidden");
}

const isForm = (request: Request): boolean =>
  /^(application\/x-www-form-urlencoded|multipart\/form-data)/i.test(request.headers.get("content-type") ?? "");

async function readInput(
  deps: Treatment,
  route: Route,
  request: Request,
  state: RequestState,
  context: Handled,
): Promise<void> {
  const errors: Record<string, string[]> = {};
  if (request.method !== "GET" && request.method !== "HEAD") {
    const reading = route.declared.reading ?? readingOf(state.path);
    const type = request.headers.get("content-type");
    const bytes = await readBytes(request, bodyLimit(state.path, deps.config.OA_HTTP_MAX_BODY_BYTES));
    if (reading === "raw") {
      state.raw = bytes;
      context.body = bytes;
    } else {
      const fields =
        reading === "strict" && !strictForm(state.path, type)
          ? strictBody(bytes, type)
          : await lenientBody(bytes, type);
      if (isForm(request) && needsCsrf(request, state.path, state.facts, route.declared.csrf ?? false)) {
        const token = fields._token;
        if (token !== undefined && typeof token !== "string") throw mismatch();
        checkCsrf(request, state.facts, deps.appUrl(), token);
      }
      const clean = tidy(fields) as Record<string, unknown>;
      context.body = route.body ? checked(route.body, clean, errors) : clean;
    }
  }
  if (route.query) {
    const at = request.url.indexOf("?");
    const fields = formFields(new URLSearchParams(at < 0 ? "" : request.url.slice(at + 1)));
    context.query = checked(route.query, tidy(fields) as Record<string, unknown>, errors);
  }
  if (Object.keys(errors).length) throw invalidFields(errors);
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
  const headers = baseHeaders(deps.config, request, state.path, state);
  headers.set("location", to);
  headers.delete("content-type");
  return new Response(null, { status, headers });
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

const wantsPage = (route: Route | undefined, request: Request): boolean =>
  !!route?.declared.page && !expectsJson(request);
