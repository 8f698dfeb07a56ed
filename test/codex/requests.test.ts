import { expect, test } from "bun:test";
import { eq, sql } from "drizzle-orm";
import { codexControlRequests, codexThreads, codexTurns, codexWorkers } from "../../db/schema/codex";
import {
  codexThread,
  codexTurn,
  failure,
  notified,
  onBothEngines,
  receipt,
  session,
  threadsPath,
  workersPath,
} from "./world";

onBothEngines("control requests", (world) => {
  const start = (id: string, threadId = "thread_r", text = "go") => ({
    request_id: id,
    method: "turn/start",
    params: { thread_id: threadId, text },
  });

  const malformed: [string, unknown, Record<string, string[]>][] = [
    [
      "nothing",
      {},
      {
        request: ["The request field is required."],
        "request.request_id": ["Request id is required."],
        "request.method": ["Control method is not allowlisted."],
      },
    ],
    ["no id", { request: { method: "thread/list" } }, { "request.request_id": ["Request id is required."] }],
    [
      "a long id",
      { request: { request_id: "x".repeat(161), method: "thread/list" } },
      { "request.request_id": ["Value may not be greater than 160 characters."] },
    ],
    [
      "a foreign method",
      { request: { request_id: "r", method: "shell/exec" } },
      { "request.method": ["Control method is not allowlisted."] },
    ],
    [
      "params that are a list",
      { request: { request_id: "r", method: "thread/list", params: [1] } },
      { "request.params": ["The request.params field must be an array."] },
    ],
    [
      "params that are a text",
      { request: { request_id: "r", method: "thread/list", params: "x" } },
      { "request.params": ["The request.params field must be an array."] },
    ],
    [
      "a bad time",
      { request: { request_id: "r", method: "thread/list", sent_at: "yesterday" } },
      { "request.sent_at": ["The request.sent_at field must be a valid date."] },
    ],
    [
      "a long source",
      { request: { request_id: "r", method: "thread/list", source: "x".repeat(121) } },
      { "request.source": ["Value may not be greater than 120 characters."] },
    ],
  ];
  for (const [name, body, errors] of malformed) {
    test(`${name}: refused without a trace`, async () => {
      const { person, post, app } = world();
      const ann = await person();
      const answer = await post(ann, `${workersPath}/w:never/requests`, body);
      expect(answer.status).toBe(422);
      expect(answer.json.errors).toEqual(errors);
      const owned = await app.ctx.db.select().from(codexWorkers).where(eq(codexWorkers.ownerUserId, ann.id));
      expect(owned).toEqual([]);
    });
  }

  test("turn/start stores thread, turn and message, and asks the worker", async () => {
    const { person, request, get, app } = world();
    const ann = await person();
    const answer = await request(ann, "desktopw:shared", {
      ...start("req_turn_1", "thread-control-1", " continue "),
      method: "Turn/Start ",
      source: "openagents-web-shell",
      sent_at: "2026-02-21T23:50:00Z",
      request_version: "v1",
    });
    expect(answer.status).toBe(200);
    const { turn, message } = answer.json.data.response;
    expect(answer.json.data).toEqual({
      worker_id: "desktopw:shared",
      request_id: "req_turn_1",
      ok: true,
      method: "turn/start",
      idempotent_replay: false,
      response: {
        thread_id: "thread-control-1",
        turn: { id: expect.stringMatching(/^turn_[0-9a-f]{32}$/) },
        message: {
          id: expect.stringMatching(/^msg_[0-9a-f]{32}$/),
          thread_id: "thread-control-1",
          role: "user",
          text: "continue",
        },
        status: "accepted",
        method: "turn/start",
      },
      source: "openagents-web-shell",
      request_version: "v1",
      state: "queued",
    });
    const messages = await get(ann, `${threadsPath}/thread-control-1/messages`);
    expect(messages.json.data.messages[0]).toMatchObject({ message_id: message.id, text: "continue", role: "user" });
    const event = app.events.find(({ kind, payload }) => {
      const said = payload as { payload?: { request_id?: string } };
      return kind === "worker.request" && said.payload?.request_id === "req_turn_1";
    });
    expect(event?.stream).toBe(`u:${ann.id}:codex.events`);
    expect((event?.payload as { payload: unknown } | undefined)?.payload).toEqual({
      request_id: "req_turn_1",
      method: "turn/start",
      params: { thread_id: "thread-control-1", text: " continue " },
      request_version: "v1",
      source: "openagents-web-shell",
      sent_at: "2026-02-21T23:50:00Z",
      session_id: null,
      thread_id: "thread-control-1",
      codex_thread_id: null,
      turn_id: turn.id,
      codex_turn_id: null,
      message_id: message.id,
      deadline_at: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    const summaries = app.events.filter(({ stream }) => stream === `u:${ann.id}:codex.summaries`);
    expect(summaries).toHaveLength(1);
    expect(summaries[0]).toMatchObject({
      docKey: "runtime/codex_worker_summary:desktopw:shared",
      docVersion: 1,
      payload: { worker_id: "desktopw:shared", latest_seq: 1, pending_requests: 1 },
    });
    await app.ctx.log.flush();
    expect(app.log.some((line) => line.includes("runtime codex control request dispatched"))).toBe(true);
  });

  test("an id that was never registered is provisioned", async () => {
    const { person, request, get } = world();
    const ann = await person();
    expect((await request(ann, "w:auto", { request_id: "r", method: "thread/start", params: [] })).status).toBe(200);
    expect((await get(ann, `${workersPath}/w:auto`)).json.data).toMatchObject({
      status: "running",
      adapter: "in_memory",
    });
  });

  test("the correlation id is the request's when the header is missing or blank", async () => {
    const { person, post } = world();
    const ann = await person();
    const body = { request: { request_id: "req_corr_1", method: "thread/list" } };
    const path = `${workersPath}/w:corr/requests`;
    expect((await post(ann, path, body)).headers.get("x-request-id")).toBe("req_corr_1");
    expect((await post(ann, path, body, { "x-request-id": " " })).headers.get("x-request-id")).toBe("req_corr_1");
    expect((await post(ann, path, body, { "x-request-id": "mine" })).headers.get("x-request-id")).toBe("mine");
  });

  test("the same id twice acts once; another command under it is a conflict", async () => {
    const { person, request, get, post } = world();
    const ann = await person();
    const first = await request(ann, "w:twice", start("same"));
    const second = await request(ann, "w:twice", { ...start("same"), source: "elsewhere" });
    expect(second.json.data).toMatchObject({ idempotent_replay: true, response: first.json.data.response });
    expect(second.json.data.source).toBeUndefined();
    const other = await request(ann, "w:twice", start("same", "thread_r", "something else"));
    expect(other.status).toBe(409);
    expect(other.json.error).toEqual({
      code: "conflict",
      message: "request_id payload mismatch for existing control request",
    });
    expect((await get(ann, `${threadsPath}/thread_r/messages`)).json.data.messages).toHaveLength(1);
    await post(ann, `${workersPath}/w:twice/stop`);
    const stopped = await request(ann, "w:twice", start("same"));
    expect(stopped.json.data).toMatchObject({
      idempotent_replay: true,
      state: "failed",
      receipt: { event_type: "worker.error", payload: { code: "conflict", retryable: true } },
    });
  });

  test("the same id at once acts once, also on a worker nobody had", async () => {
    const { person, request, get, app } = world();
    const ann = await person();
    const all = await Promise.all(
      Array.from({ length: 6 }, () => request(ann, "w:once", start("once", "thread_once"))),
    );
    expect(all.map(({ status }) => status)).toEqual(Array(6).fill(200));
    expect(all.filter(({ json }) => !json.data.idempotent_replay)).toHaveLength(1);
    expect(new Set(all.map(({ json }) => json.data.response.turn.id)).size).toBe(1);
    expect((await get(ann, `${threadsPath}/thread_once/messages`)).json.data.messages).toHaveLength(1);
    const turns = await app.ctx.db.select().from(codexTurns).where(eq(codexTurns.threadId, "thread_once"));
    expect(turns).toHaveLength(1);
  });

  test("every request is audited, replays too", async () => {
    const { person, request, app } = world();
    const ann = await person();
    for (let i = 0; i < 2; i++) await request(ann, "w:audit", { request_id: "a1", method: "thread/list" });
    const rows = await app.ctx.store.rows<{ attributes: unknown }>(
      sql`select attributes from audit_events
        where event_name = 'runtime.codex.control.request.accepted' and user_id = ${ann.id} order by id`,
    );
    expect(rows.map(({ attributes }) => attributes)).toEqual(
      ["false", "true"].map((replay) => ({
        worker_id: "w:audit",
        control_request_id: "a1",
        method: "thread/list",
        idempotent_replay: replay,
      })),
    );
  });

  const parameters: [string, object, number, string, string?][] = [
    ["resume without a thread", { method: "thread/resume" }, 422, "Thread id is required.", "request.params.thread_id"],
    [
      "resume of an unknown thread",
      { method: "thread/resume", params: { thread_id: "thread_no" } },
      404,
      "Thread not found.",
    ],
    ["read without a thread", { method: "thread/read" }, 422, "Thread id is required.", "request.params.thread_id"],
    ["read of an unknown thread", { method: "thread/read", thread_id: "thread_no" }, 404, "Thread not found."],
    [
      "a turn without a thread",
      { method: "turn/start", params: { text: "x" } },
      422,
      "Thread id is required.",
      "request.params.thread_id",
    ],
    [
      "a turn without text",
      { method: "turn/start", params: { threadId: "t", text: "  " } },
      422,
      "Message text is required.",
      "request.params.text",
    ],
    [
      "a turn with too much text",
      { method: "turn/start", params: { threadId: "t", text: "x".repeat(20_001) } },
      422,
      "Message text exceeds 20000 characters.",
      "request.params.text",
    ],
    [
      "a start with too much text",
      { method: "thread/start", params: { text: "x".repeat(20_001) } },
      422,
      "Message text exceeds 20000 characters.",
      "request.params.text",
    ],
    [
      "an interrupt without a thread",
      { method: "turn/interrupt" },
      422,
      "Thread id is required.",
      "request.params.thread_id",
    ],
    [
      "an interrupt of nothing",
      { method: "turn/interrupt", params: { thread_id: "thread_no" } },
      409,
      "no active turn to interrupt",
    ],
    [
      "an answer without id",
      { method: "serverRequest/respond", params: { decision: "accept" } },
      422,
      "Server request id is required.",
      "request.params.server_request_id",
    ],
    [
      "an answer without answer",
      { method: "serverRequest/respond", params: { server_request_id: "s:0" } },
      422,
      "The request.params.decision field is required when request.params.response is not present.",
      "request.params.decision",
    ],
    [
      "an answer to nothing",
      { method: "SERVERREQUEST/RESPOND", params: { server_request_id: "s:0", decision: "accept" } },
      404,
      "Not found.",
    ],
  ];
  for (const [name, request, status, message, field] of parameters) {
    test(`${name}: ${status}`, async () => {
      const answer = await world().request(await world().person(), "desktopw:shared", { request_id: "p", ...request });
      expect(answer.status).toBe(status);
      expect(answer.json.message).toBe(message);
      if (field) expect(answer.json.errors).toEqual({ [field]: [message] });
    });
  }

  test("a thread of somebody else is not available, whatever the method", async () => {
    const { person, request } = world();
    const [ann, ben] = [await person(), await person()];
    await request(ann, "desktopw:shared", start("r", "thread_anns"));
    for (const method of ["thread/start", "thread/resume", "thread/read", "turn/start", "turn/interrupt"]) {
      const answer = await request(ben, "desktopw:shared", {
        request_id: `x-${method}`,
        method,
        params: { thread_id: "thread_anns", text: "hi" },
      });
      expect(answer.status).toBe(403);
      expect(answer.json.error).toEqual({ code: "forbidden", message: "Requested thread is not available." });
    }
  });

  test("without a bridge the server answers from the read-model itself", async () => {
    const { person, request, get } = world();
    const ann = await person();
    const made = await request(ann, "w:model", { request_id: "1", method: "thread/start", params: {} });
    const threadId = made.json.data.response.thread_id;
    expect(threadId).toMatch(/^thread_[0-9a-f]{32}$/);
    expect(made.json.data).toMatchObject({
      state: "succeeded",
      receipt: {
        event_type: "worker.response",
        seq: 2,
        payload: { request_id: "1", method: "thread/start", ok: true },
      },
    });
    await request(ann, "w:model", start("2", threadId, "hello"));
    const resumed = await request(ann, "w:model", { request_id: "3", method: "thread/resume", params: { threadId } });
    expect(resumed.json.data).toMatchObject({ state: "succeeded", response: { thread_id: threadId } });
    const listed = await request(ann, "w:model", { request_id: "4", method: "thread/list", params: { limit: 5 } });
    expect(listed.json.data.response.threads).toMatchObject([
      { thread_id: threadId, message_count: 1, preview: "hello" },
    ]);
    const read = await request(ann, "w:model", { request_id: "5", method: "thread/read", thread_id: threadId });
    expect(read.json.data.response).toMatchObject({
      thread_id: threadId,
      messages: [{ text: "hello" }],
      turns: [{ status: "queued", items: [] }],
    });
    const types = (await get(ann, `${workersPath}/w:model/stream`)).json.data.events.map(
      (event: { event_type: string }) => event.event_type,
    );
    expect(types.filter((type: string) => type === "worker.response")).toHaveLength(4);
    expect(types[2]).toBe("worker.request");
    expect(types[3]).toBe("worker.request");
  });

  test("thread/start with text starts a turn", async () => {
    const { person, request } = world();
    const answer = await request(await person(), "w:st", {
      request_id: "1",
      method: "thread/start",
      params: { message: "hi" },
    });
    expect(answer.json.data.state).toBe("queued");
    expect(Object.keys(answer.json.data.response)).toEqual(expect.arrayContaining(["thread_id", "turn", "message"]));
  });

  test("with a bridge everything is dispatched, and the answer is the read-model's", async () => {
    const { person, request, attach } = world();
    const ann = await person();
    await attach(ann, "desktopw:live");
    const answer = await request(ann, "desktopw:live", { request_id: "1", method: "thread/list" });
    expect(answer.json.data).toMatchObject({ state: "dispatched", response: { threads: [], next_cursor: null } });
    expect(answer.json.data.receipt).toBeUndefined();
  });

  test("an interrupt of a turn that waits takes it back", async () => {
    const { person, request, get } = world();
    const ann = await person();
    const turn = await request(ann, "w:cancel", start("t1", "thread_cancel"));
    const answer = await request(ann, "w:cancel", {
      request_id: "i1",
      method: "turn/interrupt",
      params: { thread_id: "thread_cancel" },
    });
    expect(answer.json.data).toMatchObject({
      state: "succeeded",
      response: { thread_id: "thread_cancel", turn_id: turn.json.data.response.turn.id, status: "interrupted" },
    });
    const replay = await request(ann, "w:cancel", start("t1", "thread_cancel"));
    expect(replay.json.data.receipt).toMatchObject({
      event_type: "worker.error",
      payload: { code: "conflict", message: "turn interrupted before dispatch" },
    });
    const shown = await get(ann, `${threadsPath}/thread_cancel`);
    expect(shown.json.data.turns[0]).toMatchObject({ status: "interrupted", error: { code: "conflict" } });
    const events = (await get(ann, `${workersPath}/w:cancel/stream`)).json.data.events;
    expect(events.map((event: { event_type: string }) => event.event_type)).toEqual([
      "worker.request",
      "worker.request",
      "worker.error",
      "worker.response",
    ]);
    const again = await request(ann, "w:cancel", {
      request_id: "i2",
      method: "turn/interrupt",
      params: { thread_id: "thread_cancel" },
    });
    expect(again.status).toBe(409);
  });

  test("an interrupt of a running turn is dispatched; of an ended one it is a conflict", async () => {
    const { person, request, attach, runningTurn, events, get } = world();
    const ann = await person();
    await attach(ann, "desktopw:int");
    const { turnId } = await runningTurn(ann, "desktopw:int", "thread_int");
    const interrupt = (id: string, params = {}) =>
      request(ann, "desktopw:int", {
        request_id: id,
        method: "turn/interrupt",
        params: { thread_id: "thread_int", ...params },
      });
    const sent = await interrupt("i1");
    expect(sent.json.data).toMatchObject({ state: "dispatched", response: { turn_id: turnId } });
    expect((await get(ann, `${threadsPath}/thread_int`)).json.data.turns[0].interrupt_requested_at).toBeString();
    await events(ann, "desktopw:int", failure("i1", { code: "internal_error", message: "no", retryable: false }));
    expect((await get(ann, `${threadsPath}/thread_int`)).json.data.turns[0].interrupt_requested_at).toBeNull();
    expect((await interrupt("i2", { turn_id: codexTurn })).json.data.response.turn_id).toBe(turnId);
    await events(
      ann,
      "desktopw:int",
      notified("turn/completed", { threadId: codexThread, turn: { id: codexTurn, status: "completed" } }),
    );
    for (const params of [{}, { turnId }, { turn_id: "turn_unknown" }]) {
      const refused = await interrupt(`i3${JSON.stringify(params)}`, params);
      expect(refused.status).toBe(409);
      expect(refused.json.error).toEqual({ code: "conflict", message: "no active turn to interrupt" });
    }
    const unknown = await request(ann, "desktopw:int", {
      request_id: "i4",
      method: "turn/interrupt",
      params: { thread_id: "thread_never", turn_id: "turn_never" },
    });
    expect(unknown.json.data.response).toEqual({
      thread_id: "thread_never",
      turn_id: "turn_never",
      status: "interrupted",
    });
  });

  test("one of two answers to an approval wins; a failed one may be given again", async () => {
    const { person, request, attach, runningTurn, events, get } = world();
    const ann = await person();
    await attach(ann, "desktopw:ask");
    const { turnId } = await runningTurn(ann, "desktopw:ask", "thread_ask");
    const id = `${session}:0`;
    await events(
      ann,
      "desktopw:ask",
      notified(
        "item/commandExecution/requestApproval",
        { threadId: codexThread, turnId: codexTurn, itemId: "call_1", command: "ls" },
        { server_request_id: id, available_decisions: ["accept", "cancel"] },
      ),
    );
    const asked = (await get(ann, `${threadsPath}/thread_ask`)).json.data.turns[0];
    expect(asked.id).toBe(turnId);
    expect(asked.server_requests).toMatchObject([
      {
        server_request_id: id,
        method: "item/commandExecution/requestApproval",
        status: "pending",
        item_id: "call_1",
        params: { command: "ls" },
        available_decisions: ["accept", "cancel"],
        decision: null,
        resolved_at: null,
      },
    ]);
    const answer = (requestId: string, decision: string) =>
      request(ann, "desktopw:ask", {
        request_id: requestId,
        method: "serverRequest/respond",
        params: { server_request_id: id, decision },
      });
    const both = await Promise.all([answer("a1", "accept"), answer("a2", "decline")]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
    const winner = both.find(({ status }) => status === 200);
    const loser = both.find(({ status }) => status === 409);
    expect(winner?.json.data).toMatchObject({
      method: "serverRequest/respond",
      response: { thread_id: "thread_ask", server_request_id: id, status: "accepted" },
    });
    expect(loser?.json.error).toEqual({ code: "conflict", message: "server request is already resolved" });
    const winning = both[0]?.status === 200 ? "a1" : "a2";
    await events(ann, "desktopw:ask", failure(winning, { code: "invalid_request", message: "bad", retryable: false }));
    expect((await answer("a3", "accept")).status).toBe(200);
    await events(
      ann,
      "desktopw:ask",
      receipt("a3", { thread_id: "thread_ask", server_request_id: id, decision: "accept" }),
      notified("serverRequest/resolved", { threadId: codexThread, requestId: 0 }),
    );
    const after = (await get(ann, `${threadsPath}/thread_ask`)).json.data.turns[0].server_requests[0];
    expect(after).toMatchObject({ status: "resolved", decision: "accept" });
    expect((await answer("a4", "accept")).status).toBe(409);
  });

  test("a new session makes answers to the old one's questions stale, and ends what ran in it", async () => {
    const { person, request, attach, runningTurn, events, get } = world();
    const ann = await person();
    await attach(ann, "desktopw:sess");
    await runningTurn(ann, "desktopw:sess", "thread_sess");
    await events(
      ann,
      "desktopw:sess",
      notified(
        "item/fileChange/requestApproval",
        { threadId: codexThread, turnId: codexTurn, itemId: "call_2" },
        { server_request_id: `${session}:7` },
      ),
    );
    await attach(ann, "desktopw:sess", "session_new");
    const shown = (await get(ann, `${threadsPath}/thread_sess`)).json.data;
    expect(shown.turns[0]).toMatchObject({
      status: "failed",
      error: { message: "codex app-server exited" },
      server_requests: [{ status: "expired" }],
    });
    expect(shown.thread).toMatchObject({ active_turn_id: null, status: "idle" });
    const answer = await request(ann, "desktopw:sess", {
      request_id: "late",
      method: "serverRequest/respond",
      params: { server_request_id: `${session}:7`, decision: "accept" },
    });
    expect(answer.status).toBe(409);
    expect(answer.json.error).toMatchObject({ code: "conflict", details: { current_session_id: "session_new" } });
  });

  test("a worker token may not answer the server's own approvals", async () => {
    const { person, request } = world();
    const bot = await person({ abilities: ["codex:worker"], workerId: "desktopw:bot" });
    const answer = await request(bot, "desktopw:bot", {
      request_id: "o1",
      method: "serverRequest/respond",
      params: { server_request_id: "oa:receipt_1", decision: "accept" },
    });
    expect(answer.status).toBe(403);
    expect(answer.json.message).toBe("This token may not answer approvals of the server.");
  });

  test("stopping gives up what waits and interrupts what runs", async () => {
    const { person, request, attach, runningTurn, post, get } = world();
    const ann = await person();
    await attach(ann, "desktopw:stop");
    await runningTurn(ann, "desktopw:stop", "thread_stop");
    await request(ann, "desktopw:stop", start("later", "thread_stop2"));
    const before = (await get(ann, `${workersPath}/desktopw:stop`)).json.data.latest_seq;
    const stopped = await post(ann, `${workersPath}/desktopw:stop/stop`);
    expect(stopped.json.data.seq).toBe(before + 2);
    const events = (await get(ann, `${workersPath}/desktopw:stop/stream?cursor=${before}`)).json.data.events;
    expect(events).toMatchObject([
      {
        event_type: "worker.error",
        payload: {
          request_id: "later",
          code: "conflict",
          message: "worker is stopped; create or reattach to resume",
          retryable: true,
        },
      },
      { event_type: "worker.stopped", payload: { reason: "requested" } },
    ]);
    expect((await get(ann, `${threadsPath}/thread_stop`)).json.data.turns[0].status).toBe("interrupted");
    expect((await get(ann, `${threadsPath}/thread_stop2`)).json.data.turns[0]).toMatchObject({
      status: "failed",
      error: { code: "conflict" },
    });
    expect((await get(ann, `${workersPath}/desktopw:stop`)).json.data.pending_requests).toBe(0);
  });

  test("a worker without a ChatGPT account takes no turns", async () => {
    const { person, request, attach, events, post } = world();
    const ann = await person();
    await attach(ann, "desktopw:acc");
    const report = (auth_mode: string | null) =>
      events(
        ann,
        "desktopw:acc",
        notified("codex/auth_state", {
          hydration_status: `CODEX_AUTH_HYDRATION_STATUS_${auth_mode ? "AUTHENTICATED" : "UNAUTHENTICATED"}`,
          auth_mode,
          requires_openai_auth: true,
        }),
      );
    await report(null);
    for (const method of ["thread/start", "thread/resume", "turn/start"]) {
      const refused = await request(ann, "desktopw:acc", {
        request_id: method,
        method,
        params: { thread_id: "t", text: "x" },
      });
      expect(refused.status).toBe(403);
      expect(refused.json.message).toBe("Codex chat requires an authenticated ChatGPT account.");
      expect(refused.headers.get("x-oa-chat-auth-policy")).toBe("codex-auth-required");
    }
    expect((await request(ann, "desktopw:acc", { request_id: "l", method: "thread/list" })).status).toBe(200);
    expect((await post(ann, `${threadsPath}/thread_acc/messages`, { text: "x" })).status).toBe(403);
    await report("chatgpt");
    expect((await request(ann, "desktopw:acc", start("ok", "thread_acc"))).status).toBe(200);
  });

  test("60 requests a minute and no more; refused ones count, throttled ones do not", async () => {
    const { person, request } = world();
    const ann = await person();
    const statuses: number[] = [];
    for (let i = 0; i < 60; i++) {
      statuses.push((await request(ann, "w:rate", { request_id: `l${i}`, method: i ? "thread/list" : "no" })).status);
    }
    expect(statuses.filter((status) => status === 200)).toHaveLength(59);
    const refused = await request(ann, "w:rate", { request_id: "l60", method: "thread/list" });
    expect(refused.status).toBe(429);
    expect(refused.json.error.code).toBe("rate_limited");
    expect(refused.json.message).toMatch(/^Too many requests\. Retry in \d+s\.$/);
  });

  test("rows of a request say what was asked", async () => {
    const { person, request, app } = world();
    const ann = await person();
    await request(ann, "w:rows", {
      ...start("row", "thread_rows"),
      session_id: "s1",
      params: { text: "x", thread_id: "thread_rows", model: "m", reasoning: "high" },
    });
    const [row] = await app.ctx.db.select().from(codexControlRequests).where(eq(codexControlRequests.requestId, "row"));
    expect(row).toMatchObject({
      method: "turn/start",
      sessionId: "s1",
      threadId: "thread_rows",
      state: "queued",
      userId: ann.id,
    });
    const [turn] = await app.ctx.db
      .select()
      .from(codexTurns)
      .where(eq(codexTurns.id, row?.turnId ?? ""));
    expect(turn).toMatchObject({ model: "m", effort: "high", requestId: "row", status: "queued" });
    const [thread] = await app.ctx.db.select().from(codexThreads).where(eq(codexThreads.threadId, "thread_rows"));
    expect(thread).toMatchObject({ origin: "openagents", messageCount: 1, preview: "x" });
  });
});
