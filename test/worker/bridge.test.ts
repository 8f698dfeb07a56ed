/** The bridge with a fake Codex and a played server (codex-chat 3.10 to 3.12). */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { journalPath } from "../../src/worker/journal";
import { type Place, place } from "./place";
import { type Entry, type Json, requestOf, workerId } from "./server";

let at: Place;
beforeEach(() => {
  at = place();
});
afterEach(() => at.close());

const turn = (text: string, over: Json = {}) => at.server.ask("turn/start", { thread_id: "thread_1", text, ...over });
const completed = (id?: string) =>
  at.server.notification("turn/completed", ({ turn: { id: own } }) => !id || own === id);
const methods = () => at.server.log.map(({ event_type, payload }) => payload.method ?? event_type);
const saidText = () =>
  at.server.log
    .flatMap(({ payload }) => (payload.method === "item/agentMessage/delta" ? [payload.params.delta] : []))
    .join("");
const agentText = (): string =>
  at.server.log.find(
    ({ payload }) => payload.method === "item/completed" && payload.params.item.type === "agentMessage",
  )?.payload.params.item.text;
const refusal = (status: number, message: string, headers: Record<string, string> = {}) =>
  Response.json({ message, error: { code: "x", message } }, { status, headers });

describe("attaching", () => {
  test("the worker is created with its session, then the account is told", async () => {
    const bridge = await at.start();
    const [attach] = at.server.attaches;
    expect(attach).toMatchObject({
      worker_id: workerId,
      workspace_ref: "workspace://work",
      adapter: "desktop_bridge",
      metadata: {
        source: "autopilot-desktop",
        session_id: bridge.sessionId,
        codex_version: "0.169.0",
        bridge_version: "1.0.0",
      },
    });
    const { payload } = await at.server.notification("codex/auth_state");
    expect(payload.params).toMatchObject({ requires_openai_auth: false, auth_mode: null, provider: "openai" });
  });

  test("an account is told without address and id", async () => {
    await at.start({}, { FAKE_ACCOUNT: "chatgpt", FAKE_AUTH: "required" });
    const { payload } = await at.server.notification("codex/auth_state");
    expect(payload.params).toMatchObject({
      hydration_status: "CODEX_AUTH_HYDRATION_STATUS_AUTHENTICATED",
      auth_mode: "chatgpt",
      plan_type: "pro",
    });
    expect(JSON.stringify(payload)).not.toContain("x@y.example");
  });

  test("pending requests run in order, and one that is also live runs once", async () => {
    const first = requestOf("turn/start", { thread_id: "thread_1", text: "one" });
    const second = requestOf("thread/list", {});
    at.server.pending = [first, second];
    await at.start();
    at.server.append("worker.request", first);
    await at.server.receipt(second.request_id);
    await completed();
    const receipts = at.server.log.filter(({ event_type }) => event_type === "worker.response");
    expect(receipts.map(({ payload }) => payload.request_id)).toEqual([first.request_id, second.request_id]);
    expect(at.calls("turn/start")).toHaveLength(1);
  });

  test("a server that is not there yet is tried again", async () => {
    let refusals = 2;
    at.server.refuse = () => (refusals-- > 0 ? refusal(503, "starting") : null);
    await at.start();
    expect(at.server.attaches.length).toBeGreaterThan(0);
    expect(at.said.join("\n")).toContain("trying again");
  });

  for (const [status, message, code] of [
    [401, "Unauthenticated.", 4],
    [403, "worker does not belong to authenticated principal", 4],
    [422, "The worker id is invalid.", 1],
  ] as const) {
    test(`${status} at attach ends the bridge with ${code} and says why`, async () => {
      at.server.refuse = () => refusal(status, message);
      const bridge = await at.start();
      expect(await bridge.ended).toBe(code);
      expect(at.said.join("\n")).toContain(message);
    });
  }

  test("a Codex that cannot start: its own words, exit 1", async () => {
    const bridge = await at.start({}, { FAKE_BROKEN: "1" });
    expect(await bridge.ended).toBe(1);
    expect(at.said.join("\n")).toContain("Error loading config.toml: it is broken");
  });
});

