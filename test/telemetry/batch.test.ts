import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { linkReporter } from "../../ui/telemetry/link";
import fixture from "../fixtures/client-telemetry-v1.json";
import type { Person } from "../support/app";
import { engines } from "../support/database";
import { fakePosthog } from "../support/posthog";
import { type WholeApp, wholeApp } from "../support/whole";

const path = "/api/telemetry/batch";
const posthog = fakePosthog();
afterAll(() => posthog.close());
const on = { POSTHOG_API_KEY: posthog.apiKey, POSTHOG_HOST: posthog.url, POSTHOG_DISABLED: "false" };

for (const engine of engines) {
  describe(`telemetry batch (http-platform 2.10), ${engine}`, () => {
    let app: WholeApp;
    let ann: Person;
    beforeAll(async () => {
      app = await wholeApp(engine, on);
      ann = await app.person("ann@a.example");
    });
    afterAll(() => app.close());
    beforeEach(async () => {
      await app.ctx.analytics.flush();
      posthog.accepted.length = 0;
    });

    let address = 0;
    /** From an address of its own, so that no test uses up another's limit. */
    const send = (events: unknown, more: Parameters<WholeApp["send"]>[2] = {}) =>
      app.send("POST", path, {
        body: { events },
        ...more,
        headers: { "x-forwarded-for": `203.0.113.${++address}`, ...more.headers },
      });
    const arrived = async () => {
      await app.ctx.analytics.flush();
      return posthog.accepted;
    };

    test("a signed-in user's event goes out under the e-mail", async () => {
      const timestamp = new Date(Date.now() - 60_000).toISOString();
      const { status, json } = await send(
        [{ event: "Feed.page_opened", properties: { namespace: "feed", shoutCount: 3, zone: null }, timestamp }],
        { as: ann },
      );
      expect([status, json]).toEqual([202, { data: { accepted: 1, dropped: 0 } }]);
      expect(await arrived()).toEqual([
        {
          event: "Feed.page_opened",
          distinct_id: "ann@a.example",
          properties: { namespace: "feed", shoutCount: 3, zone: null, $lib: "openagents" },
          timestamp: `${timestamp.slice(0, 19)}+00:00`,
        },
      ]);
    });

    test("a guest is somebody else every day, and no person", async () => {
      const headers = { "user-agent": "Test/1", "x-forwarded-for": "198.51.100.7" };
      await send([{ event: "$pageview" }], { headers });
      const day = new Date().toISOString().slice(0, 10);
      const mac = createHmac("sha256", Buffer.alloc(32, 7)).update(`${day}|198.51.100.7|Test/1`).digest("hex");
      const [event] = await arrived();
      expect(event?.distinct_id).toBe(`anon:${mac.slice(0, 32)}`);
      expect(event?.properties).toEqual({ $process_person_profile: false, $lib: "openagents" });
    });

    test("properties: secret names go, texts are cut, secrets in texts and addresses stay here", async () => {
      await send(
        [
          {
            event: "x",
            properties: {
              userEmail: "planted",
              apiToken: "planted",
              Password: "planted",
              cookieJar: "planted",
              preimage: "planted",
              $ip: "203.0.113.1",
              long: "x".repeat(2_000),
              $current_url: "https://o.example/login?code=planted&next=1",
              note: `oa_at_${"ab".repeat(20)}`,
            },
          },
        ],
        { as: ann },
      );
      expect((await arrived())[0]?.properties).toEqual({
        long: "x".repeat(1_000),
        $current_url: "https://o.example/login?code=***&next=1",
        note: "oa_at_…",
        $lib: "openagents",
      });
    });

    test("a time that is a day off, or none, is now", async () => {
      const before = Date.now() - 1_000;
      await send(
        [
          { event: "a", timestamp: "2020-01-01T00:00:00Z" },
          { event: "b", timestamp: "yesterday" },
          { event: "c", timestamp: 5 },
        ],
        { as: ann },
      );
      const times = (await arrived()).map(({ timestamp }) => Date.parse(timestamp));
      expect(times).toHaveLength(3);
      for (const time of times) expect(time).toBeGreaterThanOrEqual(before - 1_000);
    });

    test("entries that fail alone are dropped", async () => {
      const good = { event: "good" };
      const bad: unknown[] = [
        {},
        { event: 7 },
        { event: "" },
        { event: "two words" },
        { event: "x".repeat(121) },
        { event: "x", properties: [1, [2]] },
        { event: "x", properties: { deep: { a: 1 } } },
        { event: "x", properties: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`k${i}`, i])) },
        "x",
        7,
        null,
        [],
      ];
      const { status, json } = await send([...bad, good], { as: ann });
      expect([status, json.data]).toEqual([202, { accepted: 1, dropped: bad.length }]);
      expect((await arrived()).map(({ event }) => event)).toEqual(["good"]);
      expect((await send(bad, { as: ann })).status).toBe(422);
      for (const entry of bad) expect((await send([entry])).status).toBe(422);
    });

    test("http-platform 7, case 32: 51 events are refused, and userEmail is left out", async () => {
      const { status, json } = await send(
        Array.from({ length: 51 }, () => ({ event: "x" })),
        { as: ann },
      );
      expect([status, json.message]).toEqual([422, "The events field must not have more than 50 items."]);
      const taken = await send([{ event: "x", properties: { userEmail: "a@b", kept: true } }], { as: ann });
      expect(taken.status).toBe(202);
      expect((await arrived())[0]?.properties).toEqual({ kept: true, $lib: "openagents" });
    });

    const refused: [name: string, body: unknown, status: number, message: string][] = [
      ["nothing", {}, 422, "The events field is required."],
      ["no events", { events: [] }, 422, "The events field is required."],
      ["no list", { events: "x" }, 422, "The events field must be an array."],
      ["an event without a name", { events: [{}] }, 422, "The events.0.event field is required."],
      ["no object", "[1]", 400, "The request body is not valid JSON."],
      ["malformed", "{", 400, "The request body is not valid JSON."],
      [
        "too large",
        { events: [{ event: "x", properties: { a: "x".repeat(70_000) } }] },
        413,
        "The POST data is too large.",
      ],
    ];
    for (const [name, body, status, message] of refused) {
      test(name, async () => {
        const headers = { "x-forwarded-for": `203.0.113.${++address}`, "content-type": "application/json" };
        const answer = await app.send("POST", path, { body, headers });
        expect([answer.status, answer.json.message]).toEqual([status, message]);
      });
    }
    test("another media type is 415, a bad credential 401", async () => {
      expect(
        (await send([], { body: "events=1", headers: { "content-type": "application/x-www-form-urlencoded" } })).status,
      ).toBe(415);
      expect((await send([{ event: "x" }], { as: "7|nobody" })).status).toBe(401);
    });

    test("60 a minute, by user or address", async () => {
      const bob = await app.person("bob@a.example");
      const headers = { "x-forwarded-for": "198.51.100.20" };
      for (let i = 0; i < 60; i++) expect((await send([{ event: "x" }], { headers })).status).toBe(202);
      const { status, json, headers: out } = await send([{ event: "x" }], { headers });
      expect([status, json.error.code]).toEqual([429, "rate_limited"]);
      expect(json.message).toBe(`Too many requests. Retry in ${out.get("retry-after")}s.`);
      expect((await send([{ event: "x" }], { headers, as: bob })).status).toBe(202);
    });

    describe("client diagnostics", () => {
      const counted = async () =>
        (await app.ctx.metrics.registry.metrics())
          .split("\n")
          .filter((line) => line.startsWith("client_telemetry_events_total{"));

      test("the fixture: counted, one line each, never forwarded", async () => {
        const { status, json } = await send(fixture.events);
        expect([status, json.data]).toEqual([202, { accepted: 3, dropped: 0 }]);
        expect(await arrived()).toEqual([]);
        expect(await counted()).toEqual([
          'client_telemetry_events_total{kind="reconnect",surface="CLIENT_SURFACE_DESKTOP",topic_class="run_events",reason="network_path_changed"} 1',
          'client_telemetry_events_total{kind="auth_failure",surface="CLIENT_SURFACE_WEB",topic_class="worker_lifecycle",reason="token_too_old"} 1',
          'client_telemetry_events_total{kind="replay",surface="CLIENT_SURFACE_DESKTOP",topic_class="run_events",reason="stale_cursor"} 1',
        ]);
        await app.ctx.log.flush();
        const lines = app.log
          .join("")
          .split("\n")
          .filter((line) => line.includes('"oa.client"'));
        expect(lines.map((line) => JSON.parse(line).event_id)).toEqual(fixture.events.map((event) => event.event_id));
        expect(lines.join()).not.toContain("sess_abc123");
      });

      test("what the web app reports of its connection", async () => {
        const told: Record<string, unknown>[] = [];
        const reporter = linkReporter((event) => told.push(event), "20261123T210000Z");
        reporter.stale("runtime.codex_worker_events", 7, 900);
        reporter.gap("runtime.codex_worker_summaries");
        reporter.refused();
        expect((await send(told)).json.data).toEqual({ accepted: 3, dropped: 0 });
        expect((await counted()).join()).toContain('surface="CLIENT_SURFACE_WEB",topic_class="codex_worker_events"');
      });

      const [one] = fixture.events;
      const wrong: [name: string, entry: unknown][] = [
        ["another schema", { ...one, schema_version: "v2" }],
        ["no kind", { ...one, reconnect: undefined }],
        ["two kinds", { ...one, replay: { status: "ok" } }],
        ["a raw id as hash", { ...one, actor_scope_hash: "user:7" }],
        ["a short hash", { ...one, actor_scope_hash: "sha256:7d8b" }],
        ["a user id", { ...one, user_id: 7 }],
        ["an organisation id", { ...one, org_id: "org:1" }],
        ["a device id", { ...one, device_id: "web:1" }],
        ["no surface", { ...one, surface: null }],
        ["a surface of one's own", { ...one, surface: "me@example.com" }],
        ["no time", { ...one, occurred_at_unix_ms: "soon" }],
        ["a deep detail", { ...one, reconnect: { a: { b: 1 } } }],
      ];
      for (const [name, entry] of wrong) {
        test(`${name} is refused`, async () => {
          expect((await send([entry])).status).toBe(422);
          expect((await send([entry, one])).json.data).toEqual({ accepted: 1, dropped: 1 });
        });
      }

      test("words of clients make no more than 100 labels", async () => {
        for (let batch = 0; batch < 3; batch++) {
          const events = Array.from({ length: 50 }, (_, i) => ({
            ...one,
            surface: "CLIENT_SURFACE_TOASTER",
            topic_class: "mine",
            reconnect: { reason_code: `r${batch}_${i}` },
          }));
          expect((await send(events)).json.data.accepted).toBe(50);
        }
        const lines = await counted();
        expect(lines.length).toBeLessThanOrEqual(103);
        expect(lines.some((line) => line.includes('surface="other",topic_class="other",reason="other"'))).toBe(true);
      });
    });
  });

  describe(`telemetry batch without analytics, ${engine}`, () => {
    let app: WholeApp;
    beforeAll(async () => {
      app = await wholeApp(engine);
    });
    afterAll(() => app.close());

    test("product events alone are 204; with diagnostics the rest counts; shapes are checked all the same", async () => {
      const product = { event: "x" };
      const empty = await app.send("POST", path, { body: { events: [product] } });
      expect([empty.status, empty.text, empty.headers.get("content-type")]).toEqual([204, "", null]);
      const both = await app.send("POST", path, { body: { events: [product, fixture.events[0]] } });
      expect([both.status, both.json.data]).toEqual([202, { accepted: 1, dropped: 1 }]);
      expect((await app.send("POST", path, { body: {} })).status).toBe(422);
    });
  });
}
