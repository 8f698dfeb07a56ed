import type { AnyElysia } from "elysia";
import type { Declared } from "./platform";
import type { Schema } from "./translate";

/** One route as its domain declared it. */
export interface Route {
  method: string;
  /** Template with `:name` parameters. */
  path: string;
  declared: Declared;
  body: Schema | undefined;
  query: Schema | undefined;
  response: Record<string, Schema> | undefined;
  detail: Record<string, unknown>;
  /** Folder of the domain that answers. */
  domain: string;
  /** `Cache-Control` of a success, where it is not that of its path. */
  cache?: string;
}

/** Every route of the composed app, by `METHOD template`. */
export type RouteTable = Map<string, Route>;

interface Hooks {
  body?: Schema;
  query?: Schema;
  response?: Schema | Record<string, Schema>;
  detail?: Record<string, unknown>;
}

const declaredKeys = [
  "guard",
  "maybe",
  "throttle",
  "reading",
  "csrf",
  "page",
  "guest",
  "failure",
  "carries",
  "stranger",
  "ability",
  "proof",
  "counts",
  "open",
  "patient",
  "fails",
] as const;

/**
 * Notes a domain's routes in `table` and takes their shapes away from Elysia: the platform checks bodies and queries itself,
 * with the contract's texts and order, so a second check by the framework would only cost time (http-platform 3.2).
 */
export function noteRoutes(table: RouteTable, domain: AnyElysia): void {
  for (const route of domain.router.history) {
    const hooks = (route.hooks ?? {}) as Hooks;
    const detail = hooks.detail ?? {};
    const declared = Object.fromEntries(
      declaredKeys.filter((key) => detail[`x-oa-${key}`] !== undefined).map((key) => [key, detail[`x-oa-${key}`]]),
    ) as Declared;
    const { body, query, response } = hooks;
    table.set(`${route.method} ${route.path}`, {
      method: route.method,
      path: route.path,
      declared,
      body,
      query,
      response: response && !("type" in response) ? (response as Record<string, Schema>) : undefined,
      detail,
      domain: domain.config.name ?? "",
    });
    delete hooks.body;
    delete hooks.query;
    delete hooks.response;
  }
}

/**
 * A GET that is answered before the routes: a page, a file, a machine endpoint. It stands in the table so that 405, `Allow`
 * and the manifest know it.
 */
export const earlyRoute = (domain: string, path: string, declared: Declared = {}, cache = "no-store"): Route => ({
  method: "GET",
  path,
  declared,
  body: undefined,
  query: undefined,
  response: undefined,
  detail: { hide: true },
  domain,
  cache,
});

/** Methods that a path template or a concrete path has, for 405. */
export function methodsOf(table: RouteTable, path: string): string[] {
  const wanted = path.split("/");
  const methods: string[] = [];
  for (const route of table.values()) {
    const parts = route.path.split("/");
    if (parts.length !== wanted.length || methods.includes(route.method)) continue;
    if (parts.every((part, i) => part === wanted[i] || (part.startsWith(":") && wanted[i] !== "")))
      methods.push(route.method);
  }
  return methods;
}
