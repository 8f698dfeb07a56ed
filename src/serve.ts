import { existsSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { sql } from "drizzle-orm";
import type { Store } from "../db/database";
import { lockFolder } from "../db/lock";
import { migrate, migrationStatus, schemaVersion } from "../db/migrate";
import { serveOps } from "../ops/socket";
import { createApp } from "./app";
import { withAppKey } from "./app-key";
import { assemble } from "./assemble";
import { addressOf, bindOf, isLoopback } from "./bind";
import { dataFolder, loadConfiguration } from "./configuration";
import type { Context } from "./context";
import { drain, type Step } from "./drain";
import { type Executable, webFiles } from "./executable";
import { asExit, Exit, printExit } from "./exit";
import { firstScreen, notesOf } from "./first-screen";
import { providerProblems } from "./identity/providers";
import { tokenWarnings } from "./identity/token-settings";
import { queueHealth } from "./jobs/operator";
import { subscriptionCounts } from "./khala/inspection";
import { clearSocket, finishRequests, listen } from "./listen";
import { logFormat } from "./log-format";
import { openStore } from "./open-store";
import { announceOwner, forgetOwnerLink } from "./owner-link";
import { runWorkerBeside } from "./serve-worker";
import { ConfigError } from "./settings";
import { watchSignals } from "./signals";
import { createLog } from "./telemetry/log";
import { spansProblems } from "./telemetry/spans";

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
  /** A fixture's file, or true for the embedded one. */
  seed?: string | boolean | undefined;
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
  /** Writes one log line about the present state. */
  report(): Promise<void>;
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
  if (options.seed !== undefined && !options.dev) throw new Exit(2, "--seed needs --dev", "it is for trials only");
  const { config: read, warnings } = loadConfiguration({ flags: flagsOf(options, env), env, file: options.config });
  const bind = bindOf(read, options);
  const wrong = [...providerProblems(read), ...spansProblems(read)];
  if (wrong.length) throw new ConfigError(wrong);
  const workspace = options.worker ? workspaceOf(options.workspace) : null;
  const folder = dataFolder(read, env);
  if (!read.DATABASE_URL) {
    const lock = lockFolder(folder);
    undo.push({ name: "lock", run: async () => lock.release() });
  }
  const config = withAppKey(read, folder);
  const log = createLog({ level: config.OA_LOG_LEVEL, format: logFormat(config) });
  for (const warning of [...warnings, ...tokenWarnings(config)]) log.warn("oa.config", warning);

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

  let url = config.APP_URL?.replace(/\/+$/, "") ?? "http://localhost";
  const { ctx, khala } = await assemble({ config, store, log, appUrl: () => url, version: executable.version });
  const { jobs } = ctx;
  undo.push({ name: "khala", run: () => khala.stop() });
  if (options.seed !== undefined) await seedFrom(ctx, options.seed);
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
  const facts = { version: executable.version, buildId: executable.buildId, schemaVersion: schemaVersion() };
  const load = () => ({ sockets: app.sockets.connections.size, ...subscriptionCounts(khala) });
  await Promise.all([khala.join(facts, load), app.start()]);
  undo.push({ name: "rollout", run: () => app.stop() });
  undo.push({ name: "jobs", run: () => jobs.stop(1000) });

  if ("socket" in bind) await clearSocket(bind.socket);
  const server = listen(bind, app, { reusePort: options.reusePort === true, draining: () => draining });
  undo.push({ name: "listener", run: async () => void (await server.stop(true)) });
  khala.publishOn(server);
  // The queue opens while the first requests are answered; what wants to store a job waits for it.
  const queue = jobs.start({ run: options.jobs !== false });
  queue.catch(() => {});
  const listening = "socket" in bind ? `unix:${bind.socket}` : addressOf(bind.host, server.port as number);
  if (!config.APP_URL && !("socket" in bind)) url = listening;

  if (!config.DATABASE_URL) {
    const path = join(folder, "ops.sock");
    const stopOps = await serveOps({ path, executable, config, folder, store, ctx, khala });
    undo.push({ name: "operator commands", run: stopOps });
  }
  await queue;
  const owner = await announceOwner(ctx, folder);
  const notes = notesOf(config, { workspace, fullAccess: options.workerFullAccess === true });
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
    workspace !== null && !("socket" in bind)
      ? runWorkerBeside(ctx, {
          url: listening,
          version: executable.version,
          folder,
          workspace,
          fullAccess: options.workerFullAccess === true,
          env,
        })
      : null;

  app
    .keepFiles()
    .catch((error: unknown) => log.warn("oa.start", "files were not archived", { error_message: String(error) }));

  if (options.open) openBrowser(owner && "url" in owner ? owner.url : (config.APP_URL ?? listening));

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
          {
            name: "requests",
            run: () => finishRequests(server, app.inFlight, Math.max(0, config.OA_SHUTDOWN_TIMEOUT_MS - 5000)),
          },
          { name: "jobs", run: () => jobs.stop(config.OA_SHUTDOWN_TIMEOUT_MS - 5000) },
          { name: "analytics", run: () => ctx.analytics.flush() },
          { name: "traces", run: () => ctx.spans?.flush() ?? Promise.resolve() },
          { name: "khala", run: () => khala.stop() },
          { name: "rollout", run: () => app.stop() },
          ...undo.filter((step) => step.name === "operator commands"),
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
  const report = async () => {
    // a database that is stuck is when this line is asked for
    const soon = <T>(asked: Promise<T>) => Promise.race([asked.catch(() => null), Bun.sleep(1000).then(() => null)]);
    const [queue, pool] = await Promise.all([soon(queueHealth(store)), soon(store.poolUse())]);
    const asked = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 0));
    log.info("oa.state", "state", {
      sockets: server.pendingWebSockets,
      requests_in_flight: app.inFlight(),
      jobs_queued: queue?.queued ?? null,
      ...(pool ? { pool_in_use: pool.inUse, pool_open: pool.open, pool_size: pool.size } : {}),
      database: store.kind,
      rss_mb: Math.round(process.memoryUsage.rss() / 1e6),
      event_loop_delay_ms: Math.round((performance.now() - asked) * 10) / 10,
    });
    await log.flush();
  };
  return { ctx, url: listening, folder, stop, stopped, report };
}

