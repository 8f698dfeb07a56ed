import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { compose } from "../../src/http/compose";
import { createGuards } from "../../src/identity/guard";
import { khalaApi } from "../../src/khala";
import { streams } from "../../src/khala/streams";
import { type Person, type TestApp, testApp } from "../support/app";
import { engines } from "../support/database";
import { accessOf, claims, E, type Live, live } from "./live";

const RUN = "run:9:events";
const path = (topic: string, query = "") => `/api/khala/topics/${topic}/messages${query}`;

for (const engine of engines) {
  describe(`poll and inspection on ${engine}`, () => {
    let it: Live;
    let app: TestApp;
    let admin: Person;
    let fetched: (request: Request) => Promise<Response>;
    beforeAll(async () => {
      it = await live(engine, { RUNTIME_KHALA_RUN_EVENTS_REPLAY_BUDGET_EVENTS: "3" });
      app = await testApp(engine, { domains: () => [] });
      admin = await app.person("root@a.example", { isAdmin: true });
      it.world.runs.add("7 9");
      const ctx = { ...app.ctx, store: it.fresh.store };
      const api = khalaApi(ctx, it.node, accessOf(it.world), it.sockets, "build");
      const composed = compose(ctx, { domains: [api], guards: createGuards(app.ctx), loopback: true });
      fetched = (request) =>
        composed.fetch(request, { requestIP: () => ({ address: "127.0.0.1" }) }) as Promise<Response>;
      await it.emit([{ stream: streams.run("9"), kind: "run.started", docKey: "d", docVersion: 1, payload: {} }]);
    });
    afterAll(async () => {
      await it.close();
      await app.close();
    });

    async function send(url: string, token: string | null, { method = "GET", headers = {} } = {}) {
      const auth: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
      const response = await fetched(
        new Request(`http://localhost:8787${url}`, {
          method,
          headers: { host: "localhost:8787", ...auth, ...headers },
        }),
      );
      // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely
      return { status: response.status, headers: response.headers, body: (await response.json()) as any };
    }
    const token = (over: Parameters<typeof claims>[0] = {}) =>
      JSON.stringify(claims({ scopes: ["runtime.run_events", E], ...over }));

    test("56 one event; the same again at once is too soon", async () => {
      it.freeze(true);
      const { status, body } = await send(path(RUN, "?after_seq=0&limit=10"), token());
      expect(status).toBe(200);
      expect(Object.keys(body)).toEqual([
        "topic",
        "driver",
        "messages",
        "oldest_available_cursor",
        "head_cursor",
        "queue_depth",
        "dropped_messages",
        "next_cursor",
        "replay_complete",
        "limit_applied",
        "limit_capped",
        "fairness_applied",
        "active_topic_count",
        "outbound_queue_limit",
        "consumer_lag",
        "slow_consumer_strikes",
        "slow_consumer_max_strikes",
        "recommended_reconnect_backoff_ms",
      ]);
      const [message] = body.messages;
      expect(message).toEqual({
        topic: RUN,
        sequence: 1,
        kind: "run.started",
        payload: {},
        published_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      });
      expect(body).toMatchObject({
        topic: RUN,
        driver: "postgres",
        oldest_available_cursor: 0,
        head_cursor: 1,
        queue_depth: 1,
        dropped_messages: 0,
        next_cursor: 1,
        replay_complete: true,
        limit_applied: 10,
        limit_capped: false,
        fairness_applied: false,
        active_topic_count: 0,
        outbound_queue_limit: 200,
        consumer_lag: 1,
        slow_consumer_strikes: 0,
        slow_consumer_max_strikes: 3,
      });
      expect(body.recommended_reconnect_backoff_ms).toBeGreaterThanOrEqual(400);
      expect(body.recommended_reconnect_backoff_ms).toBeLessThanOrEqual(650);
      const again = await send(path(RUN), token());
      expect(again.status).toBe(429);
      expect(again.body).toMatchObject({
        message: "poll interval guard triggered",
        error: { code: "rate_limited" },
        reason_code: "poll_interval_guard",
        retry_after_ms: 250,
      });
      it.freeze(false);
    });

    test("the internal alias; a limit over the cap; fairness with a second topic", async () => {
      it.advance(120_000);
      const first = await send(`/internal/v1/khala/topics/${RUN}/messages?after_seq=1&limit=999`, token());
      expect(first.body).toMatchObject({ messages: [], next_cursor: 1, limit_applied: 200, limit_capped: true });
      const second = await send(path(E), token());
      expect(second.body).toMatchObject({ limit_applied: 50, fairness_applied: true, active_topic_count: 1 });
    });

    const refusals: [string, string, string | null, number, string, string, Record<string, string>?][] = [
      ["no token", path(RUN), null, 401, "unauthorized", "missing_authorization"],
      ["a bad token", path(RUN), "bad:token_expired", 401, "unauthorized", "token_expired"],
      [
        "an ended session",
        path(RUN),
        JSON.stringify(claims({ sessionId: "sess_gone" })),
        401,
        "unauthorized",
        "token_revoked",
      ],
      ["a missing scope", path(RUN), JSON.stringify(claims()), 403, "forbidden_topic", "missing_scope"],
      ["somebody else's run", path("run:8:events"), token(), 403, "forbidden_topic", "owner_mismatch"],
      ["an unknown topic", path("nope"), token(), 403, "forbidden_topic", "forbidden_topic"],
      [
        "a foreign origin",
        path(RUN),
        token(),
        403,
        "forbidden_origin",
        "origin_not_allowed",
        { origin: "https://evil.example" },
      ],
    ];
    for (const [name, url, bearer, status, code, reason, headers] of refusals) {
      test(`56 ${name}`, async () => {
        const answer = await send(url, bearer, { headers });
        expect([answer.status, answer.body.error.code, answer.body.reason_code]).toEqual([status, code, reason]);
      });
    }

    test("a session cookie or a token in the query is no credential", async () => {
      const answer = await send(path(RUN, `?token=${encodeURIComponent(token())}`), null);
      expect(answer.body.reason_code).toBe("missing_authorization");
    });

    test("56 below the floor, 0 included, and beyond the budget", async () => {
      await it.emit(
        Array.from({ length: 6 }, (_, i) => ({
          stream: streams.run("9"),
          kind: "run.step",
          docKey: "d",
          docVersion: i,
          payload: {},
        })),
      );
      await it.fresh.store.db.execute(sql`update khala_streams set floor = 2 where name = 'r:9:events'`);
      await it.fresh.store.db.execute(sql`delete from khala_events where seq <= 2`);
      it.advance(120_000);
      const answer = await send(path(RUN), token());
      expect(answer.status).toBe(410);
      const message = "cursor cannot be resumed from retained stream window";
      expect(answer.body).toEqual({
        message,
        error: { code: "stale_cursor", message },
        details: {
          topic: RUN,
          requested_cursor: 0,
          oldest_available_cursor: 2,
          head_cursor: 7,
          reason_codes: ["retention_floor_breach"],
          replay_lag: 7,
          replay_budget_events: 3,
          qos_tier: "warm",
          recovery: "reset_local_watermark_and_replay_bootstrap",
        },
      });
      it.advance(1000);
      const far = await send(path(RUN, "?after_seq=3"), token());
      expect(far.body.details.reason_codes).toEqual(["replay_budget_exceeded"]);
      it.advance(1000);
      const near = await send(path(RUN, "?after_seq=4"), token());
      expect(near.body.messages.map(({ sequence }: { sequence: number }) => sequence)).toEqual([5, 6, 7]);
      it.advance(1000);
      expect((await send(path(RUN, "?after_seq=99"), token())).body).toMatchObject({ messages: [], next_cursor: 99 });
    });

    test("2.10 inspection is for administrators, and closes a socket", async () => {
      const ann = await app.person("ann@a.example");
      for (const url of ["/api/admin/khala", "/api/admin/khala/connections", "/internal/v1/khala/fanout/metrics"]) {
        expect((await send(url, null)).status).toBe(401);
        expect((await send(url, ann.token)).status).toBe(403);
      }
      const client = await it.connect({ query: { client: "web" } });
      await client.subscribe([E], { [E]: "head" });
      await it.events(2);
      await client.until(() => client.marks(E).length === 2);
      const { body } = await send("/api/admin/khala", admin.token);
      expect(body.data.nodes).toMatchObject([{ node: it.node.id, build_id: "build", sockets: 1, live: 1, behind: 0 }]);
      const topic = body.data.topics.find(({ stream }: { stream: string }) => stream === streams.codexEvents(7));
      expect(topic).toMatchObject({ topic_class: "codex_worker_events", subscribers: 1, events_per_minute: 2 });
      expect(topic.slowest_watermark).toBe(topic.head);
      expect(body.data.wake).toMatchObject({
        mode: engine === "pglite" ? "local" : "postgres",
        connected: true,
      });
      const listed = await send("/api/admin/khala/connections?user_id=7", admin.token);
      const [connection] = listed.body.data;
      expect(connection).toMatchObject({
        user_id: 7,
        device_id: "web:test",
        client: "web",
        topics: [{ topic: E, mode: "live", watermark: topic.head, acknowledged: null, lag: 0 }],
      });
      expect((await send("/api/admin/khala/connections?user_id=8", admin.token)).body.data).toEqual([]);
      const url = `/api/admin/khala/connections/${connection.connection_id}`;
      expect((await send(url, admin.token, { method: "DELETE" })).status).toBe(200);
      expect(await client.closing()).toEqual({ code: 4403, reason: "closed_by_operator" });
      const [audit] = await app.ctx.store.rows(sql`select event_name from audit_events order by id desc limit 1`);
      expect(audit).toEqual({ event_name: "khala.connection.closed" });
      expect((await send(url, admin.token, { method: "DELETE" })).status).toBe(404);
    });

    test("2.10 fan-out metrics and hooks", async () => {
      const { body } = await send("/internal/v1/khala/fanout/hooks?topic_limit=1", admin.token);
      expect(body.driver).toBe("postgres");
      expect(body.delivery_metrics.total_polls).toBeGreaterThan(5);
      expect(body.delivery_metrics.throttled_polls).toBe(1);
      expect(body.delivery_metrics.recent_disconnect_causes).toContain("4403");
      expect(body.topic_windows).toHaveLength(1);
      expect(body.topic_windows[0]).toMatchObject({
        topic: "r:9:events",
        head_sequence: 7,
        oldest_sequence: 3,
        queue_depth: 5,
      });
      expect(body.hooks.map(({ backend, status }: Record<string, string>) => [backend, status])).toEqual([
        ["nats", "not_configured"],
        ["redis", "not_configured"],
        ["postgres_notify", engine === "pglite" ? "not_configured" : "active"],
      ]);
    });
  });
}
