import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { sql } from "drizzle-orm";
import type { Store } from "../db/database";
import { lockFolder } from "../db/lock";
import { migrate, migrationStatus, schemaVersion } from "../db/migrate";
import { createApp } from "./app";
import { withAppKey } from "./app-key";
import { addressOf, type Bind, bindOf, isLoopback } from "./bind";
import type { Config } from "./config";
import { dataFolder, loadConfiguration } from "./configuration";
import { type Context, createContext } from "./context";
import { drain, type Step } from "./drain";
import { type Executable, webFiles } from "./executable";
import { asExit, Exit, printExit } from "./exit";
import { firstScreen, notesOf } from "./first-screen";
import { largestBody } from "./http/body";
import { createOutbound } from "./http/outbound";
import { createThrottle } from "./http/throttle";
import { createJobs } from "./jobs/create";
import { createKhala } from "./khala/node";
import { logFormat } from "./log-format";
import { openStore } from "./open-store";
import { announceOwner, forgetOwnerLink } from "./owner-link";
import { runWorkerBeside } from "./serve-worker";
import { createAnalytics } from "./telemetry/analytics";
import { createLog } from "./telemetry/log";
import { createMetrics } from "./telemetry/metrics";

/** What `serve` was told on the command line (ops-data 2.6). */
export interface ServeOptions {
  config?: string | undefined;
  dataDir?: string | undefined;
  host?: string | undefined;
  port?: string | undefined;
  socket?: string | undefined;
  reusePort?: boolean | undefined;
  migrate?: boolean | undefined;
  jobs?: boolean | undefined;
  dev?: boolean | undefined;
  open?: boolean | undefined;
  logLevel?: string | undefined;
  logFormat?: string | undefined;
  worker?: boolean | undefined;
  workspace?: string | undefined;
  workerFullAccess?: boolean | undefined;
}

/** A server that runs in this process. */
export interface Running {
  ctx: Context;
  url: string;
  folder: string;
  /** Stops gracefully; resolves to the exit code. */
  stop(reason: string): Promise<number>;
  /** Resolves to the exit code when the server has stopped for any reason. */
  stopped: Promise<number>;
}

function flagsOf(options: ServeOptions, env: Record<string, string | undefined>): Record<string, string> {
  const flags: Record<string, string> = {};
  if (options.dataDir) flags.OA_DATA_DIR = options.dataDir;
  if (options.logLevel) flags.OA_LOG_LEVEL = options.logLevel;
  if (options.logFormat) flags.OA_LOG_FORMAT = options.logFormat;
  if (options.dev && env.APP_ENV === undefined) flags.APP_ENV = "local";
  if (options.dev && env.OA_AUTH_PROVIDER_MODE === undefined) flags.OA_AUTH_PROVIDER_MODE = "mock";
  return flags;
}

/**
 * Starts the server in the order of ops-data 2.6. A failure at any step undoes the earlier ones and throws an `Exit`.
 */
export async function start(executable: Executable, options: ServeOptions, env = process.env): Promise<Running> {
  const began = performance.now();
  const undo: Step[] = [];
  const undoAll = async () => {
    for (const step of undo.reverse()) await step.run().catch(() => {});
  };
  try {
    return await startSteps(executable, options, env, undo, began);
  } catch (error) {
    await undoAll();
    throw asExit(error);
  }
}

