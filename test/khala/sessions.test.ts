import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { streams } from "../../src/khala/streams";
import { engines } from "../support/database";
import { type Client, claims, E, type Live, live, M, R } from "./live";

const times = { OA_KHALA_HEARTBEAT_INTERVAL_MS: "15000", OA_KHALA_HEARTBEAT_TIMEOUT_MS: "60000" };

for (const engine of engines) {
  describe(`entitlements, heartbeat, re-auth and end on ${engine}`, () => {
    let it: Live;
    let client: Client;
    beforeAll(async () => {
      it = await live(engine, times);
    });
    afterAll(() => it.close());
    beforeEach(() => {
      it.world.down = false;
      for (const userId of [7, 8]) {
        it.world.standings.set(`sess_${userId}`, { userId, ended: null, endsAt: null, workerId: null });
      }
    });
    afterEach(() => client?.close());

    const revoke = (payload: object) =>
      it.emit([{ stream: streams.revocations, kind: "session.revoked", docKey: "user:7", docVersion: 0, payload }]);
    const ended = {
      code: "reauth_required",
      message: "session access was revoked; sign in again",
      reauth_required: true,
    };

    test("30 a scope that is missing; nothing else is subscribed either", async () => {
      client = await it.connect();
      expect(await client.subscribe([M])).toEqual({
        status: "error",
        response: {
          code: "forbidden_topic",
          message: "topic subscription is not authorized",
          forbidden_topics: [M],
          reasons: { [M]: "missing_scope" },
        },
      });
      expect((await client.subscribe([E, M])).response.forbidden_topics).toEqual([M]);
      expect((await client.ask("sync:heartbeat")).response.watermarks).toEqual([]);
    });

    const bad: [string, unknown, unknown, string][] = [
      ["no topics", [], undefined, "topics"],
      ["a string", E, undefined, "topics"],
      ["only blanks", [1, null, " "], undefined, "topics"],
      ["missing", undefined, undefined, "topics"],
      ["a name of 201 characters", ["x".repeat(201)], undefined, "topics"],
      ["resume 5", [E], 5, "resume_after"],
      ["resume -1", [E], { [E]: -1 }, "resume_after"],
      ["resume 1.5", [E], { [E]: 1.5 }, "resume_after"],
      ["resume text", [E], { [E]: "1" }, "resume_after"],
      ["resume beyond 2^53", [E], { [E]: 2 ** 53 }, "resume_after"],
      ["101 topics", Array.from({ length: 101 }, (_, i) => `t${i}`), undefined, "too_many_topics"],
    ];
    for (const [name, topics, resume, reason] of bad) {
      test(`31 bad subscription: ${name}`, async () => {
        client = await it.connect();
        expect((await client.subscribe(topics, resume)).response).toEqual({
          code: "bad_subscription",
          message: "subscription payload is invalid",
          reason,
        });
      });
    }

    test("31 names are trimmed and counted once", async () => {
      client = await it.connect();
      expect((await client.subscribe([E, E, ` ${E} `])).response.topics).toEqual([E]);
    });

    test("32 two users of one organisation: each sees only their own, under every name", async () => {
      const org = "org:openagents:worker_events";
      const seven = await it.connect();
      const eight = await it.connect({ claims: { userId: 8 } });
      for (const one of [seven, eight])
        expect((await one.subscribe([E, org], { [E]: "head", [org]: "head" })).status).toBe("ok");
      const before = (await eight.ask("sync:heartbeat")).response.watermarks;
      await it.events(3);
      await seven.until(() => seven.marks(E).length === 3 && seven.marks(org).length === 3);
      expect(seven.marks(org)).toEqual(seven.marks(E));
      expect((await eight.ask("sync:heartbeat")).response.watermarks).toEqual(before);
      expect(eight.batches()).toEqual([]);
      seven.close();
      eight.close();
    });

    test("33, 34 names of others", async () => {
      it.world.workers.set("7 desktopw:mine:x", "11111111-1111-4111-8111-111111111111");
      it.world.runs.add("7 r1");
      client = await it.connect({ claims: { scopes: [E, R, "runtime.run_events"] } });
      const denied: [string, string][] = [
        ["worker:desktopw:8s:lifecycle", "owner_mismatch"],
        ["worker::lifecycle", "forbidden_topic"],
        ["run:9:events", "owner_mismatch"],
        ["fleet:user:8:workers", "forbidden_topic"],
        ["fleet:guest:g:workers", "forbidden_topic"],
        ["user:8:runs", "forbidden_topic"],
        ["user:07:runs", "forbidden_topic"],
        ["org:elsewhere:worker_events", "owner_mismatch"],
        ["org:openagents:workers", "missing_scope"],
        ["sync.auth", "forbidden_topic"],
        ["sys.revocations", "forbidden_topic"],
        ["nope", "forbidden_topic"],
        ["RUNTIME.CODEX_WORKER_EVENTS", "forbidden_topic"],
        [streams.codexEvents(8), "forbidden_topic"],
      ];
      const { response } = await client.subscribe(denied.map(([topic]) => topic));
      expect(response.forbidden_topics).toEqual(denied.map(([topic]) => topic));
      expect(response.reasons).toEqual(Object.fromEntries(denied));
      const own = [
        "worker:desktopw:mine:x:lifecycle",
        "run:r1:events",
        "user:7:runs",
        "org:user:7:worker_events",
        "user:7:payments",
      ];
      expect((await client.subscribe(own)).response.topics).toEqual(own);
      await it.emit([
        {
          stream: streams.workerLifecycle("11111111-1111-4111-8111-111111111111"),
          kind: "worker.started",
          docKey: "d",
          docVersion: 1,
          payload: {},
        },
      ]);
      await client.reach("worker:desktopw:mine:x:lifecycle", 1);
    });

    test("34 without the scope of runs", async () => {
      client = await it.connect();
      expect((await client.subscribe(["run:r1:events"])).response.reasons).toEqual({
        "run:r1:events": "missing_scope",
      });
    });

    test("35 shouts are for everybody who is signed in: 205 in a row", async () => {
      client = await it.connect();
      await client.subscribe(["social.shouts"], { "social.shouts": "head" });
      for (let i = 0; i < 205; i++) {
        await it.emit([
          { stream: streams.shouts, kind: "shout.created", docKey: `social/shout:${i}`, docVersion: 1, payload: { i } },
        ]);
      }
      await client.until(() => client.marks("social.shouts").length === 205);
      const seen = client
        .batches("social.shouts")
        .flatMap(({ updates }) => updates.map(({ payload }: { payload: { i: number } }) => payload.i));
      expect(seen).toEqual(Array.from({ length: 205 }, (_, i) => i));
    }, 30_000);

    test("36 a token for one worker sees that worker only; its watermark passes over the rest", async () => {
      it.world.standings.set("pat:1", { userId: 7, ended: null, endsAt: null, workerId: "desktopw:a" });
      const restricted = { claims: { sessionId: "pat:1" } };
      client = await it.connect(restricted);
      const at = (await client.subscribe([E], { [E]: "head" })).response.current_watermarks[0].watermark;
      await it.events(2, { worker: "desktopw:a" });
      await it.events(3, { worker: "desktopw:b" });
      await it.events(1, { worker: "desktopw:a:1" });
      const head = at + 6;
      const beat = async () => (await client.ask("sync:heartbeat")).response.watermarks;
      for (let i = 0; (await beat())[0].watermark !== head; i++) if (i > 200) throw new Error("never at the head");
      expect(client.marks(E)).toEqual([at + 1, at + 2]);
      client.close();
      client = await it.connect(restricted);
      await client.subscribe([E], { [E]: head });
      await it.events(1, { worker: "desktopw:a" });
      await client.until(() => client.marks(E).length);
      expect(client.marks(E)).toEqual([head + 1]);
    });

    test("45 heartbeat: push, then reply; a push by itself; silence ends it", async () => {
      client = await it.connect();
      await client.subscribe([E], { [E]: "head" });
      const from = client.frames.length;
      const { response } = await client.ask("sync:heartbeat", {
        watermarks: [{ topic: E, watermark: 1 }, { topic: 3 }],
      });
      const [push, reply] = client.frames.slice(from);
      expect([push?.[3], reply?.[3]]).toEqual(["sync:heartbeat", "phx_reply"]);
      expect(push?.[4].watermarks).toEqual(response.watermarks);
      const beats = client.pushes("sync:heartbeat").length;
      it.advance(15_000);
      await client.until(() => client.pushes("sync:heartbeat").length === beats + 1);
      it.advance(45_000);
      expect(await client.closing()).toEqual({ code: 4408, reason: "heartbeat_timeout" });
    });

    test("14 a second join: phx_close for the first, no update of earlier subscriptions", async () => {
      client = await it.connect();
      await client.subscribe([E], { [E]: "head" });
      const from = client.frames.length;
      await client.join({ frames: "batch" });
      const [close, reply] = client.frames.slice(from);
      expect(close).toEqual(["1", "1", "sync:v1", "phx_close", {}]);
      expect(reply?.[4].status).toBe("ok");
      await it.events(1);
      expect((await client.ask("sync:heartbeat")).response.watermarks).toEqual([]);
      expect(client.batches()).toEqual([]);
    });

    test("52 an unknown event; after leaving: not joined, and it may join again", async () => {
      client = await it.connect();
      expect((await client.ask("sync:nothing")).response).toEqual({ code: "unknown_event", message: "unknown event" });
      const from = client.frames.length;
      await client.ask("phx_leave");
      await client.until(() => client.pushes("phx_close").length);
      expect(client.frames.slice(from).map((f) => f[3])).toEqual(["phx_reply", "phx_close"]);
      expect((await client.ask("sync:heartbeat")).response.code).toBe("not_joined");
      expect((await client.join()).status).toBe("ok");
    });

    test("46 re-auth replaces scopes at once, and only for the same session", async () => {
      client = await it.connect();
      await client.subscribe([E], { [E]: "head" });
      const other = await client.ask("sync:reauth", {
        token: JSON.stringify(claims({ sessionId: "sess_9", scopes: [M] })),
      });
      expect(other.response).toEqual({
        code: "unauthorized",
        message: "khala sync authorization failed",
        reason_code: "session_mismatch",
      });
      expect((await client.ask("sync:reauth", { token: "bad:token_expired" })).response.reason_code).toBe(
        "token_expired",
      );
      expect((await client.ask("sync:reauth", {})).response.reason_code).toBe("missing_authorization");
      const { status, response } = await client.ask("sync:reauth", { token: JSON.stringify(claims({ scopes: [M] })) });
      expect(status).toBe("ok");
      expect(response).toMatchObject({ scopes: [M], removed_topics: [E] });
      await it.events(1);
      expect((await client.subscribe([M])).status).toBe("ok");
      expect(client.marks(E)).toEqual([]);
    });

    test("13 a session that ended after the token was minted", async () => {
      it.world.standings.set("sess_7", { userId: 7, ended: "security_policy", endsAt: null });
      client = await it.connect({ join: false });
      expect((await client.join()).response).toEqual({ ...ended, reason: "security_policy" });
      expect(await client.closing()).toEqual({ code: 4401, reason: "reauth_required" });
    });

    test("a session that nobody knows, or that is somebody else's", async () => {
      client = await it.connect({ join: false, claims: { sessionId: "pat:404" } });
      expect((await client.join()).response.reason).toBe("user_requested");
      await client.closing();
      client = await it.connect({ join: false, claims: { sessionId: "sess_8" } });
      expect((await client.join()).response.reason).toBe("user_requested");
    });

    test("the database is away at the join", async () => {
      it.world.down = true;
      client = await it.connect({ join: false });
      expect((await client.join()).response).toEqual({
        code: "internal",
        message: "temporarily unavailable",
        retry_after_ms: 1000,
      });
      expect(await client.closing()).toEqual({ code: 1013, reason: "try_again_later" });
    });

    test("47 the session is logged out: error, twin, 4401; other sessions of the user stay", async () => {
      it.world.standings.set("sess_7b", { userId: 7, ended: null, endsAt: null });
      const other = await it.connect({ claims: { sessionId: "sess_7b" } });
      client = await it.connect({ query: { frames: "both" } });
      it.world.standings.set("sess_7", { userId: 7, ended: "user_requested", endsAt: null });
      const since = performance.now();
      await revoke({ session_ids: ["sess_7"], user_id: 7, reason: "user_requested" });
      expect(await client.closing()).toEqual({ code: 4401, reason: "reauth_required" });
      expect(performance.now() - since).toBeLessThan(2000);
      const [error] = client.pushes("sync:error");
      expect(error).toEqual({ ...ended, reason: "user_requested" });
      const [frame] = client.pushes("sync:frame");
      expect(frame).toMatchObject({ topic: "sync.auth", seq: 0, kind: "KHALA_FRAME_KIND_ERROR" });
      expect(JSON.parse(Buffer.from(frame.payload_bytes, "base64").toString())).toEqual(error);
      expect((await other.ask("sync:heartbeat")).status).toBe("ok");
      const again = await it.connect({ join: false });
      expect((await again.join()).response.reason).toBe("user_requested");
      other.close();
    });

    test("47 the news of it lost: the sweep brings it", async () => {
      client = await it.connect();
      await it.emit(
        [
          {
            stream: streams.revocations,
            kind: "session.revoked",
            docKey: "user:7",
            docVersion: 0,
            payload: { session_ids: null, user_id: 7, reason: "device_replaced" },
          },
        ],
        { handOver: false },
      );
      expect((await client.closing()).code).toBe(4401);
      expect(client.pushes("sync:error")[0].reason).toBe("device_replaced");
    });

    test("48 the session's own end is read again at its instant: one was moved, one is over", async () => {
      const endsAt = new Date(it.node.clock.now() + 20_000);
      for (const userId of [7, 8]) it.world.standings.set(`sess_${userId}`, { userId, ended: null, endsAt });
      client = await it.connect();
      const moved = await it.connect({ claims: { userId: 8 } });
      it.world.standings.set("sess_7", { userId: 7, ended: "session_expired", endsAt });
      it.world.standings.set("sess_8", { userId: 8, ended: null, endsAt: new Date(endsAt.getTime() + 3_600_000) });
      it.advance(20_001);
      expect((await client.closing()).code).toBe(4401);
      expect(client.pushes("sync:error")).toEqual([{ ...ended, reason: "session_expired" }]);
      expect((await moved.ask("sync:heartbeat")).status).toBe("ok");
      moved.close();
    });

    test("49 the token's own expiry ends nothing", async () => {
      client = await it.connect({ claims: { expiresAt: Math.floor(Date.now() / 1000) - 1 } });
      expect((await client.ask("sync:heartbeat")).status).toBe("ok");
    });

    test("3.9 the recheck finds what nobody announced", async () => {
      const org = "org:openagents:worker_events";
      it.world.members.add("7 org:openagents");
      client = await it.connect();
      await client.subscribe([E, org]);
      it.world.members.delete("7 org:openagents");
      await it.sockets.recheck();
      await client.until(() => client.pushes("sync:error").length);
      expect(client.pushes("sync:error")).toEqual([
        {
          code: "forbidden_topic",
          message: "topic subscription is not authorized",
          forbidden_topics: [org],
          reasons: { [org]: "owner_mismatch" },
        },
      ]);
      expect((await client.ask("sync:heartbeat")).response.watermarks.map((w: { topic: string }) => w.topic)).toEqual([
        E,
      ]);
      it.world.members.add("7 org:openagents");
      it.world.standings.set("sess_7", { userId: 7, ended: "admin_revoked", endsAt: null });
      await it.sockets.recheck();
      expect((await client.closing()).code).toBe(4401);
      expect(client.pushes("sync:error")[1].reason).toBe("admin_revoked");
    });

    test("closed by hand", async () => {
      client = await it.connect();
      expect(it.sockets.closeUser(7)).toBeGreaterThan(0);
      expect(await client.closing()).toEqual({ code: 4403, reason: "closed_by_operator" });
      expect(it.sockets.closeById("c_none")).toBe(false);
    });
  });
}
