import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PGlite, type PGliteOptions, type Transaction } from "@electric-sql/pglite";
import { drizzle } from "drizzle-orm/pglite";
import type { Database, Store } from "./database";
import { reasonOf, StoreError } from "./failure";
import { keepStatements } from "./pglite-statements";
import { alikeRows } from "./rows";
import { DurableFiles, syncTree, WalSync } from "./walsync";

/** The parts of PGlite, as the executable carries them. Absent: they are read from the installed package. */
export interface EngineFiles {
  pgliteWasmModule: WebAssembly.Module;
  initdbWasmModule: WebAssembly.Module;
  /** `pglite.data`. */
  fsBundle: Blob;
}

export interface PgliteOptions {
  kind: "pglite";
  /** `{data folder}/pg`; null keeps everything in memory. */
  folder: string | null;
  /** False: nothing is synced, a power cut may lose the last commits (`OA_EMBEDDED_SYNC=off`). */
  sync?: boolean;
  engine?: EngineFiles;
  /** A tar of a data folder to start from; only in memory. */
  load?: Blob;
  /** The folder was unpacked a moment ago: its files are synced beside the start, and the first commit waits for that. */
  fresh?: boolean;
  /** Arguments of `initdb` when the folder is empty. */
  initdb?: string[];
  /** Between checkpoints. */
  checkpointMs?: number;
  /** Told when a checkpoint or sync failed, or the engine stopped: the process cannot go on with this database. */
  onFault?: (fault: StoreError) => void;
}

/** What the engine needs when it has started: growing later means copying it all. */
const initialMemory = 160 * 1024 * 1024;

/** PGlite 0.5 is PostgreSQL 18. */
const MAJOR = "18";

/** `-F` (fsync off) is taken out when files are synced; the log is large so that checkpoints run when we say. */
function startParams(synced: boolean): string[] {
  const base = PGlite.defaultStartParams.filter((param) => param !== "-F" || !synced);
  const ours = ["max_wal_size=2GB", "min_wal_size=64MB", "wal_sync_method=fdatasync", "timezone=UTC"];
  return [...base, ...ours.flatMap((setting) => ["-c", setting])];
}

/** PGlite whose statements and transactions resolve only when their log is on the disk. */
class DurablePGlite extends PGlite {
  constructor(
    options: PGliteOptions,
    readonly wal: WalSync | null,
    private readonly fault: (error: unknown) => StoreError,
  ) {
    super(options);
  }

  private dead: StoreError | null = null;

  /**
   * The engine stopped (PANIC, out of memory). PGlite would call into it for ever, waiting for an answer that never comes,
   * so every way in throws from now on.
   */
  halt(why: StoreError): void {
    if (this.dead || !this.mod) return;
    this.dead = why;
    const stop = () => {
      throw why;
    };
    const nothing = () => {};
    // `stackRestore` is called where PGlite handles an exception: what it throws leaves PGlite's loop.
    Object.assign(this.mod, { _PostgresMainLoopOnce: stop, stackRestore: stop, _pq_buffer_remaining_data: stop });
    Object.assign(this.mod, { _PostgresSendReadyForQueryIfNecessary: nothing, _pgl_pq_flush: nothing });
  }

  override close = async (): Promise<void> => {
    if (!this.dead) await super.close();
  };

  private async settled<T>(work: Promise<T>): Promise<T> {
    let result: T;
    try {
      result = await work;
    } catch (error) {
      throw this.dead ?? error;
    }
    if (!this.wal) return result;
    try {
      await this.wal.settle();
    } catch (error) {
      throw this.fault(error);
    }
    return result;
  }

  override execProtocolStream: PGlite["execProtocolStream"] = keepStatements((message, options) =>
    super.execProtocolStream(message, options),
  );

  override query: PGlite["query"] = (...args) => this.settled(super.query(...args));

  override exec: PGlite["exec"] = (...args) => this.settled(super.exec(...args));

  override transaction<T>(callback: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.settled(super.transaction(callback));
  }
}

const damaged = (folder: string, reason: string, cause?: unknown) =>
  new StoreError(
    65,
    `the database in ${folder} is damaged or was made by another program (${reason})`,
    "restore the newest backup with 'openagents ops db:restore', or point --data-dir at another folder; nothing was changed",
    cause,
  );

/** Refuses a folder that is not ours, before anything touches it. */
function checkFolder(folder: string): void {
  if (!existsSync(folder)) return;
  const files = readdirSync(folder);
  if (!files.length) return;
  if (!files.includes("PG_VERSION")) throw damaged(folder, "no PG_VERSION");
  const version = readFileSync(join(folder, "PG_VERSION"), "utf8").trim();
  if (version !== MAJOR) throw damaged(folder, `PostgreSQL ${version || "?"}, this build reads ${MAJOR}`);
  if (!existsSync(join(folder, "global/pg_control"))) throw damaged(folder, "no global/pg_control");
}

