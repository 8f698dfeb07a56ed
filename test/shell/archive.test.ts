import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { prunePlatform } from "../../src/jobs/platform-prune";
import { createArchive } from "../../src/shell/archive";
import type { WebFile, WebFiles } from "../../src/shell/files";
import { withVariants } from "../../src/shell/variants";
import { type Fresh, freshDatabase } from "../support/database";

const text = (marker: string) => Buffer.from(`console.log("${marker.repeat(400)}");`);

function build(buildId: string, ...names: string[]): WebFiles {
  const files = new Map<string, WebFile>();
  for (const name of names) files.set(name, withVariants(name, text(name), true));
  files.set("/sw.js", withVariants("/sw.js", text("sw"), false));
  return { facts: { buildId, entry: { html: "index.html", js: "", css: "" }, pinned: [] }, files };
}

describe("files of other builds (http-platform 3.7)", () => {
  let fresh: Fresh;
  beforeAll(async () => {
    fresh = await freshDatabase("postgres");
  });
  afterAll(() => fresh.drop());

  test("a hashed file of one build is found by another, with its encodings and tags; other files are not kept", async () => {
    const old = build("20260101T000000Z", "/assets/main-aaaaaaaa.js");
    await createArchive(fresh.store, old)!.keep();
    const found = await createArchive(fresh.store, build("20260102T000000Z"))!.find("/assets/main-aaaaaaaa.js");
    const own = old.files.get("/assets/main-aaaaaaaa.js")!;
    expect(found?.type).toBe("text/javascript; charset=utf-8");
    expect(found?.hashed).toBe(true);
    for (const encoding of ["identity", "br", "gzip"] as const) {
      expect(found?.variants[encoding]?.etag).toBe(own.variants[encoding]!.etag);
      expect(Buffer.from(found!.variants[encoding]!.bytes).equals(own.variants[encoding]!.bytes)).toBe(true);
    }
    expect(await createArchive(fresh.store, old)!.find("/sw.js")).toBeNull();
  });

  test("an unknown name does not reach the database again for a minute", async () => {
    const archive = createArchive(fresh.store, build("20260102T000000Z"))!;
    expect(await archive.find("/assets/later-bbbbbbbb.js")).toBeNull();
    await createArchive(fresh.store, build("20260103T000000Z", "/assets/later-bbbbbbbb.js"))!.keep();
    expect(await archive.find("/assets/later-bbbbbbbb.js")).toBeNull();
    expect(
      await createArchive(fresh.store, build("20260104T000000Z"))!.find("/assets/later-bbbbbbbb.js"),
    ).not.toBeNull();
  });

  test("two nodes may keep the same files at once", async () => {
    const web = build("20260105T000000Z", "/assets/both-cccccccc.js");
    await Promise.all([createArchive(fresh.store, web)!.keep(), createArchive(fresh.store, web)!.keep()]);
    expect(await createArchive(fresh.store, build("x"))!.find("/assets/both-cccccccc.js")).not.toBeNull();
  });

  test("what is older than 14 days goes, but never the last five builds", async () => {
    await fresh.store.rows(sql`delete from web_assets`);
    for (let day = 1; day <= 7; day++) {
      await createArchive(fresh.store, build(`2026010${day}T000000Z`, `/assets/day-${day}.js`))!.keep();
      await fresh.store.rows(
        sql`update web_assets set last_build_seen_at = now() - make_interval(days => ${60 - day}) where name = ${`/assets/day-${day}.js`}`,
      );
    }
    await prunePlatform(fresh.store, new Date());
    const left = await fresh.store.rows<{ name: string }>(sql`select distinct name from web_assets order by name`);
    expect(left.map(({ name }) => name)).toEqual([3, 4, 5, 6, 7].map((day) => `/assets/day-${day}.js`));
  });

  test("the embedded database keeps none", async () => {
    const embedded = await freshDatabase("pglite");
    expect(createArchive(embedded.store, build("x"))).toBeNull();
    await embedded.drop();
  });
});
