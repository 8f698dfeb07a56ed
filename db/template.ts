import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileFailure } from "./pglite";

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
