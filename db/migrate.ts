import { sql } from "drizzle-orm";
import type { Store } from "./database";
import { reasonOf, StoreError } from "./failure";
import { migrations as embedded } from "./migrations";
import { openSession, type Session } from "./session";

/** First 8 bytes of SHA-256 of `openagents:migrate`, signed (ops-data 3.2). */
const LOCK = "-9198259289267943870";

export interface Migration {
  /** `0007_threads_branch.expand`. */
  name: string;
  text: string;
}

export interface MigrateOptions {
  /** Version and node, for the record. */
  appliedBy: string;
  /** The executable's own when absent. */
  files?: Migration[];
  /** Also the pending contract files (`migrate --contract`). */
  contract?: boolean;
  /** Stop after the file with this number. */
  to?: number;
  /** Change nothing: pending files are an error (`serve --no-migrate`). */
  only?: "check";
  /** How long to wait for another node that migrates. */
  waitMs?: number;
  /** Between two tries for a table that somebody holds. */
  retryMs?: number;
  /** Told what happens, a line each: files applied, waiting, warnings. */
  onLine?: (line: string) => void;
}

/** One embedded file against the database. */
export interface MigrationState {
  number: number;
  name: string;
  phase: "expand" | "contract";
  state: "applied" | "pending" | "waiting for contract";
  appliedAt: Date | null;
  appliedBy: string | null;
}

export interface SchemaStatus {
  /** Newest file of this executable. */
  schemaVersion: number;
  /** Newest file that was applied, by whichever build; 0 on an empty database. */
  databaseVersion: number;
  /** Oldest schema version that may still use the database. */
  minSchemaVersion: number;
  migrations: MigrationState[];
}

interface Recorded {
  name: string;
  sha256: string;
  appliedAt: string | Date;
  appliedBy: string;
}

export const numberOf = (name: string): number => Number(name.slice(0, 4));
const phaseOf = (name: string) => (name.endsWith(".contract") ? "contract" : "expand");

/** `14` as the product shows it: `0014`. */
export const shown = (version: number): string => String(version).padStart(4, "0");

/** The newest schema version that this executable knows. */
export const schemaVersion = (files: Migration[] = embedded): number =>
  Math.max(0, ...files.map(({ name }) => numberOf(name)));

const sha256 = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest("hex");

const codeOf = (error: unknown) => String((error as { code?: unknown })?.code ?? "");

/** Reading needs no session of its own. */
type Reader = Pick<Session, "query">;
const readerOf = (store: Store): Reader => ({ query: (text) => store.rows(sql.raw(text)) as Promise<never> });

async function recorded(session: Reader): Promise<Recorded[] | null> {
  const [found] = await session.query<{ there: boolean }>(
    "select to_regclass('public.schema_migrations') is not null as there",
  );
  if (!found?.there) return null;
  return session.query(
    `select name, sha256, applied_at as "appliedAt", applied_by as "appliedBy" from schema_migrations order by name`,
  );
}

async function minVersion(session: Reader): Promise<number> {
  const [row] = await session.query<{ min: number }>("select min_schema_version as min from schema_state");
  return row?.min ?? 1;
}

/** Compares the executable's files with the database. Throws `StoreError` 78 when they contradict each other. */
async function inspect(session: Reader, files: Migration[]): Promise<SchemaStatus> {
  const done = new Map((await recorded(session))?.map((row) => [row.name, row]));
  const newest = schemaVersion(files);
  const minimum = done.size ? await minVersion(session) : 1;
  if (minimum > newest) {
    throw new StoreError(
      78,
      `this build is too old for the database: needs schema ${shown(minimum)}`,
      "run the newest executable; the data was not touched",
    );
  }
  for (const { name, text } of files) {
    const row = done.get(name);
    if (!row || row.sha256 === sha256(text)) continue;
    throw new StoreError(
      78,
      `migration ${name.slice(0, 4)} was changed after it was applied`,
      "run the executable that this database was made with, or a newer release; the data was not touched",
    );
  }
  return {
    schemaVersion: newest,
    databaseVersion: Math.max(0, ...[...done.keys()].map(numberOf)),
    minSchemaVersion: minimum,
    migrations: files.map(({ name }) => {
      const row = done.get(name);
      const phase = phaseOf(name);
      const waiting = phase === "contract" ? "waiting for contract" : "pending";
      return {
        number: numberOf(name),
        name,
        phase,
        state: row ? "applied" : waiting,
        appliedAt: row ? new Date(row.appliedAt) : null,
        appliedBy: row?.appliedBy ?? null,
      };
    }),
  };
}

