import { type AnyElysia, Elysia } from "elysia";
import type { Config } from "../config";
import type { Log } from "../telemetry/log";
import type { Metrics } from "../telemetry/metrics";
import type { Spans } from "../telemetry/spans";
import { addressSet } from "./address";
import { type Entry, entry, type Peer } from "./entry";
import type { Guards } from "./guards";
import { servedHosts } from "./receive";
import { type RecentError, RecentErrors } from "./recent-errors";
import { noteRoutes, type Route, type RouteTable } from "./routes";
import type { Throttle } from "./throttle";
import { type Treatment, treatment } from "./treatment";

/** What the platform takes from the context. */
export interface Platform {
  config: Config;
  appUrl(): string;
  now(): Date;
  log: Log;
  metrics: Metrics;
  spans?: Spans | null;
  throttle: Throttle;
}

export interface Surface {
  domains: AnyElysia[];
  guards: Guards;
  /** Whether the server listens on loopback only: then foreign host names are refused (http-platform 2.4). */
  loopback: boolean;
  before?: Entry["before"];
  /** What `before` and `fast` answer. */
  early?: Route[];
  fast?: Entry["fast"];
  gate?: Entry["gate"];
  open?: Entry["open"];
  page?: Treatment["page"];
}

/** The whole HTTP surface as one function, with the routes it knows. */
export interface Composed {
  fetch(request: Request, server: Peer): Response | undefined | Promise<Response | undefined>;
  routes: RouteTable;
  /** Requests being answered now. */
  inFlight(): number;
  /** The newest answers of 500 and above. */
  recentErrors(): RecentError[];
}

/** Puts domains together under one treatment of requests. */
export function compose(
  ctx: Platform,
  { domains, guards, loopback, before, early = [], fast, gate, open, page }: Surface,
): Composed {
  const routes: RouteTable = new Map();
  const app = new Elysia({ handler: { standardHostname: false } }).use(
    treatment({ ...pick(ctx), guards, routes, ...(page ? { page } : {}) }),
  );
  for (const domain of domains) {
    noteRoutes(routes, domain);
    app.use(domain);
  }
  for (const route of early) {
    const key = `${route.method} ${route.path}`;
    if (!routes.has(key)) routes.set(key, route);
  }
  const errors = new RecentErrors();
  const { fetch, inFlight } = entry({
    config: ctx.config,
    log: ctx.log,
    metrics: ctx.metrics,
    spans: ctx.spans ?? null,
    reception: { trusted: addressSet(ctx.config.OA_TRUSTED_PROXIES), hosts: servedHosts(ctx.config, loopback) },
    routes,
    before: before ?? (() => null),
    fast: fast ?? (() => null),
    ...(gate ? { gate } : {}),
    ...(open ? { open } : {}),
    errors,
    handle: (request) => app.fetch(request),
  });
  return { fetch, routes, inFlight, recentErrors: () => errors.list() };
}

const pick = ({ config, appUrl, now, log, metrics, throttle }: Platform) => ({
  config,
  appUrl,
  now,
  log,
  metrics,
  throttle,
});
