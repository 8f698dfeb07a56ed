import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { apply } from "../../../ui/transcript/apply";
import type { WorkerEvent } from "../../../ui/transcript/event";
import { overlap } from "../../../ui/transcript/legacy";
import { emptyTranscript, pendingAsks, plain, runningTurn, type Transcript } from "../../../ui/transcript/transcript";
import { Stream } from "./stream";

function replay(events: WorkerEvent[], from: Transcript = emptyTranscript("thread_1")): Transcript {
  for (const event of events) apply(from, event);
  return from;
}

const texts = (transcript: Transcript, type: string) =>
  transcript.turns.flatMap((turn) =>
    turn.items
      .map((key) => transcript.items.get(key))
      .filter((item) => item?.type === type)
      .map((item) => item?.text),
  );

describe("at least once is as good as once", () => {
  const delta = fc.string({ minLength: 0, maxLength: 6 });
  test("any rewind of a stream gives the state of one pass", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(delta, { maxLength: 5 }), { minLength: 1, maxLength: 4 }),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 40 })), { maxLength: 6 }),
        (turns, rewinds) => {
          const stream = new Stream();
          for (const [n, deltas] of turns.entries()) stream.turn(n + 1, deltas);
          const { events } = stream;
          // After the event at `at`, delivery starts again `back` events earlier.
          const order = [...events.keys()];
          for (const [at, back] of rewinds) {
            const place = at % order.length;
            const here = order[place] ?? 0;
            const again = events.slice(Math.max(0, here - back), here + 1).map((_, n) => Math.max(0, here - back) + n);
            order.splice(place + 1, 0, ...again);
          }
          const disturbed = replay(order.map((n) => events[n] as WorkerEvent));
          expect(plain(disturbed)).toEqual(plain(replay(events)));
          expect(disturbed.gap).toBe(false);
        },
      ),
    );
  });

  test("every event twice", () => {
    const stream = new Stream();
    stream.turn(1, ["Hello", " ", "world"]);
    expect(plain(replay(stream.events.flatMap((event) => [event, event])))).toEqual(plain(replay(stream.events)));
  });

  test("a skipped number is a gap, and is said", () => {
    const stream = new Stream();
    stream.turn(1, ["a"]);
    const [first, , third] = stream.events;
    expect(replay([first as WorkerEvent, third as WorkerEvent]).gap).toBe(true);
  });

  test("two workers count for themselves", () => {
    const [a, b] = [new Stream("thread_1", "w:a"), new Stream("thread_2", "w:b")];
    a.turn(1, ["x"]);
    b.turn(1, ["y"]);
    const mixed = a.events.flatMap((event, n) => [event, b.events[n] as WorkerEvent]);
    const state = replay(mixed);
    expect(state.gap).toBe(false);
    expect(plain({ ...state, applied: new Map() })).toEqual(plain({ ...replay(a.events), applied: new Map() }));
  });
});

describe("deltas", () => {
  test("are appended exactly, blanks too; item/completed replaces them", () => {
    const stream = new Stream();
    stream.codex("item/started", { item: { type: "agentMessage", id: "a", text: "" } });
    for (const delta of ["Hello", " ", "world"]) stream.codex("item/agentMessage/delta", { itemId: "a", delta });
    expect(texts(replay(stream.events), "agentMessage")).toEqual(["Hello world"]);
    stream.codex("item/completed", { item: { type: "agentMessage", id: "a", text: "Other text" } });
    expect(texts(replay(stream.events), "agentMessage")).toEqual(["Other text"]);
  });

  test("make the item when its start was not seen", () => {
    const stream = new Stream();
    stream.codex("item/commandExecution/outputDelta", { itemId: "c", delta: "out\n" });
    expect(texts(replay(stream.events), "commandExecution")).toEqual(["out\n"]);
  });

  test("reasoning goes to the part of its index", () => {
    const stream = new Stream();
    stream.codex("item/started", { item: { type: "reasoning", id: "r", summary: [], content: [] } });
    stream.codex("item/reasoning/summaryTextDelta", { itemId: "r", summaryIndex: 1, delta: "b" });
    stream.codex("item/reasoning/summaryTextDelta", { itemId: "r", summaryIndex: 0, delta: "a" });
    stream.codex("item/reasoning/textDelta", { itemId: "r", contentIndex: 0, delta: "c" });
    const item = [...replay(stream.events).items.values()][0];
    expect(item?.summary).toEqual(["a", "b"]);
    expect(item?.content).toEqual(["c"]);
  });

  test("an assistant message that ends empty is none", () => {
    const stream = new Stream();
    stream.codex("item/started", { item: { type: "agentMessage", id: "a", text: "" } });
    stream.codex("item/completed", { item: { type: "agentMessage", id: "a", text: "" } });
    expect(replay(stream.events).items.size).toBe(0);
  });

  test("the same item id in two turns is two items", () => {
    const stream = new Stream();
    stream.codex("item/completed", { item: { type: "agentMessage", id: "a", text: "one" } }, "turn_1");
    stream.codex("item/completed", { item: { type: "agentMessage", id: "a", text: "two" } }, "turn_2");
    expect(texts(replay(stream.events), "agentMessage")).toEqual(["one", "two"]);
  });
});

