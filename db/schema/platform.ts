import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  char,
  check,
  customType,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  timestamp,
  uuid,
  varchar,
} from "drizzle-orm/pg-core";

const time = () => timestamp({ withTimezone: true });

const bytea = customType<{ data: Uint8Array; driverData: Uint8Array }>({ dataType: () => "bytea" });

/** Throttle counters on Postgres; unlogged (`db/extra.sql`). In memory on the embedded database (http-platform 3.3). */
export const httpThrottles = pgTable(
  "http_throttles",
  {
    limiter: varchar({ length: 64 }).notNull(),
    key: varchar({ length: 128 }).notNull(),
    hits: integer().notNull(),
    windowEndsAt: time().notNull(),
  },
  (t) => [primaryKey({ columns: [t.limiter, t.key] }), index("http_throttles_ends").on(t.windowEndsAt)],
);

export const routeSplitOverrides = pgTable(
  "route_split_overrides",
  {
    /** `global` or a route group. */
    scope: varchar({ length: 64 }).primaryKey(),
    target: varchar({ length: 16 }).notNull(),
    updatedBy: bigint({ mode: "number" }),
    updatedAt: time().notNull().defaultNow(),
  },
  (t) => [check("route_split_overrides_target", sql`${t.target} in ('legacy', 'rust_shell')`)],
);

export const maintenanceState = pgTable(
  "maintenance_state",
  {
    id: smallint().primaryKey().default(1),
    enabled: boolean().notNull().default(false),
    reason: varchar({ length: 255 }),
    message: varchar({ length: 500 }),
    allowedPaths: jsonb().$type<string[]>().notNull().default([]),
    updatedBy: bigint({ mode: "number" }),
    updatedAt: time().notNull().defaultNow(),
  },
  (t) => [check("maintenance_state_one", sql`${t.id} = 1`)],
);

export const webAssets = pgTable(
  "web_assets",
  {
    name: text().notNull(),
    /** `identity`, `br` or `gzip`. */
    encoding: varchar({ length: 8 }).notNull(),
    mediaType: text().notNull(),
    etag: char({ length: 66 }).notNull(),
    bytes: bytea().notNull(),
    buildId: varchar({ length: 32 }).notNull(),
    createdAt: time().notNull().defaultNow(),
    lastBuildSeenAt: time().notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.name, t.encoding] }), index("web_assets_build").on(t.buildId)],
);

/** Append-only; outlives the user, hence no foreign key. Kept 400 days. */
export const auditEvents = pgTable(
  "audit_events",
  {
    id: bigint({ mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    eventName: varchar({ length: 120 }).notNull(),
    requestId: varchar({ length: 160 }).notNull(),
    outcome: varchar({ length: 16 }).notNull(),
    occurredAt: time().notNull().defaultNow(),
    userId: bigint({ mode: "number" }),
    sessionId: text(),
    orgId: text(),
    deviceId: text(),
    attributes: jsonb().$type<Record<string, string>>().notNull().default({}),
  },
  (t) => [
    index("audit_events_newest").on(t.occurredAt.desc()),
    index("audit_events_name").on(t.eventName, t.id.desc()),
    index("audit_events_user").on(t.userId, t.id.desc()),
  ],
);

/** One row a running node, written every 5 s; never on the embedded database. */
export const serverNodes = pgTable("server_nodes", {
  id: text().primaryKey(),
  buildId: text().notNull(),
  version: text().notNull(),
  schemaVersion: integer().notNull(),
  role: text().notNull(),
  startedAt: time().notNull().defaultNow(),
  seenAt: time().notNull().defaultNow(),
  /** Khala: sockets, of their subscriptions those that are live and those that are behind. */
  sockets: integer().notNull().default(0),
  live: integer().notNull().default(0),
  behind: integer().notNull().default(0),
});

export const schemaMigrations = pgTable("schema_migrations", {
  /** File name without `.sql`, such as `0007_threads_branch.expand`. */
  name: text().primaryKey(),
  sha256: char({ length: 64 }).notNull(),
  phase: text().notNull(),
  appliedAt: time().notNull().defaultNow(),
  durationMs: integer().notNull(),
  /** Version and node that applied it. */
  appliedBy: text().notNull(),
});

export const schemaState = pgTable(
  "schema_state",
  {
    id: integer().primaryKey().default(1),
    minSchemaVersion: integer().notNull(),
    /** Made once; guards restores. */
    databaseId: uuid().notNull().defaultRandom(),
    restoredAt: time(),
    createdAt: time().notNull().defaultNow(),
  },
  (t) => [check("schema_state_one", sql`${t.id} = 1`)],
);