async function startSteps(
  executable: Executable,
  options: ServeOptions,
  env: Record<string, string | undefined>,
  undo: Step[],
  began: number,
): Promise<Running> {
  const { config: read, warnings } = loadConfiguration({ flags: flagsOf(options, env), env, file: options.config });
  const bind = bindOf(read, options);
  if (read.APP_ENV === "production" && read.OA_AUTH_PROVIDER_MODE === "mock") {
    throw new Exit(
      78,
      "OA_AUTH_PROVIDER_MODE=mock is refused when APP_ENV is production",
      "use it with APP_ENV=local, or 'serve --dev'",
    );
  }
  const folder = dataFolder(read, env);
  if (!read.DATABASE_URL) {
    const lock = lockFolder(folder);
    undo.push({ name: "lock", run: async () => lock.release() });
  }
  const config = withAppKey(read, folder);
  const log = createLog({ level: config.OA_LOG_LEVEL, format: logFormat(config) });
  for (const warning of warnings) log.warn("oa.config", warning);

  let fault: ((exit: Exit) => void) | null = null;
  const [web, store] = await Promise.all([
    webFiles(executable),
    openStore({
      config,
      folder,
      executable,
      onFault: (error) => fault?.(asExit(error)),
      onRetry: (reason) => log.warn("oa.start", "waiting for the database", { reason }),
    }),
  ]);
  undo.push({ name: "database", run: () => store.close() });
  await migrate(store, {
    appliedBy: `${executable.version} ${config.OA_NODE_ID ?? "serve"}`,
    ...(options.migrate === false ? { only: "check" as const } : {}),
    onLine: (line) => log.info("oa.start", line),
  });

  const metrics = createMetrics();
  const outbound = createOutbound(log, metrics);
  const now = () => new Date();
  const khala = await createKhala({ config, store, log, metrics });
  undo.push({ name: "khala", run: async () => khala.stop() });
  const jobs = createJobs({ store, log, metrics, concurrency: config.OA_JOBS_CONCURRENCY });
  let url = config.APP_URL?.replace(/\/+$/, "") ?? "http://localhost";
  const ctx = createContext({
    config,
    appUrl: () => url,
    store,
    now,
    log,
    metrics,
    analytics: createAnalytics(config, outbound, log, now),
    khala,
    jobs,
    outbound,
    throttle: createThrottle(
      store,
      () => Date.now(),
      (error) => {
        metrics.count("http_throttle_errors_total");
        log.warn("oa.throttle", "a throttle was not counted", { error_message: String(error) });
      },
    ),
  });
  let draining = false;
  const app = createApp(ctx, {
    executable,
    web,
    khala,
    loopback: isLoopback(bind),
    checks: { database: () => reachable(store), migrations: () => migrated(store) },
    draining: () => draining,
    linkUsed: () => forgetOwnerLink(folder),
  });
  await jobs.start({ run: options.jobs !== false });
  undo.push({ name: "jobs", run: () => jobs.stop(1000) });

  const server = listen(bind, options, app);
  undo.push({ name: "listener", run: async () => void (await server.stop(true)) });
  khala.publishOn(server);
  const listening = "socket" in bind ? `unix:${bind.socket}` : addressOf(bind.host, server.port as number);
  if (!config.APP_URL && !("socket" in bind)) url = listening;

  const owner = await announceOwner(ctx, folder);
  const notes = notesOf(config);
  const readyMs = performance.now() - began;
  if (process.stdout.isTTY)
    process.stdout.write(
      firstScreen({ config, executable, folder, url: config.APP_URL ?? listening, owner, notes, readyMs }),
    );
  else {
    log.info("oa.start", "server started", {
      version: executable.version,
      build_id: executable.buildId,
      bind: listening,
      database: store.kind,
      schema_version: schemaVersion(),
      ready_ms: Math.round(readyMs),
      notes,
      ...(owner && "file" in owner ? { owner_link_file: owner.file } : {}),
      ...(owner && "command" in owner ? { owner_link_command: owner.command } : {}),
    });
    await log.flush();
  }

  const beside =
    options.worker && !("socket" in bind)
      ? runWorkerBeside(ctx, {
          url: listening,
          version: executable.version,
          workspace: options.workspace ?? process.cwd(),
          fullAccess: options.workerFullAccess === true,
          env,
        })
      : null;

  let settle: (code: number) => void = () => {};
  const stopped = new Promise<number>((resolve) => {
    settle = resolve;
  });
  let stopping: Promise<number> | null = null;
  const stop = (reason: string): Promise<number> => {
    stopping ??= (async () => {
      draining = true;
      log.info("oa.start", "stopping", { reason });
      const delay = config.OA_SHUTDOWN_DELAY_MS ?? (process.stdout.isTTY ? 0 : 2000);
      const code = await drain(
        [
          { name: "look-away delay", run: () => Bun.sleep(delay) },
          { name: "worker", run: () => beside?.stop() ?? Promise.resolve() },
          { name: "sockets", run: () => app.sockets.drain() },
          { name: "requests", run: () => finishRequests(server, app.inFlight, config) },
          { name: "jobs", run: () => jobs.stop(config.OA_SHUTDOWN_TIMEOUT_MS - 5000) },
          { name: "analytics", run: () => ctx.analytics.flush() },
          { name: "khala", run: async () => khala.stop() },
          { name: "database", run: () => store.close() },
          ...undo.filter((step) => step.name === "lock"),
          { name: "socket file", run: async () => void ("socket" in bind && rmSync(bind.socket, { force: true })) },
        ],
        config.OA_SHUTDOWN_TIMEOUT_MS,
        (line) => log.error("oa.start", line),
      );
      await log.flush();
      return code;
    })();
    void stopping.then(settle);
    return stopping;
  };
  fault = (exit) => {
    log.error("oa.start", exit.message, { hint: exit.hint });
    printExit(exit);
    settle(exit.code);
  };
  return { ctx, url: listening, folder, stop, stopped };
}

