import { expect, test } from "bun:test";
import { createDenials, type Denied } from "../../src/khala/denials";
import { createLog } from "../../src/telemetry/log";

test("at most ten lines a second of each kind; the next second says how many were left out", async () => {
  let now = 1_000_000;
  let text = "";
  const log = createLog({
    level: "info",
    format: "json",
    write: (lines) => {
      text += lines;
    },
  });
  const deny = createDenials(log, () => now);
  const lines = async (what: Denied) => {
    await log.flush();
    return text
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line))
      .filter(({ message }) => message === what);
  };
  for (let i = 0; i < 25; i++) deny("khala auth denied", { reason_code: "invalid_token", i });
  for (let i = 0; i < 3; i++) deny("khala topic denied", { reason_code: "missing_scope", topic: "t" });
  expect((await lines("khala auth denied")).map(({ i }) => i)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(await lines("khala topic denied")).toHaveLength(3);
  now += 1000;
  deny("khala auth denied", { i: 25 });
  deny("khala auth denied", { i: 26 });
  const [first, second] = (await lines("khala auth denied")).slice(10);
  expect(first).toMatchObject({ level: "warn", logger: "khala", i: 25, left_out: 15 });
  expect([second.i, second.left_out]).toEqual([26, undefined]);
});
