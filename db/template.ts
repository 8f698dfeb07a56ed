import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { getConstructionPlans } from "pg-boss";
import { migrate } from "./migrate";
import { fileFailure, openPglite, pgliteOf } from "./pglite";

/** The Postgres schema of pg-boss's tables. */
export const JOBS_SCHEMA = "jobs";

/** SQL that makes pg-boss's tables in an empty database, as pg-boss itself would at its first start. */
export const jobsSchema = (): string => getConstructionPlans(JOBS_SCHEMA);

/** Makes `work`'s folder under the system's temporary folder, gives back the tar of what is in it, and removes it. */
async function tarOf(work: (folder: string) => Promise<void>): Promise<Uint8Array> {
  const home = mkdtempSync(join(tmpdir(), "openagents-template-"));
  const folder = join(home, "pg");
  try {
    await work(folder);
    const tar = Bun.spawn(["tar", "-cf", "-", "-C", folder, "."], { stderr: "inherit" });
    const bytes = new Uint8Array(await new Response(tar.stdout).arrayBuffer());
    if ((await tar.exited) !== 0) throw new Error("tar could not pack the template");
    return bytes;
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** A data folder without any table: what `initdb` makes, in a third of its size. Takes 5 seconds. */
export const bakeEmpty = (): Promise<Uint8Array> =>
  tarOf(async (folder) => {
    const store = await openPglite({ kind: "pglite", folder, sync: false, initdb: ["--wal-segsize=4"] });
    const pg = pgliteOf(store)!;
    // Nobody makes databases inside this one, and two of three copies of the catalogue are two thirds of its size.
    await pg.exec("update pg_database set datistemplate = false where datistemplate");
    await pg.exec("drop database template1");
    await pg.exec("drop database template0");
    await store.close();
  });

/**
 * Makes the database that a first start copies: every migration, pg-boss's tables, nothing else. Returns an uncompressed
 * tar of a data folder that was shut down cleanly. `build.ts` embeds it compressed.
 *
 * @param empty what `bakeEmpty` made, where it is kept.
 */
export const bakeTemplate = async (empty?: Uint8Array): Promise<Uint8Array> => {
  const start = empty ?? (await bakeEmpty());
  return tarOf(async (folder) => {
    await new Bun.Archive(start).extract(folder);
    const store = await openPglite({ kind: "pglite", folder, sync: false });
    await migrate(store, { appliedBy: "build" });
    await pgliteOf(store)!.exec(jobsSchema());
    await pgliteOf(store)!.exec("vacuum (full, analyze)");
    await store.close();
  });
};

/** What the executable embeds: `bakeTemplate`'s tar, compressed. */
export const packTemplate = (tar: Uint8Array): Uint8Array => Bun.zstdCompressSync(tar, { level: 19 });

/**
 * Makes `folder` (`{data folder}/pg`) from the packed template when there is no database in it yet; true when it did, to be
 * handed to `openDatabase` as `fresh`. The folder appears whole or not at all, and what an interrupted try left is removed.
 * The caller holds the data folder's lock. Throws `StoreError` 74 (disk full) or 77.
 */
export async function unpackTemplate(folder: string, packed: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const parent = dirname(folder);
  try {
    mkdirSync(parent, { recursive: true, mode: 0o700 });
    const draft = `${basename(folder)}.new-`;
    for (const name of readdirSync(parent)) if (name.startsWith(draft)) rmSync(join(parent, name), { recursive: true });
    if (existsSync(folder) && readdirSync(folder).length) return false;
    const into = join(parent, `${draft}${process.pid}`);
    mkdirSync(into, { mode: 0o700 });
    await new Bun.Archive(await Bun.zstdDecompress(packed)).extract(into);
    renameSync(into, folder);
    return true;
  } catch (error) {
    throw fileFailure(parent, error) ?? error;
  }
}
