import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { readConfig } from "../../src/config";
import { type Appender, createAppender } from "../../src/khala/append";
import { createKhala } from "../../src/khala/node";
import { forgetUser } from "../../src/khala/retention";
import { readRules, streams } from "../../src/khala/streams";
import { createLog } from "../../src/telemetry/log";
import { createMetrics } from "../../src/telemetry/metrics";
import { engines, type Fresh, freshDatabase } from "../support/database";
import { random } from "./model";

const log = createLog({ level: "error", format: "json", write: () => {} });
const config = readConfig({});
const event = (stream: string, n = 1) => ({ stream, kind: "k", docKey: `d"{\\},${n}`, docVersion: n, payload: { n } });

interface Seen extends Record<string, unknown> {
  id: number;
  head: number;
  floor: number;
  n: number;
  first: number | null;
  last: number | null;
  rises: boolean;
}

for (const engine of engines) {
  describe(`append on ${engine}`, () => {
    let fresh: Fresh;
    let appender: Appender;
    beforeAll(async () => {
      fresh = await freshDatabase(engine, { poolSize: 14 });
      appender = await createAppender({ store: fresh.store, rules: readRules(config), metrics: createMetrics(), log });
    });
    afterAll(() => fresh.drop());

    /** Everything about every stream in one snapshot. */
    const snapshot = () =>
      fresh.store.rows<Seen>(
        sql`select s.id, s.head, s.floor, e.n, e.first, e.last, e.rises
            from khala_streams s left join lateral (
              select count(*) as n, min(seq) as first, max(seq) as last, coalesce(bool_and(later), true) as rises
              from (select seq, recorded_at >= lag(recorded_at) over (order by seq) or lag(seq) over (order by seq) is null as later
                    from khala_events where stream_id = s.id and seq > s.floor) x) e on true`,
        fresh.store.replay,
      );

    const check = (seen: Seen[]) => {
      for (const { head, floor, n, first, last, rises } of seen) {
        expect({ n, rises }).toEqual({ n: head - floor, rises: true });
        if (n) expect({ first, last }).toEqual({ first: floor + 1, last: head });
      }
    };

    test("7.2.2 prefix lemma: 12 writers, 5 streams, rollbacks, and a reader that never sees a hole", async () => {
      const seed = Number(process.env.KHALA_SEED ?? Date.now() % 1_000_000);
      console.log(`seed ${seed}`);
      const pick = random(seed);
      const names = [1, 2, 3, 4, 5].map((n) => `u:${n}:codex.events`);
      let writing = 12;
      let committed = 0;
      const writer = async () => {
        for (let i = 0; i < 25; i++) {
          const list = Array.from({ length: 1 + pick(6) }, () => event(names[pick(5)] as string));
          const rolledBack = pick(5) === 0;
          await fresh.store.db
            .transaction(async (tx) => {
              await appender.append(tx, list);
              if (rolledBack) throw new Error("rolled back");
            })
            .then(
              () => {
                committed += list.length;
              },
              (error: Error) => {
                if (error.message !== "rolled back") throw error;
              },
            );
          await new Promise((resolve) => setImmediate(resolve));
        }
        writing--;
      };
      const reader = async () => {
        let looks = 0;
        while (writing) {
          check(await snapshot());
          looks++;
          await new Promise((resolve) => setImmediate(resolve));
        }
        return looks;
      };
      const [looks] = await Promise.all([reader(), ...Array.from({ length: 12 }, writer)]);
      const last = await snapshot();
      check(last);
      expect(last.reduce((sum, { n }) => sum + n, 0)).toBe(committed);
      expect(looks).toBeGreaterThan(3);
    }, 60_000);

    test("numbers a transaction's events in order, stream by stream, and stores odd text as it is", async () => {
      const list = [event("r:a:events", 1), event("social.shouts", 2), event("r:a:events", 3)];
      const numbered = await fresh.store.db.transaction((tx) => appender.append(tx, list));
      expect(
        numbered.map(({ stream, first, rows }) => [stream, first, rows.map((row) => [row.seq, row.docVersion])]),
      ).toEqual([
        [
          "r:a:events",
          1,
          [
            [1, 1],
            [2, 3],
          ],
        ],
        ["social.shouts", 1, [[1, 2]]],
      ]);
      const rows = await fresh.store.rows<{ doc_key: string }>(
        sql`select doc_key from khala_events where doc_key like 'd"%' order by doc_key desc limit 1`,
      );
      expect(rows[0]?.doc_key).toStartWith('d"{\\},');
    });

    test("nothing to append is no statement", async () => {
      expect(await appender.append(fresh.store.db, [])).toEqual([]);
    });

    test("a stream made in a transaction that is rolled back is made again", async () => {
      const name = "u:77:runs";
      const failed = fresh.store.db.transaction(async (tx) => {
        await appender.append(tx, [event(name)]);
        throw new Error("no");
      });
      await failed.catch(() => {});
      const numbered = await fresh.store.db.transaction((tx) => appender.append(tx, [event(name)]));
      expect(numbered[0]?.first).toBe(1);
    });

    test("a database with another identity: every stream jumps, once", async () => {
      const start = async () => {
        const node = await createKhala({ config, store: fresh.store, log, metrics: createMetrics() });
        await node.stop();
      };
      await start();
      const [before] = await snapshot();
      await fresh.store.rows(sql`update khala_meta set system_identifier = 'another'`);
      await start();
      await start();
      const after = (await snapshot()).find(({ id }) => id === before?.id);
      expect(after).toMatchObject({
        head: (before?.head as number) + 1_000_000,
        floor: (before?.head as number) + 1_000_000,
      });
      const [meta] = await fresh.store.rows(sql`select jumps from khala_meta`);
      expect(meta).toEqual({ jumps: 1 });
    });

    test("a deleted user's streams go, with those named after something else", async () => {
      await fresh.store.db.transaction((tx) =>
        appender.append(tx, [event(streams.codexEvents(99)), { ...event("w:abc:lifecycle"), owner: 99 }]),
      );
      await forgetUser(fresh.store, 99);
      const left = await fresh.store.rows(sql`select name from khala_streams where owner_user_id = 99`);
      expect(left).toEqual([]);
    });
  });
}
