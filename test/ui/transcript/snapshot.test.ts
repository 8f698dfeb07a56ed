import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { apply } from "../../../ui/transcript/apply";
import type { WorkerEvent } from "../../../ui/transcript/event";
import { toJson, toMarkdown } from "../../../ui/transcript/export";
import { find } from "../../../ui/transcript/find";
import { keepOlder, prependSnapshot } from "../../../ui/transcript/older";
import { fromSnapshot } from "../../../ui/transcript/snapshot";
import { emptyTranscript, noChanges, plain, type Transcript } from "../../../ui/transcript/transcript";
import { Stream } from "./stream";

const at = "2026-02-22T00:00:00.000Z";
const turn = (id: string, more: Record<string, unknown> = {}) => ({
  id,
  codex_turn_id: `codex-${id}`,
  status: "completed",
  started_at: at,
  completed_at: at,
  duration_ms: 1000,
  items: [],
  messages: [],
  server_requests: [],
  ...more,
});
const snapshot = (turns: unknown[], seq: number, more: Record<string, unknown> = {}) => ({
  thread: {
    thread_id: "thread_1",
    worker_id: "desktopw:shared",
    title: "T",
    status: "idle",
    codex_thread_id: "01a2081b-aa27-7571-987d-0df41cd32858",
  },
  turns,
  next_cursor: null,
  event_seqs: { "desktopw:shared": seq },
  ...more,
});
const message = (id: string, text: string, more: Record<string, unknown> = {}) => ({
  message_id: id,
  request_id: `req_${id}`,
  item_id: null,
  text,
  created_at: at,
  ...more,
});
const words = (transcript: Transcript) =>
  transcript.turns.flatMap(({ items }) => items.map((key) => transcript.items.get(key)?.text));

describe("snapshot and tail", () => {
  /** What the server's read-model says after `count` events: made by the same rules, so the two must fit exactly. */
  function readModel(events: WorkerEvent[], count: number) {
    const state = emptyTranscript("thread_1");
    for (const event of events.slice(0, count)) apply(state, event);
    return snapshot(
      state.turns.map((one) => ({
        id: one.id,
        codex_turn_id: one.codexId,
        status: one.status,
        items: one.items
          .map((key) => state.items.get(key))
          .filter((item) => item !== undefined)
          .filter((item) => item.type !== "userMessage" || item.stage === "applied")
          .map((item) => ({
            item_id: item.id,
            type: item.type,
            status: item.status,
            text: item.text,
            payload: {
              ...item.payload,
              type: item.type,
              summary: item.summary,
              content: item.type === "userMessage" ? item.payload.content : item.content,
            },
          })),
        messages: [...state.items.values()]
          .filter((item) => item.turnId === one.id && item.messageId)
          .map((item) => ({ message_id: item.messageId, request_id: item.requestId, text: item.text, created_at: at })),
        server_requests: [],
      })),
      count,
    );
  }

  test("wherever the cut is, and however far the tail reaches back, the text is that of one pass", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 5 }), { minLength: 1, maxLength: 8 }),
        fc.nat(),
        fc.nat({ max: 30 }),
        (deltas, cut, back) => {
          const stream = new Stream();
          stream.turn(1, deltas);
          const { events } = stream;
          const count = cut % (events.length + 1);
          const state = fromSnapshot("thread_1", readModel(events, count));
          for (const event of events.slice(Math.max(0, count - back))) apply(state, event);
          const whole = emptyTranscript("thread_1");
          for (const event of events) apply(whole, event);
          expect(words(state)).toEqual(words(whole));
          expect(state.gap).toBe(false);
        },
      ),
    );
  });

  test("an event that the tail lacks is noticed", () => {
    const stream = new Stream();
    stream.turn(1, ["a"]);
    const state = fromSnapshot("thread_1", snapshot([], 3));
    apply(state, stream.events[4] as WorkerEvent);
    expect(state.gap).toBe(true);
  });
});

describe("messages in a snapshot", () => {
  test("queued: stored, before anything answers", () => {
    const state = fromSnapshot(
      "thread_1",
      snapshot([turn("t", { status: "queued", codex_turn_id: null, messages: [message("m", "hi")] })], 1),
    );
    const [item] = state.items.values();
    expect([item?.stage, item?.requestId, item?.text]).toEqual(["stored", "req_m", "hi"]);
  });
  test("echoed by Codex: once, applied, at its place", () => {
    const item = {
      item_id: "u",
      type: "userMessage",
      status: "completed",
      text: "hi",
      payload: { type: "userMessage", clientId: "m" },
    };
    const state = fromSnapshot(
      "thread_1",
      snapshot([turn("t", { items: [item], messages: [message("m", "hi", { item_id: "u" })] })], 1),
    );
    expect(words(state)).toEqual(["hi"]);
    expect([...state.items.values()][0]?.stage).toBe("applied");
  });
  test("never taken: failed with the turn's reason", () => {
    const state = fromSnapshot(
      "thread_1",
      snapshot(
        [
          turn("t", {
            status: "failed",
            codex_turn_id: null,
            error: { code: "timeout", message: "too late" },
            messages: [message("m", "hi")],
          }),
        ],
        1,
      ),
    );
    const [item] = state.items.values();
    expect([item?.stage, item?.failure?.message]).toEqual(["failed", "too late"]);
  });
  test("an older page that has a steering message takes it from the newer", () => {
    const steered = turn("t2", { status: "steered", codex_turn_id: "codex-t1", messages: [message("m2", "more")] });
    const state = fromSnapshot("thread_1", snapshot([steered], 1, { next_cursor: "t2" }));
    const item = {
      item_id: "u2",
      type: "userMessage",
      status: "completed",
      text: "more",
      payload: { type: "userMessage", clientId: "m2" },
    };
    prependSnapshot(state, snapshot([turn("t1", { items: [item] })], 1), noChanges());
    expect(words(state)).toEqual(["more"]);
    expect(state.before).toBeNull();
  });
});

