import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { openDatabase } from "../../db/open";
import { pgliteOf } from "../../db/pglite";
import { unpackTemplate } from "../../db/template";
import { WalSync } from "../../db/walsync";
import { engineFiles, packedTemplate } from "../support/database";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "openagents-wal-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

describe("waiting for the disk", () => {
  const segment = () => {
    const path = join(home, "000000010000000000000001");
    writeFileSync(path, "log");
    return path;
  };

  test("nothing written: nothing to wait for", async () => {
    const wal = new WalSync();
    await wal.settle();
    expect(wal.rounds).toBe(0);
  });

  test("all that wait share one call; what is written during it gets the next", async () => {
    const wal = new WalSync();
    const path = segment();
    const waiting = Array.from({ length: 5 }, () => {
      wal.wrote(path);
      return wal.settle();
    });
    // The first one began its call before the others wrote; they share the second.
    await Promise.all(waiting);
    expect(wal.rounds).toBe(2);
  });

  test("a commit waits for the call that holds its write, not for an older one", async () => {
    const wal = new WalSync();
    const path = segment();
    const order: string[] = [];
    wal.wrote(path);
    const first = wal.settle().then(() => order.push("first"));
    wal.wrote(path);
    const second = wal.settle().then(() => order.push("second"));
    await Promise.all([first, second]);
    expect(order).toEqual(["first", "second"]);
  });

  test("a segment that was recycled meanwhile is no error; one that cannot be synced is", async () => {
    const wal = new WalSync();
    wal.wrote(join(home, "gone"));
    await wal.settle();
    wal.wrote(join(home, "000000010000000000000001", "not-a-folder"));
    writeFileSync(join(home, "000000010000000000000001"), "");
    expect(wal.settle()).rejects.toThrow("ENOTDIR");
    await wal.settle().catch(() => {});
  });

  test("the files of a first start are on the disk before its first commit is", async () => {
    const base = Promise.withResolvers<void>();
    const wal = new WalSync(base.promise);
    let done = false;
    wal.wrote(segment());
    const settled = wal.settle().then(() => {
      done = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect([done, wal.rounds]).toEqual([false, 0]);
    base.resolve();
    await settled;
    expect(wal.rounds).toBe(1);
  });
});

describe("the embedded database", () => {
  interface Counting {
    wal: WalSync | null;
  }
  const open = async (sync: boolean) => {
    const folder = join(home, "pg");
    mkdirSync(home, { recursive: true });
    await unpackTemplate(folder, await packedTemplate());
    const store = await openDatabase({ kind: "pglite", folder, sync, engine: engineFiles });
    await store.db.execute(sql`create table t (id int)`);
    return { store, wal: (pgliteOf(store) as unknown as Counting).wal };
  };

  test("a commit is synced before it is acknowledged, a read is not, and a transaction is synced once", async () => {
    const { store, wal } = await open(true);
    const before = wal!.rounds;
    await store.rows(sql`select 1`);
    expect(wal!.rounds).toBe(before);
    await store.db.execute(sql`insert into t values (1)`);
    expect(wal!.rounds).toBe(before + 1);
    await store.db.transaction(async (tx) => {
      for (let i = 0; i < 5; i++) await tx.execute(sql`insert into t values (${i})`);
      expect(wal!.rounds).toBe(before + 1);
    });
    expect(wal!.rounds).toBe(before + 2);
    expect(await store.rows(sql`select current_setting('fsync') as fsync`)).toEqual([{ fsync: "on" }]);
    await store.close();
  });

  test("commits that come together share calls", async () => {
    const { store, wal } = await open(true);
    const before = wal!.rounds;
    await Promise.all(Array.from({ length: 50 }, (_, i) => store.db.execute(sql`insert into t values (${i})`)));
    expect(wal!.rounds - before).toBeLessThan(50);
    await store.close();
  });

  test("OA_EMBEDDED_SYNC=off syncs nothing", async () => {
    const { store, wal } = await open(false);
    await store.db.execute(sql`insert into t values (1)`);
    expect(wal).toBeNull();
    expect(await store.rows(sql`select current_setting('fsync') as fsync`)).toEqual([{ fsync: "off" }]);
    await store.close();
  });
});
