import { describe, expect, test } from "bun:test";
import type { Book, Draft, ItemRow, MessageRow, TextDraft, ThreadRow, TurnRow } from "../../src/codex/book";
import { itemMessageId, namedMessageId } from "../../src/codex/ids";
import type { Json } from "../../src/codex/json";
import { readNotification } from "../../src/codex/notification";
import { project } from "../../src/codex/projection";
import { projectReceipt, type RequestRow } from "../../src/codex/projection-receipts";
import { newMessage, newThread, newTurn } from "../../src/codex/projection-rows";
import type { Worker } from "../../src/codex/worker-state";
import fixture from "../fixtures/codex-worker-events-v1.json";

const now = new Date("2026-02-22T00:00:00.000Z");
const T = "01a2081b-aa27-7571-987d-0df41cd32858";
const U = "01a2081b-aa27-7571-987d-0df41cd32859";
const threadId = "thread_1";

const emptyBook = (): Book => ({
  worker: { id: "pk", ownerUserId: 1001, orgId: "org:openagents", executorSessionId: "s" } as Worker,
  now,
  names: new Map(),
  foreign: new Set(),
  threads: new Map(),
  turns: new Map(),
  items: new Map(),
  positions: new Map(),
  messages: new Map(),
  serverRequests: new Map(),
  dropped: new Set(),
  recount: new Set(),
});

/** A thread that Codex knows, with a turn that runs unless said. */
function book(turn: Partial<TurnRow> = {}): Book {
  const made = emptyBook();
  newThread(made, threadId, { codexThreadId: T, origin: "openagents", activeTurnId: "turn_1", status: "active" });
  newTurn(made, threadId, U, { id: "turn_1", startedAt: now, ...turn });
  return made;
}

const say = (into: Book, method: string, params: Json, more: Json = {}): Book => {
  const notification = readNotification({ method, params: { threadId: T, turnId: U, ...params }, ...more });
  if (notification) project(into, notification);
  return into;
};

const thread = (of: Book, id = threadId) => (of.threads.get(id) as Draft<ThreadRow>).row;
const turn = (of: Book, id = "turn_1") => (of.turns.get(id) as Draft<TurnRow>).row;
const item = (of: Book, id = "i") =>
  ([...of.items.values()].find(({ row }) => row.itemId === id) as TextDraft<ItemRow>).row;
const messages = (of: Book): MessageRow[] =>
  [...of.messages.values()].map(({ row }) => row).filter(({ messageId }) => !of.dropped.has(messageId));

describe("threads", () => {
  test("thread/started describes the thread; a title that is there stays", () => {
    const codex = {
      id: T,
      sessionId: "sess",
      cwd: "/w",
      model: "gpt",
      modelProvider: "openai",
      preview: "p",
      name: "Name",
    };
    const made = say(book(), "thread/started", { thread: codex });
    expect(thread(made)).toMatchObject({
      codexThreadId: T,
      codexSessionId: "sess",
      cwd: "/w",
      model: "gpt",
      modelProvider: "openai",
      preview: "p",
      title: "Name",
    });
    expect(thread(say(made, "thread/started", { thread: { ...codex, name: "Other" } })).title).toBe("Name");
  });

  const statuses: [unknown, string][] = [
    [{ type: "notLoaded" }, "not_loaded"],
    [{ type: "idle" }, "idle"],
    [{ type: "systemError" }, "system_error"],
    [{ type: "active", activeFlags: [] }, "active"],
    [{ type: "active", activeFlags: ["waitingOnApproval"] }, "waiting_on_approval"],
    [{ type: "active", activeFlags: ["waitingOnUserInput"] }, "waiting_on_user_input"],
    [{ type: "something new" }, "active"],
  ];
  for (const [status, expected] of statuses) {
    test(`thread/status/changed ${JSON.stringify(status)}`, () => {
      expect(thread(say(book(), "thread/status/changed", { status })).status).toBe(expected as "idle");
    });
  }

  test("names come and go", () => {
    const made = say(book(), "thread/name/updated", { threadName: "Build" });
    expect(thread(made).title).toBe("Build");
    expect(thread(say(made, "thread/name/updated", {})).title).toBeNull();
  });

  test("archived, unarchived, deleted", () => {
    const made = say(book(), "thread/archived", {});
    expect(thread(made).archivedAt).toEqual(now);
    expect(thread(say(made, "thread/unarchived", {})).archivedAt).toBeNull();
    expect(thread(say(made, "thread/deleted", {})).archivedAt).toEqual(now);
  });

  const models: [string, Json][] = [
    ["thread/settings/updated", { threadSettings: { model: "m2" } }],
    ["model/rerouted", { fromModel: "m", toModel: "m2" }],
    ["thread/compacted", { model: "m2" }],
  ];
  for (const [method, params] of models) {
    test(`${method} sets the model`, () => expect(thread(say(book(), method, params)).model).toBe("m2"));
  }

  test("an unknown thread of Codex becomes one of ours", () => {
    const made = emptyBook();
    say(made, "turn/started", { turn: { id: U } });
    const [row] = [...made.threads.values()].map((draft) => draft.row);
    expect(row).toMatchObject({ codexThreadId: T, origin: "codex", userId: 1001, orgId: "org:openagents" });
    expect(row?.threadId).toMatch(/^thread_[0-9a-f]{32}$/);
  });

  test("any other id is the thread's own, wherever the event names it", () => {
    for (const params of [{ thread_id: "t_x" }, { conversationId: "t_x" }, { thread: { id: "t_x" } }]) {
      const made = emptyBook();
      project(
        made,
        readNotification({ method: "thread/name/updated", params: { ...params, threadName: "n" } }) as never,
      );
      expect(thread(made, "t_x")).toMatchObject({ title: "n", codexThreadId: null });
    }
    const top = emptyBook();
    project(top, readNotification({ method: "thread/archived", thread_id: "t_y", params: { threadId: T } }) as never);
    expect(thread(top, "t_y").codexThreadId).toBe(T);
  });

  test("what is not in the table changes nothing", () => {
    expect(readNotification({ method: "mcpServer/startupStatus/updated", params: { threadId: T } })).toBeNull();
    expect(readNotification({ params: {} })).toBeNull();
  });
});

