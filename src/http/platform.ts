import { Elysia } from "elysia";
import type { Caller } from "./caller";
import type { Facts } from "./facts";
import type { Limit } from "./limits";
import { stateOf } from "./state";

/**
 * Who may call a route. `true`: a session or a personal access token. `"worker"`: worker tokens too (remote-control 2).
 * `"session"`: a session only. `"admin"`: a session or token of an administrator.
 */
export type Who = true | "worker" | "session" | "admin";

/** How a body is read (http-platform 2.3), where the path's own family does not hold. */
export type Reading = "lenient" | "strict" | "raw";

/** What a route declared, as `treatment.ts` reads it from `detail`. */
export interface Declared {
  guard?: Who;
  maybe?: boolean;
  throttle?: Limit;
  reading?: Reading;
  csrf?: boolean;
  page?: boolean;
  guest?: boolean;
  failure?: string;
  carries?: Record<string, string>;
  stranger?: string;
  ability?: string;
  proof?: string;
  counts?: string;
  open?: () => boolean;
  patient?: boolean;
  fails?: readonly number[];
}

/** One key a member: Elysia merges `detail` of several macros shallowly. */
const note = (declared: Declared) => ({
  detail: Object.fromEntries(Object.entries(declared).map(([key, value]) => [`x-oa-${key}`, value])),
});

/**
 * Options that a route may state besides its shapes. They only declare; `treatment.ts` runs guards, throttle and body in the
 * order of http-platform 2.1 before the handler sees anything.
 *
 * @example
 * new Elysia({ tags: ["Codex"] })
 *   .use(platform)
 *   .get("/api/things/:thingId", ({ caller, params }) => showThing(ctx, caller, params.thingId), {
 *     user: true,
 *     throttle: limits.threadMessage,
 *     detail: { operationId: "thingShow", summary: "Show a thing" },
 *   });
 */
export const platform = new Elysia({ name: "platform" })
  .derive({ as: "scoped" }, ({ request }): { facts: Facts } => ({ facts: stateOf(request).facts }))
  .macro({
    /** Asks for a caller; the handler gets `caller`. */
    user: (guard: Who) => ({
      ...note({ guard }),
      resolve: ({ request }): { caller: Caller } => ({ caller: stateOf(request).caller as Caller }),
    }),
    /** Signed in or not: the handler gets `caller` or null. A bad credential is still 401. */
    maybeUser: (maybe: true) => ({
      ...note({ maybe }),
      resolve: ({ request }): { caller: Caller | null } => ({ caller: stateOf(request).caller }),
    }),
    /** Only for guests: a signed-in caller is redirected to `/` before the throttle counts. */
    guest: (guest: true) => note({ guest }),
    throttle: (throttle: Limit) => note({ throttle }),
    /** Headers of every answer to a caller who is known, errors too. */
    carries: (carries: Record<string, string>) => note({ carries }),
    /** The ability that a personal access token needs besides; a session has all. */
    ability: (ability: string) => note({ ability }),
    /** What the handler itself asks for instead of a caller (`sync token`, `refresh token`): told by the manifest. */
    proof: (proof: string) => note({ proof }),
    /** A limiter that the domain counts itself, not when the request reaches its guards: told by the manifest. */
    counts: (counts: string) => note({ counts }),
    /** Error statuses of the domain, besides those that the platform gives: told by the API document. */
    fails: (fails: readonly number[]) => note({ fails }),
    /** Whether the route exists at all on this server: asked before anything else, else 404. */
    open: (open: () => boolean) => note({ open }),
    /** What whoever is not known reads in his 401. */
    stranger: (stranger: string) => note({ stranger }),
    reading: (reading: Reading) => note({ reading }),
    /** CSRF rules 1-4 of auth 2.0 without a cookie session (sign-in forms). */
    csrf: (csrf: true) => note({ csrf }),
    /** Audit event of a refused request (auth 3.14). */
    failure: (failure: string) => note({ failure }),
    /** Waited for, however long it takes: money moves or a tool runs (http-platform 5). */
    patient: (patient: true) => note({ patient }),
    /** Page behaviour of errors unless the caller expects JSON (http-platform 2.8). */
    page: (page: true) => note({ page }),
  });
