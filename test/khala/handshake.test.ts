import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { claims, E, type Live, live, M } from "./live";

let it: Live;
beforeAll(async () => {
  it = await live("pglite", {
    OA_KHALA_MAX_SOCKETS_PER_USER: "30",
    RUNTIME_KHALA_ALLOWED_ORIGINS: "https://openagents.com",
  });
});
afterAll(() => it.close());

interface Refusal {
  name: string;
  options: Parameters<Live["refused"]>[0];
  status: number;
  code: string;
  reason: string;
  header?: [string, string];
}

const good = JSON.stringify(claims());

const refusals: Refusal[] = [
  { name: "1 no token", options: { token: null }, status: 401, code: "unauthorized", reason: "missing_authorization" },
  {
    name: "1 another scheme, though the query holds a token",
    options: { headers: { authorization: "Basic x" } },
    status: 401,
    code: "unauthorized",
    reason: "invalid_authorization_scheme",
  },
  ...["invalid_token", "token_expired", "missing_jti", "token_too_old", "token_revoked"].map((reason) => ({
    name: `2 ${reason}`,
    options: { token: `bad:${reason}` },
    status: 401,
    code: "unauthorized",
    reason,
  })),
  {
    name: "4 only a session cookie",
    options: { token: null, headers: { cookie: "oa_session=x" } },
    status: 401,
    code: "unauthorized",
    reason: "missing_authorization",
  },
  {
    name: "5 a foreign origin",
    options: { headers: { origin: "https://evil.example" } },
    status: 403,
    code: "forbidden_origin",
    reason: "origin_not_allowed",
  },
  {
    name: "5 the null origin",
    options: { headers: { origin: "null" } },
    status: 403,
    code: "forbidden_origin",
    reason: "origin_not_allowed",
  },
  {
    name: "6 a plain GET",
    options: { plain: true },
    status: 426,
    code: "upgrade_required",
    reason: "websocket_required",
    header: ["upgrade", "websocket"],
  },
  {
    name: "6 another vsn",
    options: { query: { vsn: "1.0.0" } },
    status: 400,
    code: "unsupported_vsn",
    reason: "unsupported_vsn",
  },
  {
    name: "unknown frames",
    options: { query: { frames: "none" } },
    status: 400,
    code: "invalid_request",
    reason: "invalid_request",
  },
  {
    name: "claims without a session",
    options: { claims: { sessionId: "" } },
    status: 401,
    code: "unauthorized",
    reason: "invalid_token",
  },
];

