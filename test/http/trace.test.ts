import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Elysia } from "elysia";
import { platform } from "../../src/http/platform";
import { parentOf, traceStateOf } from "../../src/http/trace";
import { type TestApp, testApp } from "../support/app";

const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
const span = "00f067aa0ba902b7";
const parent = `00-${trace}-${span}-01`;

describe("traceparent (http-platform 2.5)", () => {
  const rows: [header: string | null, id: string | null][] = [
    [parent, trace],
    [`00-${trace}-${span}-00`, trace],
    [`cc-${trace}-${span}-01`, trace],
    [`cc-${trace}-${span}-01-what-comes-later`, trace],
    [null, null],
    ["", null],
    [`00-${trace}-${span}-01-more`, null],
    [`ff-${trace}-${span}-01`, null],
    [`00-${"0".repeat(32)}-${span}-01`, null],
    [`00-${trace}-${"0".repeat(16)}-01`, null],
    [`00-${trace.toUpperCase()}-${span}-01`, null],
    [`00-${trace}-${span}`, null],
    [`00-${trace.slice(1)}-${span}-01`, null],
    [` ${parent}`, null],
  ];
  for (const [header, id] of rows) test(String(header), () => expect(parentOf(header)?.traceId ?? null).toBe(id));
  test("a state goes with a valid parent only", () => {
    expect(traceStateOf(parent, "a=1,b=2")).toBe("a=1,b=2");
    expect(traceStateOf("nonsense", "a=1")).toBeNull();
    expect(traceStateOf(parent, "x".repeat(513))).toBeNull();
    expect(traceStateOf(parent, "a=\u00e9")).toBeNull();
  });
});

describe("from a request to the calls that it makes", () => {
  let app: TestApp;
  const calls: Headers[] = [];
  const other = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      calls.push(request.headers);
      return Response.json({});
    },
  });
  beforeAll(async () => {
    app = await testApp("pglite", {
      domains: (ctx) => [
        new Elysia().use(platform).get("/api/onward", async ({ facts }) => {
          const url = `http://127.0.0.1:${other.port}/`;
          await ctx.outbound.call({ service: "other", method: "GET", url, timeoutMs: 1_000, from: facts });
          return { data: { trace: facts.traceId } };
        }),
      ],
    });
  });
  afterAll(async () => {
    await other.stop(true);
    await app.close();
  });

  test("id, trace and state go on, the span is the call's own", async () => {
    const headers = { "x-request-id": "req-1", traceparent: parent, tracestate: "vendor=1" };
    const { json } = await app.send("GET", "/api/onward", { headers });
    expect(json.data.trace).toBe(trace);
    const [call] = calls.splice(0);
    expect(call?.get("x-request-id")).toBe("req-1");
    expect(call?.get("tracestate")).toBe("vendor=1");
    expect(call?.get("user-agent")).toBe("OpenAgents");
    expect(call?.get("traceparent")).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
    expect(call?.get("traceparent")).not.toBe(parent);
    await app.ctx.log.flush();
    const lines = app.log
      .join("")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    for (const logger of ["oa.access", "oa.outbound"])
      expect(lines.find((line) => line.logger === logger)).toMatchObject({ request_id: "req-1", trace_id: trace });
  });

  test("an invalid one begins a new trace, and no state goes on", async () => {
    const { json } = await app.send("GET", "/api/onward", { headers: { traceparent: "00-x", tracestate: "vendor=1" } });
    const [call] = calls.splice(0);
    expect(json.data.trace).toMatch(/^[0-9a-f]{32}$/);
    expect(json.data.trace).not.toBe(trace);
    expect(call?.get("traceparent")).toStartWith(`00-${json.data.trace}-`);
    expect(call?.get("tracestate")).toBeNull();
    expect(call?.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });
});
