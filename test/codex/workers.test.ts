import { expect, test } from "bun:test";
import { and, eq, lt } from "drizzle-orm";
import { codexWorkerEvents, codexWorkers } from "../../db/schema/codex";
import { notified, onBothEngines, session, workersPath } from "./world";

onBothEngines("workers", (world) => {
  test("without credentials nothing is stored", async () => {
    const answer = await world().app.send("POST", `${workersPath}/desktopw:guest/events`, {
      body: {
        event: notified(
          "ios/handshake",
          {},
          { handshake_id: "h", device_id: "d", occurred_at: "2026-02-22T00:00:00Z" },
        ),
      },
    });
    expect(answer.status).toBe(401);
    expect(answer.json.error).toEqual({ code: "unauthorized", message: "Unauthenticated." });
    const rows = await world()
      .app.ctx.db.select()
      .from(codexWorkers)
      .where(eq(codexWorkers.workerId, "desktopw:guest"));
    expect(rows).toEqual([]);
  });

  test("the life of a worker", async () => {
    const { get, post, person, app } = world();
    const ann = await person();
    const path = `${workersPath}/desktopw%3Alifecycle`;
    const made = await post(ann, workersPath, {
      worker_id: "desktopw:lifecycle",
      workspace_ref: "ws-local",
      adapter: "codex_cli",
    });
    expect(made.status).toBe(202);
    expect(made.json).toEqual({
      data: {
        workerId: "desktopw:lifecycle",
        status: "running",
        latestSeq: 0,
        idempotentReplay: false,
        pendingRequests: [],
      },
    });
    const listed = await get(ann, `${workersPath}?status=RUNNING&workspace_ref=ws-local`);
    expect(listed.json.data.map((worker: { worker_id: string }) => worker.worker_id)).toEqual(["desktopw:lifecycle"]);

    const first = await post(ann, `${path}/events`, {
      event: { event_type: "worker.event", payload: { method: "x/y", blank: " " } },
    });
    expect(first.status).toBe(202);
    expect(first.json.data).toMatchObject({ seq: 1, payload: { method: "x/y", blank: " " }, idempotent_replay: false });

    const stream = await get(ann, `${path}/stream?cursor=0&tail_ms=5000`);
    expect(stream.headers.get("content-type")).toStartWith("application/json");
    expect(stream.json.data).toMatchObject({
      worker_id: "desktopw:lifecycle",
      stream_protocol: "khala_ws",
      cursor: 0,
      tail_ms: 5000,
      next_cursor: 1,
      has_more: false,
      retention_floor: 1,
      events: [{ seq: 1, event_type: "worker.event", payload: { method: "x/y", blank: " " } }],
    });

    const stopped = await post(ann, `${path}/stop`, { reason: "done" });
    expect(stopped.status).toBe(202);
    expect(stopped.json.data).toEqual({
      worker_id: "desktopw:lifecycle",
      status: "stopped",
      seq: 2,
      idempotent_replay: false,
      idempotentReplay: false,
    });
    const again = await post(ann, `${path}/stop`);
    expect(again.json.data).toMatchObject({ seq: 2, idempotent_replay: true, idempotentReplay: true });
    const tail = await get(ann, `${path}/stream`, { "last-event-id": "1" });
    expect(tail.json.data.events).toMatchObject([
      { seq: 2, event_type: "worker.stopped", payload: { reason: "done" } },
    ]);

    for (const [where, body] of [
      ["requests", { request: { request_id: "r1", method: "thread/list" } }],
      ["events", { event: { event_type: "worker.event" } }],
    ] as const) {
      const refused = await post(ann, `${path}/${where}`, body);
      expect(refused.status).toBe(409);
      expect(refused.json.error).toEqual({
        code: "conflict",
        message: "worker is stopped; create or reattach to resume",
      });
    }
    const back = await post(ann, workersPath, { worker_id: "desktopw:lifecycle" });
    expect(back.json.data).toMatchObject({ idempotentReplay: false, latestSeq: 3, status: "running" });
    const shown = await get(ann, path);
    expect(shown.json.data).toMatchObject({ adapter: "codex_cli", workspace_ref: "ws-local", stopped_at: null });
    const started = await get(ann, `${path}/stream?cursor=2`);
    expect(started.json.data.events).toMatchObject([
      { event_type: "worker.started", payload: { status: "running", reason: "reattach" } },
    ]);
    const lifecycle = app.events.filter(({ stream: name }) => /^w:.*:lifecycle$/.test(name));
    expect(lifecycle.map(({ kind }) => kind)).toEqual(["worker.stopped", "worker.started"]);
  });

  test("reattaching a running worker is a replay; what is given overwrites, what is not stays", async () => {
    const { get, post, person } = world();
    const ann = await person();
    await post(ann, workersPath, { worker_id: "w:re", adapter: "desktop_bridge", metadata: { a: 1, b: 2 } });
    const again = await post(ann, workersPath, { worker_id: "w:re", workspace_ref: "ws", metadata: { c: 3 } });
    expect(again.json.data).toMatchObject({ idempotentReplay: true, latestSeq: 0 });
    const shown = await get(ann, `${workersPath}/w:re`);
    expect(shown.json.data).toMatchObject({ adapter: "desktop_bridge", workspace_ref: "ws", metadata: { c: 3 } });
  });

  test("a body may be absent; the id is then generated", async () => {
    const { post, person } = world();
    const made = await post(await person(), workersPath);
    expect(made.status).toBe(202);
    expect(made.json.data.workerId).toMatch(/^codexw_[0-9a-f]{32}$/);
  });

  test("two creates at once make one worker, and one of them knows", async () => {
    const { get, post, person } = world();
    const ann = await person();
    const both = await Promise.all([1, 2, 3, 4].map(() => post(ann, workersPath, { worker_id: "w:race" })));
    expect(both.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
    expect(both.filter(({ json }) => !json.data.idempotentReplay)).toHaveLength(1);
    expect((await get(ann, workersPath)).json.data).toHaveLength(1);
  });

  test("somebody else's worker is refused everywhere; shared ids are each one's own", async () => {
    const { get, post, person, request } = world();
    const [ann, ben] = [await person(), await person({ isAdmin: true })];
    await post(ann, workersPath, { worker_id: "w:anns" });
    const message = "worker does not belong to authenticated principal";
    for (const answer of [
      await post(ben, workersPath, { worker_id: "w:anns" }),
      await get(ben, `${workersPath}/w:anns`),
      await get(ben, `${workersPath}/w:anns/stream`),
      await post(ben, `${workersPath}/w:anns/stop`),
      await request(ben, "w:anns", { request_id: "r", method: "thread/list" }),
      await post(ben, `${workersPath}/w:anns/events`, { event: { event_type: "worker.event" } }),
    ]) {
      expect(answer.status).toBe(403);
      expect(answer.json).toEqual({ message, error: { code: "forbidden", message } });
    }
    for (const person_ of [ann, ben]) {
      const made = await post(person_, workersPath, { worker_id: "desktopw:shared" });
      expect(made.json.data.idempotentReplay).toBe(false);
    }
    const listed = await get(ben, workersPath);
    expect(listed.json.data.map((worker: { worker_id: string }) => worker.worker_id)).toEqual(["desktopw:shared"]);
  });

  test("unknown workers are not found and not made by reading or stopping", async () => {
    const { get, post, person } = world();
    const ann = await person();
    for (const answer of [
      await get(ann, `${workersPath}/w:none`),
      await get(ann, `${workersPath}/w:none/stream`),
      await post(ann, `${workersPath}/w:none/stop`),
    ]) {
      expect(answer.status).toBe(404);
      expect(answer.json.error).toEqual({ code: "not_found", message: "Not found." });
    }
    expect((await get(ann, workersPath)).json.data).toEqual([]);
  });

  const bad: [string, string, unknown, Record<string, string[]>][] = [
    ["GET", "?status=unsupported", undefined, { status: ["The selected status is invalid."] }],
    ["GET", "?limit=x", undefined, { limit: ["The limit field must be an integer."] }],
    ["GET", "?limit=0", undefined, { limit: ["The limit field must be at least 1."] }],
    ["GET", "?limit=201", undefined, { limit: ["The limit field must not be greater than 200."] }],
    ["GET", "/w:bad/stream?cursor=-1", undefined, { cursor: ["The cursor field must be at least 0."] }],
    ["GET", "/w:bad/stream?tail_ms=0", undefined, { tail_ms: ["The tail_ms field must be between 1 and 120000."] }],
    [
      "GET",
      "/w:bad/stream?tail_ms=120001",
      undefined,
      { tail_ms: ["The tail_ms field must be between 1 and 120000."] },
    ],
    ["POST", "", { metadata: "x" }, { metadata: ["The metadata field must be an array."] }],
    ["POST", "", { metadata: [1] }, { metadata: ["The metadata field must be an array."] }],
    ["POST", "", { worker_id: "x".repeat(161) }, { worker_id: ["Value may not be greater than 160 characters."] }],
    ["POST", "", { adapter: "x".repeat(121) }, { adapter: ["Value may not be greater than 120 characters."] }],
    ["POST", "/w:bad/stop", { reason: "x".repeat(256) }, { reason: ["Value may not be greater than 255 characters."] }],
  ];
  for (const [method, path, body, errors] of bad) {
    test(`${method} ${path} ${JSON.stringify(body)?.slice(0, 40) ?? ""} is refused`, async () => {
      const answer = await world().app.send(method, `${workersPath}${path}`, { as: await world().person(), body });
      expect(answer.status).toBe(422);
      expect(answer.json.errors).toEqual(errors);
      expect(answer.json.error.code).toBe("invalid_request");
    });
  }

  test("an empty list counts as no metadata; malformed JSON is 400", async () => {
    const { post, person, get } = world();
    const ann = await person();
    expect((await post(ann, workersPath, { worker_id: "w:md", metadata: [] })).status).toBe(202);
    expect((await get(ann, `${workersPath}/w:md`)).json.data.metadata).toEqual({});
    expect((await post(ann, workersPath, "{", { "content-type": "application/json" })).status).toBe(400);
  });

  test("a snapshot says how fresh the worker is, and who executes", async () => {
    const { get, person, attach, app } = world();
    const ann = await person();
    await attach(ann, "desktopw:snap");
    const fresh = (await get(ann, `${workersPath}/desktopw:snap`)).json.data;
    expect(fresh).toMatchObject({
      heartbeat_state: "fresh",
      heartbeat_stale_after_ms: 120000,
      khala_projection: {
        document_id: "runtime/codex_worker_summary:desktopw:snap",
        projection_version: "khala.v1",
        status: "in_sync",
        lag_events: 0,
        last_runtime_seq: 0,
      },
      executor: { session_id: session, connected: true, source: "autopilot-desktop", codex_version: null, auth: null },
      pending_requests: 0,
    });
    expect(fresh.started_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    app.clock.advance(121_000);
    const stale = (await get(ann, `${workersPath}/desktopw:snap`)).json.data;
    expect(stale).toMatchObject({ heartbeat_state: "stale", status: "running", executor: { connected: false } });
    expect(stale.heartbeat_age_ms).toBeGreaterThan(120_000);
    app.clock.advance(-121_000);
  });

  test("a cursor behind what is held is stale", async () => {
    const { get, post, person, app } = world();
    const ann = await person();
    for (let i = 0; i < 5; i++)
      await post(ann, `${workersPath}/w:stale/events`, { event: { event_type: "worker.event" } });
    const [worker] = await app.ctx.db.select().from(codexWorkers).where(eq(codexWorkers.workerId, "w:stale"));
    await app.ctx.db
      .delete(codexWorkerEvents)
      .where(and(eq(codexWorkerEvents.workerPk, worker?.id ?? ""), lt(codexWorkerEvents.seq, 4)));
    const gone = await get(ann, `${workersPath}/w:stale/stream?cursor=2`);
    expect(gone.status).toBe(410);
    expect(gone.json).toEqual({
      message: "cursor older than retention floor",
      error: { code: "stale_cursor", message: "cursor older than retention floor" },
      resume_after: 3,
      retention_floor: 4,
    });
    expect((await get(ann, `${workersPath}/w:stale/stream?cursor=3`)).json.data.events).toHaveLength(2);
    expect((await get(ann, `${workersPath}/w:stale/stream`)).json.data.events).toHaveLength(2);
  });

  test("a worker token reaches its worker only", async () => {
    const { get, post, person } = world();
    const bot = await person({ abilities: ["codex:worker"], workerId: "desktopw:mine" });
    expect((await post(bot, workersPath, {})).json.data.workerId).toBe("desktopw:mine");
    expect((await post(bot, workersPath, { worker_id: "desktopw:other" })).status).toBe(403);
    expect((await get(bot, `${workersPath}/desktopw:mine`)).status).toBe(200);
    expect((await get(bot, `${workersPath}/desktopw:other`)).status).toBe(403);
    expect((await get(bot, workersPath)).json.data).toHaveLength(1);
    const threads = await get(bot, "/api/runtime/threads");
    expect(threads.status).toBe(403);
    expect(threads.json.message).toBe("This token may only run a worker.");
  });

  test("a bridge that attaches gets what waits, oldest first, with a deadline of its own", async () => {
    const { post, person, request, get, app, attach } = world();
    const ann = await person();
    for (const id of ["q1", "q2"]) {
      const sent = await request(ann, "desktopw:queue", {
        request_id: id,
        method: "turn/start",
        params: { thread_id: "thread_queue", text: id },
      });
      expect(sent.json.data.state).toBe("queued");
    }
    const attached = await attach(ann, "desktopw:queue");
    const pending = attached.json.data.pendingRequests;
    expect(pending.map(({ request_id }: { request_id: string }) => request_id)).toEqual(["q1", "q2"]);
    expect(Object.keys(pending[0]).sort()).toEqual(
      "codex_thread_id codex_turn_id deadline_at message_id method params request_id request_version sent_at session_id source thread_id turn_id".split(
        " ",
      ),
    );
    const replay = await request(ann, "desktopw:queue", {
      request_id: "q1",
      method: "turn/start",
      params: { thread_id: "thread_queue", text: "q1" },
    });
    expect(replay.json.data).toMatchObject({ idempotent_replay: true, state: "dispatched" });
    expect((await get(ann, `${workersPath}/desktopw:queue`)).json.data.pending_requests).toBe(2);
    expect(app.jobs.some(({ kind, options }) => kind === "codex.request.deadlines" && options?.startAt)).toBe(true);
    expect((await post(ann, workersPath, { worker_id: "desktopw:queue" })).json.data.pendingRequests).toEqual([]);
  });
});
