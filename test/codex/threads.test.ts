import { expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { codexItems, codexThreads, codexTurns } from "../../db/schema/codex";
import { codexThread, codexTurn, notified, onBothEngines, session, threadsPath, workersPath } from "./world";

onBothEngines("threads", (world) => {
  const say = (as: { token: string }, id: string, text: unknown, more = {}) =>
    world().post(as as never, `${threadsPath}/${id}/messages`, { text, ...more });

  test("three messages to two threads", async () => {
    const { person, get } = world();
    const ann = await person();
    for (const [id, text] of [
      ["thread-42", "Who are you?"],
      ["thread-42", "And now?"],
      ["thread-99", "Hello"],
    ] as const) {
      expect((await say(ann, id, text)).status).toBe(200);
    }
    const listed = (await get(ann, threadsPath)).json.data;
    expect(
      listed.threads.map(({ thread_id, message_count }: Record<string, unknown>) => [thread_id, message_count]),
    ).toEqual([
      ["thread-99", 1],
      ["thread-42", 2],
    ]);
    expect(listed.next_cursor).toBeNull();
    expect(listed.threads[0]).toMatchObject({
      user_id: String(ann.id),
      title: null,
      autopilot_id: null,
      status: "idle",
      worker_id: "desktopw:shared",
      preview: "Hello",
    });
    expect(listed.threads[0].updated_at).toMatch(/\.\d{3}Z$/);
    const messages = (await get(ann, `${threadsPath}/thread-42/messages`)).json.data;
    expect(messages).toMatchObject({
      thread_id: "thread-42",
      has_more: false,
      messages: [
        { role: "user", text: "Who are you?", streaming: false },
        { role: "user", text: "And now?" },
      ],
    });
  });

  test("an accepted message says where it went", async () => {
    const { person, app } = world();
    const ann = await person();
    const answer = await say(ann, "thread_web_1_123456", "  Who are you?  ", { model: "m" });
    expect(answer.json.data).toEqual({
      accepted: true,
      thread: expect.objectContaining({ thread_id: "thread_web_1_123456", message_count: 1 }),
      message: {
        id: expect.stringMatching(/^msg_/),
        thread_id: "thread_web_1_123456",
        role: "user",
        text: "Who are you?",
        accepted_at: expect.stringMatching(/\.\d{3}Z$/),
      },
      turn: { id: expect.stringMatching(/^turn_/) },
      control: {
        method: "turn/start",
        worker_id: "desktopw:shared",
        request_id: expect.stringMatching(/^thread_message_[0-9a-f]{32}$/),
      },
    });
    const [turn] = await app.ctx.db.select().from(codexTurns).where(eq(codexTurns.id, answer.json.data.turn.id));
    expect(turn).toMatchObject({ status: "queued", model: "m" });
  });

  test("a message with a request id is sent once, also when both arrive at once", async () => {
    const { person, get } = world();
    const ann = await person();
    const both = await Promise.all([1, 2].map(() => say(ann, "thread_once_m", "hi", { request_id: "outbox-1" })));
    expect(both.map(({ status }) => status)).toEqual([200, 200]);
    expect(both[0]?.json.data.message).toEqual(both[1]?.json.data.message);
    expect((await get(ann, `${threadsPath}/thread_once_m/messages`)).json.data.messages).toHaveLength(1);
  });

  const bad: [string, unknown, Record<string, string[]>][] = [
    ["no text", {}, { text: ["Message text is required."] }],
    ["blanks", { text: " \n " }, { text: ["Message text is required."] }],
    ["too long", { text: "x".repeat(20_001) }, { text: ["Message text exceeds 20000 characters."] }],
  ];
  for (const [name, body, errors] of bad) {
    test(`${name} is refused`, async () => {
      const answer = await world().post(await world().person(), `${threadsPath}/t_bad/messages`, body);
      expect(answer.status).toBe(422);
      expect(answer.json.errors).toEqual(errors);
    });
  }

  test("malformed JSON is 400", async () => {
    const answer = await world().post(await world().person(), `${threadsPath}/t_json/messages`, "{", {
      "content-type": "application/json",
    });
    expect(answer.status).toBe(400);
  });

  test("20000 code points pass; a blank id does not", async () => {
    const ann = await world().person();
    expect((await say(ann, "t_long", "😀".repeat(20_000))).status).toBe(200);
    const blank = await say(ann, "%20", "x");
    expect(blank.status).toBe(422);
    expect(blank.json.errors).toEqual({ thread_id: ["Thread id is required."] });
  });

  test("threads of others are not available, unknown ones are not found", async () => {
    const { person, get } = world();
    const [ann, ben] = [await person(), await person()];
    await say(ann, "thread_hers_t", "x");
    for (const answer of [
      await get(ben, `${threadsPath}/thread_hers_t`),
      await get(ben, `${threadsPath}/thread_hers_t/messages`),
      await get(ben, `${threadsPath}/thread_hers_t/items`),
      await say(ben, "thread_hers_t", "y"),
    ]) {
      expect(answer.status).toBe(403);
      expect(answer.json.error).toEqual({ code: "forbidden", message: "Requested thread is not available." });
    }
    for (const path of ["", "/messages", "/items"]) {
      const answer = await get(ann, `${threadsPath}/thread_nowhere${path}`);
      expect(answer.status).toBe(404);
      expect(answer.json.error).toEqual({ code: "not_found", message: "Thread not found." });
    }
    expect((await get(ben, threadsPath)).json.data.threads).toEqual([]);
  });

  test("an explicitly named stopped worker refuses; a chosen one is taken up again", async () => {
    const { person, post, get } = world();
    const ann = await person();
    await post(ann, workersPath, { worker_id: "desktopw:shared" });
    await post(ann, `${workersPath}/desktopw:shared/stop`);
    const named = await say(ann, "thread_stopped", "x", { worker_id: "desktopw:shared" });
    expect(named.status).toBe(409);
    expect(named.json.message).toBe("worker is stopped; create or reattach to resume");
    const chosen = await say(ann, "thread_stopped", "x");
    expect(chosen.json.data.control.worker_id).toBe("desktopw:shared");
    const { events } = (await get(ann, `${workersPath}/desktopw:shared/stream?cursor=1`)).json.data;
    expect(events[0]).toMatchObject({ event_type: "worker.started", payload: { status: "running", reason: "auto" } });
    expect(events[1]).toMatchObject({ event_type: "worker.request" });
  });

  test("the preferred runnable worker gets what names none", async () => {
    const { person, post, attach } = world();
    const ann = await person();
    await post(ann, workersPath, { worker_id: "desktopw:a-stopped" });
    await post(ann, `${workersPath}/desktopw:a-stopped/stop`);
    await attach(ann, "desktopw:a-live");
    expect((await say(ann, "thread_pref", "x")).json.data.control.worker_id).toBe("desktopw:a-live");
  });

  test("the list is read page by page, also where threads changed at the same instant", async () => {
    const { person, get, app } = world();
    const ann = await person();
    const [me] = [(await say(ann, "seed", "x")).json.data.thread];
    await app.ctx.db.insert(codexThreads).values(
      Array.from({ length: 5 }, (_, i) => ({
        threadId: `page_${i}_${ann.id}`,
        userId: ann.id,
        orgId: me.org_id,
        createdAt: new Date(0),
        updatedAt: new Date(i < 3 ? 1000 : 2000),
      })),
    );
    const seen: string[] = [];
    let cursor = "";
    for (let pages = 0; pages < 10; pages++) {
      const { threads, next_cursor } = (await get(ann, `${threadsPath}?limit=2${cursor}`)).json.data;
      seen.push(...threads.map(({ thread_id }: { thread_id: string }) => thread_id));
      if (!next_cursor) break;
      cursor = `&cursor=${encodeURIComponent(next_cursor)}`;
    }
    expect(seen).toEqual(["seed", ...[3, 4, 0, 1, 2].map((i) => `page_${i}_${ann.id}`)]);
    for (const query of ["limit=0", "limit=201", "cursor=rubbish"]) {
      expect((await get(ann, `${threadsPath}?${query}`)).status).toBe(422);
    }
  });

  test("another organisation's threads are not listed; archived ones neither", async () => {
    const { person, get, app } = world();
    const ann = await person();
    await say(ann, "thread_org_1", "x");
    await say(ann, "thread_org_2", "x");
    await app.ctx.db
      .update(codexThreads)
      .set({ orgId: "org:elsewhere" })
      .where(eq(codexThreads.threadId, "thread_org_1"));
    await app.ctx.db
      .update(codexThreads)
      .set({ archivedAt: new Date() })
      .where(eq(codexThreads.threadId, "thread_org_2"));
    expect((await get(ann, threadsPath)).json.data.threads).toEqual([]);
    expect((await get(ann, `${threadsPath}/thread_org_1/messages`)).status).toBe(200);
    const back = await say(ann, "thread_org_1", "again");
    expect(back.json.data.thread.org_id).not.toBe("org:elsewhere");
  });

  test("turns, items and messages are read from their ends", async () => {
    const { person, get, app } = world();
    const ann = await person();
    for (let i = 0; i < 5; i++) await say(ann, "thread_long", `m${i}`);
    const all = (await get(ann, `${threadsPath}/thread_long`)).json.data;
    expect(all.turns.map((turn: { messages: { text: string }[] }) => turn.messages[0]?.text)).toEqual([
      "m0",
      "m1",
      "m2",
      "m3",
      "m4",
    ]);
    expect(all.next_cursor).toBeNull();
    const newest = (await get(ann, `${threadsPath}/thread_long?limit=2`)).json.data;
    expect(newest.turns).toHaveLength(2);
    expect(newest.next_cursor).toBe(newest.turns[0].id);
    const older = (await get(ann, `${threadsPath}/thread_long?limit=2&before=${newest.next_cursor}`)).json.data;
    expect(older.turns.map(({ id }: { id: string }) => id)).toEqual([all.turns[1].id, all.turns[2].id]);
    expect((await get(ann, `${threadsPath}/thread_long?before=turn_no`)).status).toBe(422);

    const page = (await get(ann, `${threadsPath}/thread_long/messages?limit=2`)).json.data;
    expect(page).toMatchObject({ has_more: true, messages: [{ text: "m3" }, { text: "m4" }] });
    const before = page.messages[0].message_id;
    const earlier = (await get(ann, `${threadsPath}/thread_long/messages?limit=500&before=${before}`)).json.data;
    expect(earlier.messages.map(({ text }: { text: string }) => text)).toEqual(["m0", "m1", "m2"]);
    expect(earlier.has_more).toBe(false);

    await app.ctx.db.insert(codexItems).values(
      all.turns.flatMap(({ id }: { id: string }) =>
        [0, 1].map((position) => ({
          threadId: "thread_long",
          turnId: id,
          itemId: `i${position}`,
          position,
          type: "webSearch",
          status: "completed",
          payload: { position },
        })),
      ),
    );
    const seen: number[] = [];
    let cursor = "";
    for (let pages = 0; pages < 10; pages++) {
      const { items, next_cursor } = (await get(ann, `${threadsPath}/thread_long/items?limit=3${cursor}`)).json.data;
      seen.push(...items.map(({ position }: { position: number }) => position));
      if (!next_cursor) break;
      cursor = `&cursor=${encodeURIComponent(next_cursor)}`;
    }
    expect(seen).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    const one = (await get(ann, `${threadsPath}/thread_long/items?turn_id=${all.turns[0].id}`)).json.data;
    expect(one.items).toHaveLength(2);
  });

  test("a page of about so many items: long turns are read in parts, and every item comes once", async () => {
    const { person, get, app } = world();
    const ann = await person();
    for (let i = 0; i < 3; i++) await say(ann, "thread_wide", `m${i}`);
    const path = `${threadsPath}/thread_wide`;
    const ids = (await get(ann, path)).json.data.turns.map(({ id }: { id: string }) => id) as string[];
    const sizes = [3, 10, 2];
    await app.ctx.db.insert(codexItems).values(
      ids.flatMap((turnId, turn) =>
        Array.from({ length: sizes[turn] as number }, (_, position) => ({
          threadId: "thread_wide",
          turnId,
          itemId: `i${position}`,
          position,
          type: position ? "webSearch" : "userMessage",
          status: "completed",
          payload: { position },
        })),
      ),
    );
    const pages: [string, number[]][][] = [];
    const seen = new Set<string>();
    let query = "";
    for (;;) {
      const { turns, next_cursor, next_item } = (await get(ann, `${path}?items=5${query}`)).json.data;
      pages.push(
        turns.map(({ id, items }: { id: string; items: { position: number }[] }) => [
          `turn ${ids.indexOf(id)}`,
          items.map(({ position }) => position),
        ]),
      );
      for (const { id, items } of turns) for (const { position } of items) seen.add(`${ids.indexOf(id)} ${position}`);
      if (!next_cursor) break;
      query = `&before=${next_cursor}${next_item === null ? "" : `&before_item=${next_item}`}`;
    }
    expect(pages).toEqual([
      [
        ["turn 1", [0, 7, 8, 9]],
        ["turn 2", [0, 1]],
      ],
      [["turn 1", [0, 2, 3, 4, 5, 6]]],
      [
        ["turn 0", [0, 1, 2]],
        ["turn 1", [0, 1]],
      ],
    ]);
    expect(seen.size).toBe(15);
    const exact = (await get(ann, `${path}?items=2`)).json.data;
    expect([exact.turns.length, exact.next_cursor, exact.next_item]).toEqual([1, ids[2], null]);
    const whole = (await get(ann, `${path}?items=15`)).json.data;
    expect([whole.turns.length, whole.next_cursor, whole.next_item]).toEqual([3, null, null]);
    for (const wrong of ["items=0", "items=x", `before=${ids[1]}&before_item=-1`])
      expect((await get(ann, `${path}?${wrong}`)).status).toBe(422);
  });

  test("a question is on the page of what it is about; an open one at the end", async () => {
    const { person, attach, runningTurn, events, get } = world();
    const ann = await person();
    await attach(ann, "desktopw:asks");
    await runningTurn(ann, "desktopw:asks", "thread_asks");
    const at = { threadId: codexThread, turnId: codexTurn };
    const ask = (n: number) =>
      notified(
        "item/commandExecution/requestApproval",
        { ...at, itemId: `c${n}`, command: "ls" },
        { server_request_id: `${session}:${n}` },
      );
    const command = (n: number) =>
      notified("item/started", { ...at, item: { type: "commandExecution", id: `c${n}`, command: "ls" } });
    await events(ann, "desktopw:asks", ...[0, 1, 2, 3].flatMap((n) => [command(n), ask(n)]));
    await events(
      ann,
      "desktopw:asks",
      notified("serverRequest/resolved", { ...at, requestId: 1 }, { server_request_id: `${session}:1` }),
    );
    const asked = async (query: string) =>
      (await get(ann, `${threadsPath}/thread_asks?${query}`)).json.data.turns
        .at(-1)
        .server_requests.map((one: { server_request_id: string }) => one.server_request_id.split(":")[1]);
    expect(await asked("")).toEqual(["0", "1", "2", "3"]);
    expect(await asked("items=2")).toEqual(["0", "2", "3"]);
    const { next_cursor, next_item } = (await get(ann, `${threadsPath}/thread_asks?items=2`)).json.data;
    expect(await asked(`items=5&before=${next_cursor}&before_item=${next_item}`)).toContain("1");
  });

  test("an interrupt during streaming keeps what was said", async () => {
    const { person, attach, runningTurn, events, get } = world();
    const ann = await person();
    await attach(ann, "desktopw:cut");
    await runningTurn(ann, "desktopw:cut", "thread_cut");
    const at = { threadId: codexThread, turnId: codexTurn };
    await events(
      ann,
      "desktopw:cut",
      notified("item/started", { ...at, item: { id: "a", type: "agentMessage", text: "" } }),
      notified("item/agentMessage/delta", { ...at, itemId: "a", delta: "half a sen" }),
    );
    const during = (await get(ann, `${threadsPath}/thread_cut/messages`)).json.data.messages.at(-1);
    expect(during).toMatchObject({ text: "half a sen", streaming: true, role: "assistant" });
    await events(
      ann,
      "desktopw:cut",
      notified("turn/completed", { ...at, turn: { id: codexTurn, status: "interrupted" } }),
    );
    const after = (await get(ann, `${threadsPath}/thread_cut`)).json.data;
    expect(after.turns[0]).toMatchObject({
      status: "interrupted",
      items: [{ status: "interrupted", text: "half a sen" }],
    });
    expect((await get(ann, `${threadsPath}/thread_cut/messages`)).json.data.messages.at(-1)).toMatchObject({
      streaming: false,
    });
    expect(after.event_seqs).toEqual({ "desktopw:cut": 6 });
  });

  test("60 messages a minute and no more", async () => {
    const ann = await world().person();
    const statuses: number[] = [];
    for (let i = 0; i < 61; i++) statuses.push((await say(ann, "t_rate", i ? "" : "x")).status);
    expect(statuses.slice(0, 60)).toEqual([200, ...Array(59).fill(422)]);
    expect(statuses[60]).toBe(429);
    expect((await say(ann, "t_rate", "x")).json.error.code).toBe("rate_limited");
  }, 30_000);
});