describe("a message's way", () => {
  const stages = (events: WorkerEvent[]) => {
    const state = emptyTranscript("thread_1");
    return events.map((event) => {
      apply(state, event);
      return [...state.items.values()].find((item) => item.type === "userMessage")?.stage ?? null;
    });
  };
  const echo = (stream: Stream, turn = "turn_1", message = "msg_1") =>
    stream.codex(
      "item/completed",
      { item: { type: "userMessage", id: "u", clientId: message, content: [{ type: "text", text: "hi" }] } },
      turn,
    );

  test("stored, on the machine, applied; shown once", () => {
    const stream = new Stream();
    stream.send("hi");
    stream.taken();
    stream.codex("turn/started", { turn: { id: "codex-turn_1" } });
    echo(stream);
    expect(stages(stream.events)).toEqual(["stored", "machine", "machine", "applied"]);
    expect(texts(replay(stream.events), "userMessage")).toEqual(["hi"]);
  });

  test("refused: the message and its turn fail, with the reason", () => {
    const stream = new Stream();
    stream.send("hi");
    stream.raw("worker.error", { request_id: "req_1", code: "worker_unavailable", message: "gone", retryable: true });
    const state = replay(stream.events);
    const [item] = state.items.values();
    expect([item?.stage, item?.failure?.message, item?.failure?.retryable]).toEqual(["failed", "gone", true]);
    expect(state.turns[0]?.status).toBe("failed");
  });

  test("cancelled before it ran", () => {
    const stream = new Stream();
    stream.send("hi");
    stream.raw("worker.error", {
      request_id: "req_1",
      code: "conflict",
      message: "turn interrupted before dispatch",
      retryable: false,
    });
    expect(replay(stream.events).turns[0]?.status).toBe("interrupted");
  });

  test("steering: the second message joins the running turn, its own turn is steered", () => {
    const stream = new Stream();
    stream.send("hi");
    stream.taken();
    stream.codex("turn/started", { turn: { id: "codex-turn_1" } });
    echo(stream);
    stream.send("and that", 2);
    stream.taken(2, "turn_2", "codex-turn_1");
    echo(stream, "turn_1", "msg_2");
    const state = replay(stream.events);
    expect(state.turns.map(({ id, status, items }) => [id, status, items.length])).toEqual([
      ["turn_1", "in_progress", 2],
      ["turn_2", "steered", 0],
    ]);
    expect(texts(state, "userMessage")).toEqual(["hi", "and that"]);
  });

  test("typed in another Codex client: a message without our id", () => {
    const stream = new Stream();
    stream.codex("turn/started", { turn: { id: "codex-turn_9" } }, "turn_9");
    const item = { type: "userMessage", id: "u9", clientId: null, content: [{ type: "text", text: "from the CLI" }] };
    stream.codex("item/started", { item }, "turn_9");
    stream.codex("item/completed", { item }, "turn_9");
    expect(texts(replay(stream.events), "userMessage")).toEqual(["from the CLI"]);
  });
});