describe("turns", () => {
  test("turn/started", () => {
    const made = book({ status: "queued", codexTurnId: null, startedAt: null });
    say(
      made,
      "turn/started",
      { turn: { id: U, startedAt: 1771718400 }, model: "m", reasoning_effort: "low" },
      { turn_id: "turn_1" },
    );
    expect(turn(made)).toMatchObject({
      status: "in_progress",
      codexTurnId: U,
      startedAt: new Date("2026-02-22T00:00:00Z"),
      model: "m",
      effort: "low",
    });
    expect(thread(made)).toMatchObject({ activeTurnId: "turn_1", status: "active" });
  });

  test("a turn that timed out before it started does run", () => {
    const made = book({
      status: "failed",
      codexTurnId: null,
      startedAt: null,
      completedAt: now,
      error: { message: "x" },
    });
    say(made, "turn/started", { turn: { id: U } }, { turn_id: "turn_1" });
    expect(turn(made)).toMatchObject({ status: "in_progress", error: null, completedAt: null });
  });

  test("a turn of another client is new", () => {
    const made = book();
    say(made, "turn/started", { turn: { id: "01a2081b-aa27-7571-987d-000000000000" }, turnId: undefined });
    const other = [...made.turns.values()].find(({ row }) => row.id !== "turn_1")?.row;
    expect(other).toMatchObject({
      codexTurnId: "01a2081b-aa27-7571-987d-000000000000",
      status: "in_progress",
      requestId: null,
    });
    expect(thread(made).activeTurnId).toBe(other?.id as string);
  });

  test("plan, diff and token usage", () => {
    const made = book();
    say(made, "turn/plan/updated", { plan: [{ step: "a", status: "inProgress" }] });
    say(made, "turn/diff/updated", { diff: "x".repeat(300_000) });
    const last = { totalTokens: 5, inputTokens: 3, cachedInputTokens: 1, outputTokens: 2, reasoningOutputTokens: 0 };
    say(made, "thread/tokenUsage/updated", {
      tokenUsage: { last, total: { ...last, totalTokens: 9 }, modelContextWindow: 1000 },
    });
    expect(turn(made).plan).toEqual([{ step: "a", status: "inProgress" }]);
    expect(turn(made).diff).toHaveLength(262_144);
    expect(turn(made).tokenUsage).toEqual({
      input_tokens: 3,
      cached_input_tokens: 1,
      output_tokens: 2,
      reasoning_output_tokens: 0,
      total_tokens: 5,
    });
    expect(thread(made).tokenUsage).toMatchObject({ total_tokens: 9, model_context_window: 1000 });
  });

  test("a count that Codex repeats for a turn nobody knows makes no turn", () => {
    const made = book();
    const usage = { totalTokens: 5 };
    say(made, "thread/tokenUsage/updated", { turnId: "of_before", tokenUsage: { last: usage, total: usage } });
    expect(made.turns.size).toBe(1);
    expect(thread(made).tokenUsage).toMatchObject({ total_tokens: 5 });
  });

  test("error counts unless Codex tries again; the status is left to turn/completed", () => {
    const error = { message: "boom", codexErrorInfo: { httpConnectionFailed: {} }, additionalDetails: "d" };
    expect(turn(say(book(), "error", { error, willRetry: true })).error).toBeNull();
    const made = say(book(), "error", { error, willRetry: false });
    expect(turn(made)).toMatchObject({
      status: "in_progress",
      error: { message: "boom", code: "httpConnectionFailed", details: "d" },
    });
  });

  for (const status of ["completed", "interrupted", "failed"] as const) {
    test(`turn/completed ${status} closes what is open`, () => {
      const made = book();
      say(made, "item/started", { item: { id: "i", type: "agentMessage", text: "" } });
      say(made, "item/agentMessage/delta", { itemId: "i", delta: "part" });
      say(made, "item/started", { item: { id: "e", type: "agentMessage", text: "" } });
      say(made, "item/started", { item: { id: "c", type: "commandExecution" } });
      say(
        made,
        "item/commandExecution/requestApproval",
        { itemId: "c" },
        { server_request_id: "s:0", session_id: "s" },
      );
      say(made, "turn/completed", {
        turn: {
          id: U,
          status,
          error: status === "failed" ? { message: "why", codexErrorInfo: "badRequest" } : null,
          completedAt: 1771718460,
          durationMs: 60_000,
          items: [{ id: "ignored" }],
        },
      });
      expect(turn(made)).toMatchObject({ status, completedAt: new Date("2026-02-22T00:01:00Z"), durationMs: 60_000 });
      expect(turn(made).error).toEqual(
        status === "failed" ? { message: "why", code: "badRequest", details: null } : null,
      );
      expect(thread(made)).toMatchObject({ activeTurnId: null, status: "idle" });
      expect([item(made).status, item(made, "c").status]).toEqual([status, status]);
      expect(messages(made)).toMatchObject([{ text: "part", streaming: false }]);
      expect([...made.recount]).toEqual([threadId]);
      expect(made.serverRequests.get("s:0")?.row.status).toBe("expired");
    });
  }

  test("codex/exited fails what runs on the worker", () => {
    const made = book();
    say(made, "item/started", { item: { id: "i", type: "agentMessage", text: "" } });
    say(made, "item/agentMessage/delta", { itemId: "i", delta: "part" });
    say(made, "codex/exited", { exit_code: 1 });
    expect(turn(made)).toMatchObject({ status: "failed", error: { message: "codex app-server exited" } });
    expect(messages(made)[0]).toMatchObject({ streaming: false, text: "part" });
  });
});

