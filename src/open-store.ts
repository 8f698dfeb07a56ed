import { join } from "node:path";
import type { Store } from "../db/database";
import type { StoreError } from "../db/failure";
import { openDatabase } from "../db/open";
import { unpackTemplate } from "../db/template";
import type { Config } from "./config";
import { databaseTemplate, type Executable, engineFiles } from "./executable";

interface OpenOptions {
  config: Config;
  folder: string;
  executable: Executable;
  /** The embedded database can no longer be used. */
  onFault(fault: StoreError): void;
  /** How long a Postgres that is not there yet is waited for; 30 s unless said. */
  waitMs?: number;
  /** Told while a Postgres that is not there yet is waited for. */
  onRetry?(reason: string): void;
}

/** Opens the database that the configuration names: Postgres, else the embedded one in the data folder. */
export async function openStore({
  config,
  folder,
  executable,
  onFault,
  onRetry,
  waitMs = 30_000,
}: OpenOptions): Promise<Store> {
  if (config.DATABASE_URL) {
    return openDatabase({
      kind: "postgres",
      url: config.DATABASE_URL,
      poolSize: config.OA_DATABASE_POOL_SIZE,
      connectTimeoutMs: config.OA_DATABASE_CONNECT_TIMEOUT_MS,
      statementTimeoutMs: config.OA_DATABASE_STATEMENT_TIMEOUT_MS,
      waitMs,
      ...(onRetry ? { onRetry } : {}),
    });
  }
  const pg = join(folder, "pg");
  const [engine, fresh] = await Promise.all([
    engineFiles(executable),
    databaseTemplate(executable).then((template) => unpackTemplate(pg, template)),
  ]);
  return openDatabase({ kind: "pglite", folder: pg, engine, sync: config.OA_EMBEDDED_SYNC, fresh, onFault });
}
