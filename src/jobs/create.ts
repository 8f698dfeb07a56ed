import { sql } from "drizzle-orm";
import type { JobWithMetadata, PgBoss, QueueResult } from "pg-boss";
import type { Database, Store } from "../../db/database";
import { reasonOf } from "../../db/failure";
import type { Log } from "../telemetry/log";
import type { Metrics } from "../telemetry/metrics";
import { within } from "../within";
import { type Due, watchDue } from "./due";
import type { JobKind, JobOptions, Jobs } from "./jobs";
import { createSlots } from "./slots";

export interface JobsOptions {
  store: Store;
  log: Log;
  metrics: Metrics;
  /** Jobs at once on this node (`OA_JOBS_CONCURRENCY`). */
  concurrency: number;
  /** Between two looks at the schedule; 5 unless said. */
  scheduleSeconds?: number;
}

/** A lease lasts 90 s and is renewed every 30 s (http-platform 3.13). */
const LEASE_SECONDS = 90;
const RENEW_SECONDS = 30;
/** Between the first looks of two kinds. */
const STAGGER_MS = 25;
/** Workers of one kind on one node, where the kind names no limit. */
const WORKERS = 3;
const GAUGES_MS = 30_000;
const RUN_BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900];

type Kind = JobKind<unknown>;

interface Running {
  kind: string;
  abort: AbortController;
}

const settingsOf = (kind: Kind) => ({
  policy: "exclusive" as const,
  retryLimit: kind.tries - 1,
  retryDelay: kind.backoffSeconds,
  retryBackoff: kind.double === true && kind.backoffSeconds > 0,
  heartbeatSeconds: LEASE_SECONDS,
  expireInSeconds: 3600,
  // Dead jobs are kept until an operator decides; `platform.prune` removes finished ones.
  deleteAfterSeconds: 0,
  retentionSeconds: 30 * 86_400,
  notify: true,
});