type AppSurface = ReturnType<typeof createApp>;

function listen(bind: Bind, options: ServeOptions, app: AppSurface) {
  const base = {
    development: false,
    maxRequestBodySize: largestBody,
    websocket: app.sockets.websocket,
    error: () => new Response(null, { status: 500 }),
  };
  try {
    if ("socket" in bind) {
      rmSync(bind.socket, { force: true });
      return Bun.serve({ ...base, unix: bind.socket, fetch: (request, server) => app.fetch(request, server as never) });
    }
    return Bun.serve({
      ...base,
      hostname: bind.host,
      port: bind.port,
      idleTimeout: 60,
      reusePort: options.reusePort === true,
      fetch: (request, server) => app.fetch(request, server),
    });
  } catch (error) {
    const code = (error as { code?: string }).code;
    const where = "socket" in bind ? bind.socket : `${bind.host}:${bind.port}`;
    if (code === "EADDRINUSE")
      throw new Exit(69, `${where} is in use by another program`, "choose another with --port, or stop that program");
    if (code === "EACCES")
      throw new Exit(77, `${where} may not be listened on by this user`, "choose a port above 1023 with --port");
    throw new Exit(
      69,
      `cannot listen on ${where} (${code ?? String(error)})`,
      "choose another address with --host and --port",
    );
  }
}

async function reachable(store: Store): Promise<string> {
  const asked = store.rows(sql`select 1`).then(
    () => "ok",
    () => "failed",
  );
  return Promise.race([asked, Bun.sleep(1000).then(() => "failed")]);
}

async function migrated(store: Store): Promise<string> {
  try {
    const { databaseVersion, schemaVersion: own } = await migrationStatus(store);
    return databaseVersion >= own ? "ok" : "pending";
  } catch {
    return "failed";
  }
}

/** Closes the listener; what is being answered finishes, at most until 5 s before the limit. */
async function finishRequests(
  server: { stop(force?: boolean): Promise<void> },
  inFlight: () => number,
  config: Config,
): Promise<void> {
  const closed = server.stop(false);
  const limit = performance.now() + Math.max(0, config.OA_SHUTDOWN_TIMEOUT_MS - 5000);
  while (inFlight() > 0 && performance.now() < limit) await Bun.sleep(10);
  await Promise.race([closed, Bun.sleep(50)]);
  await server.stop(true);
}

/** A name for this process in logs and `server_nodes`. */
export const nodeId = (config: Config): string => config.OA_NODE_ID ?? `node_${randomBytes(4).toString("hex")}`;

const codes: Record<string, number> = { SIGTERM: 143, SIGINT: 130, SIGHUP: 129 };

/** `openagents serve`: runs until a signal. Returns the exit code. */
export async function serve(executable: Executable, options: ServeOptions): Promise<number> {
  let running: Running;
  try {
    running = await start(executable, options);
  } catch (error) {
    const exit = asExit(error);
    printExit(exit);
    return exit.code;
  }
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    let seen = false;
    process.on(signal, () => {
      if (seen) process.exit(codes[signal]);
      seen = true;
      void running.stop(signal);
    });
  }
  return running.stopped;
}
