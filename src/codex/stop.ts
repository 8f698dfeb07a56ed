import type { Context } from "../context";
import type { Caller } from "../http/caller";
import { notFound } from "../refusal";
import { closeOpenWork } from "./close-work";
import type { StoppedWorker } from "./contract";
import { failRequests, unfinishedRequests } from "./receipts";
import { closeLog, openLog, record } from "./worker-log";
import { lockWorker, stoppedText } from "./workers";

const stopped = (workerId: string, seq: number, replay: boolean): StoppedWorker => ({
  worker_id: workerId,
  status: "stopped",
  seq,
  idempotent_replay: replay,
  idempotentReplay: replay,
});

/** Stops a worker: what waits is given up, what runs is interrupted, then one event says so (codex-chat 2.7). */
export const stopWorker = (
  ctx: Context,
  caller: Caller,
  workerId: string,
  reason: string | null,
): Promise<StoppedWorker> =>
  ctx.commit(async (unit) => {
    const now = ctx.now();
    const worker = await lockWorker(unit.db, caller, workerId);
    if (!worker) throw notFound();
    if (worker.status === "stopped") return stopped(workerId, worker.latestSeq, true);
    const log = openLog(worker, now);
    const waiting = await unfinishedRequests(unit.db, worker.id);
    await failRequests(ctx, unit.db, log, waiting, () => ({ code: "conflict", message: stoppedText, retryable: true }));
    await closeOpenWork(ctx, unit.db, worker, now, "interrupted", null);
    log.worker.status = "stopped";
    log.worker.stoppedAt = now;
    const { seq } = record(log, "worker.stopped", { reason: reason ?? "requested" });
    await closeLog(ctx, unit, log);
    return stopped(workerId, seq, false);
  });