describe("handshake (2.1)", () => {
  for (const { name, options, status, code, reason, header } of refusals) {
    test(name, async () => {
      const answer = await it.refused(options);
      expect(answer.status).toBe(status);
      expect(answer.body).toEqual({
        message: answer.body.error.message,
        error: { code, message: answer.body.message },
        reason_code: reason,
      });
      expect(answer.headers.get("cache-control")).toBe("no-store");
      if (header) expect(answer.headers.get(header[0])).toBe(header[1]);
    });
  }

  for (const origin of ["https://OpenAgents.com/", "https://app.example", undefined, "own"]) {
    test(`5 origin ${origin} is allowed`, async () => {
      const own = `http://127.0.0.1:${it.port}`;
      const client = await it.connect({ headers: origin ? { origin: origin === "own" ? own : origin } : {} });
      client.close();
    });
  }

  test("7 the token in a subprotocol: khala.ws.v1 is answered, the token never", async () => {
    const bearer = "bearer.bad:token_expired";
    expect((await it.refused({ token: null, protocols: ["khala.ws.v1", bearer] })).body.reason_code).toBe(
      "token_expired",
    );
    const client = await it.connect({ protocols: ["khala.ws.v1"] });
    expect(client.socket.protocol).toBe("khala.ws.v1");
    client.close();
    expect(it.log.join("")).not.toContain("bad:token");
  });

  test("a token offered as the first subprotocol is not echoed", async () => {
    const headers = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      "sec-websocket-protocol": "bearer.abc, other",
    };
    const lines = [
      `GET /sync/socket/websocket?token=${encodeURIComponent(good)} HTTP/1.1`,
      "host: x",
      ...Object.entries(headers).map((h) => h.join(": ")),
    ];
    const head = await new Promise<string>((resolve) => {
      void Bun.connect({
        hostname: "127.0.0.1",
        port: it.port,
        socket: {
          open: (socket) => void socket.write(`${lines.join("\r\n")}\r\n\r\n`),
          data: (socket, bytes) => {
            resolve(bytes.toString());
            socket.end();
          },
        },
      });
    });
    expect(head).toStartWith("HTTP/1.1 101");
    expect(head.toLowerCase()).not.toContain("abc");
  });

  test("the alias path; a path that is none of Khala's goes on", async () => {
    (await it.connect({ path: "/socket/websocket" })).close();
    expect((await fetch(`http://127.0.0.1:${it.port}/elsewhere`)).status).toBe(404);
  });

  test("8, 9 join: one reply, the scope-named topics in claim order, refs as they were sent", async () => {
    const client = await it.connect({
      join: false,
      claims: { scopes: [M, "runtime.run_events", E] },
    });
    client.raw(JSON.stringify([9, 10, "sync:v1", "phx_join", {}]));
    await client.until(() => client.frames.length);
    expect(client.frames).toHaveLength(1);
    const [joinRef, ref, topic, event, { status, response }] = client.frames[0] ?? [];
    expect([joinRef, ref, topic, event, status]).toEqual([9, 10, "sync:v1", "phx_reply", "ok"]);
    expect(response).toMatchObject({
      allowed_topics: [M, E],
      current_watermarks: [],
      protocol_version: "khala.ws.v1",
      schema_version: 1,
      heartbeat_interval_ms: 15000,
      heartbeat_timeout_ms: 60000,
      max_frame_bytes: 65536,
      frames: "both",
    });
    expect(response.subscription_id).toMatch(/^sub_[0-9a-f]{32}$/);
    client.close();
  });

  test("10 before the join, and another channel", async () => {
    const client = await it.connect({ join: false });
    expect(await client.subscribe([E])).toEqual({
      status: "error",
      response: { code: "not_joined", message: "join first", reason: "unmatched topic" },
    });
    expect((await client.ask("phx_join", {}, "sync:v2")).response).toEqual({
      code: "bad_topic",
      message: "unknown channel",
      reason: "unmatched topic",
    });
    expect((await client.join()).status).toBe("ok");
    client.close();
  });

  test("11 no join within 10 s", async () => {
    const client = await it.connect({ join: false });
    it.advance(10_000);
    expect(await client.closing()).toEqual({ code: 4408, reason: "join_timeout" });
  });

  test("15 the phoenix heartbeat before and after the join", async () => {
    const client = await it.connect({ join: false });
    expect(await client.ask("heartbeat", {}, "phoenix")).toEqual({ status: "ok", response: {} });
    await client.join();
    expect(await client.ask("heartbeat", {}, "phoenix")).toEqual({ status: "ok", response: {} });
    client.close();
  });

  test("53 the 31st socket of one user", async () => {
    const many = await Promise.all(Array.from({ length: 30 }, () => it.connect({ claims: { userId: 8 } })));
    const answer = await it.refused({ claims: { userId: 8 } });
    expect([answer.status, answer.body.reason_code]).toEqual([429, "user_sockets"]);
    expect(answer.headers.get("retry-after")).toBe("5");
    const one = many.pop();
    one?.close();
    await one?.closing();
    (await it.connect({ claims: { userId: 8 } })).close();
    for (const client of many) client.close();
  });

  test("5 more than 60 failures of one address in a minute", async () => {
    const answers = [];
    for (let i = 0; i < 80; i++) answers.push((await it.refused({ token: null })).status);
    expect(answers.at(-1)).toBe(429);
    expect(answers).toContain(401);
    expect((await it.refused({})).body.reason_code).toBe("connect_rate");
    it.advance(60_000);
    (await it.connect()).close();
  });
});

describe("compatibility gate (3.10)", () => {
  const window = {
    OA_COMPAT_KHALA_ENFORCED: "true",
    OA_COMPAT_KHALA_MIN_CLIENT_BUILD_ID: "20260221T120000Z",
    OA_COMPAT_KHALA_MAX_CLIENT_BUILD_ID: "20260221T180000Z",
    OA_COMPAT_KHALA_MAX_SCHEMA_VERSION: "2",
  };
  const facts = (build: string, protocol = "khala.ws.v1", schema: unknown = 1) => ({
    client_build_id: build,
    protocol_version: protocol,
    schema_version: schema,
  });
  const vectors: [string, object, string | null][] = [
    ["supported", facts("20260221T130000Z"), null],
    ["the bounds are included", facts("20260221T180000Z"), null],
    ["older", facts("20260221T110000Z"), "upgrade_required"],
    ["another protocol", facts("20260221T130000Z", "khala.ws.v2"), "unsupported_protocol_version"],
    ["another schema", facts("20260221T130000Z", "khala.ws.v1", 9), "unsupported_schema_version"],
    ["digits count as a schema", facts("20260221T130000Z", "khala.ws.v1", "2"), null],
    ["newer", facts("20260221T190000Z"), "unsupported_client_build"],
    ["none", {}, "invalid_client_build"],
  ];
  let gated: Live;
  beforeAll(async () => {
    gated = await live("pglite", window);
  });
  afterAll(() => gated.close());

  for (const [name, payload, code] of vectors) {
    test(`12 ${name}`, async () => {
      const client = await gated.connect({ join: false });
      const { status, response } = await client.join(payload);
      if (code === null) {
        expect(status).toBe("ok");
        client.close();
        return;
      }
      expect(response).toMatchObject({
        code,
        retryable: false,
        upgrade_required: true,
        surface: "khala_websocket",
        min_client_build_id: "20260221T120000Z",
        max_client_build_id: "20260221T180000Z",
        min_schema_version: 1,
        max_schema_version: 2,
        protocol_version: "khala.ws.v1",
      });
      expect((await client.closing()).code).toBe(4426);
    });
  }

  test("the join payload wins over the query", async () => {
    const client = await gated.connect({ join: false, query: { client_build_id: "20260221T110000Z" } });
    expect((await client.join(facts("20260221T130000Z"))).status).toBe("ok");
    client.close();
  });
});
