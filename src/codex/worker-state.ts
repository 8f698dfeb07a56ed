import type { codexWorkers, WorkerStatus } from "../../db/schema/codex";
import type { WorkerSnapshot } from "./contract";
import { textOf } from "./json";
import { wholeSeconds, wholeSecondsOrNull } from "./times";

export type Worker = typeof codexWorkers.$inferSelect;
export type HeartbeatState = WorkerSnapshot["heartbeat_state"];

const moves: Record<WorkerStatus, WorkerStatus[]> = {
  starting: ["starting", "running", "stopping", "failed"],
  running: ["running", "stopping", "stopped", "failed"],
  stopping: ["stopping", "stopped", "failed"],
  stopped: ["stopped", "failed"],
  failed: ["stopped", "failed"],
};

/** Whether an event may move a worker so (codex-chat 3.1). Create and stop move it from anywhere. */
export const mayMove = (from: WorkerStatus, to: WorkerStatus) => moves[from].includes(to);

/** Whether a worker takes requests and events. */
export const isRunnable = ({ status }: Pick<Worker, "status">) => status === "starting" || status === "running";

const ageOf = (worker: Pick<Worker, "lastHeartbeatAt">, now: Date) =>
  worker.lastHeartbeatAt && Math.max(0, now.getTime() - worker.lastHeartbeatAt.getTime());

/** How fresh a worker's heartbeat is (codex-chat 3.2). */
export function heartbeatState(
  worker: Pick<Worker, "status" | "lastHeartbeatAt">,
  now: Date,
  staleAfterMs: number,
): HeartbeatState {
  if (worker.status === "failed" || worker.status === "stopped") return worker.status;
  const age = ageOf(worker, now);
  if (age === null) return "missing";
  return age > staleAfterMs ? "stale" : "fresh";
}

/** Whether a bridge is there to execute what is sent (codex-chat 3.4). */
export const isLive = (worker: Worker, now: Date, staleAfterMs: number) =>
  worker.executorSessionId !== null &&
  worker.adapter !== "in_memory" &&
  worker.status === "running" &&
  heartbeatState(worker, now, staleAfterMs) === "fresh";

/** A worker as every reader sees it (codex-chat 2.1). */
export function workerSnapshot(worker: Worker, pending: number, now: Date, staleAfterMs: number): WorkerSnapshot {
  const { workerId, latestSeq, metadata } = worker;
  return {
    worker_id: workerId,
    status: worker.status,
    latest_seq: latestSeq,
    workspace_ref: worker.workspaceRef,
    codex_home_ref: worker.codexHomeRef,
    adapter: worker.adapter,
    metadata,
    started_at: wholeSecondsOrNull(worker.startedAt),
    stopped_at: wholeSecondsOrNull(worker.stoppedAt),
    last_heartbeat_at: wholeSecondsOrNull(worker.lastHeartbeatAt),
    heartbeat_age_ms: ageOf(worker, now),
    heartbeat_stale_after_ms: staleAfterMs,
    heartbeat_state: heartbeatState(worker, now, staleAfterMs),
    updated_at: wholeSeconds(worker.updatedAt),
    khala_projection: {
      document_id: `runtime/codex_worker_summary:${workerId}`,
      projection_version: "khala.v1",
      status: "in_sync",
      lag_events: 0,
      last_runtime_seq: latestSeq,
      last_projected_at: wholeSeconds(worker.updatedAt),
    },
    executor:
      worker.executorSessionId === null
        ? null
        : {
            session_id: worker.executorSessionId,
            connected: isLive(worker, now, staleAfterMs),
            source: textOf(metadata.source),
            codex_version: textOf(metadata.codex_version),
            auth: worker.authState,
          },
    pending_requests: pending,
  };
}

const freshness = { fresh: 2, stale: 1, missing: 0, stopped: 0, failed: 0 } satisfies Record<HeartbeatState, number>;

/** What the choice among workers looks at. */
export type RankedWorker = Pick<
  Worker,
  "workerId" | "status" | "adapter" | "metadata" | "lastHeartbeatAt" | "startedAt" | "latestSeq"
>;

const isDesktop = ({ adapter, workerId, metadata }: RankedWorker) =>
  adapter === "desktop_bridge" || workerId.startsWith("desktopw:") || metadata.source === "autopilot-desktop";

type Rank = [boolean, number, number, number, number, string];

const rank = (worker: RankedWorker, now: Date, staleAfterMs: number): Rank => [
  worker.workerId.includes(":shared"),
  freshness[heartbeatState(worker, now, staleAfterMs)],
  worker.lastHeartbeatAt?.getTime() ?? 0,
  worker.startedAt?.getTime() ?? 0,
  worker.latestSeq,
  worker.workerId,
];

function compare(a: Rank, b: Rank): number {
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as Rank[number], b[i] as Rank[number]];
    if (x !== y) return x < y ? -1 : 1;
  }
  return 0;
}

/** The worker that a person's message goes to when none is named (codex-chat 3.3). Null without any. */
export function preferredWorker<W extends RankedWorker>(workers: W[], now: Date, staleAfterMs: number): W | null {
  const running = workers.filter(({ status }) => status === "running");
  const desktop = running.filter(isDesktop);
  const pool = desktop.length ? desktop : running.length ? running : workers;
  const ranked = pool.map((worker) => ({ worker, rank: rank(worker, now, staleAfterMs) }));
  return ranked.sort((a, b) => compare(b.rank, a.rank))[0]?.worker ?? null;
}
