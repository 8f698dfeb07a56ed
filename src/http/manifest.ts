import { cacheOf } from "./answer";
import { bodyLimit, readingOf } from "./body";
import { contracts } from "./openapi-contracts";
import type { Declared, Reading } from "./platform";
import type { Route, RouteTable } from "./routes";

/** One route as the manifest shows it, in the words of http-platform 9. */
export interface ManifestRow {
  method: string;
  /** Template with `{name}` parameters. */
  path: string;
  auth: string;
  throttle: { limiter: string; limit?: number; seconds?: number } | null;
  /** How the body is read (http-platform 2.3); null where there is none. */
  family: Reading | null;
  /** Bytes that the body may have. */
  limit: number | null;
  /** Shape of a success (http-platform 2.7), as far as the route states it. */
  envelope: "data" | "plain" | null;
  /** Statuses of a success, as far as the route states them. */
  statuses: number[];
  cache: string;
  /** Contract and section. */
  owner: string | null;
  domain: string;
  operationId: string | null;
}

/** A template as OpenAPI and the contracts write it. */
export const openPath = (path: string): string => path.replace(/:([A-Za-z_]\w*)/g, "{$1}");

function authOf({ guard, maybe, guest, ability, proof }: Declared): string {
  if (proof) return proof;
  if (ability) return `PAT:${ability}`;
  if (guest) return "guest";
  if (guard === true) return "user";
  if (guard === "worker") return "user, worker";
  return guard ?? (maybe ? "public or user" : "public");
}

function throttleOf({ throttle, counts }: Declared): ManifestRow["throttle"] {
  if (!throttle) return counts ? { limiter: counts } : null;
  const { limiter, limit, seconds } = throttle;
  return { limiter, limit, seconds };
}

function rowOf(route: Route, usualLimit: number): ManifestRow {
  const { method, declared, response = {}, detail } = route;
  const path = openPath(route.path);
  const reads = method !== "GET";
  const successes = Object.keys(response).filter((status) => status < "400");
  const shape = successes[0] ? response[successes[0]] : undefined;
  return {
    method,
    path,
    auth: authOf(declared),
    throttle: throttleOf(declared),
    family: reads ? (declared.reading ?? readingOf(route.path)) : null,
    limit: reads ? bodyLimit(route.path, usualLimit) : null,
    envelope: shape ? (shape.properties?.data ? "data" : "plain") : null,
    statuses: successes.map(Number),
    cache: route.cache ?? cacheOf(route.path),
    owner: contracts[`${method} ${path}`] ?? null,
    domain: route.domain,
    operationId: (detail.operationId as string | undefined) ?? null,
  };
}

/**
 * Every route of the table that serves, sorted by `METHOD path` as the baseline's manifests are. `usualLimit` is
 * `OA_HTTP_MAX_BODY_BYTES`.
 */
export function manifestRows(routes: RouteTable, usualLimit: number): ManifestRow[] {
  const key = ({ method, path }: ManifestRow) => `${method} ${path}`;
  return [...routes.values()].map((route) => rowOf(route, usualLimit)).sort((a, b) => (key(a) < key(b) ? -1 : 1));
}
