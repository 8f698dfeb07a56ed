import { and, asc, eq, isNull, sql } from "drizzle-orm";
import { codexControlRequests, codexThreads, codexTurns, codexWorkerEvents } from "../../db/schema/codex";
import type { Context, Unit } from "../context";
import type { Caller } from "../http/caller";
import { closeOpenWork } from "./close-work";
import type { AttachedWorker, NewWorker, WorkerRequest } from "./contract";
import { deadlineJob } from "./deadlines";
import { newWorkerId } from "./ids";
import { textOf } from "./json";
import { wholeSeconds } from "./times";
import { closeLog, openLog, record, type WorkerLog } from "./worker-log";
import { lockOrProvision } from "./workers";

const handedOverAtOnce = 100;

/**
 * Makes a worker, or takes an existing one of the caller's up again (codex-chat 2.2). A `metadata.session_id` attaches a
 * bridge: it becomes the executor and gets the requests that wait.
 */
export const createWorker = (ctx: Context, caller: Caller, wanted: NewWorker): Promise<AttachedWorker> =>
  ctx.commit(async (unit) => {
    const now = ctx.now();
    const workerId = wanted.worker_id ?? caller.workerId ?? newWorkerId();
    const session = textOf(wanted.metadata?.session_id)?.slice(0, 160) ?? null;
    const parts = {
      ...(wanted.workspace_ref ? { workspaceRef: wanted.workspace_ref } : {}),
      ...(wanted.codex_home_ref ? { codexHomeRef: wanted.codex_home_ref } : {}),
      ...(wanted.adapter ? { adapter: wanted.adapter } : {}),
      ...(wanted.metadata ? { metadata: wanted.metadata } : {}),
    };
    const { worker, created } = await lockOrProvision(unit.db, caller, workerId, now, {
      ...parts,
      executorSessionId: session,
    });
    const log = openLog(worker, now);
    const replay = !created && worker.status === "running";
    if (!created) {
      Object.assign(log.worker, parts, { lastHeartbeatAt: now });
      reattach(log, "reattach");
      if (session !== null) await attach(ctx, unit, log, session);
    }
    const pending = session === null ? [] : await handOver(ctx, unit, log);
    await closeLog(ctx, unit, log);
    const { status, latestSeq } = log.worker;
    return { workerId, status, latestSeq, idempotentReplay: replay, pendingRequests: pending };
  });

/** Brings a worker back to `running`; says so in its log when it was not (codex-chat 2.2). */
export function reattach(log: WorkerLog, reason: "reattach" | "auto"): void {
  if (log.worker.status === "running") return;
  log.worker.status = "running";
  log.worker.stoppedAt = null;
  record(log, "worker.started", { status: "running", reason });
}

/** A bridge's session takes the worker; what the session before it left running has ended with its process. */
async function attach(ctx: Context, unit: Unit, log: WorkerLog, session: string): Promise<void> {
  const before = log.worker.executorSessionId;
  log.worker.executorSessionId = session;
  if (before === null || before === session) return;
  await closeOpenWork(ctx, unit.db, log.worker, log.now, "failed", "codex app-server exited");
}

/** Hands what waits to the bridge that attached, oldest first (codex-chat 3.4). */
async function handOver(ctx: Context, unit: Unit, { worker, now }: WorkerLog): Promise<WorkerRequest[]> {
  const rows = await unit.db
    .select({
      requestId: codexControlRequests.requestId,
      payload: codexWorkerEvents.payload,
      codexThreadId: codexThreads.codexThreadId,
      codexTurnId: codexTurns.codexTurnId,
    })
    .from(codexControlRequests)
    .innerJoin(
      codexWorkerEvents,
      and(
        eq(codexWorkerEvents.workerPk, codexControlRequests.workerPk),
        eq(codexWorkerEvents.seq, codexControlRequests.requestSeq),
      ),
    )
    .leftJoin(codexThreads, eq(codexThreads.threadId, codexControlRequests.threadId))
    .leftJoin(codexTurns, eq(codexTurns.id, codexControlRequests.turnId))
    .where(and(eq(codexControlRequests.workerPk, worker.id), isNull(codexControlRequests.finishedAt)))
    .orderBy(asc(codexControlRequests.requestSeq))
    .limit(handedOverAtOnce);
  const deadline = new Date(now.getTime() + ctx.config.OA_CODEX_RECEIPT_TIMEOUT_SECONDS * 1000);
  const waiting = rows.map(({ requestId }) => requestId);
  if (waiting.length) {
    await unit.db.execute(sql`
      update codex_control_requests set state = 'dispatched', deadline_at = ${deadline.toISOString()}::timestamptz
      where worker_pk = ${worker.id}::uuid
        and request_id in (select value from jsonb_array_elements_text(${JSON.stringify(waiting)}::jsonb))`);
    deadlineJob(unit, deadline);
  }
  return rows.map((row) => ({
    ...(row.payload as WorkerRequest),
    codex_thread_id: row.codexThreadId,
    codex_turn_id: row.codexTurnId,
    deadline_at: wholeSeconds(deadline),
  }));
}
