import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import type { Store } from "../../db/database";
import type { StoreError } from "../../db/failure";
import { folderHolder, lockFolder } from "../../db/lock";
import { migrate } from "../../db/migrate";
import { migrations } from "../../db/migrations";
import { openDatabase } from "../../db/open";
import { unpackTemplate } from "../../db/template";
import { startChild } from "../support/child";
import { emptyDatabase, engineFiles, packedTemplate } from "../support/database";
import { slow } from "./children/slow";

const packed = await packedTemplate();

let home: string;
let folder: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "openagents-crash-"));
  folder = join(home, "pg");
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const reopen = () => openDatabase({ kind: "pglite", folder, engine: engineFiles });

test("kill -9 in the middle of writes, three times: every acknowledged row is there", async () => {
  await unpackTemplate(folder, packed);
  const acknowledged = new Set<number>();
  for (const enough of [40, 80, 120]) {
    const child = startChild("test/db/children/write.ts", folder);
    const until = acknowledged.size + enough;
    while (acknowledged.size < until) acknowledged.add(Number(await child.line()));
    await child.kill();
    for (const line of await child.rest()) acknowledged.add(Number(line));
    const store = await reopen();
    const rows = await store.rows<{ id: number }>(sql`select id from written`);
    const kept = new Set(rows.map(({ id }) => id));
    expect([...acknowledged].filter((id) => !kept.has(id))).toEqual([]);
    const [sum] = await store.rows(sql`select count(*) as n from written where length(filler) = 500`);
    expect(sum).toEqual({ n: kept.size });
    await store.close();
  }
}, 60_000);

async function untouched(store: Store): Promise<void> {
  const done = await store.rows(sql`select name from schema_migrations order by 1`);
  expect(done).toEqual([{ name: "0001_initial.expand" }]);
  expect(await store.rows(sql`select to_regclass('slow_rows')::text as found`)).toEqual([{ found: null }]);
}

async function finishes(store: Store): Promise<void> {
  const applied = await migrate(store, { appliedBy: "test", files: [...migrations, slow] });
  expect(applied).toEqual([slow.name]);
  expect(await store.rows(sql`select count(*) as n from slow_rows`)).toEqual([{ n: 60_000 }]);
}

describe("kill -9 in the middle of a migration", () => {
  test("embedded: the folder starts, without that migration, and takes it the next time", async () => {
    await unpackTemplate(folder, packed);
    const child = startChild("test/db/children/migrate.ts", folder);
    expect(await child.line()).toBe("in");
    // It writes now: the log grows by what the migration puts into it.
    const wal = () => readdirSync(join(folder, "pg_wal")).length;
    const before = wal();
    while (wal() <= before) await Bun.sleep(2);
    await child.kill();
    expect(await child.rest()).toEqual([]);
    const store = await reopen();
    await untouched(store);
    await finishes(store);
    await store.close();
  }, 60_000);

  test("Postgres: the lock goes with the connection, nothing of it stays", async () => {
    const database = await emptyDatabase();
    const store = await openDatabase({ kind: "postgres", url: database.url });
    await migrate(store, { appliedBy: "test" });
    const child = startChild("test/db/children/migrate.ts", database.url);
    expect(await child.line()).toBe("in");
    const writing = sql`select 1 from pg_stat_activity where datname = current_database() and query like '%slow_rows%' and pid <> pg_backend_pid()`;
    while (!(await store.rows(writing)).length) await Bun.sleep(2);
    await child.kill();
    await untouched(store);
    // The server finishes the statement it is at, then finds nobody there; a new node waits for that.
    await finishes(store);
    await store.close();
    await database.drop();
  }, 60_000);
});

