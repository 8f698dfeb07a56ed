/** Statements stay prepared on both engines, and nobody can tell but by the time they take. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { pgliteOf } from "../../db/pglite";
import { engines, type Fresh, freshDatabase } from "../support/database";

for (const engine of engines) {
  describe(`kept statements on ${engine}`, () => {
    let fresh: Fresh;
    beforeAll(async () => {
      // One connection: what it keeps is seen from it.
      fresh = await freshDatabase(engine, { poolSize: 1 });
      await fresh.store.rows(sql`create table kept (id int primary key, word text)`);
    });
    afterAll(() => fresh.drop());

    const add = (id: number, word: string | null) =>
      fresh.store.rows<{ id: number }>(sql`insert into kept (id, word) values (${id}, ${word}) returning id`);
    const count = async (from: number) =>
      (await fresh.store.rows<{ count: number }>(sql`select count(*)::int as count from kept where id >= ${from}`))[0]
        ?.count;

    test("the same text again, with other values", async () => {
      for (const id of [1, 2, 3, 4, 5, 6, 7]) expect(await add(id, id % 2 ? `w'"${id}` : null)).toEqual([{ id }]);
      const words = await fresh.store.rows(sql`select word from kept where id > ${0} order by id limit ${3}`);
      expect(words).toEqual([{ word: `w'"1` }, { word: null }, { word: `w'"3` }]);
    });

    test("is prepared, not parsed anew each time", async () => {
      for (let n = 0; n < 3; n++) await fresh.store.rows(sql`select ${n}::int as once_prepared`);
      const kept = await fresh.store.rows<{ count: number }>(
        sql`select count(*)::int as count from pg_prepared_statements where statement like ${"select $1::int as once%"}`,
      );
      expect(kept).toEqual([{ count: 1 }]);
    });

    test("one that fails leaves it usable, inside a transaction and outside", async () => {
      await add(100, "a");
      await expect(add(100, "b")).rejects.toThrow();
      await expect(add(100, "c")).rejects.toThrow();
      expect(await add(101, "d")).toEqual([{ id: 101 }]);
      const failing = fresh.store.db.transaction(async (tx) => {
        await tx.execute(sql`insert into kept (id, word) values (${102}, ${"e"}) returning id`);
        await tx.execute(sql`insert into kept (id, word) values (${100}, ${"f"}) returning id`);
      });
      await expect(failing).rejects.toThrow();
      expect(await count(102)).toBe(0);
      expect(await add(102, "g")).toEqual([{ id: 102 }]);
    });

    test("one that cannot be parsed, twice", async () => {
      for (let n = 0; n < 2; n++)
        await expect(fresh.store.rows(sql`select nothing from nowhere where id = ${1}`)).rejects.toThrow();
      expect(await count(100)).toBe(3);
    });

    test("many at once, and in a transaction beside each other", async () => {
      const counts = await Promise.all(Array.from({ length: 20 }, (_, n) => count(n * 1000)));
      expect(counts.slice(1)).toEqual(counts.slice(1).map(() => 0));
      await fresh.store.db.transaction(async (tx) => {
        const both = await Promise.all([
          fresh.store.rows<{ n: number }>(sql`select ${1}::int as n`, tx as never),
          fresh.store.rows<{ n: number }>(sql`select ${2}::int as n`, tx as never),
        ]);
        expect(both).toEqual([[{ n: 1 }], [{ n: 2 }]]);
      });
    });

    test("a table that changes its columns", async () => {
      const all = () => fresh.store.rows(sql`select * from kept where id = ${1}`);
      for (let n = 0; n < 3; n++) expect(Object.keys((await all())[0] ?? {})).toEqual(["id", "word"]);
      await fresh.store.rows(sql`alter table kept add column more int default 7`);
      expect(Object.keys((await all())[0] ?? {})).toEqual(["id", "word", "more"]);
    });

    test("no more are kept than the engine should hold", async () => {
      for (let n = 0; n < 1100; n++) await fresh.store.rows(sql`select ${1}::int as ${sql.identifier(`column_${n}`)}`);
      const held = pgliteOf(fresh.store)
        ? await fresh.store.rows<{ count: number }>(
            sql`select count(*)::int as count from pg_prepared_statements where name like 'kept_%'`,
          )
        : [];
      for (const { count: kept } of held) expect(kept).toBeLessThanOrEqual(400);
      expect(await count(100)).toBe(3);
      // What comes after so many is kept all the same: the engine lets go of what was used longest ago.
      const again = () => fresh.store.rows(sql`select ${1}::int as again_and_again`);
      for (let n = 0; n < 3; n++) await again();
      const [found] = await fresh.store.rows<{ count: number }>(
        sql`select count(*)::int as count from pg_prepared_statements where statement like ${"%again_and_again%"}`,
      );
      if (engine === "pglite") expect(found?.count).toBe(1);
    });
  });
}
