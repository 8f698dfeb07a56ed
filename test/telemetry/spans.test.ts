/** Traces on their way to a collector (http-platform 2.5, 6). */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { Elysia } from "elysia";
import { readConfig } from "../../src/config";
import { platform } from "../../src/http/platform";
import { spansProblems } from "../../src/telemetry/spans";
import { type TestApp, testApp } from "../support/app";
import { type FakeCollector, fakeCollector } from "../support/collector";

const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
const span = "00f067aa0ba902b7";

describe("to a collector", () => {
  let app: TestApp;
  let collector: FakeCollector;
  const other = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => Response.json({}, { status: 503 }) });
  beforeAll(async () => {
    collector = fakeCollector();
    app = await testApp("pglite", {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`, OA_NODE_ID: "node-a" },
      domains: (ctx) => [
        new Elysia()
          .use(platform)
          .get("/api/onward/:id", async ({ facts }) => {
            const url = `http://127.0.0.1:${other.port}/?secret=1`;
            await ctx.outbound.call({ service: "other", method: "GET", url, timeoutMs: 1_000, from: facts });
            return { data: null };
          })
          .get("/api/broken", () => {
            throw new Error("broken");
          }),
      ],
    });
  });
  afterEach(async () => {
    collector.fault = null;
    await app.ctx.spans?.flush();
    collector.accepted.length = 0;
    collector.calls.length = 0;
  });
  afterAll(async () => {
    await other.stop(true);
    await app.close();
    await collector.close();
  });

  test("a request and the call it makes are spans of one trace", async () => {
    const before = Date.now();
    await app.send("GET", "/api/onward/7?token=hidden", {
      headers: { traceparent: `00-${trace}-${span}-01`, "x-request-id": "req-9" },
    });
    await app.ctx.spans?.flush();
    const [call, request] = await collector.spans(2);
    expect(request).toMatchObject({
      traceId: trace,
      parentId: span,
      name: "GET /api/onward/:id",
      kind: 2,
      status: 0,
      attributes: {
        "http.request.method": "GET",
        "http.route": "/api/onward/:id",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "oa.request_id": "req-9",
      },
      resource: { "service.name": "openagents", "service.version": "1.0.0", "service.instance.id": "node-a" },
    });
    expect(call).toMatchObject({
      traceId: trace,
      parentId: request?.spanId,
      name: "GET other",
      kind: 3,
      status: 2,
      attributes: { "peer.service": "other", "http.response.status_code": 503 },
    });
    const started = Number(request?.startedAt) / 1e6;
    expect(started).toBeGreaterThan(before - 50);
    expect(Number(request?.endedAt) / 1e6).toBeGreaterThanOrEqual(started);
    expect(Number(call?.endedAt)).toBeLessThanOrEqual(Number(request?.endedAt) + 2e6);
    expect(JSON.stringify(collector.accepted, (_, value) => (typeof value === "bigint" ? 0 : value))).not.toMatch(
      /hidden|secret/,
    );
    const [sent] = collector.calls;
    expect(sent?.path).toBe("/v1/traces");
    expect(sent?.headers.get("content-type")).toBe("application/x-protobuf");
  });

  test("what asked not to be recorded is not, and its calls say so", async () => {
    await app.send("GET", "/api/onward/7", { headers: { traceparent: `00-${trace}-${span}-00` } });
    await app.send("GET", "/api/broken");
    await app.ctx.spans?.flush();
    const spans = await collector.spans(1);
    expect(spans.map(({ name, status }) => [name, status])).toEqual([["GET /api/broken", 2]]);
  });

  test("files and probes make no spans, nor do the spans themselves", async () => {
    await app.send("GET", "/healthz");
    await app.send("GET", "/api/broken");
    await app.ctx.spans?.flush();
    await app.ctx.spans?.flush();
    expect((await collector.spans(1)).map(({ name }) => name)).toEqual(["GET /api/broken"]);
  });

  test("a collector that fails or hangs costs its spans, no request and no second of the stop more than two", async () => {
    collector.fault = "500";
    await app.send("GET", "/api/broken");
    await app.ctx.spans?.flush();
    expect(await app.ctx.metrics.registry.metrics()).toMatch(/trace_spans_dropped_total\{reason="refused"\} 1/);
    collector.fault = "hang";
    expect((await app.send("GET", "/api/broken")).status).toBe(500);
    const from = performance.now();
    await app.ctx.spans?.flush();
    expect(performance.now() - from).toBeLessThan(3000);
    expect(collector.accepted).toEqual([]);
  });
});

test("off without an endpoint; one that is no address stops the start with a line", async () => {
  const app = await testApp("pglite", { domains: () => [] });
  expect(app.ctx.spans).toBeNull();
  await app.close();
  for (const wrong of ["collector:4318", "ftp://x", "http://"])
    expect(spansProblems(readConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: wrong }))[0]).toContain("OTEL_EXPORTER_OTLP");
  expect(spansProblems(readConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: "https://otel.example" }))).toEqual([]);
});
