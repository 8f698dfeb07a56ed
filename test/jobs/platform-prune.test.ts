import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { prunePlatform } from "../../src/jobs/platform-prune";
import { engines, type Fresh, freshDatabase } from "../support/database";

for (const engine of engines) {
  describe(engine, () => {
    let fresh: Fresh;
    beforeAll(async () => {
      fresh = await freshDatabase(engine);
    });
    afterAll(() => fresh.drop());

    test("what is past its time goes, in more than one batch; the rest stays", async () => {
      const { rows } = fresh.store;
      await rows(sql`insert into audit_events (event_name, request_id, outcome, occurred_at)
        select 'old', 'r', 'success', '2026-01-01' from generate_series(1, 2500)`);
      await rows(
        sql`insert into audit_events (event_name, request_id, outcome, occurred_at) values ('kept', 'r', 'success', '2026-01-03')`,
      );
      await rows(
        sql`insert into http_throttles values ('l', 'past', 3, '2027-02-05T11:59:59Z'), ('l', 'running', 3, '2027-02-05T12:00:10Z')`,
      );
      await rows(sql`select jobs.create_queue('q', '{"policy":"standard"}')`);
      await rows(sql`insert into jobs.job (name, state, completed_on, data) values
        ('q', 'completed', '2027-01-29T11:00:00Z', '{"n":1}'), ('q', 'completed', '2027-01-29T13:00:00Z', '{"n":2}'),
        ('q', 'failed', '2026-01-01', '{"n":3}'), ('q', 'created', null, '{"n":4}')`);
      await prunePlatform(fresh.store, new Date("2027-02-05T12:00:00Z"));
      expect(await rows(sql`select event_name from audit_events`)).toEqual([{ event_name: "kept" }]);
      expect(await rows(sql`select key from http_throttles`)).toEqual([{ key: "running" }]);
      const left = await rows<{ n: number }>(sql`select (data->>'n')::int as n from jobs.job order by 1`);
      expect(left.map(({ n }) => n)).toEqual([2, 3, 4]);
    });
  });
}
