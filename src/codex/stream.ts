import { and, asc, eq, gt, sql } from "drizzle-orm";
import { codexWorkerEvents } from "../../db/schema/codex";
import type { Context } from "../context";
import type { Caller } from "../http/caller";
import { gone } from "../refusal";
import type { Delivery, StreamBootstrap, StreamWindow } from "./contract";
import { wholeSeconds } from "./times";
import { type Worker, workerSnapshot } from "./worker-state";
import { countPending, requireWorker } from "./workers";

const eventsAtOnce = 1000;

/** Where events are delivered live, for whoever asks an old route (codex-chat 2.4). */
export const delivery = (orgId: string): Delivery => ({
  transport: "khala_ws",
  topic: `${orgId.startsWith("org:") ? orgId : `org:${orgId}`}:worker_events`,
  scope: "runtime.codex_worker_events",
  syncTokenRoute: "/api/sync/token",
});

/** The first event that is still held; the log is only ever cut at its beginning. */
async function retentionFloor(ctx: Context, { id, latestSeq }: Worker): Promise<number> {
  const [row] = await ctx.store.rows<{ floor: number | null }>(
    sql`select min(seq) as floor from codex_worker_events where worker_pk = ${id}::uuid`,
  );
  return row?.floor ?? latestSeq + 1;
}

/** A worker, its events behind a cursor, and where to go on live. Always JSON (codex-chat 2.4). */
export async function bootstrapStream(
  ctx: Context,
  caller: Caller,
  workerId: string,
  window: StreamWindow,
  lastEventId: string | null,
): Promise<StreamBootstrap> {
  const worker = await requireWorker(ctx, caller, workerId);
  const last = lastEventId !== null && /^\d{1,15}$/.test(lastEventId.trim()) ? Number(lastEventId) : 0;
  const cursor = window.cursor ?? last;
  const floor = await retentionFloor(ctx, worker);
  if (cursor > 0 && cursor < floor - 1) {
    throw gone("stale_cursor", "cursor older than retention floor", {
      resume_after: floor - 1,
      retention_floor: floor,
    });
  }
  const rows = await ctx.db
    .select({
      seq: codexWorkerEvents.seq,
      event_type: codexWorkerEvents.eventType,
      payload: codexWorkerEvents.payload,
      occurredAt: codexWorkerEvents.occurredAt,
    })
    .from(codexWorkerEvents)
    .where(and(eq(codexWorkerEvents.workerPk, worker.id), gt(codexWorkerEvents.seq, cursor)))
    .orderBy(asc(codexWorkerEvents.seq))
    .limit(eventsAtOnce + 1);
  const events = rows
    .slice(0, eventsAtOnce)
    .map(({ occurredAt, ...event }) => ({ ...event, occurred_at: wholeSeconds(occurredAt) }));
  const now = ctx.now();
  return {
    worker_id: workerId,
    stream_protocol: "khala_ws",
    cursor,
    tail_ms: window.tail_ms ?? 15000,
    delivery: delivery(caller.activeOrgId),
    snapshot: workerSnapshot(
      worker,
      await countPending(ctx, worker),
      now,
      ctx.config.OA_CODEX_HEARTBEAT_STALE_AFTER_MS,
    ),
    events,
    next_cursor: events.at(-1)?.seq ?? cursor,
    has_more: rows.length > eventsAtOnce,
    retention_floor: floor,
  };
}
