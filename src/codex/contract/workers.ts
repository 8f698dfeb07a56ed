import { type Static, t } from "elysia";

const tooLong = (max: number) => ({ max: `Value may not be greater than ${max} characters.` });

/** Text of at most `max` code points, with this family's own words when it is longer (codex-chat 2.0). */
export const text = (max: number, more: Record<string, unknown> = {}) =>
  t.String({ maxLength: max, "oa:message": tooLong(max), ...more });

/** The same, or absent, or null. */
export const optionalText = (max: number) =>
  t.Optional(t.Union([t.String({ maxLength: max }), t.Null()], { "oa:message": tooLong(max) }));

/** An object of any members, or absent, or null; the empty list counts as `{}`, any other list is refused. */
export const optionalObject = (message: string) =>
  t.Optional(
    t.Union([t.Record(t.String(), t.Unknown()), t.Null()], {
      "oa:message": { array: message },
      "oa:rules": [(value: unknown) => (Array.isArray(value) && value.length ? message : undefined)],
    }),
  );

export const pageLimit = (maximum: number, fallback: number) =>
  t.Optional(t.Integer({ minimum: 1, maximum, default: fallback }));

const Instant = t.String({ format: "date-time", examples: ["2026-02-22T00:00:00Z"] });
const NullableInstant = t.Union([Instant, t.Null()]);
const NullableText = t.Union([t.String(), t.Null()]);
const AnyObject = t.Record(t.String(), t.Unknown());
export const oneOf = <T extends string>(...words: T[]) => t.Unsafe<T>({ type: "string", enum: words });

export const WorkerStatus = oneOf("starting", "running", "stopping", "stopped", "failed");

export const WorkerSnapshot = t.Object(
  {
    worker_id: t.String(),
    status: WorkerStatus,
    latest_seq: t.Integer({ minimum: 0 }),
    workspace_ref: NullableText,
    codex_home_ref: NullableText,
    adapter: t.String(),
    metadata: AnyObject,
    started_at: NullableInstant,
    stopped_at: NullableInstant,
    last_heartbeat_at: NullableInstant,
    heartbeat_age_ms: t.Union([t.Integer({ minimum: 0 }), t.Null()]),
    heartbeat_stale_after_ms: t.Integer(),
    heartbeat_state: oneOf("fresh", "stale", "missing", "stopped", "failed"),
    updated_at: Instant,
    khala_projection: t.Object({
      document_id: t.String(),
      projection_version: t.Literal("khala.v1"),
      status: oneOf("in_sync", "lagging"),
      lag_events: t.Integer({ minimum: 0 }),
      last_runtime_seq: t.Integer({ minimum: 0 }),
      last_projected_at: Instant,
    }),
    executor: t.Union([
      t.Object({
        session_id: t.String(),
        connected: t.Boolean(),
        source: NullableText,
        codex_version: NullableText,
        auth: t.Union([AnyObject, t.Null()]),
      }),
      t.Null(),
    ]),
    pending_requests: t.Integer({ minimum: 0 }),
  },
  {
    description: "A worker: a Codex installation that a bridge connects, or a place where requests wait for one.",
    examples: [
      {
        worker_id: "desktopw:shared",
        status: "running",
        latest_seq: 12,
        workspace_ref: "workspace://demo",
        codex_home_ref: null,
        adapter: "desktop_bridge",
        metadata: {},
        started_at: "2026-02-22T00:00:00Z",
        stopped_at: null,
        last_heartbeat_at: "2026-02-22T00:00:00Z",
        heartbeat_age_ms: 843,
        heartbeat_stale_after_ms: 120000,
        heartbeat_state: "fresh",
        updated_at: "2026-02-22T00:00:00Z",
        khala_projection: {
          document_id: "runtime/codex_worker_summary:desktopw:shared",
          projection_version: "khala.v1",
          status: "in_sync",
          lag_events: 0,
          last_runtime_seq: 12,
          last_projected_at: "2026-02-22T00:00:00Z",
        },
        executor: null,
        pending_requests: 0,
      },
    ],
  },
);
export type WorkerSnapshot = Static<typeof WorkerSnapshot>;

export const WorkerFilter = t.Object({
  status: t.Optional(t.Union([t.String(), t.Null()])),
  workspace_ref: optionalText(255),
  limit: pageLimit(200, 50),
});
export type WorkerFilter = Static<typeof WorkerFilter>;

export const NewWorker = t.Object(
  {
    worker_id: optionalText(160),
    workspace_ref: optionalText(255),
    codex_home_ref: optionalText(255),
    adapter: optionalText(120),
    metadata: optionalObject("The metadata field must be an array."),
  },
  { examples: [{ worker_id: "desktopw:shared", workspace_ref: "workspace://demo", adapter: "desktop_bridge" }] },
);
export type NewWorker = Static<typeof NewWorker>;

/** What a bridge executes: the payload of `worker.request` (codex-chat 3.5). */
export const WorkerRequest = t.Object({
  request_id: t.String(),
  method: t.String(),
  params: AnyObject,
  request_version: t.String(),
  source: NullableText,
  sent_at: NullableText,
  session_id: NullableText,
  thread_id: NullableText,
  codex_thread_id: NullableText,
  turn_id: NullableText,
  codex_turn_id: NullableText,
  message_id: NullableText,
  deadline_at: Instant,
});
export type WorkerRequest = Static<typeof WorkerRequest>;

export const AttachedWorker = t.Object({
  workerId: t.String(),
  status: WorkerStatus,
  latestSeq: t.Integer({ minimum: 0 }),
  idempotentReplay: t.Boolean(),
  pendingRequests: t.Array(WorkerRequest),
});
export type AttachedWorker = Static<typeof AttachedWorker>;

const tail = "The tail_ms field must be between 1 and 120000.";

export const StreamWindow = t.Object({
  cursor: t.Optional(t.Union([t.Integer({ minimum: 0 }), t.Null()])),
  tail_ms: t.Optional(
    t.Union([t.Integer({ minimum: 1, maximum: 120000 }), t.Null()], {
      "oa:message": { integer: tail, min: tail, max: tail },
    }),
  ),
});
export type StreamWindow = Static<typeof StreamWindow>;

export const Delivery = t.Object({
  transport: t.Literal("khala_ws"),
  topic: t.String({ examples: ["org:openagents:worker_events"] }),
  scope: t.Literal("runtime.codex_worker_events"),
  syncTokenRoute: t.Literal("/api/sync/token"),
});
export type Delivery = Static<typeof Delivery>;

export const StreamBootstrap = t.Object({
  worker_id: t.String(),
  stream_protocol: t.Literal("khala_ws"),
  cursor: t.Integer(),
  tail_ms: t.Integer(),
  delivery: Delivery,
  snapshot: WorkerSnapshot,
  events: t.Array(t.Object({ seq: t.Integer(), event_type: t.String(), payload: AnyObject, occurred_at: Instant })),
  next_cursor: t.Integer(),
  has_more: t.Boolean(),
  retention_floor: t.Integer(),
});
export type StreamBootstrap = Static<typeof StreamBootstrap>;

export const StopWorker = t.Object({ reason: optionalText(255) });

export const StoppedWorker = t.Object({
  worker_id: t.String(),
  status: t.Literal("stopped"),
  seq: t.Integer(),
  idempotent_replay: t.Boolean(),
  idempotentReplay: t.Boolean(),
});
export type StoppedWorker = Static<typeof StoppedWorker>;
