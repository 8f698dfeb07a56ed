import { expect, test } from "bun:test";
import { readSaved } from "../../../ui/khala/store";

const M = "runtime.codex_worker_summaries";
const saved = (change: object = {}) => ({
  user_id: 7,
  topic_watermarks: { [M]: 12 },
  subscribed_topics: [M],
  updated_at_unix_ms: 1,
  ...change,
});

test("positions of topics that replace whole documents come back, to the same user", () => {
  expect(readSaved(saved(), 7)).toEqual([{ topic: M, watermark: 12 }]);
  expect(readSaved(saved(), 8)).toBeNull();
});

test("a position of the event stream is never resumed over a reload", () => {
  expect(readSaved(saved({ topic_watermarks: { "runtime.codex_worker_events": 5, [M]: 1 } }), 7)).toEqual([
    { topic: M, watermark: 1 },
  ]);
});

test.each([null, 5, "x", {}, saved({ topic_watermarks: null }), saved({ topic_watermarks: 5 })])(
  "%p is corrupt",
  (record) => expect(readSaved(record, 7)).toBeNull(),
);

test.each([-1, 1.5, "3", Number.NaN, 0])("a watermark of %p is none", (watermark) =>
  expect(readSaved(saved({ topic_watermarks: { [M]: watermark } }), 7)).toEqual([]),
);
