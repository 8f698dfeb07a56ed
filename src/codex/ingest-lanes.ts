import type { Context } from "../context";
import type { Caller } from "../http/caller";
import { createLanes, type Lanes } from "../khala/lanes";
import { type Refusal, tooLarge, tooMany } from "../refusal";
import type { NewEvents, StoredBatch, StoredEvent } from "./contract";
import { type IncomingEvent, readEvents } from "./events";
import { applyLanes, type Ingested, type Input, type Stored } from "./ingest";
import { wholeSeconds } from "./times";
import { isRunnable } from "./worker-state";
import { admitWorker, findWorker, stoppedWorker } from "./workers";

export type IngestLanes = Lanes<Input, Ingested>;

/** The combining lanes that all events of this node go through, one lane a worker (khala 3.5). */
export const createIngest = (ctx: Context): IngestLanes =>
  createLanes<Input, Ingested>({
    committers: ctx.store.kind === "pglite" ? 1 : 4,
    weigh: ({ events }) => ({ events: events.length, bytes: events.reduce((sum, { bytes }) => sum + bytes, 0) }),
    apply: (lanes) => ctx.commit((unit) => applyLanes(ctx, unit, lanes)),
  });

/**
 * Stores events of a worker: one, or a batch that is stored whole or not at all (codex-chat 2.6). Refusals in order: shape,
 * ownership, a stopped worker, size, rate; then those of the lane. The lane looks at the worker itself, so it is read before
 * only where its refusal would have to come before another one.
 */
export async function ingestEvents(
  ctx: Context,
  lanes: IngestLanes,
  caller: Caller,
  workerId: string,
  body: NewEvents,
): Promise<StoredEvent | StoredBatch> {
  const { events, batch } = readEvents(body);
  admitWorker(caller, workerId);
  const refusal = tooBig(ctx, events) ?? (await tooFast(ctx, caller, workerId, events.length));
  if (refusal) {
    const worker = await findWorker(ctx.db, caller, workerId);
    if (worker && !isRunnable(worker)) throw stoppedWorker();
    noteRefusal(ctx, caller, refusal);
    throw refusal;
  }
  const { stored, latestSeq } = await lanes.submit(`${caller.user.id}:${workerId}`, { caller, workerId, events });
  if (batch) {
    return {
      worker_id: workerId,
      latest_seq: latestSeq,
      events: stored.map(({ entry, replay }) => ({
        seq: entry.seq,
        event_type: entry.type,
        idempotent_replay: replay,
      })),
    };
  }
  const [{ entry, replay }] = stored as [Stored];
  return {
    worker_id: workerId,
    seq: entry.seq,
    event_type: entry.type,
    payload: entry.payload,
    occurred_at: wholeSeconds(entry.occurredAt),
    idempotent_replay: replay,
  };
}

function tooBig(ctx: Context, events: IncomingEvent[]): Refusal | null {
  const maxBytes = ctx.config.RUNTIME_KHALA_CODEX_WORKER_EVENTS_MAX_PAYLOAD_BYTES;
  const largest = Math.max(0, ...events.map(({ bytes }) => bytes));
  if (largest <= maxBytes) return null;
  return tooLarge(`event.payload exceeds ${maxBytes} bytes.`, "khala_frame_payload_too_large", {
    payload_bytes: largest,
    max_payload_bytes: maxBytes,
  });
}

function noteRefusal({ khala, metrics }: Context, caller: Caller, { detail: { code } }: Refusal): void {
  const isFast = code === "khala_publish_rate_limited";
  metrics.count("khala_publish_refused_total", { reason: isFast ? "rate_limited" : "payload_too_large" });
  khala.deny(isFast ? "khala publish rate limit triggered" : "khala publish payload exceeds frame-size limit", {
    reason_code: code,
    user_id: caller.user.id,
    session_id: caller.sessionId,
    topic: "runtime.codex_worker_events",
  });
}

/** 240 events a second and worker, over all nodes; a batch that does not fit whole is refused whole (http-platform 3.3). */
async function tooFast(ctx: Context, caller: Caller, workerId: string, count: number): Promise<Refusal | null> {
  const limit = ctx.config.RUNTIME_KHALA_CODEX_WORKER_EVENTS_PUBLISH_RATE_PER_SECOND;
  const key = `${caller.user.id}:${workerId}`.slice(0, 128);
  const window = await ctx.throttle.hit("khala.publish", key, limit, 1, count);
  if (window.allowed) return null;
  return tooMany("Too many requests. Retry in 1s.", 1, "khala_publish_rate_limited", {
    topic: "runtime.codex_worker_events",
    topic_class: "codex_worker_events",
    max_publish_per_second: limit,
    retry_after_ms: 1000,
  });
}