describe("the data folder's lock", () => {
  test("a second process is refused with the first one's id", async () => {
    const child = startChild("test/db/children/hold.ts", home);
    expect(await child.line()).toBe("held");
    expect(folderHolder(home)).toBe(child.pid);
    try {
      lockFolder(home);
      expect.unreachable();
    } catch (error) {
      const { exitCode, message } = error as StoreError;
      expect([exitCode, message]).toEqual([75, `data folder is in use by process ${child.pid}`]);
    }
    await child.kill();
  });

  test("a lock left by kill -9 is taken over; a released one leaves no file", async () => {
    const child = startChild("test/db/children/hold.ts", home);
    await child.line();
    await child.kill();
    expect(existsSync(join(home, "lock"))).toBe(true);
    expect(folderHolder(home)).toBeNull();
    const lock = lockFolder(home);
    expect(readFileSync(join(home, "lock"), "utf8")).toBe(`${process.pid}\n`);
    expect(statSync(join(home, "lock")).mode & 0o777).toBe(0o600);
    lock.release();
    expect(existsSync(join(home, "lock"))).toBe(false);
  });

  test("of several that start at once, one gets it", async () => {
    const folder = join(home, "new");
    const children = Array.from({ length: 4 }, () => startChild("test/db/children/hold.ts", folder));
    const said = await Promise.all(children.map((child) => child.line()));
    const holder = children[said.indexOf("held")]!;
    expect(said.filter((line) => line === "held")).toHaveLength(1);
    for (const line of said) {
      if (line !== "held") expect(line).toBe(`75 data folder is in use by process ${holder.pid}`);
    }
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    await Promise.all(children.map((child) => child.kill()));
  });
});

describe("the first start", () => {
  test("the template appears whole, once; what an interrupted try left is removed", async () => {
    mkdirSync(join(home, "pg.new-12345"));
    expect(await unpackTemplate(folder, packed)).toBe(true);
    expect(readdirSync(home)).toEqual(["pg"]);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const store = await openDatabase({ kind: "pglite", folder, fresh: true, engine: engineFiles });
    expect(await migrate(store, { appliedBy: "test" })).toEqual([]);
    expect(await store.rows(sql`select count(*) as n from khala_meta`)).toEqual([{ n: 0 }]);
    await store.db.execute(sql`create table mine (id int)`);
    await store.close();
    expect(await unpackTemplate(folder, packed)).toBe(false);
    const again = await reopen();
    expect(await again.rows(sql`select count(*) as n from mine`)).toEqual([{ n: 0 }]);
    await again.close();
  });
});

const small = mkdtempSync(join(tmpdir(), "openagents-small-"));
const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", small], { stderr: "ignore" }).success;
if (!mounted) rmSync(small, { recursive: true });

test.skipIf(!mounted)(
  "a full disk: 74, the process does not hang, and nothing acknowledged is lost",
  async () => {
    try {
      const path = join(small, "pg");
      await unpackTemplate(path, packed);
      const faults: StoreError[] = [];
      const store = await openDatabase({
        kind: "pglite",
        folder: path,
        engine: engineFiles,
        onFault: (fault) => faults.push(fault),
      });
      await store.db.execute(sql`create table big (id int primary key, filler text)`);
      const row = (id: number) =>
        sql`insert into big select ${id}, string_agg(md5(random()::text), '') from generate_series(1, 30000)`;
      let acknowledged = 0;
      try {
        for (;;) await store.db.execute(row(acknowledged + 1)).then(() => acknowledged++);
      } catch {}
      expect(acknowledged).toBeGreaterThan(0);
      while (!faults.length) await store.db.execute(row(0)).catch(() => {});
      expect(faults.map(({ exitCode, message }) => [exitCode, message])).toEqual([[74, `the disk of ${path} is full`]]);
      await store.close();
      Bun.spawnSync(["mount", "-o", "remount,size=200m", small]);
      const again = await openDatabase({ kind: "pglite", folder: path, engine: engineFiles });
      expect(await again.rows(sql`select count(*) as n from big where id > 0 and length(filler) = 960000`)).toEqual([
        { n: acknowledged },
      ]);
      await again.close();
    } finally {
      Bun.spawnSync(["umount", "-l", small]);
      rmSync(small, { recursive: true, force: true });
    }
  },
  60_000,
);
