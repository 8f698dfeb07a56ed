import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import type { Store } from "../../db/database";
import { openDatabase } from "../../db/open";
import { type Fresh, freshDatabase } from "../support/database";

async function until(met: () => boolean): Promise<void> {
  while (!met()) await Bun.sleep(2);
}

describe("notifications between nodes", () => {
  let fresh: Fresh;
  let other: Store;
  beforeEach(async () => {
    fresh = await freshDatabase("postgres");
    other = await openDatabase({ kind: "postgres", url: fresh.url!, poolSize: 1 });
  });
  afterEach(async () => {
    await other.close();
    await fresh.drop();
  });

  test("what one node sends, every node that listens hears, in order, on that channel alone", async () => {
    const heard: string[] = [];
    const mine: string[] = [];
    await fresh.store.listen("wake", (text) => mine.push(text));
    const stop = await other.listen("wake", (text) => heard.push(text));
    await other.listen("else", (text) => heard.push(`else ${text}`));
    for (const text of ["1:2", "1:3,7:1", ""]) await fresh.store.notify("wake", text);
    await until(() => heard.length === 3 && mine.length === 3);
    expect(heard).toEqual(["1:2", "1:3,7:1", ""]);
    await stop();
    await fresh.store.notify("wake", "after");
    await fresh.store.notify("else", "last");
    await until(() => heard.includes("else last"));
    expect(heard).not.toContain("after");
  });

  test("a lost connection is told, listened on again, and told", async () => {
    const states: boolean[] = [];
    const heard: string[] = [];
    await other.listen(
      "wake",
      (text) => heard.push(text),
      (up) => states.push(up),
    );
    expect(states).toEqual([true]);
    await fresh.store.rows(sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and query ilike 'listen%'`);
    await until(() => states.length >= 3);
    expect(states).toEqual([true, false, true]);
    await fresh.store.notify("wake", "again");
    await until(() => heard.length > 0);
    expect(heard).toEqual(["again"]);
  });
});

test("the embedded database has nobody to hear: it is up at once and sends nothing", async () => {
  const fresh = await freshDatabase("pglite");
  const states: boolean[] = [];
  const stop = await fresh.store.listen(
    "wake",
    () => {},
    (up) => states.push(up),
  );
  await fresh.store.notify("wake", "x");
  await stop();
  expect(states).toEqual([true]);
  await fresh.drop();
});
