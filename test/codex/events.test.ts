import { expect, test } from "bun:test";
import { failure, notified, onBothEngines, receipt, session, threadsPath, workersPath } from "./world";

const at = "2026-02-22T00:00:00Z";

onBothEngines("worker events", (world) => {
  const ack = (handshake_id: string) =>
    notified("desktop/handshake_ack", {}, { handshake_id, desktop_session_id: "d1", occurred_at: at });
  const knock = (handshake_id: string) =>
    notified("ios/handshake", {}, { handshake_id, device_id: "phone", occurred_at: at, session_id: undefined });
  const type = (event_type: unknown, more = {}) => ({ event: { event_type, ...more } });
  const handshake = (payload: object) => type("worker.event", { payload });
  const whole = { source: "ios", method: "ios/handshake", handshake_id: "h", device_id: "d", occurred_at: at };

  const refused: [string, unknown, Record<string, string[]>][] = [
    [
      "nothing",
      {},
      {
        event: ["The event field is required."],
        "event.event_type": ["The event.event_type field is required."],
      },
    ],
    ["no type", { event: { payload: { a: 1 } } }, { "event.event_type": ["The event.event_type field is required."] }],
    ["a foreign type", type("runtime.x"), { "event.event_type": ["The event.event_type field format is invalid."] }],
    [
      "a long type",
      type(`worker.${"x".repeat(160)}`),
      { "event.event_type": ["Value may not be greater than 160 characters."] },
    ],
    [
      "the server's own type",
      type("worker.request"),
      { "event.event_type": ["worker.request events are produced by the control lane."] },
    ],
    [
      "a payload that is a text",
      type("worker.event", { payload: "x" }),
      { "event.payload": ["The event.payload field must be an object."] },
    ],
    [
      "a payload that is a list",
      type("worker.event", { payload: [1] }),
      { "event.payload": ["The event.payload field must be an object."] },
    ],
    [
      "a long event id",
      type("worker.event", { event_id: "x".repeat(161) }),
      { "event.event_id": ["Value may not be greater than 160 characters."] },
    ],
    [
      "a handshake without device",
      handshake({ ...whole, device_id: " " }),
      { "event.payload.device_id": ["ios/handshake requires device_id."] },
    ],
    [
      "a handshake without source",
      handshake({ ...whole, source: undefined }),
      { "event.payload": ["Handshake payload is missing required fields."] },
    ],
    [
      "a handshake at no time",
      handshake({ ...whole, occurred_at: "soon" }),
      { "event.payload.occurred_at": ["The occurred_at field must be a valid RFC3339 timestamp."] },
    ],
    [
      "an ack without session",
      handshake({ ...whole, method: "desktop/handshake_ack" }),
      { "event.payload.desktop_session_id": ["desktop/handshake_ack requires desktop_session_id."] },
    ],
    [
      "a receipt without request",
      type("worker.response"),
      { "event.payload": ["Receipt payload is missing request_id."] },
    ],
    ["an empty batch", { events: [] }, { events: ["The events field must have at least 1 items."] }],
    [
      "a batch with one bad event",
      { events: [{ event_type: "worker.event" }, { event_type: "worker.request" }] },
      { "events.1.event_type": ["worker.request events are produced by the control lane."] },
    ],
  ];
  for (const [name, body, errors] of refused) {
    test(`${name} is refused and makes no worker`, async () => {
      const { person, post, get } = world();
      const ann = await person();
      const answer = await post(ann, `${workersPath}/w:shape/events`, body);
      expect(answer.status).toBe(422);
      expect(answer.json.errors).toEqual(errors);
      expect((await get(ann, `${workersPath}/w:shape`)).status).toBe(404);
    });
  }

  test("too many events in one batch", async () => {
    const { person, post } = world();
    const answer = await post(await person(), `${workersPath}/w:many/events`, {
      events: Array.from({ length: 101 }, () => ({ event_type: "worker.event" })),
    });
    expect(answer.status).toBe(422);
  });

  test("an unknown worker is provisioned; events are numbered from 1 without gaps, whoever comes at once", async () => {
    const { person, post, get } = world();
    const ann = await person();
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        post(ann, `${workersPath}/w:seq/events`, { event: { event_type: "worker.note", payload: { i } } }),
      ),
    );
    expect(all.map(({ status }) => status)).toEqual(Array(20).fill(202));
    expect(all.map(({ json }) => json.data.seq).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
    expect((await get(ann, `${workersPath}/w:seq`)).json.data.latest_seq).toBe(20);
  });

  test("the time of an event is its own when it says one", async () => {
    const { person, post } = world();
    const ann = await person();
    const own = await post(
      ann,
      `${workersPath}/w:time/events`,
      type("worker.note", { payload: { occurred_at: "2026-02-22T01:00:00.9+01:00" } }),
    );
    expect(own.json.data.occurred_at).toBe(at);
    const none = await post(
      ann,
      `${workersPath}/w:time/events`,
      type("worker.note", { payload: { occurred_at: "no" } }),
    );
    expect(none.json.data.occurred_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });

  test("an event id is stored once, alone or in a batch", async () => {
    const { person, events, get } = world();
    const ann = await person();
    const event = (event_id: string) => ({ event_type: "worker.note", event_id, payload: { event_id } });
    const first = await events(ann, "w:id", event("a"), event("b"), event("a"));
    expect(first.json.data).toEqual({
      worker_id: "w:id",
      latest_seq: 2,
      events: [
        { seq: 1, event_type: "worker.note", idempotent_replay: false },
        { seq: 2, event_type: "worker.note", idempotent_replay: false },
        { seq: 1, event_type: "worker.note", idempotent_replay: true },
      ],
    });
    const again = await events(ann, "w:id", event("b"), event("c"));
    expect(again.json.data.events.map(({ seq }: { seq: number }) => seq)).toEqual([2, 3]);
    const raced = await Promise.all([1, 2, 3].map(() => events(ann, "w:id", event("d"))));
    expect(raced.map(({ json }) => json.data.events[0].seq)).toEqual([4, 4, 4]);
    expect((await get(ann, `${workersPath}/w:id`)).json.data.latest_seq).toBe(4);
  });

  test("one receipt a request: the first counts, what it leaves out is filled in", async () => {
    const { person, attach, request, events, get, post, app } = world();
    const ann = await person();
    await attach(ann, "desktopw:rec");
    await request(ann, "desktopw:rec", { request_id: "r1", method: "thread/list" });
    const first = await post(ann, `${workersPath}/desktopw:rec/events`, { event: receipt("r1", { threads: [] }) });
    expect(first.json.data).toMatchObject({
      seq: 2,
      payload: { request_id: "r1", method: "thread/list", ok: true, response: { threads: [] } },
      idempotent_replay: false,
    });
    expect(first.json.data.payload.occurred_at).toMatch(/Z$/);
    const second = await post(ann, `${workersPath}/desktopw:rec/events`, {
      event: failure("r1", { code: "timeout", message: "late" }),
    });
    expect(second.status).toBe(202);
    expect(second.json.data).toMatchObject({ seq: 2, event_type: "worker.response", idempotent_replay: true });
    const polled = await request(ann, "desktopw:rec", { request_id: "r1", method: "thread/list" });
    expect(polled.json.data).toMatchObject({
      state: "succeeded",
      idempotent_replay: true,
      receipt: { event_type: "worker.response", seq: 2 },
    });
    expect((await get(ann, `${workersPath}/desktopw:rec`)).json.data).toMatchObject({
      latest_seq: 2,
      pending_requests: 0,
    });

    await request(ann, "desktopw:rec", { request_id: "r2", method: "thread/list" });
    const raced = await Promise.all([
      events(ann, "desktopw:rec", receipt("r2", {})),
      events(ann, "desktopw:rec", failure("r2", { code: "internal_error", message: "x" })),
      events(ann, "desktopw:rec", receipt("r2", {})),
    ]);
    expect(new Set(raced.map(({ json }) => json.data.events[0].seq)).size).toBe(1);
    expect(raced.filter(({ json }) => !json.data.events[0].idempotent_replay)).toHaveLength(1);

    const unknown = await events(ann, "desktopw:rec", failure("nobody", { code: "x", message: "y" }));
    expect(unknown.json.data.events[0]).toMatchObject({ event_type: "worker.error", idempotent_replay: false });
    const summary = app.events.findLast(({ kind }) => kind === "worker.summary");
    expect(summary?.docVersion).toBe(unknown.json.data.latest_seq);
  });

  test("a handshake is acknowledged once", async () => {
    const { person, events } = world();
    const ann = await person();
    expect((await events(ann, "w:hs", knock("h1"))).status).toBe(202);
    expect((await events(ann, "w:hs", knock("h1"), ack("h1"))).status).toBe(202);
    for (const late of [knock("h1"), ack("h1")]) {
      const answer = await events(ann, "w:hs", late);
      expect(answer.status).toBe(409);
      expect(answer.json.error).toEqual({ code: "conflict", message: "handshake already acknowledged" });
    }
    const twice = await events(ann, "w:hs", ack("h2"), ack("h2"));
    expect(twice.status).toBe(409);
    expect((await events(ann, "w:hs", ack("h2"))).json.data.latest_seq).toBe(4);
  });

  test("heartbeats are the server's time, and may change the metadata", async () => {
    const { person, attach, post, get, app } = world();
    const ann = await person();
    await attach(ann, "desktopw:beat");
    app.clock.advance(150_000);
    expect((await get(ann, `${workersPath}/desktopw:beat`)).json.data.heartbeat_state).toBe("stale");
    await post(ann, `${workersPath}/desktopw:beat/events`, {
      event: {
        event_type: "worker.heartbeat",
        payload: { status: "running", session_id: session, observed_at: at, metadata_patch: { active_turns: 2 } },
      },
    });
    const shown = (await get(ann, `${workersPath}/desktopw:beat`)).json.data;
    expect(shown).toMatchObject({
      heartbeat_state: "fresh",
      latest_seq: 1,
      metadata: { source: "autopilot-desktop", session_id: session, active_turns: 2 },
    });
    app.clock.advance(-150_000);
  });

  test("another session than the executor's is stale; events without one are not", async () => {
    const { person, attach, events } = world();
    const ann = await person();
    await attach(ann, "desktopw:att");
    await attach(ann, "desktopw:att", "session_2");
    const stale = await events(ann, "desktopw:att", notified("x/y", {}));
    expect(stale.status).toBe(409);
    expect(stale.json.error).toEqual({
      code: "conflict",
      message: "stale attachment: worker is attached to another session",
      details: { current_session_id: "session_2" },
    });
    const phone = await events(ann, "desktopw:att", { event_type: "worker.event", payload: { method: "ios/ping" } });
    expect(phone.status).toBe(202);
  });

  test("status events move the worker as the table allows, others are refused", async () => {
    const { person, events, get, post } = world();
    const ann = await person();
    const event = (word: string, payload = {}) => ({ event_type: `worker.${word}`, payload });
    expect((await events(ann, "w:move", event("stopping"))).status).toBe(202);
    expect((await get(ann, `${workersPath}/w:move`)).json.data.status).toBe("stopping");
    const other = await events(ann, "w:move", event("note"));
    expect(other.json.error.message).toBe("worker is stopped; create or reattach to resume");
    expect((await events(ann, "w:move", event("stopped"))).status).toBe(202);
    expect((await get(ann, `${workersPath}/w:move`)).json.data).toMatchObject({ status: "stopped" });
    expect((await events(ann, "w:move", event("failed"))).status).toBe(409);
    await post(ann, workersPath, { worker_id: "w:move" });
    expect((await events(ann, "w:move", event("stopping"), event("failed"))).status).toBe(202);
    expect((await get(ann, `${workersPath}/w:move`)).json.data).toMatchObject({
      status: "failed",
      heartbeat_state: "failed",
    });
  });

  test("a batch is stored whole or not at all", async () => {
    const { person, events, get } = world();
    const ann = await person();
    await events(ann, "w:whole", { event_type: "worker.note" });
    const answer = await events(ann, "w:whole", { event_type: "worker.note" }, ack("w1"), ack("w1"));
    expect(answer.status).toBe(409);
    expect((await get(ann, `${workersPath}/w:whole`)).json.data.latest_seq).toBe(1);
  });

  test("a refused input leaves those beside it alone, though they share a commit", async () => {
    const { person, events, get } = world();
    const ann = await person();
    await events(ann, "w:beside", ack("b1"));
    const answers = await Promise.all([
      events(ann, "w:beside", { event_type: "worker.note" }),
      events(ann, "w:beside", ack("b1")),
      events(ann, "w:beside", { event_type: "worker.note" }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([202, 409, 202]);
    expect((await get(ann, `${workersPath}/w:beside`)).json.data.latest_seq).toBe(3);
  });

  test("somebody else's worker is refused beside those that are stored", async () => {
    const { person, events } = world();
    const [ann, ben] = [await person(), await person()];
    await events(ann, "w:annsown", { event_type: "worker.note" });
    const answers = await Promise.all([
      events(ann, "w:annsown", { event_type: "worker.note" }),
      events(ben, "w:annsown", { event_type: "worker.note" }),
      events(ben, "w:bensown", { event_type: "worker.note" }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([202, 403, 202]);
    expect(answers.map(({ json }) => json.data?.latest_seq)).toEqual([2, undefined, 1]);
  });

  test("a payload over the limit is too large, and counts nothing", async () => {
    const { person, post, get } = world();
    const ann = await person();
    const wrapped = JSON.stringify({ text: "" }).length;
    const fits = await post(
      ann,
      `${workersPath}/w:size/events`,
      type("worker.note", { payload: { text: "x".repeat(131072 - wrapped) } }),
    );
    expect(fits.status).toBe(202);
    const over = await post(
      ann,
      `${workersPath}/w:size/events`,
      type("worker.note", { payload: { text: "x".repeat(131073 - wrapped) } }),
    );
    expect(over.status).toBe(413);
    expect(over.json.error).toEqual({
      code: "khala_frame_payload_too_large",
      message: "event.payload exceeds 131072 bytes.",
    });
    expect(over.json).toMatchObject({ payload_bytes: 131073, max_payload_bytes: 131072 });
    await world().app.ctx.log.flush();
    expect(world().app.log.join("")).toContain("khala publish payload exceeds frame-size limit");
    expect((await get(ann, `${workersPath}/w:size`)).json.data.latest_seq).toBe(1);
  });

  test("a thread of somebody else is refused, with nothing stored", async () => {
    const { person, request, events, get } = world();
    const [ann, ben] = [await person(), await person()];
    await request(ann, "desktopw:shared", {
      request_id: "r",
      method: "thread/start",
      params: { thread_id: "thread_hers" },
    });
    await events(ben, "w:bens", { event_type: "worker.note" });
    const answer = await events(
      ben,
      "w:bens",
      notified("item/agentMessage/delta", { itemId: "i", delta: "x" }, { thread_id: "thread_hers" }),
    );
    expect(answer.status).toBe(403);
    expect(answer.json.message).toBe("Requested thread is not available.");
    expect((await get(ben, `${workersPath}/w:bens`)).json.data.latest_seq).toBe(1);
    expect((await get(ann, `${threadsPath}/thread_hers`)).json.data.turns).toEqual([]);
  });

  test("events go to their owner's streams, each with its number", async () => {
    const { person, events, app } = world();
    const ann = await person();
    await events(ann, "w:khala", { event_type: "worker.note", payload: { b: 1 } }, { event_type: "worker.heartbeat" });
    const mine = app.events
      .filter(({ stream }) => stream.startsWith(`u:${ann.id}:`))
      .sort((a, b) => (a.stream < b.stream ? -1 : a.stream > b.stream ? 1 : a.seq - b.seq));
    expect(
      mine.map(({ stream, kind, docKey, docVersion }) => [
        stream.split(":").slice(2).join(":"),
        kind,
        docKey,
        docVersion,
      ]),
    ).toEqual([
      ["codex.events", "worker.note", "runtime/codex_worker_event:w:khala:1", 1],
      ["codex.events", "worker.heartbeat", "runtime/codex_worker_event:w:khala:2", 2],
      ["codex.summaries", "worker.summary", "runtime/codex_worker_summary:w:khala", 2],
    ]);
    expect(mine[0]?.payload).toEqual({
      workerId: "w:khala",
      worker_id: "w:khala",
      seq: 1,
      eventType: "worker.note",
      payload: { b: 1 },
      occurredAt: expect.stringMatching(/Z$/),
    });
  });
});

onBothEngines(
  "the rate of events",
  (world) => {
    test("counts events, not requests; a batch that does not fit is refused whole", async () => {
      const { person, events, get } = world();
      const ann = await person();
      const notes = (count: number) => Array.from({ length: count }, () => ({ event_type: "worker.note" }));
      const answers = await Promise.all([2, 2, 2].map((count) => events(ann, "w:rate", ...notes(count))));
      const third = answers.find(({ status }) => status !== 202);
      expect(answers.map(({ status }) => status).sort()).toEqual([202, 202, 429]);
      expect(third?.json.error).toEqual({
        code: "khala_publish_rate_limited",
        message: "Too many requests. Retry in 1s.",
      });
      expect(third?.headers.get("retry-after")).toBe("1");
      await world().app.ctx.log.flush();
      expect(world().app.log.join("")).toContain("khala publish rate limit triggered");
      const counted = await world().app.ctx.metrics.registry.getSingleMetricAsString("http_throttled_total");
      expect(counted).toContain('{limiter="khala.publish"} 1');
      expect((await get(ann, `${workersPath}/w:rate`)).json.data.latest_seq).toBe(4);
    });
  },
  { RUNTIME_KHALA_CODEX_WORKER_EVENTS_PUBLISH_RATE_PER_SECOND: "5" },
);
