import { sql } from "drizzle-orm";
import {
  bigint,
  bigserial,
  boolean,
  char,
  index,
  integer,
  jsonb,
  type PgTimestampBuilderInitial,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
  varchar,
} from "drizzle-orm/pg-core";
import { users } from "./identity";

/** Codex domain (codex-chat.md 4): workers, their log, control requests, and the thread read-model. */

type Json = Record<string, unknown>;
export type WorkerStatus = "starting" | "running" | "stopping" | "stopped" | "failed";
export type RequestState = "queued" | "dispatched" | "succeeded" | "failed";
export type TurnStatus = "queued" | "in_progress" | "completed" | "interrupted" | "failed" | "steered";
export type ThreadStatus =
  | "not_loaded"
  | "idle"
  | "active"
  | "waiting_on_approval"
  | "waiting_on_user_input"
  | "system_error";
export type ServerRequestStatus = "pending" | "resolved" | "expired";
export type Role = "user" | "assistant";

const at = (): PgTimestampBuilderInitial<""> => timestamp({ withTimezone: true });
const owner = () =>
  bigint({ mode: "number" })
    .notNull()
    .references(() => users.id, { onDelete: "cascade" });

export const codexWorkers = pgTable(
  "codex_workers",
  {
    id: uuid().primaryKey(),
    workerId: varchar({ length: 160 }).notNull(),
    ownerUserId: owner(),
    orgId: varchar({ length: 160 }).notNull(),
    status: varchar({ length: 16 }).$type<WorkerStatus>().notNull(),
    latestSeq: bigint({ mode: "number" }).notNull().default(0),
    workspaceRef: varchar({ length: 255 }),
    codexHomeRef: varchar({ length: 255 }),
    adapter: varchar({ length: 120 }).notNull().default("in_memory"),
    metadata: jsonb().$type<Json>().notNull().default({}),
    executorSessionId: varchar({ length: 160 }),
    authState: jsonb().$type<Json>(),
    startedAt: at(),
    stoppedAt: at(),
    lastHeartbeatAt: at(),
    createdAt: at().notNull(),
    updatedAt: at().notNull(),
  },
  (t) => [
    uniqueIndex("codex_workers_owner_worker").on(t.ownerUserId, t.workerId),
    // Ids ending in `:shared` live in their owner's namespace (3.3); all others are one global namespace.
    uniqueIndex("codex_workers_worker").on(t.workerId).where(sql`${t.workerId} not like '%:shared'`),
    index("codex_workers_newest").on(t.ownerUserId, t.updatedAt.desc()),
    index("codex_workers_heartbeat").on(t.status, t.lastHeartbeatAt),
  ],
);

export const codexWorkerEvents = pgTable(
  "codex_worker_events",
  {
    workerPk: uuid()
      .notNull()
      .references(() => codexWorkers.id, { onDelete: "cascade" }),
    seq: bigint({ mode: "number" }).notNull(),
    eventType: varchar({ length: 160 }).notNull(),
    eventId: varchar({ length: 160 }),
    payload: jsonb().$type<Json>().notNull(),
    occurredAt: at().notNull(),
    recordedAt: at().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.workerPk, t.seq] }),
    uniqueIndex("codex_worker_events_event").on(t.workerPk, t.eventId).where(sql`${t.eventId} is not null`),
    index("codex_worker_events_ack")
      .on(t.workerPk, sql`(payload ->> 'handshake_id')`)
      .where(sql`payload ->> 'method' = 'desktop/handshake_ack'`),
    index("codex_worker_events_age").on(t.recordedAt),
  ],
);

export const codexControlRequests = pgTable(
  "codex_control_requests",
  {
    workerPk: uuid()
      .notNull()
      .references(() => codexWorkers.id, { onDelete: "cascade" }),
    requestId: varchar({ length: 160 }).notNull(),
    userId: owner(),
    method: varchar({ length: 32 }).notNull(),
    params: jsonb().$type<Json>().notNull(),
    fingerprint: char({ length: 64 }).notNull(),
    envelope: jsonb().$type<Json>().notNull(),
    state: varchar({ length: 16 }).$type<RequestState>().notNull(),
    threadId: varchar({ length: 160 }),
    turnId: varchar({ length: 64 }),
    messageId: varchar({ length: 64 }),
    source: varchar({ length: 120 }),
    requestVersion: varchar({ length: 32 }),
    sessionId: varchar({ length: 160 }),
    requestSeq: bigint({ mode: "number" }),
    receiptSeq: bigint({ mode: "number" }),
    sentAt: at(),
    deadlineAt: at().notNull(),
    createdAt: at().notNull(),
    finishedAt: at(),
  },
  (t) => [
    primaryKey({ columns: [t.workerPk, t.requestId] }),
    index("codex_control_requests_deadline").on(t.state, t.deadlineAt),
    index("codex_control_requests_pending").on(t.workerPk, t.requestSeq).where(sql`finished_at is null`),
    index("codex_control_requests_finished").on(t.finishedAt),
    index("codex_control_requests_user").on(t.userId),
  ],
);

