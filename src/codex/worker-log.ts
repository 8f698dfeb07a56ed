import { eq, sql } from "drizzle-orm";
import { codexWorkers } from "../../db/schema/codex";
import type { Context, Unit } from "../context";
import { streams } from "../khala/streams";
import type { Json } from "./json";
import { rfc3339, wholeSeconds } from "./times";
import { type Worker, workerSnapshot } from "./worker-state";

/** An event that has its number in a worker's log. */
export interface Entry {
  seq: number;
  type: string;
  eventId: string | null;
  payload: Json;
  occurredAt: Date;
}

/**
 * A worker whose row is locked, with what this transaction adds to its log. `record` numbers events, `closeLog` writes them
 * and the worker in one go (codex-chat 3.6).
 */
export interface WorkerLog {
  worker: Worker;
  now: Date;
  entries: Entry[];
}

export const openLog = (worker: Worker, now: Date): WorkerLog => ({ worker: { ...worker }, now, entries: [] });

const second = (instant: Date) => new Date(Math.floor(instant.getTime() / 1000) * 1000);

/** Gives an event the next number of the worker. */
export function record(log: WorkerLog, type: string, payload: Json, eventId: string | null = null): Entry {
  const occurredAt = second(rfc3339(payload.occurred_at) ?? log.now);
  const entry = { seq: ++log.worker.latestSeq, type, eventId, payload, occurredAt };
  log.entries.push(entry);
  return entry;
}

const lifecycle = new Set(["worker.started", "worker.stopping", "worker.stopped", "worker.failed", "worker.heartbeat"]);

/** An event as the topics and the stream route's readers see it (codex-chat 3.9). */
const announced = ({ workerId }: Worker, { seq, type, payload, occurredAt }: Entry) => ({
  workerId,
  worker_id: workerId,
  seq,
  eventType: type,
  payload,
  occurredAt: wholeSeconds(occurredAt),
});

/** Stores the events and the worker, and collects what Khala announces after the commit (codex-chat 3.9). */
export async function closeLog(ctx: Context, unit: Unit, log: WorkerLog): Promise<void> {
  const { worker, now } = log;
  worker.updatedAt = now;
  const { id, workerId: _, ownerUserId, createdAt: __, ...columns } = worker;
  const [, [row]] = await Promise.all([
    storeEntries(unit, log),
    unit.db
      .update(codexWorkers)
      .set(columns)
      .where(eq(codexWorkers.id, id))
      .returning({
        pending: sql<number>`(select count(*)::int from codex_control_requests r
          where r.worker_pk = ${id}::uuid and r.finished_at is null)`,
      }),
  ]);
  announce(ctx, unit, log, row?.pending ?? 0, ownerUserId);
}

async function storeEntries(unit: Unit, { worker, entries, now }: WorkerLog): Promise<void> {
  if (!entries.length) return;
  const rows = entries.map(({ seq, type, eventId, payload, occurredAt }) => ({
    seq,
    type,
    id: eventId,
    payload,
    at: occurredAt.toISOString(),
  }));
  await unit.db.execute(sql`
    insert into codex_worker_events (worker_pk, seq, event_type, event_id, payload, occurred_at, recorded_at)
    select ${worker.id}::uuid, e.seq, e.type, e.id, e.payload, e.at, ${now.toISOString()}::timestamptz
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as e(seq bigint, type text, id text, payload jsonb, at timestamptz)`);
}

function announce(ctx: Context, unit: Unit, { worker, entries, now }: WorkerLog, pending: number, owner: number): void {
  for (const entry of entries) {
    const { seq, type } = entry;
    const event = {
      kind: type,
      docKey: `runtime/codex_worker_event:${worker.workerId}:${seq}`,
      docVersion: seq,
      payload: announced(worker, entry),
    };
    unit.append({ stream: streams.codexEvents(owner), ...event });
    if (lifecycle.has(type)) unit.append({ stream: streams.workerLifecycle(worker.id), owner, ...event });
  }
  unit.append({
    stream: streams.codexSummaries(owner),
    kind: "worker.summary",
    docKey: `runtime/codex_worker_summary:${worker.workerId}`,
    docVersion: worker.latestSeq,
    payload: workerSnapshot(worker, pending, now, ctx.config.OA_CODEX_HEARTBEAT_STALE_AFTER_MS),
  });
}
