import { describe, expect, test } from "bun:test";
import { Elysia, t } from "elysia";
import { readConfig } from "../../src/config";
import type { Caller } from "../../src/http/caller";
import { compose } from "../../src/http/compose";
import { limits } from "../../src/http/limits";
import { platform } from "../../src/http/platform";
import { createThrottle } from "../../src/http/throttle";
import { forbidden, unauthorized } from "../../src/refusal";
import { createLog } from "../../src/telemetry/log";
import { createMetrics } from "../../src/telemetry/metrics";

const caller = (over: Partial<Caller> = {}): Caller => ({
  user: {
    id: 7,
    name: "Ann",
    email: "ann@a.example",
    handle: "ann",
    avatar: "",
    workosId: "local_1",
    isAdmin: false,
    createdAt: null,
    updatedAt: null,
  },
  credential: "session",
  lane: "bearer",
  sessionId: "sess_1",
  deviceId: "web:1",
  tokenName: "device:unknown",
  activeOrgId: "user:7",
  tokenId: null,
  abilities: ["*"],
  workerId: null,
  ...over,
});

const callers: Record<string, Caller> = {
  ann: caller(),
  pat: caller({ credential: "pat", sessionId: "pat:3", tokenId: 3 }),
  worker: caller({ credential: "pat", abilities: ["codex:worker"], workerId: "desktopw:a", tokenId: 4 }),
  admin: caller({ user: { ...caller().user, id: 1, isAdmin: true } }),
};

function build(env: Record<string, string> = {}) {
  const lines: string[] = [];
  const config = readConfig({ APP_URL: "http://localhost:8787", ...env });
  const log = createLog({ level: "debug", format: "json", write: (text) => lines.push(text) });
  const things = new Elysia({ tags: ["Things"] })
    .use(platform)
    .get("/api/me", ({ caller }) => ({ data: { id: caller.user.id } }), { user: true })
    .get("/api/settings/any", ({ caller }) => ({ data: { id: caller?.user.id ?? null } }), { maybeUser: true })
    .get("/api/runtime/codex/workers/:workerId", ({ params }) => ({ data: { id: params.workerId } }), {
      user: "worker",
    })
    .get("/api/admin/x", () => ({ data: {} }), { user: "admin" })
    .get("/api/auth/session", () => ({ data: {} }), { user: "session" })
    .get("/api/list", ({ query }) => ({ data: query }), {
      query: t.Object({ limit: t.Optional(t.Integer({ minimum: 1, maximum: 200, default: 50 })) }),
    })
    .post("/api/tokens", ({ body, status }) => status(201, { data: body }), {
      user: true,
      body: t.Object({
        name: t.String({ maxLength: 100 }),
        abilities: t.Optional(t.Nullable(t.Array(t.String({ maxLength: 100 })))),
        on: t.Optional(t.Boolean()),
      }),
    })
    .post("/api/runtime/threads/:threadId/messages", ({ body }) => ({ data: body }), {
      user: true,
      throttle: limits.threadMessage,
      body: t.Object({
        text: t.String({ "oa:message": { required: "Message text is required." } }),
        payload: t.Optional(t.Unknown()),
      }),
    })
    .post("/api/auth/email", () => ({ ok: true }), {
      throttle: limits.signInMail,
      body: t.Object({ email: t.String({ format: "email", maxLength: 255 }) }),
    })
    .get("/api/boom", () => {
      throw new Error("secret detail");
    })
    .get("/api/none", ({ status }) => status(204, undefined))
    .get("/api/refused", () => {
      throw forbidden("No.", { "x-oa-chat-auth-policy": "codex-auth-required" });
    });
  const composed = compose(
    {
      config,
      appUrl: () => "http://localhost:8787",
      now: () => new Date(),
      log,
      metrics: createMetrics(),
      throttle: createThrottle(
        { kind: "pglite" } as never,
        () => Date.now(),
        () => {},
      ),
    },
    {
      domains: [things],
      loopback: true,
      guards: {
        caller(request, facts) {
          const given = request.headers.get("authorization")?.slice(7) ?? facts.cookies.oa_access_token;
          if (given === undefined) return Promise.resolve(null);
          const found = callers[given];
          return found ? Promise.resolve(found) : Promise.reject(unauthorized());
        },
      },
    },
  );
  const send = async (method: string, path: string, init: RequestInit & { peer?: string } = {}) => {
    const headers = new Headers(init.headers);
    if (!headers.has("host")) headers.set("host", "localhost:8787");
    const request = new Request(`http://localhost:8787${path}`, { ...init, method, headers });
    const response = (await composed.fetch(request, {
      requestIP: () => ({ address: init.peer ?? "127.0.0.1" }),
    })) as Response;
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: text.startsWith("{") ? JSON.parse(text) : null,
    };
  };
  return { send, lines, log };
}