/** What `migrate:status` shows. Reads only. */
export const migrationStatus = (store: Store, files: Migration[] = embedded): Promise<SchemaStatus> =>
  inspect(readerOf(store), files);

/** The files that `migrate` would apply now, in order (`--dry-run`). */
export async function pendingMigrations(store: Store, options: Pick<MigrateOptions, "files" | "contract" | "to"> = {}) {
  const files = options.files ?? embedded;
  return due(await migrationStatus(store, files), files, options);
}

function due(status: SchemaStatus, files: Migration[], options: Pick<MigrateOptions, "contract" | "to">): Migration[] {
  const { contract = false, to = Number.POSITIVE_INFINITY } = options;
  if (status.databaseVersion > status.schemaVersion) return [];
  const open = status.migrations.filter(({ state }) => state === "pending" || (contract && state !== "applied"));
  const names = new Set(open.filter(({ number }) => number <= to).map(({ name }) => name));
  return files.filter(({ name }) => names.has(name));
}

/** Other nodes wait here while one migrates. */
async function lock(session: Session, options: MigrateOptions): Promise<void> {
  if (session.kind === "pglite") return;
  const { waitMs = 120_000, onLine } = options;
  const start = performance.now();
  for (let told = start; ; ) {
    const [row] = await session.query<{ got: boolean }>(`select pg_try_advisory_lock(${LOCK}) as got`);
    if (row?.got) return;
    const now = performance.now();
    if (now - start >= waitMs) {
      throw new StoreError(75, "another node is migrating this database", "wait for it to finish, then start again");
    }
    if (now - told >= 10_000 || told === start) {
      onLine?.(`waiting for another node that migrates the database (${Math.round((now - start) / 1000)} s)`);
      told = now;
    }
    await Bun.sleep(Math.min(250, waitMs));
  }
}

/** A database of somebody else must not get our tables between its own. */
async function refuseForeign(session: Session, files: Migration[]): Promise<void> {
  const names = files.flatMap(({ text }) => [...text.matchAll(/create table "?(\w+)"?/gi)].map((match) => match[1]!));
  const list = names.map((name) => `'${name}'`).join(",");
  if (!list) return;
  const found = await session.query<{ name: string }>(
    `select tablename as name from pg_tables where schemaname = 'public' and tablename in (${list}) order by 1`,
  );
  if (!found.length) return;
  const named = found.slice(0, 3).map(({ name }) => name);
  throw new StoreError(
    65,
    `the database holds tables of another program (${named.join(", ")}${found.length > 3 ? ", …" : ""})`,
    "give OpenAgents a database of its own; nothing was changed",
  );
}

/**
 * Applies the pending files in order, each in one transaction, under a lock that makes other nodes wait (ops-data 3.2).
 * Returns the names of those applied. A file that fails leaves the database as it was before that file.
 *
 * Throws `StoreError`: 65 foreign database or failed file, 74 disk full, 75 waited too long, 78 changed file, build too old,
 * or pending files with `only: "check"`.
 */
export async function migrate(store: Store, options: MigrateOptions): Promise<string[]> {
  const files = options.files ?? embedded;
  const before = await migrationStatus(store, files);
  if (!due(before, files, options).length) {
    if (before.databaseVersion > before.schemaVersion) {
      const versions = `(${shown(before.databaseVersion)}) than this build (${shown(before.schemaVersion)})`;
      options.onLine?.(`database is newer ${versions}: mixed-version window`);
    }
    return [];
  }
  if (options.only === "check") {
    const names = due(before, files, options).map(({ name }) => name.slice(0, 4));
    throw new StoreError(78, `migrations are pending (${names.join(", ")})`, "run 'openagents ops migrate'");
  }
  const session = openSession(store);
  try {
    await lock(session, options);
    const status = await inspect(session, files);
    if (!status.databaseVersion) await refuseForeign(session, files);
    const applied: string[] = [];
    for (const file of due(status, files, options)) {
      if (phaseOf(file.name) === "contract") await refuseOldNodes(session, file);
      const start = performance.now();
      await apply(session, file, options);
      applied.push(file.name);
      options.onLine?.(`applied ${file.name} in ${Math.round(performance.now() - start)} ms`);
    }
    return applied;
  } finally {
    // The lock belongs to the session and ends with it.
    await session.end();
  }
}

