import { sql } from "drizzle-orm";
import {
  bigint,
  char,
  customType,
  index,
  integer,
  pgTable,
  primaryKey,
  smallint,
  text,
  timestamp,
  uniqueIndex,
  varchar,
} from "drizzle-orm/pg-core";

const bytea = customType<{ data: Uint8Array }>({ dataType: () => "bytea" });

/**
 * One row a stream: a log with its own gap-free sequence (khala 4). `head` is the last number given, `floor` the last one no
 * longer held. The migration also sets `fillfactor = 50`, so that the counter update stays in its page.
 */
export const khalaStreams = pgTable(
  "khala_streams",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    name: varchar("name", { length: 200 }).notNull(),
    class: varchar("class", { length: 32 }).notNull(),
    /** No foreign key: rows outlive the user until the job removes them. */
    ownerUserId: bigint("owner_user_id", { mode: "number" }),
    head: bigint("head", { mode: "number" }).notNull().default(0),
    floor: bigint("floor", { mode: "number" }).notNull().default(0),
    /** WAL timeline of the last append: another one means a fail-over, and the numbers jump (khala 3.7). */
    timeline: char("timeline", { length: 8 }).notNull(),
    /** When the oldest held event was recorded; null while the stream is empty. */
    oldestAt: timestamp("oldest_at", { withTimezone: true }),
    lastAt: timestamp("last_at", { withTimezone: true }),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [
    uniqueIndex("khala_streams_name").on(t.name),
    index("khala_streams_retention").on(t.class, t.oldestAt).where(sql`oldest_at is not null`),
    index("khala_streams_owner").on(t.ownerUserId),
  ],
);

/**
 * The delivery journal: a row exists if and only if `floor < seq <= head` (khala 3.3). The migration also sets
 * `autovacuum_vacuum_scale_factor = 0.02` and `autovacuum_vacuum_insert_scale_factor = 0.05`.
 */
export const khalaEvents = pgTable(
  "khala_events",
  {
    streamId: bigint("stream_id", { mode: "number" }).notNull(),
    seq: bigint("seq", { mode: "number" }).notNull(),
    recordedAt: timestamp("recorded_at", { withTimezone: true }).notNull().default(sql`clock_timestamp()`),
    kind: varchar("kind", { length: 160 }).notNull(),
    docKey: varchar("doc_key", { length: 255 }).notNull(),
    docVersion: bigint("doc_version", { mode: "number" }).notNull(),
    /** Canonical JSON (khala 3.11); null when it was too large to carry. */
    payload: text("payload"),
    payloadHash: bytea("payload_hash"),
  },
  (t) => [primaryKey({ name: "khala_events_pkey", columns: [t.streamId, t.seq] })],
);

/** One row, made by the first start: tells a restored database from the one the numbers were given in (khala 3.7). */
export const khalaMeta = pgTable("khala_meta", {
  id: smallint("id").primaryKey().default(1),
  systemIdentifier: text("system_identifier").notNull(),
  jumps: integer("jumps").notNull().default(0),
  updatedAt: timestamp("updated_at", { withTimezone: true }).notNull().defaultNow(),
});
