import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jobsSchema } from "./jobs-schema";
import { migrate } from "./migrate";
import { openPglite, pgliteOf } from "./pglite";

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
