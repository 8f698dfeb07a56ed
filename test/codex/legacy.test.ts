import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { onBothEngines, threadsPath } from "./world";

const root = join(import.meta.dir, "../..");

onBothEngines("retired chat", (world) => {
  test("guest session: 401 for nobody, 410 with its headers for anybody", async () => {
    const path = "/api/chat/guest-session?conversationId=g-1234567890abcdef1234567890abcdef";
    const nobody = await world().app.send("GET", path);
    expect([nobody.status, nobody.json.message]).toEqual([
      401,
      "Codex chat requires an authenticated ChatGPT account.",
    ]);
    const ann = await world().person();
    const { status, json, headers } = await world().get(ann, path);
    expect(status).toBe(410);
    expect(json).toEqual({
      data: {
        retired: true,
        status: "codex_auth_required",
        canonical: "/api/runtime/threads",
        message: "Guest chat is retired. Authenticate with a ChatGPT account to use Codex threads.",
      },
    });
    expect(headers.get("x-oa-legacy-chat-retired")).toBe("true");
    expect(headers.get("x-oa-legacy-chat-canonical")).toBe("/api/runtime/threads");
    expect(headers.get("x-oa-chat-auth-policy")).toBe("codex-auth-required");
    expect(headers.get("deprecation")).toBe("@1771718400");
    expect(headers.get("link")).toBe('</api/runtime/threads>; rel="successor-version"');
    expect(headers.get("sunset")).toBeNull();
  });

  test("a post starts one turn, streams nothing, and its message is in the thread", async () => {
    const ann = await world().person();
    const id = `thread-stream-alias-${ann.id}`;
    const { status, json, headers } = await world().post(ann, "/api/chat/stream", {
      id,
      messages: [{ role: "user", content: "bridge hello" }],
    });
    expect(status).toBe(200);
    expect(json.data).toMatchObject({
      retired: true,
      stream_protocol: "disabled",
      canonical: "/api/runtime/codex/workers/:worker_id/requests",
      bridge: { method: "turn/start", worker_id: "desktopw:shared" },
      response: { thread_id: id, message: { thread_id: id, role: "user", text: "bridge hello" } },
      delivery: { transport: "khala_ws", scope: "runtime.codex_worker_events", syncTokenRoute: "/api/sync/token" },
    });
    expect(headers.get("content-type")).toBe("application/json");
    expect(headers.get("x-oa-legacy-chat-stream-protocol")).toBe("disabled");
    expect(headers.get("x-vercel-ai-ui-message-stream")).toBeNull();
    const { json: list } = await world().get(ann, `${threadsPath}/${id}/messages`);
    expect(list.data.messages[0].text).toBe("bridge hello");
  });

  test("a client's retry of the same message starts no second turn", async () => {
    const ann = await world().person();
    const body = { id: `retry-${ann.id}`, messages: [{ id: "m1", role: "user", content: "once" }] };
    const [one, two] = await Promise.all([world().post(ann, "/api/chat", body), world().post(ann, "/api/chat", body)]);
    expect(one.json.data.bridge.request_id).toBe(two.json.data.bridge.request_id);
    const { json } = await world().get(ann, `${threadsPath}/retry-${ann.id}/messages`);
    expect(json.data.messages.length).toBe(1);
  });

  const inputs: [name: string, path: (id: string) => string, body: (id: string) => unknown, text: string][] = [
    [
      "parts, and the path's id wins",
      (id) => `/api/chats/${id}/stream`,
      () => ({ id: "other", messages: [{ role: "user", content: [{ type: "text", text: "path bridge" }] }] }),
      "path bridge",
    ],
    [
      "text before message",
      () => "/api/chat",
      (id) => ({ threadId: id, text: "direct", message: "not this" }),
      "direct",
    ],
    [
      "the last user message, in any case",
      () => "/api/chat/stream",
      (id) => ({
        conversationId: id,
        messages: [
          { role: "USER", content: "first" },
          { role: "assistant", content: "no" },
          { content: "last" },
          { role: "assistant", content: "end" },
        ],
      }),
      "last",
    ],
    [
      "parts of several kinds are joined",
      () => "/api/chat/stream",
      (id) => ({ thread_id: id, messages: [{ role: "user", parts: ["a", { text: "b" }, { value: "c" }] }] }),
      "a\nb\nc",
    ],
    ["the query's id", (id) => `/api/chat?conversationId=${id}`, () => ({ message: "asked" }), "asked"],
  ];
  for (const [name, path, body, text] of inputs) {
    test(`input: ${name}`, async () => {
      const ann = await world().person();
      const id = `in-${crypto.randomUUID()}`;
      const { status, json } = await world().post(ann, path(id), body(id));
      expect(status).toBe(200);
      expect([json.data.response.thread_id, json.data.response.message.text]).toEqual([id, text]);
    });
  }

  test("nothing a person said is 422, malformed JSON 400, both with the retirement's headers", async () => {
    const ann = await world().person();
    const none = await world().post(ann, "/api/chat/stream", {
      messages: [{ role: "assistant", content: "no user message" }],
    });
    expect([none.status, none.json.message]).toEqual([422, "Legacy stream payload must include user message text."]);
    const broken = await world().app.send("POST", "/api/chat/stream", {
      as: ann,
      body: "{",
      headers: { "content-type": "application/json" },
    });
    expect(broken.status).toBe(400);
    for (const { headers } of [none, broken]) expect(headers.get("x-oa-legacy-chat-retired")).toBe("true");
  });

  test("conversations are threads", async () => {
    const ann = await world().person();
    const made = await world().post(ann, "/api/chats", { title: "Migration Chat" });
    expect(made.status).toBe(201);
    const { id } = made.json.data;
    expect(id).toMatch(/^thread_[0-9a-f]{32}$/);
    expect(made.json.data).toMatchObject({ title: "Migration Chat", autopilotId: null });
    expect((await world().get(ann, threadsPath)).json.data.threads[0].thread_id).toBe(id);
    expect((await world().get(ann, "/api/chats?limit=9999")).json.data[0].id).toBe(id);
    expect((await world().get(ann, `/api/chats/${id}`)).json.data).toMatchObject({
      conversation: { id },
      messages: [],
      runs: [],
    });
    expect((await world().get(ann, `/api/chats/${id}/messages`)).json).toEqual({ data: [] });
    expect((await world().get(ann, `/api/chats/${id}/runs`)).json).toEqual({ data: [] });
    expect((await world().get(ann, `/api/chats/${id}/runs/r1/events`)).json).toEqual({
      data: { run: { id: "r1", status: "retired", modelProvider: "codex_app_server", model: null }, events: [] },
    });
    const ben = await world().person();
    for (const path of ["", "/messages", "/runs", "/runs/r1/events"]) {
      expect((await world().get(ben, `/api/chats/${id}${path}`)).status).toBe(403);
      expect((await world().get(ben, `/api/chats/nobody${path}`)).status).toBe(404);
    }
    const untitled = await world().post(ann, "/api/chats");
    expect(untitled.json.data.title).toBe("New conversation");
  });

  test("the shared bucket of control requests covers them", async () => {
    const ann = await world().person();
    for (let i = 0; i < 60; i++) await world().post(ann, "/api/chat", { id: `b-${ann.id}`, text: "x" });
    expect((await world().post(ann, "/api/chat/stream", { id: `b-${ann.id}`, text: "x" })).status).toBe(429);
  });
});

describe("a single authority", () => {
  const files = new Bun.Glob("{src,ops,ui,db}/**/*.{ts,tsx}");
  test("no AI SDK and no event stream in what is shipped", async () => {
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Record<
      string,
      Record<string, string>
    >;
    const names = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(names.filter((name) => name === "ai" || name.startsWith("@ai-sdk/"))).toEqual([]);
    for await (const path of files.scan(root)) {
      const text = readFileSync(join(root, path), "utf8");
      expect([path, /x-vercel-ai|from "(ai|@ai-sdk\/[^"]*)"/.test(text)]).toEqual([path, false]);
      if (!path.startsWith("ui/")) expect([path, text.includes("text/event-stream")]).toEqual([path, false]);
    }
  });
});
