import { eq, inArray, sql } from "drizzle-orm";
import type { Store } from "../../db/database";
import { webAssets } from "../../db/schema/platform";
import type { Encoding, WebFile, WebFiles } from "./files";

/** Files of other builds, for rolling deploys and tabs that have not reloaded (http-platform 3.7). */
export interface Archive {
  /** Puts this build's hashed files into the archive; in the background, after listening. */
  keep(): Promise<void>;
  /** A hashed file of another build, or null. */
  find(path: string): Promise<WebFile | null>;
}

const mostBytes = 32 * 1024 * 1024;
const missMs = 60_000;
const mostMisses = 1000;

const sizeOf = ({ variants }: WebFile) => Object.values(variants).reduce((sum, { bytes }) => sum + bytes.byteLength, 0);

/** The archive of a Postgres; the embedded database has one process and one build at a time. */
export function createArchive(store: Store, web: WebFiles): Archive | null {
  if (store.kind !== "postgres") return null;
  const found = new Map<string, WebFile>();
  const misses = new Map<string, number>();
  let held = 0;

  const remember = (path: string, file: WebFile): WebFile => {
    for (const [oldest, old] of found) {
      if (held + sizeOf(file) <= mostBytes) break;
      found.delete(oldest);
      held -= sizeOf(old);
    }
    found.set(path, file);
    held += sizeOf(file);
    return file;
  };

  return {
    async keep() {
      const { buildId } = web.facts;
      const hashed = [...web.files.values()].filter((file) => file.hashed);
      const names = hashed.map(({ path }) => path);
      const kept = await store.db
        .update(webAssets)
        .set({ buildId, lastBuildSeenAt: sql`now()` })
        .where(inArray(webAssets.name, names))
        .returning({ name: webAssets.name, encoding: webAssets.encoding });
      const known = new Set(kept.map(({ name, encoding }) => `${encoding} ${name}`));
      for (const { path, type, variants } of hashed) {
        const rows = Object.entries(variants)
          .filter(([encoding]) => !known.has(`${encoding} ${path}`))
          .map(([encoding, { bytes, etag }]) => ({ name: path, encoding, mediaType: type, etag, bytes, buildId }));
        // Another node of this build may be storing the same.
        if (rows.length) await store.db.insert(webAssets).values(rows).onConflictDoNothing();
      }
    },

    async find(path) {
      const known = found.get(path);
      if (known) return known;
      const missed = misses.get(path);
      if (missed !== undefined && performance.now() - missed < missMs) return null;
      const rows = await store.db.select().from(webAssets).where(eq(webAssets.name, path));
      const variants = Object.fromEntries(
        rows.map(({ encoding, bytes, etag }) => [encoding as Encoding, { bytes, etag: etag.trim() }]),
      );
      const [first] = rows;
      if (first && variants.identity) {
        return remember(path, { path, type: first.mediaType, hashed: true, variants: variants as WebFile["variants"] });
      }
      if (misses.size >= mostMisses) misses.clear();
      misses.set(path, performance.now());
      return null;
    },
  };
}
