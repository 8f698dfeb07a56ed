import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { type Fresh, freshDatabase } from "../support/database";

describe("connections that are lost", () => {
  let fresh: Fresh;
  beforeAll(async () => {
    fresh = await freshDatabase("postgres", { poolSize: 2 });
    await fresh.store.db.execute(sql`create table marks (text text)`);
  });
  afterAll(() => fresh.drop());

  const marks = async () =>
    (await fresh.store.rows<{ text: string }>(sql`select text from marks`)).map(({ text }) => text);
  const kill = (pid: number) => fresh.store.rows(sql`select pg_terminate_backend(${pid})`, fresh.store.aside);

  /** A transaction that loses its connection after its first statement. */
  const lose = (then: (tx: Parameters<Parameters<Fresh["store"]["db"]["transaction"]>[0]>[0]) => Promise<unknown>) =>
    fresh.store.db.transaction(async (tx) => {
      const [own] = await fresh.store.rows<{ pid: number }>(sql`select pg_backend_pid() as pid`, tx);
      await tx.execute(sql`insert into marks values ('lost')`);
      await kill(own?.pid as number);
      await then(tx);
    });

  test("a transaction in the middle of a statement fails, alone, however often", async () => {
    for (let i = 0; i < 20; i++) {
      const one = lose((tx) => tx.execute(sql`select pg_sleep(10)`)).then(
        () => "committed",
        () => "failed",
      );
      expect(await one).toBe("failed");
    }
    expect(await marks()).toEqual([]);
  });

  test("what a transaction goes on to do after its loss is never done, nor within another one", async () => {
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const { promise: going, resolve: go } = Promise.withResolvers<void>();
    let late: Promise<unknown> | undefined;
    const zombie = lose(async (tx) => {
      begin();
      await going;
      // this one believes that it goes on
      late = tx.execute(sql`insert into marks values ('zombie')`).then(
        () => "done",
        () => "refused",
      );
      await late;
    }).catch(() => "failed");
    await begun;
    await zombie;
    // both connections belong to others now, one of which commits and one of which does not
    const others = [true, false].map((fails) =>
      fresh.store.db
        .transaction(async (tx) => {
          await tx.execute(sql`insert into marks values (${fails ? "rolled back" : "kept"})`);
          go();
          await Bun.sleep(0);
          expect(await late).toBe("refused");
          if (fails) throw new Error("no");
        })
        .catch(() => {}),
    );
    await Promise.all(others);
    expect(await marks()).toEqual(["kept"]);
  });

  test("afterwards the pool is whole", async () => {
    const started = performance.now();
    await Promise.all([1, 2].map(() => fresh.store.db.execute(sql`select pg_sleep(0.2)`)));
    expect(performance.now() - started).toBeLessThan(380);
    expect(await fresh.store.poolUse()).toEqual({ size: 2, open: 2, inUse: 0 });
  });

  test("pool use is told while every connection has work", async () => {
    const busy = [1, 2, 3].map(() => fresh.store.db.execute(sql`select pg_sleep(0.3)`));
    let use = await fresh.store.poolUse();
    for (const [, pause] of busy.entries()) {
      if (use?.inUse === 2) break;
      await Promise.race([pause, Bun.sleep(5)]);
      use = await fresh.store.poolUse();
    }
    expect(use).toEqual({ size: 2, open: 2, inUse: 2 });
    await Promise.all(busy);
  });
});