/** The exit code of what the file system said, or null when it is something else. */
export function fileFailure(folder: string, error: unknown): StoreError | null {
  const text = reasonOf(error);
  if (/ENOSPC|No space left|EDQUOT/i.test(text))
    return new StoreError(
      74,
      `the disk of ${folder} is full`,
      "free some space and start again; nothing acknowledged was lost",
      error,
    );
  if (/EACCES|EPERM|EROFS|Permission denied|Read-only/i.test(text)) {
    return new StoreError(
      77,
      `${folder} cannot be written (${text})`,
      "give this user write permission, or choose another folder with --data-dir",
      error,
    );
  }
  if (/EIO|Input\/output error/i.test(text))
    return new StoreError(
      74,
      `the disk of ${folder} fails (${text})`,
      "check the disk; keep a copy of the folder before anything else",
      error,
    );
  return null;
}

/** The client that Drizzle and pg-boss share on the embedded database. */
const clients = new WeakMap<Store, PGlite>();

/** The PGlite behind an embedded store; null for Postgres. */
export const pgliteOf = (store: Store): PGlite | null => clients.get(store) ?? null;

/**
 * Opens the embedded database; the caller holds the data folder's lock (`lock.ts`). Throws `StoreError`: 65 for a damaged or
 * foreign folder, 74 for a full disk, 77 without permission.
 */
export async function openPglite(options: PgliteOptions): Promise<Store> {
  const { folder, engine, load, checkpointMs = 300_000, onFault } = options;
  if (folder) checkFolder(folder);
  const wal = folder && options.sync !== false ? new WalSync(options.fresh ? syncTree(folder) : null) : null;
  let last = "";
  let opened = false;
  let faulted = false;
  const fault = (error: unknown) => {
    const known = fileFailure(folder ?? "memory", error) ?? damaged(folder ?? "memory", reasonOf(error), error);
    if (opened && !faulted) queueMicrotask(() => onFault?.(known));
    faulted ||= opened;
    return known;
  };
  let pg: DurablePGlite | undefined;
  try {
    if (folder) mkdirSync(folder, { recursive: true, mode: 0o700 });
    const files = folder ? { fs: new DurableFiles(folder, wal) } : load ? { loadDataDir: load } : {};
    const told = (text: string) => {
      if (/FATAL|PANIC|ERROR/.test(text)) last = text.replace(/^.*?(FATAL|PANIC|ERROR):\s*/, "");
      if (/^([\d:. -]+(\w+ )?(\[\d+\] )?)?PANIC:|^Aborted\(/.test(text)) pg?.halt(fault(new Error(last || text)));
      return false;
    };
    const start = {
      startParams: startParams(wal !== null),
      initDbStartParams: options.initdb,
      initialMemory,
      onStderr: told,
    };
    pg = new DurablePGlite({ ...engine, ...files, ...start }, wal, fault);
    await pg.waitReady;
    forgetCatalogArrays(pg);
    opened = true;
  } catch (error) {
    const what = folder ?? "memory";
    throw (
      fileFailure(what, last ? new Error(last) : error) ??
      fileFailure(what, error) ??
      damaged(what, last || reasonOf(error), error)
    );
  }
  const client = pg;
  const db: Database = drizzle(client, { casing: "snake_case" });
  const timer = folder ? setInterval(() => void tidy(client).catch(fault), checkpointMs) : null;
  timer?.unref();
  const store: Store = {
    kind: "pglite",
    db,
    replay: db,
    aside: db,
    async rows(statement, on = db) {
      const result = (await on.execute(statement)) as unknown as Rows;
      return alikeRows(
        result.rows,
        result.fields.map(({ name, dataTypeID }) => ({ name, oid: dataTypeID })),
      );
    },
    notify: async () => {},
    async listen(_channel, _onMessage, onState) {
      onState?.(true);
      return async () => {};
    },
    poolUse: () => Promise.resolve(null),
    async close() {
      if (timer) clearInterval(timer);
      await client.close();
    },
  };
  clients.set(store, client);
  return store;
}

/**
 * PGlite copies its table of parsers for every statement. Most of it are arrays of the catalog's own row types, which nothing
 * selects: without them a statement costs a tenth less.
 */
function forgetCatalogArrays({ parsers }: PGlite): void {
  for (const oid of Object.keys(parsers).map(Number)) if (oid >= 10_000 && oid < 16_384) delete parsers[oid];
}

/** Tables to vacuum, worst first. There is no autovacuum in the embedded database. */
const worn = `select c.oid::regclass::text as name from pg_class c join pg_stat_user_tables s on s.relid = c.oid
  where s.n_dead_tup > 1000 + s.n_live_tup / 5 or age(c.relfrozenxid) > 150000000
  order by s.n_dead_tup desc limit 5`;

/** Writes a checkpoint, so that a start after a crash is short, and vacuums what needs it. */
async function tidy(pg: PGlite): Promise<void> {
  const { rows } = await pg.query<{ name: string }>(worn);
  for (const { name } of rows) await pg.exec(`vacuum (analyze) ${name}`);
  await pg.exec("checkpoint");
}

interface Rows {
  rows: Record<string, unknown>[];
  fields: { name: string; dataTypeID: number }[];
}
