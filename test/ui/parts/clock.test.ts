import { expect, test } from "bun:test";
import { ago, duration } from "../../../ui/parts/clock";

const now = 1_800_000_000_000;
const s = 1000;
test.each([
  [0, "just now", "now"],
  [59 * s, "just now", "now"],
  [60 * s, "1 min ago", "1m"],
  [3 * 60 * s, "3 min ago", "3m"],
  [3599 * s, "59 min ago", "59m"],
  [3600 * s, "1 h ago", "1h"],
  [23 * 3600 * s, "23 h ago", "23h"],
  [86_400 * s, "1 day ago", "1d"],
  [5 * 86_400 * s, "5 days ago", "5d"],
  [60 * 86_400 * s, "2 months ago", "2mo"],
  [800 * 86_400 * s, "2 years ago", "2y"],
  [-5000 * s, "just now", "now"],
])("%p ms: %s, %s", (past, long, short) => {
  expect([ago(now - past, now), ago(now - past, now, "short")]).toEqual([long, short]);
});

test.each([
  [0, "0 s"],
  [1499, "1 s"],
  [72_000, "1m 12s"],
  [11_040_000, "3h 4m"],
  [-5, "0 s"],
])("%p ms last %s", (ms, text) => expect(duration(ms)).toBe(text));
