import { expect, test } from "bun:test";
import { onBothEngines, session, threadsPath, workersPath } from "./world";

const messages = (threadId: string) => `${threadsPath}/${encodeURIComponent(threadId)}/messages`;

onBothEngines("threads and messages", (world) => {
  test("three messages to two threads: counts, order, shapes", async () => {
    const ann = await world().person();
    for (const [threadId, text] of [
      ["thread-42", "Who are you?"],
      ["thread-42", "And now?"],
      ["thread-99", "Hello"],
    ] as const) {
      const { status, json } = await world().post(ann, messages(`${threadId}-${ann.id}`), { text });
      expect(status).toBe(200);
      expect(json.data.accepted).toBe(true);
      expect(json.data.message).toMatchObject({ thread_id: `${threadId}-${ann.id}`, role: "user", text });
      expect(json.data.message.accepted_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(json.data.turn.id).toMatch(/^turn_[0-9a-f]{32}$/);
      expect(json.data.control).toMatchObject({ method: "turn/start", worker_id: "desktopw:shared" });
      expect(json.data.control.request_id).toMatch(/^thread_message_[0-9a-f]{32}$/);
    }
    const { json } = await world().get(ann, threadsPath);
    expect(
      json.data.threads.map(({ thread_id, message_count }: Record<string, unknown>) => [thread_id, message_count]),
    ).toEqual([
      [`thread-99-${ann.id}`, 1],
      [`thread-42-${ann.id}`, 2],
    ]);
    expect(json.data.next_cursor).toBeNull();
    const { json: list } = await world().get(ann, messages(`thread-42-${ann.id}`));
    expect(list.data.messages.map(({ role, text }: Record<string, unknown>) => [role, text])).toEqual([
      ["user", "Who are you?"],
      ["user", "And now?"],
    ]);
  });

  test("threads come in pages", async () => {
    const ann = await world().person();
    for (let i = 0; i < 5; i++) await world().post(ann, messages(`page-${i}-${ann.id}`), { text: "x" });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? "?limit=2" : `?limit=2&cursor=${encodeURIComponent(cursor)}`;
      const { json } = await world().get(ann, threadsPath + query);
      seen.push(...json.data.threads.map(({ thread_id }: { thread_id: string }) => thread_id));
      cursor = json.data.next_cursor;
    } while (cursor !== null);
    expect(seen).toEqual([4, 3, 2, 1, 0].map((i) => `page-${i}-${ann.id}`));
  });

  const texts: [name: string, text: unknown, status: number, message?: string][] = [
    ["20,000 code points", "𝒳".repeat(20_000), 200],
    ["one more", "𝒳".repeat(20_001), 422, "Message text exceeds 20000 characters."],
    ["blanks only", " \u00a0\t ", 422, "Message text is required."],
    ["nothing", undefined, 422, "Message text is required."],
  ];
  for (const [name, text, status, message] of texts) {
    test(`text: ${name}`, async () => {
      const ann = await world().person();
      const answer = await world().post(ann, messages(`text-${ann.id}`), { text });
      expect(answer.status).toBe(status);
      if (message)
        expect(answer.json).toMatchObject({ message, error: { code: "invalid_request" }, errors: { text: [message] } });
    });
  }

  test("a blank thread id, and malformed JSON", async () => {
    const ann = await world().person();
    expect((await world().post(ann, `${threadsPath}/%20/messages`, { text: "x" })).json.errors).toEqual({
      thread_id: ["Thread id is required."],
    });
    const broken = await world().app.send("POST", messages("t"), {
      as: ann,
      body: "{",
      headers: { "content-type": "application/json" },
    });
    expect(broken.status).toBe(400);
  });

  test("somebody else's thread is not available, an unknown one not found; reading makes none", async () => {
    const ann = await world().person();
    const ben = await world().person();
    await world().post(ann, messages(`mine-${ann.id}`), { text: "secret" });
    for (const path of ["", "/items", "/messages"]) {
      const foreign = await world().get(ben, `${threadsPath}/mine-${ann.id}${path}`);
      expect([foreign.status, foreign.json.message]).toEqual([403, "Requested thread is not available."]);
      const unknown = await world().get(ben, `${threadsPath}/nobody-${ben.id}${path}`);
      expect([unknown.status, unknown.json.message]).toEqual([404, "Thread not found."]);
    }
    expect((await world().post(ben, messages(`mine-${ann.id}`), { text: "x" })).json.message).toBe(
      "Requested thread is not available.",
    );
    expect((await world().get(ben, threadsPath)).json.data.threads).toEqual([]);
  });

  test("the 61st message of a minute is refused", async () => {
    const ann = await world().person();
    for (let i = 0; i < 60; i++)
      expect((await world().post(ann, messages(`flood-${ann.id}`), { text: "x" })).status).toBe(200);
    const { status, json, headers } = await world().post(ann, messages(`flood-${ann.id}`), { text: "x" });
    expect([status, json.error.code]).toEqual([429, "rate_limited"]);
    expect(json.message).toBe(`Too many requests. Retry in ${headers.get("retry-after")}s.`);
  });

  test("a message goes to a stopped shared worker's queue instead of being lost; a named stopped worker refuses", async () => {
    const ann = await world().person();
    await world().attach(ann, "desktopw:shared");
    await world().post(ann, `${workersPath}/desktopw:shared/stop`);
    const refused = await world().post(ann, messages(`stop-${ann.id}`), { text: "x", worker_id: "desktopw:shared" });
    expect([refused.status, refused.json.message]).toEqual([409, "worker is stopped; create or reattach to resume"]);
    expect((await world().post(ann, messages(`stop-${ann.id}`), { text: "x" })).status).toBe(200);
    const { json } = await world().get(ann, `${workersPath}/desktopw:shared/stream?cursor=0`);
    const started = json.data.events.filter(
      ({ event_type }: { event_type: string }) => event_type === "worker.started",
    );
    expect(started.at(-1).payload.reason).toBe("auto");
  });

  test("a thread shows its turns with items, its items alone, and older turns before a turn", async () => {
    const ann = await world().person();
    const threadId = `show-${ann.id}`;
    await world().attach(ann, "desktopw:shared", `${session}-${ann.id}`);
    for (let i = 0; i < 3; i++) await world().post(ann, messages(threadId), { text: `message ${i}` });
    const { json } = await world().get(ann, `${threadsPath}/${threadId}?limit=2`);
    expect(json.data.thread.thread_id).toBe(threadId);
    expect(json.data.turns.length).toBe(2);
    const older = await world().get(ann, `${threadsPath}/${threadId}?limit=2&before=${json.data.turns[0].id}`);
    expect(older.json.data.turns.length).toBe(1);
    const items = await world().get(ann, `${threadsPath}/${threadId}/items`);
    expect(items.json.data).toMatchObject({ thread_id: threadId, items: [], next_cursor: null });
  });
});
