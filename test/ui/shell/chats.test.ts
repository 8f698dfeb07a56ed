import { describe, expect, test } from "bun:test";
import { type Chat, effectOf, grouped, stateOf, titled, withBorn } from "../../../ui/shell/chats";

const chat = (id: string, updatedAt: string): Chat => ({
  id,
  codexId: null,
  title: id,
  updatedAt,
  state: "idle",
  workerId: null,
});
const event = (method: string, params: unknown, more = {}) => ({
  workerId: "w",
  seq: 1,
  eventType: "worker.event",
  payload: { method, params, ...more },
});

test("groups by local day, in order, without empty ones", () => {
  const now = new Date(2026, 10, 24, 15).getTime();
  const at = (days: number, hours: number) => new Date(2026, 10, 24 - days, hours).toISOString();
  const groups = grouped(
    [
      chat("a", at(0, 9)),
      chat("b", at(0, 0)),
      chat("c", at(1, 23)),
      chat("d", at(6, 1)),
      chat("e", at(40, 1)),
      chat("f", "?"),
    ],
    now,
  );
  expect(groups.map(({ name, chats }) => [name, chats.map(({ id }) => id)])).toEqual([
    ["Today", ["a", "b", "f"]],
    ["Yesterday", ["c"]],
    ["7 days", ["d"]],
    ["Older", ["e"]],
  ]);
});

test.each([
  ["active", "running"],
  ["waiting_on_approval", "waiting"],
  ["waiting_on_user_input", "waiting"],
  ["system_error", "failed"],
  ["idle", "idle"],
  ["not_loaded", "idle"],
  [null, "idle"],
] as const)("status %p is shown as %s", (status, state) => expect(stateOf(status)).toBe(state));

test("a blank title", () =>
  expect([titled(" "), titled(null), titled("x")]).toEqual(["New conversation", "New conversation", "x"]));

describe("what a worker event says about the list", () => {
  test.each([
    [
      "a name",
      event("thread/name/updated", { threadId: "T", threadName: "Fix" }),
      { thread: "T", change: { title: "Fix" }, news: false },
    ],
    [
      "a name taken away",
      event("thread/name/updated", { threadId: "T" }),
      { thread: "T", change: { title: "New conversation" } },
    ],
    [
      "waiting for approval",
      event("thread/status/changed", { threadId: "T", status: { type: "active", activeFlags: ["waitingOnApproval"] } }),
      { change: { state: "waiting" }, news: true },
    ],
    [
      "working",
      event("thread/status/changed", { threadId: "T", status: { type: "active", activeFlags: [] } }),
      { change: { state: "running" }, news: false },
    ],
    [
      "idle",
      event("thread/status/changed", { threadId: "T", status: { type: "idle" } }),
      { change: { state: "idle" } },
    ],
    [
      "an error",
      event("thread/status/changed", { threadId: "T", status: { type: "systemError" } }),
      { change: { state: "failed" } },
    ],
    [
      "a turn begins",
      event("turn/started", { threadId: "T", turn: { id: "1" } }),
      { change: { state: "running" }, news: false },
    ],
    [
      "a turn ends",
      event("turn/completed", { threadId: "T", turn: { id: "1" } }),
      { change: { state: "idle" }, news: true },
    ],
    [
      "an approval",
      event("item/commandExecution/requestApproval", { threadId: "T" }),
      { change: { state: "waiting" }, news: true },
    ],
    [
      "a question",
      event("item/tool/requestUserInput", { threadId: "T" }),
      { change: { state: "waiting" }, news: true },
    ],
    [
      "our own thread id wins",
      event("turn/started", { threadId: "uuid" }, { thread_id: "thread_1" }),
      { thread: "thread_1" },
    ],
    ["a delta", event("item/agentMessage/delta", { threadId: "T", delta: "x" }), { change: {}, news: false }],
  ])("%s", (_, payload, effect) => expect(effectOf(payload)).toMatchObject(effect));

  test.each([null, 5, "x", {}, { payload: null }, { payload: { method: 1, params: [] } }])(
    "%p says nothing",
    (payload) => expect(effectOf(payload)).toEqual({ thread: null, method: "", change: {}, news: false }),
  );
});

test("a chat that began here stays while an older answer comes in; one the server no longer lists goes", () => {
  const at = "2026-02-19T12:00:00Z";
  const told = [chat("a", at), chat("new", "2026-02-19T12:00:05Z")];
  const here = [chat("own", "2026-02-19T12:00:09Z"), { ...chat("new", at), title: "old" }, chat("gone", at)];
  const list = withBorn(told, here, new Set(["own", "new"]));
  expect(list.map(({ id, title }) => [id, title])).toEqual([
    ["own", "own"],
    ["new", "new"],
    ["a", "a"],
  ]);
});
