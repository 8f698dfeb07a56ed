import type { Config } from "../config";
import type { Metrics } from "../telemetry/metrics";
import { addressSet } from "./address";
import { baseHeaders, failure, json, respond } from "./answer";
import { errorAnswer } from "./errors";
import { countProof } from "./proof";
import { earlyRoute, type Route } from "./routes";
import { sameText } from "./same-text";
import type { RequestState } from "./state";
import type { Throttle } from "./throttle";

/** One readiness check: `ok`, or the word that says what is wrong. */
export type Check = () => string | Promise<string>;

export interface Health {
  config: Config;
  metrics: Metrics;
  throttle: Throttle;
  now(): Date;
  version: string;
  buildId: string;
  provider: string;
  startedAt: number;
  /** `embedded`, or the folder of `OA_CONTROL_STATIC_DIR`. */
  staticDir: string;
  checks: Record<"database" | "migrations" | "assets" | "khala" | "jobs", Check>;
  draining(): boolean;
}

/** What this answers. */
export const healthRoutes: Route[] = [
  ...["/healthz", "/up", "/readyz"].map((path) => earlyRoute("http", path)),
  earlyRoute("http", "/metrics", { proof: "secret or loopback" }),
];

const healthPaths = new Set(healthRoutes.map(({ path }) => path));
const loopback = addressSet(["loopback"]);

/** `/healthz`, `/up`, `/readyz`, `/metrics` (http-platform 2.9); null for any other path. */
export function health(deps: Health) {
  let database = { at: 0, word: "ok" };
  const checked = async () => {
    const words = await Promise.all(
      Object.entries(deps.checks).map(async ([name, check]) => {
        if (name === "database" && performance.now() - database.at < 1000) return [name, database.word] as const;
        const word = await check();
        if (name === "database") database = { at: performance.now(), word };
        return [name, word] as const;
      }),
    );
    return Object.fromEntries(words);
  };

  return async (request: Request, state: RequestState): Promise<Response | null> => {
    const { path } = state;
    if (request.method !== "GET" && request.method !== "HEAD") return null;
    if (healthPaths.has(path)) state.route = path;
    const headers = () => baseHeaders(deps.config, request, path, state);
    if (path === "/healthz" || path === "/up") {
      return json(
        request,
        state,
        200,
        {
          status: "ok",
          service: "openagents-control-service",
          version: deps.version,
          uptime_seconds: Math.floor((Date.now() - deps.startedAt) / 1000),
          auth_provider: deps.provider,
          build_id: deps.buildId,
        },
        headers(),
      );
    }
    if (path === "/readyz") {
      const checks = await checked();
      const good = Object.values(checks).every((word) => word === "ok");
      const status = deps.draining() ? "draining" : good ? "ready" : "not_ready";
      return json(
        request,
        state,
        status === "ready" ? 200 : 503,
        { status, static_dir: deps.staticDir, checks },
        headers(),
      );
    }
    if (path !== "/metrics") return null;
    const token = deps.config.OA_METRICS_TOKEN;
    if (token) {
      const given = /^Bearer (.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
      const right = sameText(given, token);
      await countProof(deps.throttle, state, deps.now().getTime(), right);
      if (!right) {
        return failure(
          deps.config,
          request,
          path,
          state,
          errorAnswer(401, "unauthorized", "Unauthenticated.", { "www-authenticate": "Bearer" }),
        );
      }
    } else if (!loopback.has(state.facts.ip) || request.headers.has("x-forwarded-for")) {
      return failure(
        deps.config,
        request,
        path,
        state,
        errorAnswer(404, "not_found", `Route '${path}' was not found.`),
      );
    }
    const out = headers();
    out["content-type"] = deps.metrics.registry.contentType;
    return respond(await deps.metrics.registry.metrics(), 200, out, state);
  };
}
