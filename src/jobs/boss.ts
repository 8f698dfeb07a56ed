import { sql } from "drizzle-orm";
import { type ConstructorOptions, type Db, fromDrizzle, fromPglite, PgBoss } from "pg-boss";
import type { Database, Store } from "../../db/database";
import { JOBS_SCHEMA } from "../../db/jobs-schema";
import { pgliteOf } from "../../db/pglite";
import { postgresOf } from "../../db/postgres";

type PGlite = NonNullable<ReturnType<typeof pgliteOf>>;

/**
 * pg-boss on the embedded database. What it sends as `begin; …; commit;` becomes one transaction of PGlite, so that a
 * failure inside can never leave the one connection, which everybody shares, in an aborted transaction.
 */
function embedded(pg: PGlite): Db {
  return {
    ...fromPglite(pg),
    async executeSql(text, values) {
      if (values?.length) return pg.query(text, values);
      const block = /^\s*begin;(.*)commit;\s*$/is.exec(text)?.[1];
      const results = block ? await pg.transaction((tx) => tx.exec(block)) : await pg.exec(text);
      return { rows: results.flatMap(({ rows }) => rows) };
    },
  };
}

/** TLS as postgres.js understands `sslmode`; `prefer` follows what the pool got. */
async function tls(store: Store, url: URL): Promise<ConstructorOptions["ssl"]> {
  const mode = url.searchParams.get("sslmode") ?? "disable";
  url.searchParams.delete("sslmode");
  if (mode === "disable") return false;
  if (mode === "verify-full" || mode === "verify-ca") return true;
  if (mode === "require") return { rejectUnauthorized: false };
  const [row] = await store.rows<{ ssl: boolean }>(sql`select ssl from pg_stat_ssl where pid = pg_backend_pid()`);
  return row?.ssl ? { rejectUnauthorized: false } : false;
}

async function connection(store: Store): Promise<ConstructorOptions> {
  const pg = pgliteOf(store);
  if (pg) return { db: embedded(pg), backend: "pglite", reindex: false, monitorVacuum: false };
  const options = postgresOf(store);
  if (!options) throw new Error("a store that open.ts did not open");
  const url = new URL(options.url);
  const ssl = await tls(store, url);
  return {
    connectionString: url.href,
    ssl,
    max: 3,
    application_name: "openagents-jobs",
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5000,
    options: "-c timezone=UTC -c statement_timeout=30000",
  };
}

/** pg-boss on the store's database; `run` false: it stores jobs but supervises, schedules and listens to nothing. */
export async function openBoss(store: Store, run: boolean, scheduleSeconds: number): Promise<PgBoss> {
  return new PgBoss({
    ...(await connection(store)),
    schema: JOBS_SCHEMA,
    useListenNotify: run,
    supervise: run,
    schedule: run,
    registerInstance: false,
    cronMonitorIntervalSeconds: scheduleSeconds,
    cronWorkerIntervalSeconds: 1,
  });
}

/** How pg-boss stores a job in a transaction of ours. */
export const inside = (db: Database): Db => fromDrizzle(db as Parameters<typeof fromDrizzle>[0], sql);