export const codexThreads = pgTable(
  "codex_threads",
  {
    threadId: varchar({ length: 160 }).primaryKey(),
    userId: owner(),
    orgId: varchar({ length: 160 }).notNull(),
    autopilotId: varchar({ length: 36 }),
    title: varchar({ length: 255 }),
    workerPk: uuid().references(() => codexWorkers.id, { onDelete: "set null" }),
    codexThreadId: varchar({ length: 64 }),
    codexSessionId: varchar({ length: 64 }),
    status: varchar({ length: 24 }).$type<ThreadStatus>().notNull().default("idle"),
    activeTurnId: varchar({ length: 64 }),
    model: text(),
    modelProvider: text(),
    cwd: text(),
    preview: text(),
    messageCount: integer().notNull().default(0),
    lastMessageAt: at(),
    tokenUsage: jsonb().$type<Json>(),
    origin: varchar({ length: 16 }).notNull().default("openagents"),
    archivedAt: at(),
    createdAt: at().notNull(),
    updatedAt: at().notNull(),
  },
  (t) => [
    uniqueIndex("codex_threads_codex").on(t.userId, t.codexThreadId).where(sql`${t.codexThreadId} is not null`),
    index("codex_threads_newest").on(t.userId, t.orgId, t.updatedAt.desc()),
    index("codex_threads_autopilot").on(t.autopilotId),
    index("codex_threads_worker").on(t.workerPk),
  ],
);

export const codexTurns = pgTable(
  "codex_turns",
  {
    id: varchar({ length: 64 }).primaryKey(),
    threadId: varchar({ length: 160 })
      .notNull()
      .references(() => codexThreads.threadId, { onDelete: "cascade" }),
    codexTurnId: varchar({ length: 64 }),
    requestId: varchar({ length: 160 }),
    status: varchar({ length: 16 }).$type<TurnStatus>().notNull(),
    model: text(),
    effort: text(),
    error: jsonb().$type<Json>(),
    plan: jsonb().$type<Json[]>(),
    tokenUsage: jsonb().$type<Json>(),
    diff: text(),
    mergedIntoTurnId: varchar({ length: 64 }),
    interruptRequestedAt: at(),
    startedAt: at(),
    completedAt: at(),
    durationMs: bigint({ mode: "number" }),
    createdAt: at().notNull(),
    updatedAt: at().notNull(),
  },
  (t) => [
    uniqueIndex("codex_turns_codex")
      .on(t.threadId, t.codexTurnId)
      .where(sql`codex_turn_id is not null and status <> 'steered'`),
    index("codex_turns_order").on(t.threadId, t.createdAt),
    index("codex_turns_open").on(t.threadId).where(sql`status in ('queued', 'in_progress')`),
  ],
);

export const codexItems = pgTable(
  "codex_items",
  {
    id: bigserial({ mode: "number" }).primaryKey(),
    threadId: varchar({ length: 160 })
      .notNull()
      .references(() => codexThreads.threadId, { onDelete: "cascade" }),
    turnId: varchar({ length: 64 })
      .notNull()
      .references(() => codexTurns.id, { onDelete: "cascade" }),
    itemId: varchar({ length: 128 }).notNull(),
    position: integer().notNull(),
    type: varchar({ length: 40 }).notNull(),
    status: varchar({ length: 16 }).notNull(),
    text: text().notNull().default(""),
    payload: jsonb().$type<Json>().notNull().default({}),
    startedAt: at(),
    completedAt: at(),
  },
  (t) => [
    uniqueIndex("codex_items_turn_item").on(t.turnId, t.itemId),
    index("codex_items_thread").on(t.threadId, t.id),
    index("codex_items_position").on(t.turnId, t.position),
  ],
);

export const codexThreadMessages = pgTable(
  "codex_thread_messages",
  {
    messageId: varchar({ length: 64 }).primaryKey(),
    ordinal: bigserial({ mode: "number" }).notNull(),
    threadId: varchar({ length: 160 })
      .notNull()
      .references(() => codexThreads.threadId, { onDelete: "cascade" }),
    userId: bigint({ mode: "number" }).notNull(),
    role: varchar({ length: 16 }).$type<Role>().notNull(),
    text: text().notNull(),
    turnId: varchar({ length: 64 }),
    itemId: varchar({ length: 128 }),
    requestId: varchar({ length: 160 }),
    streaming: boolean().notNull().default(false),
    createdAt: at().notNull(),
    updatedAt: at().notNull(),
  },
  (t) => [
    uniqueIndex("codex_thread_messages_item").on(t.threadId, t.turnId, t.itemId).where(sql`${t.itemId} is not null`),
    index("codex_thread_messages_order").on(t.threadId, t.createdAt, t.ordinal),
  ],
);

export const codexServerRequests = pgTable(
  "codex_server_requests",
  {
    serverRequestId: varchar({ length: 200 }).primaryKey(),
    workerPk: uuid()
      .notNull()
      .references(() => codexWorkers.id, { onDelete: "cascade" }),
    sessionId: varchar({ length: 160 }).notNull(),
    threadId: varchar({ length: 160 })
      .notNull()
      .references(() => codexThreads.threadId, { onDelete: "cascade" }),
    turnId: varchar({ length: 64 }),
    itemId: varchar({ length: 128 }),
    method: varchar({ length: 80 }).notNull(),
    params: jsonb().$type<Json>().notNull(),
    availableDecisions: jsonb().$type<unknown[]>(),
    status: varchar({ length: 16 }).$type<ServerRequestStatus>().notNull(),
    decision: jsonb().$type<unknown>(),
    requestedAt: at().notNull(),
    resolvedAt: at(),
  },
  (t) => [
    index("codex_server_requests_thread").on(t.threadId, t.status),
    index("codex_server_requests_worker").on(t.workerPk).where(sql`status = 'pending'`),
  ],
);
