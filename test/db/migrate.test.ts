import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import type { Store } from "../../db/database";
import type { StoreError } from "../../db/failure";
import {
  type MigrateOptions,
  type Migration,
  migrate,
  migrationStatus,
  pendingMigrations,
  schemaVersion,
} from "../../db/migrate";
import { migrations } from "../../db/migrations";
import { openDatabase } from "../../db/open";
import { openSession } from "../../db/session";
import { emptyDatabase, engines, type Fresh, freshDatabase } from "../support/database";

const file = (name: string, text: string): Migration => ({ name, text });
const second = file("0002_second.expand", "create table second (id int)");
const broken = file("0003_broken.expand", "create table third (id int); insert into third values (1); select 1 / 0;");

for (const engine of engines) {
  describe(engine, () => {
    let fresh: Fresh;
    let store: Store;
    beforeEach(async () => {
      fresh = await freshDatabase(engine);
      store = fresh.store;
    });
    afterEach(() => fresh.drop());

    const run = (files: Migration[], over: Partial<MigrateOptions> = {}) =>
      migrate(store, { appliedBy: "1.0.0 here", files: [...migrations, ...files], ...over });

    const refusal = async (work: Promise<unknown>): Promise<StoreError> => {
      const error = await work.then(
        () => null,
        (thrown) => thrown as StoreError,
      );
      if (!error) throw new Error("it was not refused");
      return error;
    };

    const there = async (table: string) => {
      const [row] = await store.rows<{ there: boolean }>(sql`select to_regclass(${table}) is not null as there`);
      return row!.there;
    };

    test("pending files are applied in order and recorded; a second run does nothing", async () => {
      const lines: string[] = [];
      const third = file("0003_third.expand", "alter table second add column more text");
      expect(await run([second, third], { onLine: (line) => lines.push(line) })).toEqual([second.name, third.name]);
      expect(lines).toEqual([
        expect.stringMatching(/^applied 0002_second.expand in \d+ ms$/),
        expect.stringContaining("0003"),
      ]);
      expect(await run([second, third])).toEqual([]);
      const [row] = await store.rows(
        sql`select name, phase, applied_by, length(sha256) as n from schema_migrations where name = ${second.name}`,
      );
      expect(row).toEqual({ name: second.name, phase: "expand", applied_by: "1.0.0 here", n: 64 });
    });

    test("a file that fails half-way leaves nothing of itself, and what came before stays", async () => {
      const error = await refusal(run([second, broken]));
      expect(error.exitCode).toBe(65);
      expect(error.message).toBe("migration 0003_broken.expand failed: division by zero");
      expect([await there("second"), await there("third")]).toEqual([true, false]);
      const status = await migrationStatus(store, [...migrations, second, broken]);
      expect(status.migrations.map(({ state }) => state)).toEqual(["applied", "applied", "pending"]);
      expect(await run([second, file(broken.name, "create table third (id int)")])).toEqual([broken.name]);
    });

    test("a changed file is refused: 78", async () => {
      await run([second]);
      const error = await refusal(run([file(second.name, `${second.text} `)]));
      expect([error.exitCode, error.message]).toEqual([78, "migration 0002 was changed after it was applied"]);
    });

    test("an older build on a newer database starts with a warning and never migrates", async () => {
      await run([second]);
      const lines: string[] = [];
      expect(await run([], { onLine: (line) => lines.push(line) })).toEqual([]);
      expect(lines).toEqual(["database is newer (0002) than this build (0001): mixed-version window"]);
    });

    test("a build that is too old for the database is refused: 78", async () => {
      await store.rows(sql`update schema_state set min_schema_version = 15`);
      const error = await refusal(run([second]));
      expect([error.exitCode, error.message]).toEqual([
        78,
        "this build is too old for the database: needs schema 0015",
      ]);
      expect(await there("second")).toBe(false);
    });

    test("a contract file waits for --contract, refuses while an older node is alive, and raises the minimum", async () => {
      const contract = file("0003_cut.contract", "-- requires: 0002\ndrop table second");
      expect(await run([second, contract])).toEqual([second.name]);
      const states = (await migrationStatus(store, [...migrations, second, contract])).migrations.map(
        ({ state }) => state,
      );
      expect(states).toEqual(["applied", "applied", "waiting for contract"]);
      await store.rows(
        sql`insert into server_nodes (id, build_id, version, schema_version, role) values ('old', 'b', '1', 1, 'serve')`,
      );
      const error = await refusal(run([second, contract], { contract: true }));
      expect([error.exitCode, error.message]).toEqual([1, "an older node is still running (old)"]);
      expect(await there("second")).toBe(true);
      await store.rows(sql`update server_nodes set seen_at = now() - interval '61 seconds'`);
      expect(await run([second, contract], { contract: true })).toEqual([contract.name]);
      expect((await migrationStatus(store, [...migrations, second, contract])).minSchemaVersion).toBe(2);
    });

    test("--dry-run lists, --to stops, --no-migrate refuses with the command to run", async () => {
      const third = file("0003_third.expand", "create table third (id int)");
      const files = [...migrations, second, third];
      expect((await pendingMigrations(store, { files })).map(({ name }) => name)).toEqual([second.name, third.name]);
      const error = await refusal(run([second, third], { only: "check" }));
      expect([error.exitCode, error.message, error.hint]).toEqual([
        78,
        "migrations are pending (0002, 0003)",
        "run 'openagents ops migrate'",
      ]);
      expect(await there("second")).toBe(false);
      expect(await run([second, third], { to: 2 })).toEqual([second.name]);
    });

    test("files without a transaction run bare and can be repeated", async () => {
      const text =
        "-- no-transaction\ncreate index concurrently if not exists second_id on second (id);\n-- and\ncreate index concurrently if not exists second_twice on second (id, id);\n";
      expect(await run([second, file("0003_index.expand", text)])).toEqual([second.name, "0003_index.expand"]);
      const rows = await store.rows(sql`select indexname from pg_indexes where tablename = 'second' order by 1`);
      expect(rows).toEqual([{ indexname: "second_id" }, { indexname: "second_twice" }]);
    });

    test("the embedded files are numbered without holes, and the newest is this build's schema version", () => {
      expect(migrations.map(({ name }) => Number(name.slice(0, 4)))).toEqual(migrations.map((_, i) => i + 1));
      expect(schemaVersion()).toBe(migrations.length);
    });
  });
}