describe("items", () => {
  test("item/started of an assistant message opens a message", () => {
    const made = say(book(), "item/started", {
      item: { id: "i", type: "agentMessage", text: "" },
      startedAtMs: 1771718400500,
    });
    expect(item(made)).toMatchObject({
      status: "in_progress",
      type: "agentMessage",
      position: 0,
      payload: { id: "i", type: "agentMessage", text: "" },
      startedAt: new Date(1771718400500),
    });
    expect(messages(made)).toMatchObject([
      { messageId: itemMessageId(threadId, "turn_1", "i"), role: "assistant", streaming: true, text: "", itemId: "i" },
    ]);
    expect(thread(made)).toMatchObject({ messageCount: 1, lastMessageAt: now });
  });

  test("deltas are kept to the letter, and do not count as messages", () => {
    const made = book();
    for (const delta of ["Hi", " ", "\n", " there "]) say(made, "item/agentMessage/delta", { itemId: "i", delta });
    expect(item(made).text).toBe("Hi \n there ");
    expect(messages(made)[0]?.text).toBe("Hi \n there ");
    expect(thread(made).messageCount).toBe(1);
  });

  test("a plan's deltas are no message", () => {
    const made = say(book(), "item/plan/delta", { itemId: "p", delta: "1. " });
    expect(item(made, "p")).toMatchObject({ type: "plan", text: "1. " });
    expect(messages(made)).toEqual([]);
  });

  test("reasoning goes to the part of its index", () => {
    const made = book();
    say(made, "item/reasoning/summaryPartAdded", { itemId: "r", summaryIndex: 0 });
    say(made, "item/reasoning/summaryTextDelta", { itemId: "r", summaryIndex: 0, delta: "a" });
    say(made, "item/reasoning/summaryTextDelta", { itemId: "r", summaryIndex: 1, delta: "b" });
    say(made, "item/reasoning/summaryTextDelta", { itemId: "r", summaryIndex: 0, delta: "c" });
    say(made, "item/reasoning/textDelta", { itemId: "r", contentIndex: 0, delta: "raw" });
    expect(item(made, "r")).toMatchObject({ payload: { summary: ["ac", "b"], content: ["raw"] }, text: "ac\n\nb" });
  });

  test("a command's output keeps its last 64 KiB until the whole is known", () => {
    const made = book();
    say(made, "item/commandExecution/outputDelta", { itemId: "c", delta: "x".repeat(65_536) });
    say(made, "item/commandExecution/outputDelta", { itemId: "c", delta: "end" });
    expect(item(made, "c").text).toHaveLength(65_536);
    expect(item(made, "c").text.endsWith("xend")).toBe(true);
    const done = { id: "c", type: "commandExecution", status: "failed", aggregatedOutput: "all", exitCode: 1 };
    say(made, "item/completed", { item: done, completedAtMs: 1771718400000 });
    expect(item(made, "c")).toMatchObject({ status: "failed", text: "all", payload: done, completedAt: now });
  });

  test("file changes and tool progress replace what was there", () => {
    const made = book();
    say(made, "item/started", { item: { id: "f", type: "fileChange", changes: [] } });
    say(made, "item/fileChange/patchUpdated", { itemId: "f", changes: [{ path: "a" }] });
    expect(item(made, "f").payload).toMatchObject({ id: "f", changes: [{ path: "a" }] });
    say(made, "item/mcpToolCall/progress", { itemId: "m", message: "half" });
    say(made, "item/mcpToolCall/progress", { itemId: "m", message: "done" });
    expect(item(made, "m").text).toBe("done");
  });

  const finals: [Json, string][] = [
    [{ type: "agentMessage", text: "final" }, "final"],
    [{ type: "reasoning", summary: ["a", "b"], content: [] }, "a\n\nb"],
    [{ type: "commandExecution", aggregatedOutput: "out", status: "completed" }, "out"],
    [{ type: "plan", text: "steps" }, "steps"],
    [{ type: "webSearch", query: "q" }, ""],
  ];
  for (const [final, text] of finals) {
    test(`item/completed ${String(final.type)}`, () => {
      const made = say(book(), "item/completed", { item: { id: "i", ...final } });
      expect(item(made)).toMatchObject({ status: "completed", text });
    });
  }

  test("the final text replaces the streamed one, and later deltas are late", () => {
    const made = say(book(), "item/agentMessage/delta", { itemId: "i", delta: "drft" });
    say(made, "item/completed", { item: { id: "i", type: "agentMessage", text: "draft" } });
    say(made, "item/agentMessage/delta", { itemId: "i", delta: "!" });
    expect(item(made).text).toBe("draft");
    expect(messages(made)).toMatchObject([{ text: "draft", streaming: false }]);
  });

  test("an assistant message that ends empty is no message", () => {
    const made = say(book(), "item/started", { item: { id: "i", type: "agentMessage", text: "" } });
    say(made, "item/completed", { item: { id: "i", type: "agentMessage", text: "" } });
    expect(messages(made)).toEqual([]);
    expect(made.recount.has(threadId)).toBe(true);
  });

  test("items stand in the order they came", () => {
    const made = book();
    for (const id of ["a", "b", "a", "c"]) say(made, "item/started", { item: { id, type: "webSearch" } });
    expect(["a", "b", "c"].map((id) => item(made, id).position)).toEqual([0, 1, 2]);
  });
});