describe("a turn", () => {
  test("comes in Codex's order, with the receipt before everything that follows it", async () => {
    await at.start();
    const { payload } = await turn("hello brave new world");
    expect(payload).toMatchObject({ ok: true, method: "turn/start" });
    const done = await completed(payload.response.codex_turn_id);
    expect(payload.response).toMatchObject({ thread_id: "thread_1", steered: false });
    expect(methods().slice(methods().indexOf("thread/started"))).toEqual([
      "thread/started",
      "turn/start",
      "thread/status/changed",
      "turn/started",
      "item/started",
      "item/completed",
      "item/started",
      ...methods().filter((method) => method === "item/agentMessage/delta"),
      "item/completed",
      "thread/tokenUsage/updated",
      "thread/status/changed",
      "turn/completed",
    ]);
    expect(saidText()).toBe("hello brave new world");
    expect(done.payload.params).toMatchObject({
      status: "completed",
      thread_id: "thread_1",
      token_usage: { totalTokens: 15 },
    });
    const started = await at.server.notification("turn/started");
    expect(started.payload).toMatchObject({
      source: "autopilot-desktop",
      thread_id: "thread_1",
      codex_thread_id: payload.response.codex_thread_id,
      turn_id: payload.response.turn.id,
      params: { model: "scripted", reasoning_effort: "low", turn_id: payload.response.turn.id },
    });
    const item = await at.server.notification("item/completed", ({ item: { type } }) => type === "agentMessage");
    expect(item.payload.params).toMatchObject({ item_kind: "agent_message", item_status: "completed" });
  });

  test("event ids count up within the session", async () => {
    const { sessionId } = await at.start();
    await turn("hi");
    await completed();
    const ids = at.server.log.flatMap(({ event_id }) => (event_id ? [event_id] : []));
    expect(ids).toEqual(ids.map((_, i) => `${sessionId}:${i + 1}`));
  });

  test("a second message steers the running turn", async () => {
    await at.start();
    const first = await turn("hang");
    const second = await turn("more");
    expect(second.payload.response).toMatchObject({
      codex_turn_id: first.payload.response.codex_turn_id,
      steered: true,
    });
    const interrupted = await at.server.ask(
      "turn/interrupt",
      { thread_id: "thread_1" },
      { turn_id: second.payload.response.turn.id },
    );
    expect(interrupted.payload).toMatchObject({ ok: true, response: { status: "interrupted" } });
  });

  test("an interrupt without turn id ends the thread's own turn; without a turn it is a conflict", async () => {
    await at.start();
    await turn("hang");
    const other = await at.server.ask("turn/interrupt", { thread_id: "thread_2" });
    expect(other.payload).toMatchObject({ code: "conflict", message: "no active turn to interrupt", retryable: false });
    const { event_type } = await at.server.ask("turn/interrupt", { thread_id: "thread_1" });
    expect(event_type).toBe("worker.response");
    expect((await completed()).payload.params.status).toBe("interrupted");
  });

  test("a thread of an earlier process is resumed", async () => {
    const bridge = await at.start();
    const first = await turn("one");
    await completed();
    await bridge.stop();
    at.said.length = 0;
    await at.start();
    const second = await turn("two");
    expect(second.payload.response.codex_thread_id).toBe(first.payload.response.codex_thread_id);
    expect(at.calls("thread/resume")).toHaveLength(1);
    expect(at.calls("thread/start")).toHaveLength(1);
  });

  test("a failed turn is told, and the terminal says why", async () => {
    await at.start();
    await turn("fail");
    expect((await completed()).payload.params.status).toBe("failed");
    expect(at.said.join("\n")).toContain("the model said no");
  });
});