test("tables of another program: 65, nothing is made", async () => {
  const database = await emptyDatabase();
  const store = await openDatabase({ kind: "postgres", url: database.url, poolSize: 1 });
  await store.db.execute(sql`create table users (id int)`);
  const error = (await migrate(store, { appliedBy: "x" }).catch((thrown) => thrown)) as StoreError;
  expect([error.exitCode, error.message]).toEqual([65, "the database holds tables of another program (users)"]);
  expect(await store.rows(sql`select to_regclass('schema_migrations')::text as found`)).toEqual([{ found: null }]);
  await store.close();
  await database.drop();
});

test("nodes that start at once on an empty Postgres: each file is applied once", async () => {
  const database = await emptyDatabase();
  const stores = await Promise.all(
    [1, 2, 3].map(() => openDatabase({ kind: "postgres", url: database.url, poolSize: 1 })),
  );
  const applied = await Promise.all(
    stores.map((store, i) => migrate(store, { appliedBy: `node ${i}`, files: [...migrations, second] })),
  );
  expect(applied.flat().sort()).toEqual([...migrations.map(({ name }) => name), second.name]);
  await Promise.all(stores.map((store) => store.close()));
  await database.drop();
});

describe("what only Postgres can hold", () => {
  let fresh: Fresh;
  let store: Store;
  beforeEach(async () => {
    fresh = await freshDatabase("postgres");
    store = fresh.store;
    await migrate(store, { appliedBy: "x", files: [...migrations, second] });
  });
  afterEach(() => fresh.drop());

  const run = (next: Migration, over: Partial<MigrateOptions> = {}) =>
    migrate(store, { appliedBy: "x", files: [...migrations, second, next], ...over });

  test("a node that waits too long for another one says so: 75", async () => {
    const holder = openSession(store);
    await holder.query("select pg_advisory_lock(-9198259289267943870)");
    const lines: string[] = [];
    const work = run(file("0003_x.expand", "select 1"), { waitMs: 60, onLine: (line) => lines.push(line) });
    const error = (await work.catch((thrown) => thrown)) as StoreError;
    expect([error.exitCode, error.message]).toEqual([75, "another node is migrating this database"]);
    expect(lines).toEqual(["waiting for another node that migrates the database (0 s)"]);
    await holder.end();
  });

  test("a table that somebody holds delays the file instead of blocking everybody behind it", async () => {
    const third = file("0003_wait.expand", "set local lock_timeout = '50ms'; alter table second add column held int");
    const [ready, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const reader = store.db.transaction(async (tx) => {
      await tx.execute(sql`select * from second`);
      ready.resolve();
      await held.promise;
    });
    await ready.promise;
    const lines: string[] = [];
    const onLine = (line: string) => {
      lines.push(line);
      held.resolve();
    };
    expect(await run(third, { retryMs: 10, onLine })).toEqual([third.name]);
    expect(lines[0]).toBe("0003_wait.expand: a table is in use, trying again (1 of 10)");
    await reader;
  });

  test("an index that a crash left invalid is dropped first", async () => {
    await store.db.execute(sql`insert into second values (1), (1)`);
    // What a crash in the middle leaves: the unique index fails and stays, invalid.
    await store.db.execute(sql`create unique index concurrently second_one on second (id)`).catch(() => {});
    const invalid = sql`select indisvalid as valid from pg_index where indexrelid = to_regclass('second_one')`;
    expect(await store.rows(invalid)).toEqual([{ valid: false }]);
    await store.db.execute(sql`delete from second`);
    const text = "-- no-transaction\ncreate unique index concurrently if not exists second_one on second (id);\n";
    expect(await run(file("0003_one.expand", text))).toEqual(["0003_one.expand"]);
    expect(await store.rows(invalid)).toEqual([{ valid: true }]);
  });
});
