import { drizzle } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { applicationName, connection, type PostgresOptions } from "./connection";
import type { Database, Store } from "./database";
import { reasonOf, StoreError } from "./failure";
import { preparing } from "./prepared";
import { alikeRows } from "./rows";
import { Wire } from "./wire";

/** `postgres://app:***@db.internal/openagents` (ops-data 2.2). */
export function masked(url: string): string {
  return url.replace(/^([a-z]+:\/\/[^:@/?]*):[^@/?]*@/i, "$1:***@").replace(/([?&]password=)[^&]*/gi, "$1***");
}

/** Host and port of a database URL. */
export function address(url: string): string {
  const { hostname, port } = new URL(url);
  return `${hostname || "localhost"}:${port || 5432}`;
}

function checkUrl(url: string): void {
  const hint = "write it as postgres://user:password@host:5432/database, or unset it to use the embedded database";
  if (!URL.canParse(url)) throw new StoreError(78, "DATABASE_URL is not a URL", hint);
  const { protocol } = new URL(url);
  if (protocol === "postgres:" || protocol === "postgresql:") return;
  throw new StoreError(78, `DATABASE_URL must start with postgres://, not ${protocol}//`, hint);
}

/** Not there yet, or too busy: worth another try. A wrong password is not. */
const passing = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOENT",
]);
const passingStates = new Set([
  "CONNECT_TIMEOUT",
  "CONNECTION_CLOSED",
  "CONNECTION_ENDED",
  "CONNECTION_DESTROYED",
  "57P03",
  "57P01",
  "53300",
]);

function isPassing(error: unknown): boolean {
  const one = error instanceof AggregateError ? error.errors[0] : error;
  const code = String((one as { code?: unknown })?.code ?? "");
  return passing.has(code) || passingStates.has(code);
}

async function reach(options: PostgresOptions, sql: postgres.Sql<{ bigint: number }>): Promise<number> {
  const { waitMs = 30_000, onRetry } = options;
  const end = performance.now() + waitMs;
  for (let pause = 100; ; pause = Math.min(pause * 2, 2000)) {
    try {
      const [row] = await sql<{ version: number }[]>`select current_setting('server_version_num')::int as version`;
      return row!.version;
    } catch (error) {
      const reason = reasonOf(error);
      if (!isPassing(error) || performance.now() + pause > end) {
        const what = `cannot reach the database at ${address(options.url)} (${reason})`;
        throw new StoreError(69, what, "check DATABASE_URL, or unset it to use the embedded database", error);
      }
      onRetry?.(reason);
      await Bun.sleep(pause);
    }
  }
}

/** @param version `server_version_num`. */
export function refuseOld(version: number, url: string): void {
  if (version >= 140_000) return;
  const what = `the database at ${address(url)} is PostgreSQL ${Math.floor(version / 10_000)}`;
  throw new StoreError(78, what, "use PostgreSQL 14 or newer");
}

const opened = new WeakMap<Store, PostgresOptions>();

/** How a Postgres store was opened, for those who need a connection of their own; null for the embedded one. */
export const postgresOf = (store: Store): PostgresOptions | null => opened.get(store) ?? null;

/**
 * Opens a Postgres database: a pool for requests, one of 2 for replay, and, once somebody listens or notifies, one
 * connection for that. Throws `StoreError`: 78 for a wrong URL or a server older than 14, 69 when it cannot be reached.
 */
export async function openPostgres(options: PostgresOptions): Promise<Store> {
  checkUrl(options.url);
  const size = options.poolSize ?? 10;
  const sql = preparing(postgres(options.url, connection(options, size)));
  const replay = preparing(postgres(options.url, connection(options, 2, "replay")));
  const wire = new Wire(options);
  const close = async () => {
    await wire.close();
    await Promise.all([sql.end({ timeout: 5 }), replay.end({ timeout: 5 })]);
  };
  try {
    const version = await reach(options, sql);
    refuseOld(version, options.url);
  } catch (error) {
    await close();
    throw error;
  }
  const db: Database = drizzle(sql, { casing: "snake_case" });
  const store: Store = {
    kind: "postgres",
    db,
    replay: drizzle(replay, { casing: "snake_case" }),
    aside: drizzle(wire.connection(), { casing: "snake_case" }),
    async rows(statement, on = db) {
      const result = (await on.execute(statement)) as unknown as postgres.RowList<Record<string, unknown>[]>;
      return alikeRows([...result], result.columns?.map(({ name, type }) => ({ name, oid: type })) ?? []);
    },
    notify: (channel, payload) => wire.notify(channel, payload),
    listen: (channel, onMessage, onState) => wire.listen(channel, onMessage, onState),
    async poolUse() {
      // asked aside: where all connections have work, the answer must not wait for one of them
      const [found] = await wire.connection()<{ open: number; busy: number }[]>`
        select count(*)::int as open, count(*) filter (where state <> 'idle')::int as busy
        from pg_stat_activity where application_name = ${applicationName()} and datname = current_database()`;
      return { size, open: found?.open ?? 0, inUse: found?.busy ?? 0 };
    },
    close,
  };
  opened.set(store, options);
  return store;
}