describe("refusals of the bridge", () => {
  const cases: [name: string, method: string, params: Json, over: Json, code: string][] = [
    ["a sandbox from afar", "turn/start", { text: "x", sandbox_policy: {} }, {}, "forbidden"],
    ["a configuration from afar", "thread/start", { config: {} }, {}, "forbidden"],
    ["a folder outside the workspace", "thread/start", { cwd: "../.." }, {}, "forbidden"],
    [
      "an image of the machine",
      "turn/start",
      { text: "x", input: [{ type: "localImage", path: "/etc/passwd" }] },
      {},
      "invalid_request",
    ],
    ["no text", "turn/start", { text: "" }, {}, "invalid_request"],
    ["no thread", "turn/start", { text: "x" }, { thread_id: null }, "invalid_request"],
    ["another session", "turn/start", { text: "x" }, { session_id: "session_old" }, "conflict"],
    ["a method that it does not know", "command/exec", { command: ["id"] }, {}, "unsupported_method"],
    [
      "an answer to a question of an older session",
      "serverRequest/respond",
      { server_request_id: "old:0", decision: "accept" },
      {},
      "conflict",
    ],
  ];
  test.each(cases)("%s", async (_name, method, params, over, code) => {
    await at.start();
    const { event_type, payload } = await at.server.ask(method, { thread_id: "thread_1", ...params }, over);
    expect(event_type).toBe("worker.error");
    expect(payload).toMatchObject({ code, retryable: false, method });
    expect(at.calls("turn/start")).toHaveLength(0);
  });

  test("no account: the policy's text", async () => {
    await at.start({}, { FAKE_AUTH: "required" });
    const { payload } = await turn("hello");
    expect(payload).toMatchObject({
      code: "forbidden",
      message: "Codex chat requires an authenticated ChatGPT account.",
    });
  });

  test("no sandbox beside the server, also for a thread that exists", async () => {
    await at.start({ keepSandbox: true }, { FAKE_SANDBOX: "dangerFullAccess" });
    const first = await turn("hello");
    expect(first.payload.code).toBe("forbidden");
    const started = await at.server.notification("thread/started");
    const again = await at.server.ask(
      "turn/start",
      { thread_id: "thread_1", text: "x" },
      { codex_thread_id: started.payload.params.thread.id },
    );
    expect(again.payload).toMatchObject({ code: "forbidden" });
    expect(again.payload.message).toContain("danger-full-access");
    expect(at.calls("turn/start")).toHaveLength(0);
  });

  test("a request that the server has given up is not run", async () => {
    await at.start();
    at.server.append(
      "worker.request",
      requestOf("turn/start", { thread_id: "thread_1", text: "late" }, { deadline_at: "2020-01-01T00:00:00Z" }),
    );
    await turn("now");
    expect(at.calls("turn/start")).toHaveLength(1);
  });
});

describe("questions of Codex", () => {
  const asked = async (): Promise<Entry> => {
    await turn("ask");
    return at.server.notification("item/commandExecution/requestApproval");
  };

  test("are told with their session's id, and the answer is Codex's", async () => {
    const { sessionId } = await at.start();
    const { payload } = await asked();
    expect(payload).toMatchObject({ server_request_id: `${sessionId}:0`, available_decisions: ["accept", "cancel"] });
    const answer = { thread_id: "thread_1", server_request_id: payload.server_request_id, decision: "accept" };
    const receipt = await at.server.ask("serverRequest/respond", answer);
    expect(receipt.payload.response).toEqual({
      thread_id: "thread_1",
      server_request_id: payload.server_request_id,
      decision: "accept",
    });
    expect((await at.server.notification("serverRequest/resolved")).payload.server_request_id).toBe(
      payload.server_request_id,
    );
    await completed();
    expect(agentText()).toBe('{"decision":"accept"}');
    expect((await at.server.ask("serverRequest/respond", answer)).payload.code).toBe("conflict");
  });

  test("a decision that is none is refused, and the question stays", async () => {
    await at.start();
    const { payload } = await asked();
    const answer = (decision: unknown) =>
      at.server.ask("serverRequest/respond", {
        thread_id: "thread_1",
        server_request_id: payload.server_request_id,
        decision,
      });
    expect((await answer("yes please")).payload.code).toBe("invalid_request");
    expect((await answer("acceptWithExecpolicyAmendment")).payload.ok).toBe(true);
    await completed();
    expect(JSON.parse(agentText())).toEqual({
      decision: { acceptWithExecpolicyAmendment: { execpolicy_amendment: ["touch", "x"] } },
    });
  });

  test("what no person can answer is refused at once", async () => {
    await at.start();
    await turn("tool");
    await completed();
    expect(JSON.parse(agentText())).toMatchObject({ code: -32601 });
  });
});