/** `-- requires: 0015` in a contract file: the schema version that every node must have by then. */
const requires = (text: string) => Number(/^-- requires: (\d{4})$/m.exec(text)?.[1] ?? 0);

async function refuseOldNodes(session: Session, file: Migration): Promise<void> {
  const nodes = await session.query<{ id: string }>(
    `select id from server_nodes where schema_version < ${requires(file.text)} and seen_at > now() - interval '60 seconds'`,
  );
  if (!nodes.length) return;
  throw new StoreError(
    1,
    `an older node is still running (${nodes.map(({ id }) => id).join(", ")})`,
    "stop it, wait 60 seconds, then run the command again",
  );
}

async function apply(session: Session, file: Migration, options: MigrateOptions): Promise<void> {
  const bare = /^-- no-transaction$/m.test(file.text);
  for (let attempt = 1; ; attempt++) {
    try {
      if (bare) await applyBare(session, file, options);
      else await session.transaction((inside) => applyWhole(inside, file, options));
      return;
    } catch (error) {
      if (error instanceof StoreError) throw error;
      if (codeOf(error) === "55P03" && attempt <= 10) {
        options.onLine?.(`${file.name}: a table is in use, trying again (${attempt} of 10)`);
        await Bun.sleep(options.retryMs ?? 1000);
        continue;
      }
      const full = codeOf(error) === "53100" || /No space left/.test(reasonOf(error));
      throw new StoreError(
        full ? 74 : 65,
        `migration ${file.name} failed: ${reasonOf(error)}`,
        full
          ? "free some space and start again; the data was not touched"
          : "the data was not touched; run the former release and report this",
        error,
      );
    }
  }
}

async function applyWhole(inside: Session, file: Migration, options: MigrateOptions): Promise<void> {
  const start = performance.now();
  await inside.run("set local lock_timeout = '5s'; set local statement_timeout = 0");
  await inside.run(file.text);
  await record(inside, file, Math.round(performance.now() - start), options);
}

async function record(session: Session, file: Migration, ms: number, options: MigrateOptions): Promise<void> {
  await session.query(
    "insert into schema_migrations (name, sha256, phase, duration_ms, applied_by) values ($1, $2, $3, $4, $5)",
    [file.name, sha256(file.text), phaseOf(file.name), ms, options.appliedBy],
  );
  const floor = phaseOf(file.name) === "contract" ? requires(file.text) : 1;
  await session.query(
    `insert into schema_state (id, min_schema_version) values (1, $1)
     on conflict (id) do update set min_schema_version = greatest(schema_state.min_schema_version, excluded.min_schema_version)`,
    [floor],
  );
}

/** Statements that no transaction may hold; each can be repeated, so a crash between two does no harm. */
async function applyBare(session: Session, file: Migration, options: MigrateOptions): Promise<void> {
  const start = performance.now();
  await session.run("set lock_timeout = '5s'");
  for (const statement of file.text.split(/;\s*\n/).map((part) => part.replace(/^--.*$/gm, "").trim())) {
    if (!statement) continue;
    await dropInvalidIndex(session, statement);
    await session.run(session.kind === "pglite" ? statement.replace(/\bconcurrently\b/gi, "") : statement);
  }
  await session.run("reset lock_timeout");
  await record(session, file, Math.round(performance.now() - start), options);
}

/** A crash during `create index concurrently` leaves an index that is never used and blocks its name. */
async function dropInvalidIndex(session: Session, statement: string): Promise<void> {
  const name = /create (?:unique )?index concurrently (?:if not exists )?"?(\w+)"?/i.exec(statement)?.[1];
  if (!name || session.kind === "pglite") return;
  const [row] = await session.query<{ bad: boolean }>(
    "select not indisvalid as bad from pg_index where indexrelid = to_regclass($1)",
    [`public.${name}`],
  );
  if (row?.bad) await session.run(`drop index concurrently if exists "${name}"`);
}
