/**
 * Databases for tests, both engines:
 *
 * ```ts
 * for (const engine of engines) {
 *   describe(engine, () => {
 *     let fresh: Fresh;
 *     beforeAll(async () => { fresh = await freshDatabase(engine); });
 *     afterAll(() => fresh.drop());
 *     test("…", async () => { await fresh.store.db.insert(users)… });
 *   });
 * }
 * ```
 *
 * `postgres` is a real PostgreSQL 15, one for all test processes, started when first needed and stopped a few seconds after
 * the last process that used it (`postgres-keeper.ts`). `pglite` runs in memory. Each fresh database is a copy of a
 * template with all migrations and the job tables. One for each file (`beforeAll`) is cheaper than one for each test.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { bakeEmpty, bakeTemplate } from "../../db/bake";
import type { Store } from "../../db/database";
import { jobsSchema } from "../../db/jobs-schema";
import { isAlive } from "../../db/lock";
import { migrate } from "../../db/migrate";
import { migrations } from "../../db/migrations";
import { openDatabase } from "../../db/open";
import type { EngineFiles } from "../../db/pglite";
import { dependencies } from "../../package.json";
import { takeTurn } from "./turn";

export const engines = ["pglite", "postgres"] as const;
export type Engine = (typeof engines)[number];

export interface Fresh {
  store: Store;
  /** How to open the same database again; null for PGlite, which is in this process's memory only. */
  url: string | null;
  drop(): Promise<void>;
}

const folder = join(tmpdir(), `openagents-test-${userInfo().uid}`);
const engineVersion = dependencies["@electric-sql/pglite"];
const stamp = () =>
  new Bun.CryptoHasher("sha256")
    .update(JSON.stringify([migrations, jobsSchema()]))
    .digest("hex")
    .slice(0, 16);

let server: Promise<string> | null = null;

/** URL of the shared server's `postgres` database, as its superuser. */
export function postgresServer(): Promise<string> {
  server ??= joinServer();
  return server;
}

function running(): string | null {
  try {
    const { url, keeper } = JSON.parse(readFileSync(join(folder, "server.json"), "utf8")) as {
      url: string;
      keeper: number;
    };
    return isAlive(keeper) ? url : null;
  } catch {
    return null;
  }
}

async function joinServer(): Promise<string> {
  mkdirSync(join(folder, "users"), { recursive: true });
  return takeTurn(join(folder, "turn"), async () => {
    writeFileSync(join(folder, "users", String(process.pid)), "");
    const found = running();
    if (found) return found;
    // Through a shell that ends at once: what a test file still runs at its end is killed, and this is for all of them.
    const keep = [process.execPath, join(import.meta.dir, "postgres-keeper.ts"), folder];
    const errors = join(folder, "keeper.log");
    await Bun.spawn(["/bin/sh", "-c", 'nohup "$@" >/dev/null 2>"$0" </dev/null &', errors, ...keep]).exited;
    for (const end = performance.now() + 60_000; performance.now() < end; ) {
      const url = running();
      if (url) return url;
      await Bun.sleep(20);
    }
    throw new Error(`the test PostgreSQL did not start: ${readFileSync(errors, "utf8")}`);
  });
}

const named = (url: string, database: string) => url.replace(/\/[^/]*$/, `/${database}`);

async function asAdmin<T>(work: (sql: postgres.Sql, url: string) => Promise<T>): Promise<T> {
  const url = await postgresServer();
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    return await work(sql, url);
  } finally {
    await sql.end();
  }
}

/** Makes the template database once for these migrations, whichever process comes first. */
function makePostgresTemplate(): Promise<string> {
  return asAdmin((sql, url) =>
    takeTurn(join(folder, "turn"), async () => {
      const name = `template_${stamp()}`;
      const [there] = await sql`select 1 from pg_database where datname = ${name}`;
      if (there) return name;
      const draft = `draft_${process.pid}`;
      await sql.unsafe(`create database ${draft}`);
      const store = await openDatabase({ kind: "postgres", url: named(url, draft), poolSize: 1 });
      await migrate(store, { appliedBy: "test" });
      await store.db.execute(jobsSchema());
      await store.close();
      await sql.unsafe(`alter database ${draft} rename to ${name}`);
      return name;
    }),
  );
}

async function kept(file: string, make: () => Promise<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  if (!(await Bun.file(file).exists())) {
    await Bun.write(`${file}.new`, await make());
    renameSync(`${file}.new`, file);
  }
  return Bun.file(file).bytes();
}

/** The tar that fresh PGlites load; kept between runs, since `initdb` takes seconds. */
async function pgliteTemplate(): Promise<Blob> {
  mkdirSync(folder, { recursive: true });
  return takeTurn(join(folder, "bake"), async () => {
    const bytes = await kept(join(folder, `pglite-${stamp()}.tar`), async () => {
      for (const old of readdirSync(folder)) if (/^pglite-.*tar$/.test(old)) rmSync(join(folder, old));
      return bakeTemplate(await kept(join(folder, `empty-${engineVersion}.tar`), bakeEmpty));
    });
    return new Blob([bytes]);
  });
}

const parts = join(import.meta.dir, "../../node_modules/@electric-sql/pglite/dist");
const part = (name: string) => Bun.file(join(parts, name));

/** PGlite's parts, compiled once for all databases of this process. */
export const engineFiles: EngineFiles = {
  pgliteWasmModule: await WebAssembly.compile(await part("pglite.wasm").bytes()),
  initdbWasmModule: await WebAssembly.compile(await part("initdb.wasm").bytes()),
  fsBundle: part("pglite.data"),
};

/** Made while this file is loaded, because a hook of a test may take five seconds only. */
const [pgliteTar, postgresTemplate] = await Promise.all([pgliteTemplate(), makePostgresTemplate()]);

let count = 0;

/** A database of its own with every table, empty. `drop` closes the store and removes the database. */
export async function freshDatabase(engine: Engine, options: { poolSize?: number } = {}): Promise<Fresh> {
  if (engine === "pglite") {
    const store = await openDatabase({ kind: "pglite", folder: null, load: pgliteTar, engine: engineFiles });
    return { store, url: null, drop: () => store.close() };
  }
  const name = `test_${process.pid}_${++count}`;
  const url = await asAdmin(async (sql, base) => {
    await sql.unsafe(`create database ${name} template ${postgresTemplate}`);
    return named(base, name);
  });
  const store = await openDatabase({ kind: "postgres", url, poolSize: options.poolSize ?? 4 });
  return {
    store,
    url,
    async drop() {
      await store.close();
      await asAdmin((sql) => sql.unsafe(`drop database if exists ${name} with (force)`));
    },
  };
}

/** The packed template as the executable embeds it, for what unpacks a data folder. */
export const packedTemplate = async (): Promise<Uint8Array<ArrayBuffer>> =>
  Uint8Array.from(Bun.zstdCompressSync(await pgliteTar.bytes(), { level: 1 }));

/** An empty database on the shared server, without tables: for what migrates or refuses by itself. */
export async function emptyDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `test_${process.pid}_${++count}`;
  const url = await asAdmin(async (sql, base) => {
    await sql.unsafe(`create database ${name}`);
    return named(base, name);
  });
  return {
    url,
    drop: async () => void (await asAdmin((sql) => sql.unsafe(`drop database if exists ${name} with (force)`))),
  };
}