/** Fills the database from a fixture, or with people to try things (ops-data 3.10). */
async function seedFrom(ctx: Context, file: string | boolean): Promise<void> {
  const { readFixture, seed } = await import("../ops/seed");
  const fixture = typeof file === "string" ? await readFixture(file) : await import("../ops/seeds/development.json");
  const { counts, warnings } = await seed(ctx, fixture);
  for (const warning of warnings) ctx.log.info("oa.start", warning);
  ctx.log.info("oa.start", "database seeded", { rows: Object.fromEntries(counts) });
}

/** The workspace of `--worker`, which must be a folder. */
function workspaceOf(given: string | undefined): string {
  const path = resolve(given ?? ".");
  if (existsSync(path) && statSync(path).isDirectory()) return path;
  throw new Exit(2, `the workspace ${path} is no folder`, "name a folder with --workspace");
}

/** Best effort: a machine without a browser is no failure. */
function openBrowser(url: string): void {
  const program = process.platform === "darwin" ? "open" : "xdg-open";
  if (Bun.which(program)) Bun.spawn([program, url], { stdio: ["ignore", "ignore", "ignore"] }).unref();
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

/** `openagents serve`: runs until a signal. Returns the exit code. */
export async function serve(executable: Executable, options: ServeOptions): Promise<number> {
  const watch = watchSignals();
  let running: Running;
  try {
    running = await start(executable, options);
  } catch (error) {
    const exit = asExit(error);
    printExit(exit);
    return exit.code;
  }
  watch(running);
  return running.stopped;
}
