import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { canonicalJson, payloadHash } from "../../src/khala/canonical";
import { compact, measureFloors } from "../../src/khala/retention";
import { streams } from "../../src/khala/streams";
import { engines } from "../support/database";
import { type Client, E, type Live, live, M, R, range } from "./live";

const budget = { RUNTIME_KHALA_RUN_EVENTS_REPLAY_BUDGET_EVENTS: "2" };

for (const engine of engines) {
  describe(`subscribe, replay, live on ${engine}`, () => {
    let it: Live;
    let client: Client;
    beforeAll(async () => {
      it = await live(engine, budget);
    });
    afterAll(() => it.close());
    beforeEach(async () => {
      await it.fresh.store.db.execute(
        sql`update khala_streams set head = 0, floor = 0, oldest_at = null, timeline = left(pg_walfile_name(pg_current_wal_lsn()), 8)`,
      );
      await it.fresh.store.db.execute(sql`delete from khala_events`);
      // hubs read their streams anew: numbers that go back are a lost log
      await it.node.hub.sweep();
    });
    afterEach(() => client?.close());

    const summaries = (count: number, payload: unknown = { status: "running" }) =>
      it.emit(
        Array.from({ length: count }, (_, i) => ({
          stream: streams.codexSummaries(7),
          kind: "worker.summary",
          docKey: "runtime/codex_worker_summary:desktopw:shared",
          docVersion: i + 1,
          payload,
        })),
      );
    const runs = (count: number) =>
      it.emit(
        Array.from({ length: count }, (_, i) => ({
          stream: streams.runs(7),
          kind: "run.state",
          docKey: `runtime/run_summary:${i}`,
          docVersion: 1,
          payload: {},
        })),
      );
    const floor = async (stream: string, at: number) => {
      await it.fresh.store.db.execute(sql`update khala_streams set floor = ${at} where name = ${stream}`);
      await it.fresh.store.db.execute(
        sql`delete from khala_events where seq <= ${at} and stream_id = (select id from khala_streams where name = ${stream})`,
      );
    };

    test("16 no event ever, then one", async () => {
      client = await it.connect();
      const { status, response } = await client.subscribe([E]);
      expect(status).toBe("ok");
      expect(response.current_watermarks).toEqual([{ topic: E, watermark: 0 }]);
      expect(response.replay_from).toEqual([{ topic: E, watermark: 0, reason: "start" }]);
      expect(client.batches()).toEqual([]);
      await it.events(1);
      await client.reach(E, 1);
      const [batch] = client.batches();
      expect(batch.replay_complete).toBe(true);
      expect(batch.head_watermarks).toEqual([{ topic: E, watermark: 1 }]);
    });

    for (const [name, resume] of [
      ["17 an object", { [E]: 1 }],
      ["18 a list", [{ topic: E, watermark: 1 }]],
    ] as const) {
      test(`${name} as resume_after: replay, reply, live`, async () => {
        await it.events(3);
        client = await it.connect();
        const { response } = await client.subscribe([E], resume);
        expect(response.current_watermarks).toEqual([{ topic: E, watermark: 3 }]);
        expect(response.replay_from).toEqual([{ topic: E, watermark: 1, reason: "resume" }]);
        const order = client.frames.slice(1).map((f) => f[3]);
        expect(order).toEqual(["sync:update_batch", "phx_reply"]);
        expect(client.batches()[0].replay_complete).toBe(true);
        await it.events(1);
        await client.reach(E, 4);
        expect(client.marks(E)).toEqual([2, 3, 4]);
      });
    }

    for (const [size, sizes] of [
      [200, [200, 200, 50]],
      [undefined, [200, 200, 50]],
      ["x", [200, 200, 50]],
      [0, [200, 200, 50]],
      [-1, [200, 200, 50]],
      [100000, [450]],
      [1, Array(450).fill(1)],
    ] as const) {
      test(`19 replay_batch_size ${size}`, async () => {
        await it.events(450);
        client = await it.connect();
        await client.subscribe([E], { [E]: 0 }, { replay_batch_size: size });
        expect(client.batches().map(({ updates }) => updates.length)).toEqual([...sizes]);
        expect(client.batches().map(({ replay_complete: done }) => done)).toEqual(
          sizes.map((_, i) => i === sizes.length - 1),
        );
        expect(client.batches()[0].head_watermarks).toEqual([{ topic: E, watermark: 450 }]);
        expect(client.marks(E)).toEqual(range(0, 450));
        expect(client.frames.at(-1)?.[3]).toBe("phx_reply");
      }, 30_000);
    }

    test("20 both frames: the second decodes to the first, byte for byte", async () => {
      await it.events(2);
      client = await it.connect({ join: false });
      const texts: string[] = [];
      client.socket.addEventListener("message", ({ data }) => texts.push(String(data)));
      await client.join();
      await client.subscribe([E], { [E]: 1 });
      await it.events(1);
      await client.until(() => client.pushes("sync:frame").length === 2);
      const batches = texts.filter((text) => text.includes('"sync:update_batch"'));
      for (const [i, frame] of client.pushes("sync:frame").entries()) {
        expect(frame).toMatchObject({ topic: E, seq: i + 2, kind: "KHALA_FRAME_KIND_UPDATE_BATCH", schema_version: 1 });
        const decoded = Buffer.from(frame.payload_bytes, "base64").toString();
        expect(batches[i]).toBe(`[null,null,"sync:v1","sync:update_batch",${decoded}]`);
      }
      expect(client.frames.map((f) => f[3])).toEqual([
        "phx_reply",
        "sync:update_batch",
        "sync:frame",
        "phx_reply",
        "sync:update_batch",
        "sync:frame",
      ]);
    });

    for (const frames of ["batch", "frame"]) {
      test(`20 frames=${frames}`, async () => {
        client = await it.connect({ query: { frames } });
        await it.events(1);
        await client.subscribe([E]);
        await it.events(1);
        const event = frames === "batch" ? "sync:update_batch" : "sync:frame";
        await client.until(() => client.pushes(event).length === 2);
        const other = frames === "batch" ? "sync:frame" : "sync:update_batch";
        expect(client.pushes(other)).toEqual([]);
      });
    }

    test("21 a socket that was cut resumes from its watermark", async () => {
      await it.events(3);
      client = await it.connect();
      await client.subscribe([E]);
      client.close();
      await it.events(3);
      client = await it.connect();
      await client.subscribe([E], { [E]: 3 });
      expect(client.marks(E)).toEqual([4, 5, 6]);
    });

    test("22 the head", async () => {
      await it.events(3);
      client = await it.connect();
      const { response } = await client.subscribe([E], { [E]: "head" });
      expect(response.replay_from).toEqual([{ topic: E, watermark: 3, reason: "head" }]);
      await it.events(1);
      await client.reach(E, 4);
      expect(client.marks(E)).toEqual([4]);
    });

    test("23 a rewind repeats, subscribing again without an entry does not", async () => {
      await it.events(5);
      client = await it.connect();
      await client.subscribe([E], { [E]: 4 });
      expect((await client.subscribe([E], { [E]: 2 })).status).toBe("ok");
      expect(client.marks(E)).toEqual([5, 3, 4, 5]);
      const { response } = await client.subscribe([E]);
      expect(response.current_watermarks).toEqual([{ topic: E, watermark: 5 }]);
      expect(client.marks(E)).toHaveLength(4);
      await it.events(1);
      await client.reach(E, 6);
      expect(client.marks(E)).toEqual([5, 3, 4, 5, 6]);
    });

    test("24 two topics: one reply after both, no batch mixes them", async () => {
      await it.events(3);
      await summaries(4);
      client = await it.connect({ claims: { scopes: [E, M] } });
      const { response } = await client.subscribe([E, M], { [E]: 0, [M]: 0 });
      expect(response.topics).toEqual([E, M]);
      expect(client.marks(E)).toEqual([1, 2, 3]);
      expect(client.marks(M)).toEqual([1, 2, 3, 4]);
      for (const { updates } of client.batches()) {
        expect(new Set(updates.map(({ topic }: { topic: string }) => topic)).size).toBe(1);
      }
      expect(client.frames.at(-1)?.[3]).toBe("phx_reply");
    });

    test("K: a topic with many waiting batches of one does not hold another back", async () => {
      await it.events(20);
      await summaries(1);
      client = await it.connect({ claims: { scopes: [E, M] } });
      await client.subscribe([E, M], { [E]: 0, [M]: 0 }, { replay_batch_size: 1 });
      const order = client.batches().map(({ updates }) => updates[0].topic);
      expect(order.indexOf(M)).toBeLessThan(6);
    });

    test("25 subscribing at any instant while events are appended", async () => {
      let going = true;
      const writer = (async () => {
        while (going) {
          await it.events(7);
          // the embedded engine never leaves the microtask queue by itself
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
      const clients = [];
      for (let i = 0; i < 5; i++) {
        const one = await it.connect();
        clients.push(one);
        await one.subscribe([E], { [E]: 0 });
      }
      going = false;
      await writer;
      await it.events(1);
      const head = (
        await it.node.reader.heads([
          (await it.node.ensure([{ name: streams.codexEvents(7) }])).get(streams.codexEvents(7)) as number,
        ])
      )[0]?.head as number;
      for (const one of clients) {
        await one.reach(E, head);
        expect(one.marks(E)).toEqual(range(0, head));
        one.close();
      }
    });

    test("26 a batch of 100 arrives in order in a few batches", async () => {
      client = await it.connect();
      await client.subscribe([E]);
      await it.events(100);
      await client.reach(E, 100);
      expect(client.marks(E)).toEqual(range(0, 100));
      expect(client.batches().length).toBeLessThanOrEqual(3);
    });

    test("27 a payload too large travels without it", async () => {
      client = await it.connect({ claims: { scopes: [M] } });
      await client.subscribe([M]);
      await summaries(1, { text: "x".repeat(65_536) });
      await client.reach(M, 1);
      expect(client.batches()[0].updates[0]).toMatchObject({
        payload: null,
        payload_hash: null,
        hydration_required: true,
        watermark: 1,
      });
    });

    test("28 the hash is that of the payload's text; members in the contract's order", async () => {
      client = await it.connect({ join: false });
      let text = "";
      client.socket.addEventListener("message", ({ data }) => {
        if (String(data).includes("update_batch")) text = String(data);
      });
      await client.join();
      await client.subscribe([E]);
      await it.emit([
        {
          stream: streams.codexEvents(7),
          kind: "worker.event",
          docKey: "runtime/codex_worker_event:desktopw:shared:1",
          docVersion: 1,
          payload: {
            workerId: "desktopw:shared",
            worker_id: "desktopw:shared",
            seq: 1,
            eventType: "worker.event",
            payload: { method: "turn/started" },
            occurredAt: "2026-02-22T00:00:00Z",
          },
        },
      ]);
      await client.reach(E, 1);
      // the update of khala 2.4, to the byte
      const update =
        '{"topic":"runtime.codex_worker_events","doc_key":"runtime/codex_worker_event:desktopw:shared:1","doc_version":1,"payload":{"eventType":"worker.event","occurredAt":"2026-02-22T00:00:00Z","payload":{"method":"turn/started"},"seq":1,"workerId":"desktopw:shared","worker_id":"desktopw:shared"},"payload_hash":"KZtGl+zF6+u847XYt89k+sgc935czf0trxq6cTx5GfY=","watermark":1,"hydration_required":false}';
      expect(text).toBe(
        `[null,null,"sync:v1","sync:update_batch",{"updates":[${update}],"replay_complete":true,"head_watermarks":[{"topic":"${E}","watermark":1}]}]`,
      );
      const { payload, payload_hash: hash } = client.batches()[0].updates[0];
      expect(payloadHash(canonicalJson(payload))).toBe(hash);
    });

    test("29 a rollback leaves no update and no hole", async () => {
      client = await it.connect();
      await client.subscribe([E]);
      await it.events(1);
      const rolledBack = it.fresh.store.db.transaction(async (tx) => {
        await it.node.append(tx, [
          { stream: streams.codexEvents(7), kind: "k", docKey: "d", docVersion: 1, payload: {} },
        ]);
        throw new Error("no");
      });
      expect(await rolledBack.catch(({ message }) => message)).toBe("no");
      await it.events(1);
      await client.reach(E, 2);
      expect(client.marks(E)).toEqual([1, 2]);
    });

    test("a commit that was never handed over comes by the sweep", async () => {
      client = await it.connect();
      await client.subscribe([E]);
      const repairs = await it.total("khala_wake_repairs_total");
      await it.events(2, { handOver: false });
      await client.reach(E, 2);
      expect(client.marks(E)).toEqual([1, 2]);
      expect(await it.total("khala_wake_repairs_total")).toBe(repairs + 1);
    });

    test("37 below the floor: error, twin, reply, nothing subscribed", async () => {
      await summaries(45);
      await floor(streams.codexSummaries(7), 42);
      client = await it.connect({ claims: { scopes: [M] }, query: { frames: "both" } });
      const { status, response } = await client.subscribe([M], { [M]: 10 });
      expect(status).toBe("error");
      expect(response).toEqual({
        code: "stale_cursor",
        message: "cursor is older than retention floor",
        full_resync_required: true,
        reason_codes: ["retention_floor_breach"],
        stale_topics: [
          {
            topic: M,
            reason: "retention_floor_breach",
            qos_tier: "warm",
            resume_after: 10,
            retention_floor: 42,
            head_watermark: 45,
            replay_lag: 35,
            replay_budget_events: 10000,
          },
        ],
        snapshot_plan: {
          format: "openagents.sync.snapshot.v1",
          topics: [
            {
              topic: M,
              head_watermark: 45,
              snapshot: {
                topic: M,
                format: "openagents.sync.snapshot.v1",
                schema_version: 1,
                cadence_seconds: 120,
                source_table: "runtime.sync_codex_worker_summaries",
                route: "/api/runtime/codex/workers",
              },
            },
          ],
        },
      });
      expect(client.frames.slice(1).map((f) => f[3])).toEqual(["sync:error", "sync:frame", "phx_reply"]);
      expect(client.pushes("sync:error")).toEqual([response]);
      const [frame] = client.pushes("sync:frame");
      expect(frame).toMatchObject({ topic: M, seq: 0, kind: "KHALA_FRAME_KIND_ERROR", schema_version: 1 });
      expect(JSON.parse(Buffer.from(frame.payload_bytes, "base64").toString())).toEqual(response);
      expect((await client.ask("sync:heartbeat")).response.watermarks).toEqual([]);
      expect((await client.subscribe([M], { [M]: 42 })).status).toBe("ok");
      expect(client.marks(M)).toEqual([43, 44, 45]);
    });

    test("38 beyond the budget: stale; 0 and a cursor within it are not", async () => {
      await runs(4);
      client = await it.connect({ claims: { scopes: [R] } });
      const { response } = await client.subscribe([R], { [R]: 1 });
      expect(response.message).toBe("replay budget exceeded for topic qos tier; full resync required");
      expect(response.stale_topics[0]).toMatchObject({ reason: "replay_budget_exceeded", replay_lag: 3 });
      const fresh = await client.subscribe([R], { [R]: 0 });
      expect(fresh.response.replay_from).toEqual([{ topic: R, watermark: 2, reason: "replay_budget" }]);
      expect(client.marks(R)).toEqual([3, 4]);
      await client.subscribe([R], { [R]: 2 });
      expect(client.marks(R)).toEqual([3, 4, 3, 4]);
    });

    test("39 ahead of the head", async () => {
      await it.events(3);
      client = await it.connect();
      const { response } = await client.subscribe([E], { [E]: 9 });
      expect(response.reason_codes).toEqual(["cursor_ahead_of_head"]);
      expect(response.message).toBe("cursor is ahead of the topic head; full resync required");
    });

    test("40, 41 one of two stale: neither is subscribed; one more round with 0 is enough", async () => {
      await it.events(3);
      await summaries(45);
      await floor(streams.codexSummaries(7), 42);
      client = await it.connect({ claims: { scopes: [E, M] } });
      const { response } = await client.subscribe([E, M], { [E]: 1, [M]: 1 });
      expect(response.stale_topics.map(({ topic }: { topic: string }) => topic)).toEqual([M]);
      expect((await client.ask("sync:heartbeat")).response.watermarks).toEqual([]);
      expect((await client.subscribe([E, M], { [E]: 1, [M]: 0 })).status).toBe("ok");
      expect(client.marks(M)).toEqual([43, 44, 45]);
    });

    test("42 a reset under a live reader: unasked stale, other topics go on", async () => {
      await it.events(3);
      client = await it.connect({ claims: { scopes: [E, M] } });
      await client.subscribe([E, M]);
      await it.fresh.store.db.execute(
        sql`update khala_streams set head = head + 1000000, floor = head + 1000000 where name = ${streams.codexEvents(7)}`,
      );
      const error = await client.until(() => client.pushes("sync:error")[0]);
      expect(error.stale_topics).toMatchObject([{ topic: E, resume_after: 3, retention_floor: 1000003 }]);
      await summaries(1);
      await client.reach(M, 1);
      expect((await client.ask("sync:heartbeat")).response.watermarks).toEqual([{ topic: M, watermark: 1 }]);
    });

    test("a fail-over: the first append on another timeline jumps, everybody is told", async () => {
      await it.events(3);
      client = await it.connect();
      await client.subscribe([E]);
      await it.fresh.store.db.execute(sql`update khala_streams set timeline = 'FFFFFFFF'`);
      await it.events(1);
      const error = await client.until(() => client.pushes("sync:error")[0]);
      expect(error).toMatchObject({ code: "stale_cursor", reason_codes: ["retention_floor_breach"] });
      const { response } = await client.subscribe([E], { [E]: 0 });
      expect(response.replay_from).toEqual([{ topic: E, watermark: 1000003, reason: "retention_floor" }]);
      expect(client.marks(E)).toEqual([1, 2, 3, 1000004]);
    });

    test("43 unsubscribed: nothing more of it, though events go on", async () => {
      client = await it.connect({ claims: { scopes: [E, M] } });
      await client.subscribe([E, M]);
      const { response } = await client.ask("sync:unsubscribe", { topics: [E, "unknown"] });
      expect(response.topics).toEqual([M]);
      await it.events(3);
      await summaries(1);
      await client.reach(M, 1);
      expect(client.marks(E)).toEqual([]);
    });

    test("7.2.9 retention: floor and rows move together, in batches", async () => {
      await it.events(5200);
      const stream = streams.codexEvents(7);
      const dry = await compact(it.fresh.store, it.node, { stream, olderThanSeconds: 0, dryRun: true });
      expect(dry).toMatchObject({ streams: 1, rows: 5200 });
      expect(await compact(it.fresh.store, it.node, { stream })).toMatchObject({ rows: 0 });
      const done = await compact(it.fresh.store, it.node, { stream, olderThanSeconds: 0 });
      expect(done).toMatchObject({ streams: 1, rows: 5200 });
      const [row] = await it.fresh.store.rows(
        sql`select head, floor, oldest_at from khala_streams where name = ${stream}`,
      );
      expect(row).toEqual({ head: 5200, floor: 5200, oldest_at: null });
      await it.events(1);
      const [next] = await it.fresh.store.rows<{ oldest_at: Date }>(
        sql`select oldest_at from khala_streams where name = ${stream}`,
      );
      expect(next?.oldest_at).toBeInstanceOf(Date);
      await it.fresh.store.rows(sql`update khala_streams set oldest_at = oldest_at - interval '1 hour'`);
      await measureFloors(it.fresh.store, it.node.metrics);
      const text = await it.node.metrics.registry.getSingleMetricAsString("khala_retention_floor_age_seconds");
      const [, age] = /\{class="codex_worker_events"\} ([\d.]+)/.exec(text) ?? [];
      expect(Math.floor(Number(age) / 60)).toBe(60);
    });

    test("retention cuts what lies more than two budgets behind", async () => {
      await runs(9);
      await compact(it.fresh.store, it.node, { stream: streams.runs(7) });
      const [row] = await it.fresh.store.rows(
        sql`select head, floor from khala_streams where name = ${streams.runs(7)}`,
      );
      expect(row).toEqual({ head: 9, floor: 5 });
      const [left] = await it.fresh.store.rows(sql`select min(seq) as first, count(*) as n from khala_events`);
      expect(left).toEqual({ first: 6, n: 4 });
    });
  });
}
