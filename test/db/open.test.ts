import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { engines, type Fresh, freshDatabase } from "../support/database";

for (const engine of engines) {
  describe(engine, () => {
    let fresh: Fresh;
    beforeAll(async () => {
      fresh = await freshDatabase(engine);
    });
    afterAll(() => fresh.drop());

    test("raw rows have the same values on both engines", async () => {
      const [row] = await fresh.store.rows(sql`select 9007199254740991::bigint as big, count(*) as counted,
        '2026-02-19T12:00:00.5Z'::timestamptz as at, '\\x00ff'::bytea as bytes, '{"a":[1]}'::jsonb as json, null::bigint as nothing,
        true as flag, 1.5::float8 as real, 'é' as text`);
      expect(row).toEqual({
        big: 9007199254740991,
        counted: 1,
        at: new Date("2026-02-19T12:00:00.500Z"),
        bytes: new Uint8Array([0, 255]),
        json: { a: [1] },
        nothing: null,
        flag: true,
        real: 1.5,
        text: "é",
      });
    });

    test("every session is in UTC", async () => {
      const [row] = await fresh.store.rows(sql`select current_setting('TimeZone') as zone`);
      expect(row).toEqual({ zone: "UTC" });
    });
  });
}