/** Durable jobs over pg-boss: `jobs.ts` says what each member does. */
export function createJobs(options: JobsOptions): Jobs {
  const { store, log, metrics, concurrency } = options;
  const kinds = new Map<string, Kind>();
  const schedules = new Map<string, string>();
  const workers = new Map<string, string[]>();
  const running = new Map<string, Running>();
  const slots = createSlots(concurrency);
  let boss: PgBoss | null = null;
  let inside: typeof import("./boss").inside;
  let opening: Promise<void> | null = null;
  let due: Due | null = null;
  let gauges: Timer | null = null;
  let stopping = false;
  let working: Promise<void> = Promise.resolve();
  let idle: (() => void) | null = null;

  /** Makes queues and schedules that are missing or differ; what is right already costs nothing. */
  async function declare(on: PgBoss): Promise<void> {
    const there = new Map((await on.getQueues()).map((queue) => [queue.name, queue]));
    for (const kind of kinds.values()) {
      const { policy, ...settings } = settingsOf(kind);
      const found = there.get(kind.kind);
      if (!found) await on.createQueue(kind.kind, { policy, ...settings });
      else if (differs(found, settings)) await on.updateQueue(kind.kind, settings);
      // Fills pg-boss's own list, which it must not read inside a caller's transaction.
      await on.findJobs(kind.kind, { id: crypto.randomUUID() });
    }
  }

  async function schedule(on: PgBoss): Promise<void> {
    const there = new Map((await on.getSchedules()).map((row) => [row.name, row.cron]));
    for (const [kind, cron] of schedules) {
      if (there.get(kind) !== cron) await on.schedule(kind, cron, null, { tz: "UTC", missed: "once" });
    }
  }

  /** The embedded database has one process: what was running when it died runs again at once, and counts as a try. */
  async function reclaim(): Promise<void> {
    if (store.kind !== "pglite") return;
    await store.rows(sql`update jobs.job set state = 'retry', heartbeat_on = null
      where state = 'active' and retry_count < retry_limit`);
    await store.rows(sql`update jobs.job set state = 'failed', completed_on = now()
      where state = 'active' and name not like '\\_\\_pgboss%'`);
  }

  /** Puts claimed jobs back as if they had never been claimed. */
  async function giveBack(ids: string[]): Promise<void> {
    if (!ids.length) return;
    const list = sql.join(
      ids.map((id) => sql`${id}::uuid`),
      sql`, `,
    );
    await store.rows(sql`update jobs.job set state = 'created', started_on = null, heartbeat_on = null, start_after = now()
      where id in (${list}) and state = 'active'`);
  }

  async function run(kind: Kind, job: JobWithMetadata<unknown>): Promise<void> {
    const abort = new AbortController();
    running.set(job.id, { kind: kind.kind, abort });
    await slots.take();
    try {
      if (stopping) await giveBack([job.id]);
      else await attempt(kind, job, AbortSignal.any([abort.signal, job.signal]));
    } finally {
      slots.free();
      running.delete(job.id);
      if (!running.size) idle?.();
    }
  }

  async function attempt(kind: Kind, job: JobWithMetadata<unknown>, signal: AbortSignal): Promise<void> {
    const start = performance.now();
    const tried = job.retryCount + 1;
    const lag = Math.max(0, Date.now() - job.startAfter.getTime());
    metrics.observe("job_lag_seconds", lag / 1000, { kind: kind.kind }, RUN_BUCKETS);
    metrics.gauge("jobs_running", countOf(kind.kind), { kind: kind.kind });
    const end = (outcome: "done" | "retry" | "dead" | "returned", error?: unknown) => {
      metrics.count("jobs_finished_total", { kind: kind.kind, outcome });
      metrics.gauge("jobs_running", countOf(kind.kind) - 1, { kind: kind.kind });
      const level = outcome === "dead" ? "error" : outcome === "retry" ? "warn" : "info";
      log[level]("oa.job", `${kind.kind} ${outcome}`, {
        kind: kind.kind,
        job_id: job.id,
        try: tried,
        outcome,
        duration_ms: Math.round((performance.now() - start) * 10) / 10,
        lag_ms: lag,
        ...(error === undefined ? {} : { error_message: reasonOf(error) }),
      });
    };
    try {
      await kind.run(job.data, { id: job.id, try: tried, signal });
      end("done");
    } catch (error) {
      // A job that was told to stop goes back untouched.
      if (stopping && signal.aborted) {
        await giveBack([job.id]);
        return end("returned");
      }
      end(tried >= kind.tries ? "dead" : "retry", error);
      throw error;
    }
  }

  const countOf = (kind: string) => [...running.values()].filter((one) => one.kind === kind).length;

  async function measure(): Promise<void> {
    for (const queue of (await boss?.getQueues()) ?? []) {
      if (!kinds.has(queue.name)) continue;
      metrics.gauge("jobs_queued", queue.queuedCount + queue.deferredCount, { kind: queue.name });
      metrics.gauge("jobs_dead", queue.failedCount, { kind: queue.name });
    }
  }

  /** Each worker looks for work at once: on the one connection of the embedded database that must not delay the first requests. */
  async function runWorkers(on: PgBoss): Promise<void> {
    for (const kind of kinds.values()) {
      if (store.kind === "pglite") await Bun.sleep(STAGGER_MS);
      if (stopping) return;
      const ids: string[] = [];
      for (let i = 0; i < Math.min(kind.concurrency ?? WORKERS, concurrency); i++) {
        const settings = {
          includeMetadata: true as const,
          heartbeatRefreshSeconds: RENEW_SECONDS,
          // Notifications and `due.ts` wake them; this is for the case that both fail.
          pollingIntervalSeconds: RENEW_SECONDS,
          notifyPollingIntervalSeconds: RENEW_SECONDS,
        };
        ids.push(await on.work<unknown, void, typeof settings>(kind.kind, settings, ([job]) => run(kind, job!)));
      }
      workers.set(kind.kind, ids);
    }
  }

  async function open(runs: boolean): Promise<void> {
    for (const kind of schedules.keys()) if (!kinds.has(kind)) throw new Error(`no job kind ${kind}`);
    // Loaded when it is needed: pg-boss would take its share of every start.
    const pgBoss = await import("./boss");
    inside = pgBoss.inside;
    const opened = await pgBoss.openBoss(store, runs, options.scheduleSeconds ?? 5);
    opened.on("error", (error) => log.error("oa.job", "job queue", { error_message: reasonOf(error) }));
    opened.on("warning", (warning) => log.debug("oa.job", "job queue", { warning: warning.message }));
    await opened.start();
    boss = opened;
    await declare(opened);
    if (!runs) return;
    await schedule(opened);
    await reclaim();
    working = runWorkers(opened).catch((error) => log.error("oa.job", "job queue", { error_message: reasonOf(error) }));
    const wake = (kind: string) => {
      for (const id of workers.get(kind) ?? []) opened.notifyWorker(id);
    };
    due = watchDue(store, [...kinds.keys()], wake);
    gauges = setInterval(() => void measure().catch(() => {}), GAUGES_MS);
    gauges.unref();
  }

  return {
    define(kind) {
      if (boss) throw new Error(`${kind.kind}: kinds are declared before the start`);
      if (kinds.has(kind.kind)) throw new Error(`${kind.kind} is declared twice`);
      kinds.set(kind.kind, kind as Kind);
    },

    every(cron, kind) {
      if (boss) throw new Error(`${kind}: schedules are declared before the start`);
      schedules.set(kind, cron);
    },

    async enqueue(db: Database, kind: string, payload: unknown, options: JobOptions = {}) {
      if (!boss) throw new Error("the job queue is not open");
      if (!kinds.has(kind)) throw new Error(`no job kind ${kind}`);
      if (typeof payload !== "object" || Array.isArray(payload))
        throw new Error(`${kind}: a payload is an object or null`);
      await boss.send(kind, payload, {
        db: inside(db),
        // Every job has a key, for one queue cannot hold jobs with and without the rule.
        singletonKey: options.key ?? crypto.randomUUID(),
        startAfter: options.startAt,
      });
      if (options.startAt) due?.expect(kind, options.startAt);
    },

    start({ run: runs } = { run: true }) {
      opening = open(runs).finally(() => {
        opening = null;
      });
      return opening;
    },

    opening: () => opening,

    async stop(ms) {
      if (!boss) return;
      stopping = true;
      await working;
      due?.stop();
      if (gauges) clearInterval(gauges);
      for (const kind of workers.keys()) await boss.offWork(kind, { wait: false });
      if (running.size) {
        const done = new Promise<void>((resolve) => {
          idle = resolve;
        });
        await within(ms, done);
      }
      const left = [...running];
      await giveBack(left.map(([id]) => id));
      for (const [, one] of left) one.abort.abort(new Error("the server is stopping"));
      await boss.stop({ graceful: false, close: true });
      boss = null;
      due = null;
    },

    ready: () => boss !== null && !opening && !stopping && (due?.healthy() ?? true),
  };
}

function differs(found: QueueResult, settings: Omit<ReturnType<typeof settingsOf>, "policy">): boolean {
  const stored = found as unknown as Record<string, unknown>;
  return Object.entries(settings).some(([name, value]) => stored[name] !== value);
}