describe("what people write", () => {
  const written = (clientId: string | null) => ({
    item: {
      id: "u",
      type: "userMessage",
      clientId,
      content: [
        { type: "text", text: "one" },
        { type: "image", url: "x" },
        { type: "text", text: "two" },
      ],
    },
  });

  test("a known message is linked, not repeated", () => {
    const made = book();
    newMessage(made, { messageId: "msg_known", threadId, role: "user", text: "one\ntwo" });
    say(made, "item/completed", written("msg_known"));
    expect(messages(made)).toMatchObject([{ messageId: "msg_known", itemId: "u", turnId: "turn_1" }]);
    say(made, "item/completed", written("msg_known"));
    expect(messages(made)).toHaveLength(1);
    expect(item(made, "u").text).toBe("one\ntwo");
  });

  test("what was typed in another client is stored", () => {
    for (const clientId of [null, "nobody"]) {
      const made = say(book(), "item/completed", written(clientId));
      expect(messages(made)).toMatchObject([{ role: "user", text: "one\ntwo", itemId: "u", turnId: "turn_1" }]);
    }
  });

  test("a phone's message is linked when Codex repeats it", () => {
    const made = say(book(), "ios/user_message", { text: "hello" }, { message_id: "ios-1" });
    expect(messages(made)).toMatchObject([
      { messageId: namedMessageId(threadId, "ios-1"), text: "hello", role: "user" },
    ]);
    say(made, "ios/user_message", { text: "hello" }, { message_id: "ios-1" });
    say(made, "item/completed", written("ios-1"));
    expect(messages(made)).toMatchObject([{ itemId: "u" }]);
  });
});