describe("a turn that is read in parts", () => {
  const row = (id: string) => ({
    item_id: id,
    type: id.startsWith("u") ? "userMessage" : "agentMessage",
    status: "completed",
    text: id,
    payload: {},
  });
  const part = (ids: string, more: Record<string, unknown> = {}) =>
    snapshot([turn("t", { items: ids.split(" ").map(row) })], 1, more);
  const read = (ids: string, nextItem: number | null, nextCursor: string | null = "t") =>
    fromSnapshot("thread_1", part(ids, { next_cursor: nextCursor, next_item: nextItem }));

  test("what it lacked comes between what the person wrote and what follows", () => {
    const state = read("u0 a7 u8 a9", 7);
    const changes = noChanges();
    prependSnapshot(state, part("u0 u1 a5 a6 u8", { next_cursor: "t", next_item: 5 }), changes);
    expect(words(state)).toEqual(["u0", "u1", "a5", "a6", "a7", "u8", "a9"]);
    expect(state.before).toEqual({ turn: "t", item: 5 });
    expect([...changes.turns]).toEqual(["t"]);
    const last = snapshot(
      [turn("s", { items: [row("b0")] }), turn("t", { items: ["u0", "u1", "a4", "u8"].map(row) })],
      1,
    );
    prependSnapshot(state, last, noChanges());
    expect(words(state)).toEqual(["b0", "u0", "u1", "a4", "a5", "a6", "a7", "u8", "a9"]);
    expect(state.before).toBeNull();
  });

  test("read anew, it keeps what was read before", () => {
    const next = read("u0 a6 a7 a8", 6);
    keepOlder(next, read("u0 a1 a2 a6 a7", 1));
    expect(words(next)).toEqual(["u0", "a1", "a2", "a6", "a7", "a8"]);
    expect(next.before).toEqual({ turn: "t", item: 1 });
  });

  test("with a gap between the two, only the new is kept: it can be read from there", () => {
    const next = read("u0 a6 a7", 6);
    keepOlder(next, read("u0 a1 a2", 1));
    expect(words(next)).toEqual(["u0", "a6", "a7"]);
    expect(next.before).toEqual({ turn: "t", item: 6 });
  });

  test("cut or whole, in whatever parts: the same in the end", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 7 }), (count, size) => {
        const all = ["u0", ...Array.from({ length: count }, (_, n) => `a${n + 1}`)];
        const page = (to: number) => {
          const from = Math.max(0, to - size);
          const ids = from > 0 ? ["u0", ...all.slice(from, to).filter((id) => id !== "u0")] : all.slice(0, to);
          return part(ids.join(" "), from > 0 ? { next_cursor: "t", next_item: from } : {});
        };
        const state = fromSnapshot("thread_1", page(all.length));
        while (state.before) prependSnapshot(state, page(state.before.item as number), noChanges());
        expect(words(state)).toEqual(all);
      }),
    );
  });
});

describe("find and export", () => {
  const item = (id: string, type: string, text: string, payload: Record<string, unknown> = {}) => ({
    item_id: id,
    type,
    status: "completed",
    text,
    payload: { type, ...payload },
  });
  const state = fromSnapshot(
    "thread_1",
    snapshot(
      [
        turn("t", {
          items: [
            item("u", "userMessage", "Find the needle"),
            item("c", "commandExecution", "\u001b[31mneedle\u001b[0m in output\n```", {
              command: "grep needle",
              exitCode: 0,
            }),
            item("a", "agentMessage", "No NEEDLE needle."),
          ],
        }),
      ],
      1,
    ),
  );
  test("finds in folded parts, whatever the case, in order", () => {
    expect(find(state, "needle")).toEqual(["t/u", "t/c", "t/c", "t/a", "t/a"]);
    expect(find(state, "")).toEqual([]);
    expect(find(state, "absent")).toEqual([]);
  });
  test("Markdown holds everything, and a fence longer than any inside", () => {
    const text = toMarkdown(state);
    expect(text).toStartWith("# T\n");
    expect(text).toContain("## You\n\nFind the needle");
    expect(text).toContain("````console\n$ grep needle\nneedle in output\n```\n````");
  });
  test("JSON parses and has no bookkeeping; answers to secret questions are left out", () => {
    state.asks.set("s:1", {
      id: "s:1",
      method: "item/tool/requestUserInput",
      status: "resolved",
      turnId: null,
      itemId: null,
      workerId: null,
      params: { questions: [{ id: "q", isSecret: true }] },
      decisions: null,
      decision: { answers: { q: { answers: ["hunter2"] } } },
      answerId: null,
      stage: null,
      failure: null,
      requestedAt: null,
      resolvedAt: null,
    });
    const text = toJson(state);
    expect(JSON.parse(text).title).toBe("T");
    expect(text).not.toContain("hunter2");
    expect(text).not.toContain('applied":{');
    expect(plain(state).turns.length).toBe(1);
  });
});
