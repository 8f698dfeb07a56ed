import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { signInThrough } from "../identity/app";
import type { Person } from "../support/app";
import { engines } from "../support/database";
import { type WholeApp, wholeApp } from "../support/whole";

for (const engine of engines) {
  describe(`metrics (http-platform 3.10), ${engine}`, () => {
    let app: WholeApp;
    let ann: Person;
    beforeAll(async () => {
      app = await wholeApp(engine, { OA_AUTH_PROVIDER_MODE: "mock" });
      ann = await app.person("ann@a.example");
    });
    afterAll(() => app.close());

    const scrape = async () => {
      const { status, text, headers } = await app.send("GET", "/metrics");
      expect([status, headers.get("content-type"), headers.get("cache-control")]).toEqual([
        200,
        "text/plain; version=0.0.4; charset=utf-8",
        "no-store",
      ]);
      return text;
    };
    /** Value of the one series that `start` begins; NaN without it. */
    const value = (text: string, start: string) =>
      Number(
        text
          .split("\n")
          .find((line) => line.startsWith(start))
          ?.split(" ")
          .at(-1) ?? "NaN",
      );

    test("of requests: by template, never by path", async () => {
      await app.send("GET", "/api/me", { as: ann });
      await app.send("GET", "/api/runtime/threads/t-1", { as: ann });
      await app.send("GET", "/api/nope/secret-path", { as: ann });
      await app.send("POST", "/api/tokens", { as: ann, body: {} });
      const text = await scrape();
      expect(value(text, 'http_requests_total{method="GET",route="/api/me",status="200"}')).toBe(1);
      expect(value(text, 'http_requests_total{method="GET",route="/api/runtime/threads/:threadId"')).toBe(1);
      expect(value(text, 'http_requests_total{method="GET",route="-",status="404"}')).toBe(1);
      expect(value(text, 'http_request_duration_seconds_count{method="GET",route="/api/me"}')).toBe(1);
      expect(value(text, 'http_request_duration_seconds_bucket{method="GET",route="/api/me",le="10"}')).toBe(1);
      expect(value(text, 'http_validation_failures_total{route="/api/tokens"}')).toBe(1);
      expect(value(text, "http_request_bytes")).toBeGreaterThanOrEqual(2);
      expect(value(text, "http_response_bytes")).toBeGreaterThan(100);
      expect(value(text, "http_requests_in_flight")).toBe(1);
      expect(text).not.toContain("secret-path");
    });

    test("of refusals: limiter and rule", async () => {
      const { cookie } = await signInThrough(app.send, "csrf@a.example", "198.51.100.1");
      const post = (headers: Record<string, string>) =>
        app.send("POST", "/api/tokens", { body: {}, headers: { cookie, ...headers } });
      expect((await post({ origin: "https://evil.example" })).status).toBe(419);
      expect((await post({ "x-xsrf-token": "wrong" })).status).toBe(419);
      const headers = { "x-forwarded-for": "198.51.100.2" };
      for (let i = 0; i < 7; i++) await app.send("POST", "/api/auth/email", { body: { email: "a@b" }, headers });
      const text = await scrape();
      expect(value(text, 'http_csrf_rejections_total{rule="origin"}')).toBe(1);
      expect(value(text, 'http_csrf_rejections_total{rule="token"}')).toBe(1);
      expect(value(text, 'http_throttled_total{limiter="laravel"}')).toBe(1);
      expect(value(text, 'oa_events_total{event="auth.verify.completed"}')).toBe(1);
    });

    test("of the process and its database", async () => {
      await app.send("GET", "/api/me", { as: ann });
      const text = await scrape();
      expect(value(text, 'build_info{version="1.0.0",build_id="20261123T210000Z"}')).toBe(1);
      for (const name of ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"])
        expect(value(text, `${name} `)).toBeGreaterThan(0);
      expect(Math.abs(value(text, "process_start_time_seconds ") - performance.timeOrigin / 1000)).toBeLessThan(1);
      expect(value(text, 'event_loop_delay_seconds{quantile="0.99"}')).toBeGreaterThanOrEqual(0);
      expect(value(text, "db_pool_in_use ")).toBeGreaterThanOrEqual(0);
      expect(value(text, 'db_query_duration_seconds_count{statement="identity_pat_by_id"}')).toBeGreaterThan(0);
    });

    test("who may read them: loopback without a proxy; with a token whoever has it", async () => {
      expect((await app.send("GET", "/metrics", { peer: "203.0.113.1" })).status).toBe(404);
      expect((await app.send("GET", "/metrics", { headers: { "x-forwarded-for": "127.0.0.1" } })).status).toBe(404);
      const guarded = await wholeApp(engine, { OA_METRICS_TOKEN: "scrape-me" });
      try {
        const ask = (headers: Record<string, string> = {}) =>
          guarded.send("GET", "/metrics", { peer: "203.0.113.1", headers });
        expect((await ask({ authorization: "Bearer scrape-me" })).status).toBe(200);
        for (let i = 0; i < 30; i++) expect((await ask({ authorization: "Bearer wrong" })).status).toBe(401);
        const { status, json } = await ask();
        expect([status, json.message]).toEqual([429, "Too Many Attempts."]);
        expect((await ask({ authorization: "Bearer scrape-me" })).status).toBe(429);
        const other = await guarded.send("GET", "/metrics", { headers: { authorization: "Bearer scrape-me" } });
        expect(other.status).toBe(200);
      } finally {
        await guarded.close();
      }
    });
  });
}