describe("older names", () => {
  const endings: [string, string][] = [
    ["turn/failed", "failed"],
    ["turn/error", "failed"],
    ["turn/errored", "failed"],
    ["turn/aborted", "interrupted"],
    ["turn/interrupted", "interrupted"],
  ];
  for (const [method, status] of endings) {
    test(method, () => {
      const made = say(book(), method, { message: "why" });
      expect(turn(made).status).toBe(status as "failed");
      expect(turn(made).error).toEqual(status === "failed" ? { message: "why", code: null, details: null } : null);
    });
  }
  test("deltas", () => {
    const made = book();
    say(made, "codex/event/agent_message_delta", { delta: "a " });
    say(made, "codex/event/agent_message_content_delta", { msg: { delta: "b" } });
    expect(messages(made)).toMatchObject([{ text: "a b", streaming: true }]);
    say(made, "codex/event/agent_message", { message: "a b c" });
    expect(messages(made)).toMatchObject([{ text: "a b c", streaming: false }]);
    say(made, "item/toolOutput/delta", { itemId: "c", delta: "out" });
    expect(item(made, "c")).toMatchObject({ type: "commandExecution", text: "out" });
    say(made, "item/reasoning/contentDelta", { itemId: "r", delta: "x" });
    expect(item(made, "r").payload).toEqual({ content: ["x"] });
    say(made, "codex/error", { message: "bad" });
    expect(turn(made).error).toMatchObject({ message: "bad" });
  });
  test("user messages", () => {
    const made = book();
    say(made, "codex/event/user_message", { message: "a" });
    say(made, "desktop/user_message", { text: "b" }, { message_id: "d1" });
    expect(messages(made).map(({ text, role }) => [role, text])).toEqual([
      ["user", "a"],
      ["user", "b"],
    ]);
  });

  test("the fixture's notifications read as a whole turn", () => {
    const made = emptyBook();
    for (const { payload } of fixture.notification_events) {
      const notification = readNotification(payload);
      if (notification) project(made, notification);
    }
    expect(thread(made, "thr_01HZZTHREAD")).toMatchObject({ status: "idle", activeTurnId: null, messageCount: 2 });
    const [only, ...others] = [...made.turns.values()].map(({ row }) => row);
    expect(others).toEqual([]);
    expect(only).toMatchObject({
      status: "completed",
      codexTurnId: "turn_01HZZTURN",
      model: "gpt-5.2-codex",
      effort: "low",
      tokenUsage: { input_tokens: 31, output_tokens: 24 },
    });
    expect(messages(made).map(({ role, text }) => [role, text])).toEqual([
      ["assistant", "Doing well."],
      ["user", "who are you?"],
    ]);
  });
});

