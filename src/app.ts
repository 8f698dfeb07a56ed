import { existsSync } from "node:fs";
import type { AnyElysia } from "elysia";
import { chatThreads, codexAccess, codexApi, codexJobs, isForeignWorker } from "./codex";
import { codexViewColumn, readCodexView } from "./codex/view";
import type { Context } from "./context";
import type { Executable } from "./executable";
import { baseHeaders, respond } from "./http/answer";
import { type Composed, compose } from "./http/compose";
import { documentRoute } from "./http/document";
import type { Peer } from "./http/entry";
import { type Check, health, healthRoutes } from "./http/health";
import { openapi } from "./http/openapi";
import { earlyRoute, methodsOf, type RouteTable } from "./http/routes";
import type { RequestState } from "./http/state";
import { identityApi, identityJobs } from "./identity";
import { createGuards } from "./identity/guard";
import { signInGuide } from "./identity/guide";
import { providerOf } from "./identity/providers";
import { definePlatformPrune } from "./jobs/platform-prune";
import { appKeys } from "./keys";
import { auditIncompatible, type KhalaSockets, khalaApi, khalaJobs, khalaSockets } from "./khala";
import { socketPaths } from "./khala/handshake";
import type { KhalaNode } from "./khala/node";
import { khalaAccess } from "./khala-access";
import { createRollout } from "./rollout";
import { shapes } from "./shapes";
import { createArchive } from "./shell/archive";
import type { WebFiles } from "./shell/files";
import { hasExtension, isForeignPath, isPage } from "./shell/pages";
import { pageview } from "./shell/pageview";
import { createShell } from "./shell/shell";
import { telemetryApi } from "./telemetry/batch-api";
import { processMetrics } from "./telemetry/process-metrics";

export interface AppParts {
  executable: Pick<Executable, "version" | "buildId">;
  web: WebFiles;
  khala: KhalaNode;
  /** Listens on loopback only: foreign host names are refused. */
  loopback: boolean;
  checks: { database: Check; migrations: Check };
  draining(): boolean;
  /** A sign-in link was used: the owner link's file can go. */
  linkUsed(): void;
}

export interface App {
  fetch(request: Request, server: Peer): Response | undefined | Promise<Response | undefined>;
  sockets: KhalaSockets;
  routes: RouteTable;
  openapi(): string;
  /** Puts this build's hashed files where other builds find them; after listening. */
  keepFiles(): Promise<void>;
  /** Reads what operators have switched, and follows it; before listening. */
  start(): Promise<void>;
  stop(): Promise<void>;
  inFlight(): number;
}

/** The whole surface of the product on one page: what answers, in the order of http-platform 2.1. */
export function createApp(ctx: Context, parts: AppParts): App {
  const { executable, web, khala, loopback, draining } = parts;
  const { config } = ctx;
  const meView = {
    column: codexViewColumn,
    read: (stored: unknown, limit: number) => readCodexView(ctx, stored, limit),
  };
  const guards = createGuards(ctx, meView);
  const access = khalaAccess(ctx);
  const archive = createArchive(ctx.store, web);
  const shell = createShell({
    config,
    guards,
    web,
    archive,
    taken: (path) => methodsOf(composed.routes, path).length > 0,
    closed: (path) => path.startsWith("/login/link/") && providerOf(config) !== "local",
    seen: (request, state) => pageview(ctx.analytics, request, state),
  });
  const sockets = khalaSockets(khala, access, {
    appUrl: ctx.appUrl,
    draining,
    onIncompatible: auditIncompatible(ctx),
  });

  const rollout = createRollout(ctx, {
    executable,
    khala,
    startedAt: new Date(),
    sockets: () => sockets.connections.size,
    routes: () => composed.routes,
    recentErrors: () => composed.recentErrors(),
    isPagePath: (path) => !isForeignPath(path) && !hasExtension(path) && !machinePaths.has(path),
    errorPage: shell.errorPage,
  });

  const domains: AnyElysia[] = [
    identityApi(
      ctx,
      {
        chatThreads: (userId, limit) => chatThreads(ctx, userId, limit),
        codexAccess: (userId) => codexAccess(ctx, userId),
        meView,
        foreignWorker: isForeignWorker,
        isPage,
        linkUsed: parts.linkUsed,
      },
      guards,
    ),
    codexApi(ctx),
    khalaApi(ctx, khala, access, sockets, executable.buildId),
    telemetryApi(ctx, () => appKeys(config)[0] as Buffer),
    ...rollout.api,
  ];
  identityJobs(ctx);
  codexJobs(ctx);
  khalaJobs(ctx, khala);
  definePlatformPrune(ctx);

  let composed: Composed;
  const document = () =>
    openapi(composed.routes, { version: executable.version, appUrl: ctx.appUrl(), guide: signInGuide, shapes });
  const openapiJson = documentRoute(config, "/openapi.json", document);
  const machine = health({
    config,
    metrics: ctx.metrics,
    throttle: ctx.throttle,
    now: ctx.now,
    version: executable.version,
    buildId: executable.buildId,
    provider: providerOf(config),
    startedAt: Date.now(),
    staticDir: config.OA_CONTROL_STATIC_DIR ?? "embedded",
    checks: {
      ...parts.checks,
      assets: () => (config.OA_CONTROL_STATIC_DIR && !existsSync(config.OA_CONTROL_STATIC_DIR) ? "failed" : "ok"),
      khala: async () => ((await khala.ready()) ? "ok" : "failed"),
      jobs: () => (ctx.jobs.ready() ? "ok" : "stopped"),
    },
    draining,
  });

  const early = async (request: Request, state: RequestState): Promise<Response | null> =>
    (await machine(request, state)) ?? openapiJson(request, state) ?? (await shell.page(request, state));

  /** A refused handshake carries what every answer does. */
  const refused = async (asked: ReturnType<KhalaSockets["upgrade"]>, request: Request, state: RequestState) => {
    const answer = await asked;
    if (!answer) return answer;
    const own = Object.fromEntries(answer.headers);
    return respond(answer.body, answer.status, { ...baseHeaders(config, request, state.path, state), ...own }, state);
  };

  composed = compose(ctx, {
    domains,
    guards,
    loopback,
    early: [
      ...shell.routes,
      ...healthRoutes,
      earlyRoute("http", "/openapi.json", {}, "no-cache, no-store, must-revalidate"),
      ...[...socketPaths].map((path) => earlyRoute("khala", path, { proof: "sync token" })),
    ],
    fast: shell.asset,
    gate: rollout.gate,
    open: rollout.open,
    before: (request: Request, state: RequestState, server: Peer) => {
      if (isRoute(state.path)) return null;
      if (request.method === "GET" && socketPaths.has(state.path))
        return refused(sockets.upgrade(request, state, server), request, state);
      return rollout.split(request, state) ?? shell.guestPage(request, state) ?? early(request, state);
    },
    page: shell.errorPage,
  });
  processMetrics(ctx.metrics, {
    ...executable,
    inFlight: composed.inFlight,
    poolInUse: async () => (await ctx.store.poolUse())?.inUse ?? 0,
  });
  return {
    fetch: composed.fetch,
    sockets,
    routes: composed.routes,
    openapi: document,
    keepFiles: async () => archive?.keep(),
    inFlight: composed.inFlight,
    start: rollout.start,
    stop: rollout.stop,
  };
}

const machinePaths = new Set(healthRoutes.map(({ path }) => path));

/** A path that only a route can answer: nothing needs to be looked up before. */
const isRoute = (path: string): boolean => path.startsWith("/api/") && path !== "/api/docs";