const as = (who: string, more: Record<string, string> = {}) => ({
  headers: { authorization: `Bearer ${who}`, ...more },
});
const jsonBody = (value: unknown, who = "ann", more: Record<string, string> = {}) => ({
  headers: { authorization: `Bearer ${who}`, "content-type": "application/json", ...more },
  body: typeof value === "string" ? value : JSON.stringify(value),
});

describe("guards", () => {
  const { send } = build();
  const cases: [name: string, who: string | null, path: string, status: number, message?: string][] = [
    ["nobody", null, "/api/me", 401, "Unauthenticated."],
    ["a bad credential", "nobody", "/api/me", 401, "Unauthenticated."],
    ["a session", "ann", "/api/me", 200],
    ["a worker token on an ordinary route", "worker", "/api/me", 403, "This token may only run a worker."],
    ["a worker token on a worker route", "worker", "/api/runtime/codex/workers/a", 200],
    ["a token where a session is due", "pat", "/api/auth/session", 401, "Unauthenticated."],
    ["no administrator", "ann", "/api/admin/x", 403, "Forbidden"],
    ["an administrator", "admin", "/api/admin/x", 200],
    ["nobody where nobody may come", null, "/api/settings/any", 200],
    ["a bad credential where nobody may come", "nobody", "/api/settings/any", 401],
  ];
  for (const [name, who, path, status, message] of cases) {
    test(name, async () => {
      const answer = await send("GET", path, who ? as(who) : {});
      expect(answer.status).toBe(status);
      if (message)
        expect(answer.json).toEqual({
          message,
          error: { code: status === 401 ? "unauthorized" : "forbidden", message },
        });
      if (status === 401) expect(answer.headers.get("www-authenticate")).toBe("Bearer");
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
      expect(answer.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
      expect(answer.headers.get("cache-control")).toBe("no-store");
    });
  }
});

describe("paths and methods", () => {
  const { send } = build();
  test("an unknown route names its path", async () => {
    const { status, json } = await send("GET", "/api/nope?x=1", { headers: { accept: "text/html" } });
    expect(status).toBe(404);
    expect(json.message).toBe("Route '/api/nope' was not found.");
  });
  test("another method is 405 with the list", async () => {
    const { status, json, headers } = await send("PUT", "/api/me");
    expect(status).toBe(405);
    expect(headers.get("allow")).toBe("GET, HEAD");
    expect(json.error).toEqual({
      code: "method_not_allowed",
      message: "The PUT method is not supported for route api/me. Supported methods: GET, HEAD.",
    });
  });
  test("HEAD has the headers of GET and no body", async () => {
    const { status, text, headers } = await send("HEAD", "/api/me", as("ann"));
    expect([status, text]).toEqual([200, ""]);
    expect(headers.get("content-length")).toBe(String('{"data":{"id":7}}'.length));
  });
  test("a trailing slash counts as none", async () =>
    expect((await send("GET", "/api/me/", as("ann"))).status).toBe(200));
  test("a broken encoding is 400", async () => {
    expect((await send("GET", "/api/%zz")).json.message).toBe("Malformed URL.");
    expect((await send("GET", "/api/%ff")).status).toBe(400);
  });
  test("an encoded slash stays inside its parameter", async () => {
    expect((await send("GET", "/api/runtime/codex/workers/a%2Fb", as("ann"))).json.data.id).toBe("a/b");
  });
  test("OPTIONS answers without a guard", async () => {
    const { status, headers } = await send("OPTIONS", "/api/settings/profile", {
      headers: { origin: "https://console.openagents.com" },
    });
    expect(status).toBe(204);
    expect(headers.get("access-control-allow-origin")).toBe("https://console.openagents.com");
    expect(headers.get("access-control-allow-methods")).toContain("PATCH");
    expect(headers.get("access-control-allow-credentials")).toBeNull();
    expect(headers.get("cache-control")).toBe("no-store");
  });
  test("a foreign host is 421 on a loopback bind", async () => {
    expect((await send("GET", "/api/me", { headers: { host: "evil.example" } })).status).toBe(421);
  });
  test("an over-long URL is 414", async () => {
    const { status, headers } = await send("GET", `/api/me?${"a".repeat(9000)}`);
    expect([status, headers.get("connection")]).toEqual([414, "close"]);
  });
});

describe("bodies", () => {
  const { send } = build();
  test("lenient: malformed counts as nothing", async () => {
    const { status, json } = await send("POST", "/api/tokens", jsonBody("{bad"));
    expect([status, json.message]).toEqual([422, "The name field is required."]);
  });
  test("strict: malformed is 400, another type 415", async () => {
    expect((await send("POST", "/api/runtime/threads/t/messages", jsonBody("{bad"))).status).toBe(400);
    const { status, json } = await send(
      "POST",
      "/api/runtime/threads/t/messages",
      jsonBody("a=b", "ann", { "content-type": "application/x-www-form-urlencoded" }),
    );
    expect([status, json.message]).toEqual([415, "Content-Type must be application/json."]);
  });
  test("a form is read", async () => {
    const { json } = await send("POST", "/api/tokens", {
      headers: { authorization: "Bearer ann", "content-type": "application/x-www-form-urlencoded" },
      body: "name=cli&abilities[]=a&abilities[]=b&on=1",
    });
    expect(json.data).toEqual({ name: "cli", abilities: ["a", "b"], on: true });
  });
  test("every failing rule reports, in order", async () => {
    const { json } = await send("POST", "/api/tokens", jsonBody({ name: ["x"], abilities: [1, "  "], on: "x" }));
    expect(json.message).toBe("The name field must be a string. (and 3 more errors)");
    expect(json.errors).toEqual({
      name: ["The name field must be a string."],
      on: ["The on field must be true or false."],
      "abilities.0": ["The abilities.0 field must be a string."],
      "abilities.1": ["The abilities.1 field must be a string."],
    });
  });
  test("a contract's own text", async () => {
    expect((await send("POST", "/api/runtime/threads/t/messages", jsonBody({ text: "  " }))).json.errors.text).toEqual([
      "Message text is required.",
    ]);
  });
  test("unknown members, prototypes and control characters are dropped", async () => {
    const { json } = await send(
      "POST",
      "/api/tokens",
      jsonBody('{"name":" a\\u0000b ","__proto__":{"isAdmin":true},"x":1}'),
    );
    expect(json.data).toEqual({ name: "ab" });
  });
  test("deep nesting is malformed, quickly", async () => {
    const started = performance.now();
    const deep = `{"text":"a","payload":${"[".repeat(10_000)}${"]".repeat(10_000)}}`;
    expect((await send("POST", "/api/runtime/threads/t/messages", jsonBody(deep))).status).toBe(400);
    expect(performance.now() - started).toBeLessThan(500);
  });
  test("a body over its limit is 413, and 401 comes before it", async () => {
    const big = JSON.stringify({ name: "a".repeat(70_000) });
    const { status, headers } = await send("POST", "/api/tokens", jsonBody(big));
    expect([status, headers.get("connection")]).toEqual([413, "close"]);
    expect((await send("POST", "/api/tokens", jsonBody(big, "nobody"))).status).toBe(401);
  });
  test("query: integers, defaults, texts", async () => {
    expect((await send("GET", "/api/list")).json.data).toEqual({ limit: 50 });
    expect((await send("GET", "/api/list?limit=7")).json.data).toEqual({ limit: 7 });
    expect((await send("GET", "/api/list?limit=abc")).json.errors.limit).toEqual([
      "The limit field must be an integer.",
    ]);
    expect((await send("GET", "/api/list?limit=0")).json.errors.limit).toEqual(["The limit field must be at least 1."]);
  });
});

describe("answers", () => {
  const { send, lines, log } = build();
  test("a throw is 500 without its detail, with a log line", async () => {
    const { status, text } = await send("GET", "/api/boom", { headers: { "x-request-id": "req-1" } });
    expect(status).toBe(500);
    expect(text).toBe('{"message":"Server Error","error":{"code":"internal_error","message":"Server Error"}}');
    await log.flush();
    expect(lines.join("")).toContain('"logger":"oa.error"');
    expect(lines.join("")).toContain("req-1");
  });
  test("204 has neither body nor type", async () => {
    const { status, text, headers } = await send("GET", "/api/none");
    expect([status, text, headers.get("content-type")]).toEqual([204, "", null]);
  });
  test("a refusal's own headers", async () => {
    expect((await send("GET", "/api/refused")).headers.get("x-oa-chat-auth-policy")).toBe("codex-auth-required");
  });
  test("json has no charset", async () => {
    expect((await send("GET", "/api/me", as("ann"))).headers.get("content-type")).toBe("application/json");
  });
});

describe("throttle and csrf", () => {
  test("the seventh mail is 429; another address is not", async () => {
    const { send } = build();
    const mail = (peer: string) =>
      send("POST", "/api/auth/email", {
        headers: { "content-type": "application/json", "x-forwarded-for": peer },
        body: '{"email":"a@b"}',
      });
    for (let i = 0; i < 6; i++)
      expect((await mail("203.0.113.10")).headers.get("x-ratelimit-remaining")).toBe(String(5 - i));
    const { status, json, headers } = await mail("203.0.113.10");
    expect([status, json.message]).toEqual([429, "Too Many Attempts."]);
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
    expect(headers.get("x-ratelimit-limit")).toBe("6");
    expect((await mail("203.0.113.11")).status).toBe(200);
  });
  test("an untrusted peer's forwarded address changes nothing", async () => {
    const { send } = build();
    const mail = (from: string) =>
      send("POST", "/api/auth/email", {
        peer: "198.51.100.7",
        headers: { "content-type": "application/json", "x-forwarded-for": from },
        body: '{"email":"a@b"}',
      });
    for (let i = 0; i < 6; i++) await mail(`203.0.113.${i}`);
    expect((await mail("203.0.113.99")).status).toBe(429);
  });
  test("a cookie change from a foreign page is 419, with bearer it is not", async () => {
    const { send } = build();
    const body = '{"name":"x"}';
    const foreign = { origin: "https://evil.example", "content-type": "application/json" };
    expect(
      (await send("POST", "/api/tokens", { headers: { ...foreign, cookie: "oa_access_token=ann" }, body })).json.error
        .code,
    ).toBe("csrf_mismatch");
    expect(
      (await send("POST", "/api/tokens", { headers: { ...foreign, authorization: "Bearer ann" }, body })).status,
    ).toBe(201);
    const own = {
      "content-type": "application/json",
      cookie: "oa_access_token=ann; XSRF-TOKEN=abc",
      "sec-fetch-site": "same-origin",
    };
    expect((await send("POST", "/api/tokens", { headers: { ...own, "x-xsrf-token": "abc" }, body })).status).toBe(201);
    expect((await send("POST", "/api/tokens", { headers: { ...own, "x-xsrf-token": "abd" }, body })).status).toBe(419);
    expect(
      (await send("POST", "/api/tokens", { headers: { ...own, origin: "null", "sec-fetch-site": "cross-site" }, body }))
        .status,
    ).toBe(419);
  });
});
