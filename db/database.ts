import type { SQL } from "drizzle-orm";
import type { PgDatabase, PgQueryResultHKT } from "drizzle-orm/pg-core";

/** A connection, a pool or a transaction: whatever queries are written against. */
export type Database = PgDatabase<PgQueryResultHKT>;

/** The open database of this process (`db/open.ts`). */
export interface Store {
  kind: "pglite" | "postgres";
  db: Database;
  /** Replay reads: a pool of their own, so that a reconnect storm cannot starve requests (khala 3.8). The same as `db` on PGlite. */
  replay: Database;
  /**
   * The connection that listens and notifies, for a short statement now and then that must not wait behind requests. The same
   * as `db` on PGlite.
   */
  aside: Database;
  /**
   * Runs a raw statement on `on` (default `db`) and gives its rows alike on both engines: an array, `bigint` columns as
   * numbers, `timestamptz` columns as `Date`.
   */
  rows<T extends Record<string, unknown>>(statement: SQL, on?: Database): Promise<T[]>;
  /** Sends `NOTIFY channel, payload` on a connection of its own. Nothing on PGlite. */
  notify(channel: string, payload: string): Promise<void>;
  /**
   * Listens on a connection of its own; `onState` tells when it is up or down. Returns how to stop. On PGlite nothing is
   * ever received (there is one process) and the state is up at once.
   */
  listen(
    channel: string,
    onMessage: (payload: string) => void,
    onState?: (up: boolean) => void,
  ): Promise<() => Promise<void>>;
  /** Connections for requests: how many there may be, how many are open, how many have work. Null on PGlite. */
  poolUse(): Promise<PoolUse | null>;
  close(): Promise<void>;
}

export interface PoolUse {
  size: number;
  open: number;
  inUse: number;
}