describe("receipts", () => {
  const request = (method: string, more: Partial<RequestRow> = {}) =>
    ({ requestId: "r", method, threadId, turnId: null, params: {}, ...more }) as RequestRow;
  const response = (value: Json) => ({ type: "worker.response" as const, payload: { response: value } });
  const error = (value: Json) => ({ type: "worker.error" as const, payload: value });

  test("turn/start tells Codex's ids", () => {
    const made = emptyBook();
    newThread(made, threadId, { origin: "openagents" });
    newTurn(made, threadId, null, { id: "turn_1", status: "queued" });
    projectReceipt(
      made,
      request("turn/start", { turnId: "turn_1" }),
      response({ codex_thread_id: T, codex_turn_id: U, model: "m" }),
    );
    expect(thread(made)).toMatchObject({ codexThreadId: T, activeTurnId: "turn_1", model: "m" });
    expect(turn(made)).toMatchObject({ codexTurnId: U, status: "in_progress" });
  });

  test("a message to a running turn steers it", () => {
    const made = book();
    newTurn(made, threadId, null, { id: "turn_2", status: "queued" });
    projectReceipt(made, request("turn/start", { turnId: "turn_2" }), response({ codex_turn_id: U, steered: true }));
    expect(turn(made, "turn_2")).toMatchObject({ status: "steered", mergedIntoTurnId: "turn_1", codexTurnId: U });
    expect(thread(made).activeTurnId).toBe("turn_1");
    say(made, "turn/completed", { turn: { id: U, status: "completed" } });
    expect([turn(made).status, turn(made, "turn_2").status]).toEqual(["completed", "steered"]);
  });

  test("a thread/started that came first gives its name up", () => {
    const made = emptyBook();
    say(made, "thread/started", { thread: { id: T } });
    newThread(made, threadId, { origin: "openagents" });
    projectReceipt(made, request("thread/start"), response({ thread: { id: T, cwd: "/w" } }));
    expect(thread(made)).toMatchObject({ codexThreadId: T, cwd: "/w" });
    const other = [...made.threads.values()].find(({ row }) => row.threadId !== threadId)?.row;
    expect(other).toMatchObject({ codexThreadId: null, archivedAt: now });
  });

  test("a failed turn/start fails its turn; a timeout does not fail one that runs", () => {
    const waits = book({ status: "queued", codexTurnId: null });
    const said = error({ code: "internal_error", message: "no", retryable: true });
    projectReceipt(waits, request("turn/start", { turnId: "turn_1" }), said);
    expect(turn(waits)).toMatchObject({ status: "failed", error: { code: "internal_error", message: "no" } });
    const runs = book();
    projectReceipt(runs, request("turn/start", { turnId: "turn_1" }), error({ code: "timeout", message: "t" }));
    expect(turn(runs).status).toBe("in_progress");
  });

  test("thread/list stores threads of the machine, with their own times", () => {
    const made = book();
    const codex = {
      id: "01a2081b-aa27-7571-987d-111111111111",
      name: "Old",
      preview: "p",
      createdAt: 1700000000,
      updatedAt: 1700000100,
      cwd: "/x",
    };
    projectReceipt(
      made,
      request("thread/list", { threadId: null }),
      response({ threads: [codex, { id: T, name: "Mine" }, { id: "no uuid" }] }),
    );
    expect(made.threads.size).toBe(2);
    const old = [...made.threads.values()].find(({ row }) => row.threadId !== threadId)?.row;
    expect(old).toMatchObject({
      origin: "codex",
      title: "Old",
      status: "not_loaded",
      createdAt: new Date(1700000000000),
      updatedAt: new Date(1700000100000),
    });
    expect(thread(made).title).toBe("Mine");
  });

  test("thread/read fills in turns that were not seen, oldest first, at their own time", () => {
    const made = emptyBook();
    newThread(made, threadId, { codexThreadId: T, createdAt: new Date(0), updatedAt: new Date(0) });
    const turns = [2, 1].map((n) => ({
      id: `01a2081b-aa27-7571-987d-00000000000${n}`,
      status: "completed",
      startedAt: 1700000000 + n,
      items: [
        { id: `u${n}`, type: "userMessage", clientId: null, content: [{ type: "text", text: `q${n}` }] },
        { id: `a${n}`, type: "agentMessage", text: `r${n}` },
      ],
    }));
    projectReceipt(made, request("thread/read"), response({ thread: { id: T }, turns }));
    expect(messages(made).map(({ text }) => text)).toEqual(["q1", "r1", "q2", "r2"]);
    expect(thread(made)).toMatchObject({ messageCount: 4, updatedAt: new Date(1700000002000) });
    expect([...made.turns.values()].map(({ row }) => row.status)).toEqual(["completed", "completed"]);
    projectReceipt(made, request("thread/read"), response({ thread: { id: T }, turns }));
    expect(messages(made)).toHaveLength(4);
  });
});
