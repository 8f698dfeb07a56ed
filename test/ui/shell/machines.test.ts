import { describe, expect, test } from "bun:test";
import { liveAt, merge, type Worker } from "../../../ui/shell/machines";

const now = Date.parse("2026-11-24T12:00:00Z");
const worker = (change: Partial<Worker> = {}): Worker => ({
  worker_id: "desktopw:a",
  status: "running",
  latest_seq: 5,
  workspace_ref: null,
  metadata: {},
  last_heartbeat_at: "2026-11-24T11:59:00Z",
  heartbeat_stale_after_ms: 120_000,
  heartbeat_state: "fresh",
  started_at: null,
  executor: null,
  ...change,
});

describe("a machine is live", () => {
  test.each([
    ["a young heartbeat", {}, true],
    ["an old heartbeat", { last_heartbeat_at: "2026-11-24T11:57:59Z" }, false],
    ["no heartbeat", { last_heartbeat_at: null }, false],
    ["a connected executor", { last_heartbeat_at: null, executor: { connected: true } }, true],
    ["an executor that went", { executor: { connected: false } }, false],
    ["stopped", { status: "stopped", executor: { connected: true } }, false],
  ] as const)("%s", (_, change, live) => expect(liveAt(worker(change), now)).toBe(live));
});

test("the newer state of a worker wins, an older one changes nothing, a new worker is added", () => {
  const list = [worker()];
  expect(merge(list, worker({ latest_seq: 6, status: "stopped" }))[0]?.status).toBe("stopped");
  expect(merge(list, worker({ latest_seq: 4, status: "stopped" }))).toBe(list);
  expect(merge(list, worker({ worker_id: "desktopw:b" })).map(({ worker_id }) => worker_id)).toEqual([
    "desktopw:a",
    "desktopw:b",
  ]);
});