describe("the end of a turn", () => {
  const cases: [string, Record<string, unknown>, string, string | null][] = [
    ["turn/completed", { turn: { id: "codex-turn_1", status: "completed" } }, "completed", null],
    ["turn/completed", { turn: { id: "codex-turn_1", status: "interrupted" } }, "interrupted", null],
    ["turn/completed", { turn: { status: "failed", error: { message: "no model" } } }, "failed", "no model"],
    ["turn/failed", {}, "failed", "Turn errored."],
    ["turn/errored", { error: { message: "boom" } }, "failed", "boom"],
    ["turn/aborted", {}, "interrupted", null],
    ["turn/interrupted", {}, "interrupted", null],
    ["codex/exited", { exit_code: 1 }, "failed", "codex app-server exited"],
  ];
  test.each(cases)("%s %j", (method, params, status, message) => {
    const stream = new Stream();
    stream.codex("turn/started", { turn: { id: "codex-turn_1" } });
    stream.codex("item/agentMessage/delta", { itemId: "a", delta: "half a sen" });
    stream.codex("item/commandExecution/requestApproval", { itemId: "c" }, "turn_1", { server_request_id: "s:0" });
    stream.codex(method, params);
    const state = replay(stream.events);
    expect(state.turns[0]?.status).toBe(status as never);
    expect(state.turns[0]?.error?.message ?? null).toBe(message);
    expect(runningTurn(state)).toBeNull();
    expect(pendingAsks(state)).toEqual([]);
    const [item] = [...state.items.values()].filter(({ type }) => type === "agentMessage");
    expect(item?.text).toBe("half a sen");
    expect(item?.status).not.toBe("inProgress");
  });

  test("an error that Codex retries is a line, not an end", () => {
    const stream = new Stream();
    stream.codex("turn/started", { turn: { id: "codex-turn_1" } });
    stream.codex("error", { error: { message: "stream lost" }, willRetry: true });
    expect(replay(stream.events).turns[0]?.retrying).toBe("stream lost");
    stream.codex("item/agentMessage/delta", { itemId: "a", delta: "x" });
    const state = replay(stream.events);
    expect(state.turns[0]?.retrying).toBeNull();
    expect(state.turns[0]?.error).toBeNull();
  });

  test("a stopped worker ends its turns as interrupted", () => {
    const stream = new Stream();
    stream.codex("turn/started", { turn: { id: "codex-turn_1" } });
    stream.raw("worker.stopped", { reason: "requested" });
    expect(replay(stream.events).turns[0]?.status).toBe("interrupted");
  });
});

describe("an approval", () => {
  const asked = () => {
    const stream = new Stream();
    stream.codex("turn/started", { turn: { id: "codex-turn_1" } });
    stream.codex(
      "item/commandExecution/requestApproval",
      { itemId: "c", command: "rm -rf x", availableDecisions: ["accept", "cancel"] },
      "turn_1",
      { server_request_id: "session_1:0" },
    );
    return stream;
  };
  const answer = (stream: Stream, id: string, decision: string) =>
    stream.raw("worker.request", {
      request_id: id,
      method: "serverRequest/respond",
      params: { server_request_id: "session_1:0", decision },
      thread_id: "thread_1",
    });
  const one = (stream: Stream) => replay(stream.events).asks.get("session_1:0");

  test("stored, on the machine, applied", () => {
    const stream = asked();
    expect(one(stream)?.status).toBe("pending");
    answer(stream, "a1", "accept");
    expect([one(stream)?.stage, one(stream)?.answerId, one(stream)?.decision]).toEqual(["stored", "a1", "accept"]);
    stream.raw("worker.response", { request_id: "a1", method: "serverRequest/respond", response: {} });
    expect(one(stream)?.stage).toBe("machine");
    stream.codex("serverRequest/resolved", { requestId: 0 });
    expect([one(stream)?.stage, one(stream)?.status]).toEqual(["applied", "resolved"]);
  });
  test("the first answer counts", () => {
    const stream = asked();
    answer(stream, "a1", "accept");
    answer(stream, "a2", "decline");
    expect([one(stream)?.answerId, one(stream)?.decision]).toEqual(["a1", "accept"]);
  });
  test("a refused answer opens it again, with the reason", () => {
    const stream = asked();
    answer(stream, "a1", "accept");
    stream.raw("worker.error", { request_id: "a1", code: "conflict", message: "stale session", retryable: false });
    expect([one(stream)?.status, one(stream)?.answerId, one(stream)?.failure?.message]).toEqual([
      "pending",
      null,
      "stale session",
    ]);
  });
  test("resolved without any answer: expired", () => {
    const stream = asked();
    stream.codex("serverRequest/resolved", { requestId: 0 });
    expect(one(stream)?.status).toBe("expired");
  });
});

describe("old event names", () => {
  test("merge on the longest overlap", () => {
    expect(overlap("Doing well.", "well. How can I help today?")).toBe("Doing well. How can I help today?");
    expect(overlap("", "x")).toBe("x");
    expect(overlap("ab", "cd")).toBe("abcd");
  });
  test("tell a message until the real item comes", () => {
    const stream = new Stream();
    stream.codex("codex/event/agent_message_delta", { delta: "Doing well." });
    stream.codex("codex/event/agent_message_content_delta", { delta: "well. How can I help today?" });
    expect(texts(replay(stream.events), "agentMessage")).toEqual(["Doing well. How can I help today?"]);
    stream.codex("item/agentMessage/delta", { itemId: "a", delta: "v2" });
    stream.codex("codex/event/agent_message", { message: "ignored" });
    expect(texts(replay(stream.events), "agentMessage")).toEqual(["v2"]);
  });
  test("an echo of a known message adds none", () => {
    const stream = new Stream();
    stream.send("hello");
    stream.codex("codex/event/user_message", { message: "hello" });
    expect(texts(replay(stream.events), "userMessage")).toEqual(["hello"]);
  });
});