describe("when Codex misbehaves", () => {
  test("it ends in mid-turn: told, started again, the next turn works", async () => {
    await at.start();
    await turn("crash");
    const exited = await at.server.notification("codex/exited");
    expect(exited.payload.params).toMatchObject({ exit_code: 7 });
    expect(saidText()).toBe("last words");
    await at.server.when(
      () => methods().filter((method) => method === "codex/auth_state").length === 2,
      "the second start",
    );
    const { payload } = await turn("alive");
    expect(payload.ok).toBe(true);
    await completed(payload.response.codex_turn_id);
  });

  test("it ends before it answers: the receipt may be retried", async () => {
    await at.start();
    const { payload } = await turn("lost");
    expect(payload).toMatchObject({ code: "internal_error", retryable: true, message: "codex app-server exited" });
  });

  test("garbage on its output is passed over, said once", async () => {
    await at.start();
    await turn("garbage");
    expect((await completed()).payload.params.status).toBe("completed");
    expect(saidText()).toBe("after the noise");
    expect(at.said.filter((line) => line.includes("no message"))).toHaveLength(1);
  });

  test("a flood of 10,000 deltas comes whole and in order, merged, in batches", async () => {
    await at.start();
    await turn("flood 10000");
    await completed();
    const whole = Array.from({ length: 10_000 }, (_, i) => `${i} `).join("");
    expect(saidText()).toBe(whole);
    const deltas = at.server.log.filter(({ payload }) => payload.method === "item/agentMessage/delta");
    expect(deltas.length).toBeLessThan(1000);
    for (const { payload } of deltas) expect(Buffer.byteLength(payload.params.delta)).toBeLessThanOrEqual(4096);
    for (const size of at.server.batches) expect(size).toBeLessThanOrEqual(100);
  });

  test("a flood while the server is away is held back and lost nowhere", async () => {
    await at.start();
    let away = true;
    at.server.refuse = (path) => (away && path.endsWith("/events") ? refusal(502, "bad gateway") : null);
    at.server.append("worker.request", requestOf("turn/start", { thread_id: "thread_1", text: "flood 20000" }));
    while (!at.said.some((line) => line.includes("cannot be reached"))) await Bun.sleep(5);
    away = false;
    await completed();
    expect(saidText()).toBe(Array.from({ length: 20_000 }, (_, i) => `${i} `).join(""));
    expect(at.said).toContain("Connected again.");
  });

  test("an output of 300,000 characters is cut, and says so", async () => {
    await at.start();
    await turn("big 300000");
    const { payload } = await at.server.notification(
      "item/completed",
      ({ item: { type } }) => type === "commandExecution",
    );
    expect(payload.params.truncated).toBe(true);
    expect(Buffer.byteLength(payload.params.item.aggregatedOutput)).toBeLessThanOrEqual(65_536);
    expect(payload.params.item.aggregatedOutput).toMatch(/^é+$/);
  });
});

