import type { PostgresOptions } from "./connection";
import type { Store } from "./database";
import { openPglite, type PgliteOptions } from "./pglite";
import { openPostgres } from "./postgres";

export type StoreOptions = PgliteOptions | PostgresOptions;

/**
 * Opens the database of this process. Both engines give the same values and run in UTC. On the embedded one a statement or
 * transaction resolves only when its log is on the disk, and only one transaction runs at a time: inside a transaction use
 * its own handle, never `store.db`, or it waits for itself.
 *
 * Throws `StoreError` (`failure.ts`) with the exit code of ops-data 2.2.
 */
export const openDatabase = (options: StoreOptions): Promise<Store> =>
  options.kind === "postgres" ? openPostgres(options) : openPglite(options);