describe("when the server misbehaves", () => {
  test("the same batch is sent again with the same ids", async () => {
    await at.start();
    const ids: string[][] = [];
    let failures = 3;
    at.server.refuse = (path, body) => {
      if (!path.endsWith("/events")) return null;
      ids.push((body.events ?? [body.event]).map(({ event_id }: Entry) => event_id));
      return failures-- > 0 ? refusal(failures === 1 ? 429 : 500, "later") : null;
    };
    await turn("hello");
    await completed();
    expect(ids.slice(0, 4)).toEqual([ids[0], ids[0], ids[0], ids[0]] as string[][]);
    expect(saidText()).toBe("hello");
  });

  test("an answer that got lost on the way stores nothing twice", async () => {
    await at.start();
    let lose = true;
    at.server.refuse = (path, body) => {
      if (!path.endsWith("/events") || !lose) return null;
      lose = false;
      for (const { event_type, payload, event_id } of body.events ?? [body.event])
        at.server.append(event_type, payload, event_id);
      return refusal(502, "lost");
    };
    await turn("hello");
    await completed();
    const ids = at.server.log.flatMap(({ event_id }) => (event_id ? [event_id] : []));
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("one event that is refused is dropped, the others of its batch are not", async () => {
    await at.start();
    at.server.refuse = (path, body) =>
      path.endsWith("/events") && JSON.stringify(body).includes("thread/tokenUsage") ? refusal(422, "no") : null;
    await turn("hello");
    await completed();
    expect(methods()).not.toContain("thread/tokenUsage/updated");
    expect(saidText()).toBe("hello");
  });

  for (const [message, line] of [
    ["stale attachment: worker is attached to another session", "Another bridge took over this worker."],
    ["worker is stopped; create or reattach to resume", "The worker was stopped from the server."],
  ] as const) {
    test(`409 ${message}: the bridge ends with 0`, async () => {
      const bridge = await at.start();
      at.server.refuse = (path) => (path.endsWith("/events") ? refusal(409, message) : null);
      at.server.append("worker.request", requestOf("turn/start", { thread_id: "thread_1", text: "x" }));
      expect(await bridge.ended).toBe(0);
      expect(at.said).toContain(line);
      expect(at.server.stops).toHaveLength(0);
    });
  }

  for (const sockets of [true, false]) {
    test(`another bridge attaches, ${sockets ? "told by the socket" : "found by polling"}: this one ends and runs nothing more`, async () => {
      at.server.sockets = sockets;
      const bridge = await at.start();
      if (sockets) await at.live();
      at.server.takeOver("session_other");
      at.server.append("worker.request", requestOf("turn/start", { thread_id: "thread_1", text: "x" }));
      expect(await bridge.ended).toBe(0);
      expect(at.said).toContain("Another bridge took over this worker.");
      expect(at.calls("turn/start")).toHaveLength(0);
    });
  }

  const between = (path: string, act: () => void) => {
    let done = false;
    at.server.refuse = (asked) => {
      if (!done && asked.endsWith(path)) {
        done = true;
        act();
      }
      return null;
    };
  };

  for (const [when, path] of [
    ["before the socket is there", "/sync/token"],
    ["while the log is read", "/stream"],
  ] as const) {
    test(`stopped ${when}: it stays stopped, and the bridge ends with 0`, async () => {
      between(path, () => at.server.halt());
      const bridge = await at.start({ pollMs: 60_000 });
      expect(await bridge.ended).toBe(0);
      expect(at.said).toContain("The worker was stopped from the server.");
      expect(at.server.status).toBe("stopped");
    });

    test(`taken over ${when}: it stays the other's, and the bridge ends with 0`, async () => {
      between(path, () => {
        at.server.takeOver("session_other");
        at.server.append("worker.request", requestOf("turn/start", { thread_id: "thread_1", text: "x" }));
      });
      const bridge = await at.start({ pollMs: 60_000 });
      expect(await bridge.ended).toBe(0);
      expect(at.said).toContain("Another bridge took over this worker.");
      expect(at.server.executor).toBe("session_other");
      expect(at.calls("turn/start")).toHaveLength(0);
    });
  }

  test("asked before the socket is there: run once", async () => {
    between("/sync/token", () =>
      at.server.append("worker.request", requestOf("thread/list", {}, { request_id: "req_early" })),
    );
    await at.start({ pollMs: 60_000 });
    expect((await at.server.receipt("req_early")).payload.ok).toBe(true);
    expect(at.server.attaches).toHaveLength(1);
  });

  for (const path of ["/sync/token", "/stream", "/workers"]) {
    test(`a page of something in between where ${path} should answer: tried again`, async () => {
      let pages = 2;
      at.server.refuse = (asked) => (asked.endsWith(path) && pages-- > 0 ? new Response("<h1>Sign in</h1>") : null);
      await at.start({ pollMs: 60_000 });
      await at.live();
      expect((await turn("hello")).payload.ok).toBe(true);
    });
  }

  test("stopped while its cursor became stale: it stays stopped", async () => {
    const bridge = await at.start();
    await at.live();
    at.server.nextSubscribe = { code: "stale_cursor", message: "cursor is older than retention floor" };
    at.server.status = "stopped";
    at.server.hangUp();
    expect(await bridge.ended).toBe(0);
    expect(at.server.status).toBe("stopped");
  });

  test("401 on events ends with 4", async () => {
    const bridge = await at.start();
    at.server.refuse = (path) => (path.endsWith("/events") ? refusal(401, "Unauthenticated.") : null);
    at.server.append("worker.request", requestOf("turn/start", { thread_id: "thread_1", text: "x" }));
    expect(await bridge.ended).toBe(4);
  });

  test("a revoked token: the socket says so, the next token is refused, exit 4", async () => {
    const bridge = await at.start();
    await at.live();
    at.server.refuse = () => refusal(401, "Unauthenticated.");
    at.server.hangUp(4401, "reauth_required");
    expect(await bridge.ended).toBe(4);
  });

  test("a session that ended alone: a new token, and on", async () => {
    await at.start();
    await at.live();
    at.server.hangUp(4401, "reauth_required");
    expect((await turn("hello")).payload.ok).toBe(true);
  });

  test("a restarted server: the socket comes back and goes on from its watermark", async () => {
    await at.start();
    await at.live();
    at.server.hangUp();
    at.server.append("worker.request", requestOf("thread/list", {}, { request_id: "req_between" }));
    await at.server.receipt("req_between");
    expect(at.server.attaches).toHaveLength(1);
  });

  test("a stale cursor: attached again, pending requests taken", async () => {
    await at.start();
    await at.live();
    at.server.nextSubscribe = { code: "stale_cursor", message: "cursor is older than retention floor" };
    at.server.pending = [requestOf("thread/list", {}, { request_id: "req_missed" })];
    at.server.hangUp();
    await at.server.receipt("req_missed");
    expect(at.server.attaches).toHaveLength(2);
  });

  test("no socket at all: the log is polled", async () => {
    at.server.sockets = false;
    await at.start();
    expect((await turn("hello")).payload.ok).toBe(true);
    await completed();
  });
});

describe("stopping", () => {
  test("in mid-turn: interrupted, told, the worker stopped, the journal closed", async () => {
    const bridge = await at.start();
    await turn("hang");
    await bridge.stop();
    expect(await bridge.ended).toBe(0);
    expect((await completed()).payload.params.status).toBe("interrupted");
    expect(at.server.stops).toEqual([{ reason: "worker_shutdown" }]);
    expect(JSON.parse(readFileSync(journalPath(at.server.url, workerId, at.env), "utf8"))).toMatchObject({
      clean: true,
      turns: {},
    });
  });

  test("by the server: ends with 0 and does not stop it again", async () => {
    const bridge = await at.start();
    await at.server.when(() => at.server.connected === 1, "the socket");
    at.server.append("worker.stopped", { reason: "requested" });
    expect(await bridge.ended).toBe(0);
    expect(at.server.stops).toHaveLength(0);
  });

  test("a stop that an earlier bridge was told does not concern this one", async () => {
    at.server.append("worker.stopped", { reason: "worker_shutdown" });
    at.server.sockets = false;
    await at.start();
    expect((await turn("hello")).payload.ok).toBe(true);
  });
});

describe("after a bridge was killed", () => {
  const killed = (state: Json, threads: Json) => {
    const path = journalPath(at.server.url, workerId, at.env);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(
      path,
      JSON.stringify({ session_id: "session_old", clean: false, threads: {}, requests: {}, turns: {}, ...state }),
    );
    writeFileSync(join(at.home, "threads.json"), JSON.stringify(threads));
  };
  const user = { type: "userMessage", id: "u1", clientId: "msg_lost", content: [{ type: "text", text: "hi" }] };
  const answer = { type: "agentMessage", id: "a1", text: "half an ans" };
  const lost = requestOf(
    "turn/start",
    { thread_id: "thread_1", text: "hi" },
    { request_id: "req_lost", turn_id: "turn_lost", message_id: "msg_lost" },
  );

  test("between turn/start and its receipt: not run again, the receipt comes from Codex's turn", async () => {
    killed(
      {
        threads: { thread_1: "ct" },
        requests: { req_lost: "executing" },
        turns: { old_turn: { codex_thread_id: "ct", turn_id: "turn_lost" } },
      },
      { ct: [{ id: "old_turn", status: "inProgress", items: [user, answer] }] },
    );
    at.server.pending = [lost];
    await at.start();
    const { payload } = await at.server.receipt("req_lost");
    expect(payload.response).toMatchObject({
      codex_turn_id: "old_turn",
      codex_thread_id: "ct",
      turn: { id: "turn_lost" },
      steered: false,
    });
    // What Codex says when it loads the thread comes before the receipt, and is said of our turn.
    const counted = await at.server.notification("thread/tokenUsage/updated");
    expect(counted.payload.params).toMatchObject({ turnId: "old_turn", turn_id: "turn_lost" });
    const end = await completed("old_turn");
    expect(end.payload.params).toMatchObject({ status: "interrupted", turn_id: "turn_lost" });
    expect(agentText()).toBe("half an ans");
    expect(at.calls("turn/start")).toHaveLength(0);
  });

  test("before turn/start reached Codex: run now", async () => {
    killed({ threads: { thread_1: "ct" }, requests: { req_lost: "executing" } }, { ct: [] });
    at.server.pending = [lost];
    await at.start();
    expect((await at.server.receipt("req_lost")).payload.ok).toBe(true);
    expect(at.calls("turn/start")).toHaveLength(1);
  });

  test("after the receipt was sent but not taken: answered again, not run again", async () => {
    killed(
      { threads: { thread_1: "ct" }, requests: { req_lost: "done" } },
      { ct: [{ id: "old_turn", status: "completed", items: [user, answer] }] },
    );
    at.server.pending = [lost];
    await at.start();
    expect((await at.server.receipt("req_lost")).payload.response.codex_turn_id).toBe("old_turn");
    expect(at.calls("turn/start")).toHaveLength(0);
  });

  test("with a turn whose end was not sent: Codex's own record is told, then that the rest ended", async () => {
    killed(
      { threads: { thread_1: "ct" }, turns: { old_turn: { codex_thread_id: "ct", turn_id: "turn_7" } } },
      { ct: [{ id: "old_turn", status: "completed", items: [user, answer] }] },
    );
    await at.start();
    const exited = await at.server.notification("codex/exited");
    const end = await completed("old_turn");
    expect(end.seq).toBeLessThan(exited.seq);
    expect(end.payload).toMatchObject({ turn_id: "turn_7", thread_id: "thread_1", params: { status: "completed" } });
    expect(agentText()).toBe("half an ans");
  });

  test("a request with its receipt that is replayed is passed over", async () => {
    killed({ requests: { req_done: "done" } }, {});
    await at.start();
    await at.server.when(() => at.server.connected === 1, "the socket");
    at.server.append("worker.response", { request_id: "req_done", ok: true });
    at.server.append(
      "worker.request",
      requestOf("turn/start", { thread_id: "thread_1", text: "x" }, { request_id: "req_done" }),
    );
    await at.server.ask("thread/list");
    expect(at.calls("turn/start")).toHaveLength(0);
  });

  test("its Codex is waited for, and ended when it stays", async () => {
    const orphan = Bun.spawn([
      "/bin/sh",
      "-c",
      "trap '' TERM; while :; do sleep 0.05; done",
      "codex",
      "app-server",
      "",
    ]);
    killed({ codex_pid: orphan.pid }, {});
    const bridge = at.start({ orphanMs: 200 });
    await orphan.exited;
    expect(orphan.signalCode).toBe("SIGKILL");
    await at.server.notification("codex/exited");
    await bridge;
  }, 30_000);

  test("a process that only has its number is left alone", async () => {
    const other = Bun.spawn(["/bin/sleep", "60"]);
    killed({ codex_pid: other.pid }, {});
    await at.start();
    expect(other.exitCode).toBeNull();
    other.kill();
    await other.exited;
  });

  test("a journal that cannot be read counts as empty", async () => {
    killed({}, {});
    writeFileSync(journalPath(at.server.url, workerId, at.env), "{ half");
    await at.start();
    expect((await turn("hello")).payload.ok).toBe(true);
  });
});

describe("older phones", () => {
  test("a handshake is acknowledged once", async () => {
    const { sessionId } = await at.start();
    await at.server.when(() => at.server.connected === 1, "the socket");
    const hello = {
      source: "ios",
      method: "ios/handshake",
      handshake_id: "hs_1",
      device_id: "phone",
      occurred_at: "2026-02-22T00:00:00Z",
    };
    at.server.append("worker.event", hello);
    at.server.append("worker.event", hello);
    const { payload } = await at.server.until(({ payload: { method } }) => method === "desktop/handshake_ack");
    expect(payload).toMatchObject({ source: "autopilot-desktop", handshake_id: "hs_1", desktop_session_id: sessionId });
    await at.server.ask("thread/list");
    expect(methods().filter((method) => method === "desktop/handshake_ack")).toHaveLength(1);
  });

  test("a message starts one turn, however often it is told", async () => {
    await at.start();
    await at.server.when(() => at.server.connected === 1, "the socket");
    const said = {
      method: "ios/user_message",
      message_id: "m1",
      thread_id: "thread_9",
      params: { text: "from the phone", reasoning: "high" },
    };
    at.server.append("worker.event", said);
    at.server.append("worker.event", said);
    await completed();
    await at.server.ask("thread/list");
    const calls = at.calls("turn/start");
    expect(calls).toHaveLength(1);
    expect(calls[0]?.params).toMatchObject({ clientUserMessageId: "m1", effort: "high" });
    expect(saidText()).toBe("from the phone");
  });
});

describe("reading", () => {
  test("thread/list stays in the workspace unless told otherwise", async () => {
    await at.start();
    await at.server.ask("thread/list", { limit: 5, search_term: "fix" });
    expect(at.calls("thread/list")[0]?.params).toEqual({
      limit: 5,
      searchTerm: "fix",
      sortKey: "updated_at",
      cwd: at.workspace,
    });
  });

  test("thread/read of a thread without turns has none", async () => {
    await at.start();
    const started = await at.server.ask("thread/start", { thread_id: "thread_1" });
    expect(started.payload.response).toMatchObject({ thread_id: "thread_1", model: "scripted" });
    const { payload } = await at.server.ask("thread/read", { thread_id: "thread_1" });
    expect(payload.response).toMatchObject({ thread_id: "thread_1", turns: [] });
  });
});
