import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import type { Store } from "../../db/database";
import { ALIVE_SECONDS, seenNodes } from "../../src/khala/heartbeat";
import { subscriptionCounts } from "../../src/khala/inspection";
import { streams } from "../../src/khala/streams";
import { createWake, parseWake } from "../../src/khala/wake";
import { createLog } from "../../src/telemetry/log";
import { createMetrics } from "../../src/telemetry/metrics";
import { type Client, E, type Live, live, range } from "../khala/live";

/** Two nodes of one Postgres in this process: `a` writes, clients read on `b`. */
describe("wake-ups between two nodes", () => {
  let a: Live;
  let b: Live;
  let client: Client;
  beforeAll(async () => {
    a = await live("postgres", { OA_NODE_ID: "a" });
    b = await live("postgres", { OA_NODE_ID: "b" }, a);
    // b's hello has reached a
    await until(async () => (await a.total("khala_wake_received_total")) > 0);
  });
  afterAll(async () => {
    await b.close();
    await a.close();
  });
  beforeEach(async () => {
    client = await b.connect();
    await client.subscribe([E], { [E]: "head" });
  });
  afterEach(() => client.close());

  const head = async () => Number((await client.ask("sync:heartbeat")).response.watermarks[0].watermark);
  const repairs = () => b.total("khala_wake_repairs_total");
  /** The backend that `live`'s node listens with. */
  const cut = async ({ fresh: { store } }: Live) => {
    const [found] = await store.rows<{ pid: number }>(sql`select pg_backend_pid() as pid`, store.aside);
    await a.fresh.store.rows(sql`select pg_terminate_backend(${found?.pid as number})`);
  };

  test("an event of one node reaches a socket of the other at once, without a sweep", async () => {
    const [before, repaired] = [await head(), await repairs()];
    const delays: number[] = [];
    for (let i = 1; i <= 20; i++) {
      const sent = performance.now();
      await a.events(1);
      await client.reach(E, before + i);
      delays.push(performance.now() - sent);
    }
    expect(client.marks(E)).toEqual(range(before, before + 20));
    expect(await repairs()).toBe(repaired);
    expect(delays.toSorted((x, y) => x - y)[10]).toBeLessThan(100);
  });

  test("a commit whose wake-up was never sent comes with the next one, or by the sweep", async () => {
    const before = await head();
    await a.events(1, { handOver: false });
    await client.reach(E, before + 1, 3000);
    expect(client.marks(E)).toEqual([before + 1]);
  });

  test("21 what was appended on another node while offline is replayed", async () => {
    const before = await head();
    client.close();
    await a.events(3);
    client = await b.connect();
    await client.subscribe([E], { [E]: before });
    await client.reach(E, before + 3);
    expect(client.marks(E)).toEqual(range(before, before + 3));
  });

  test("a revocation on one node closes the sockets of the other within 500 ms, those of others stay", async () => {
    const other = await b.connect({ claims: { userId: 8 } });
    const started = performance.now();
    await a.emit([
      {
        stream: streams.revocations,
        kind: "session.revoked",
        docKey: "user:7",
        docVersion: 0,
        payload: { session_ids: ["sess_7"], user_id: 7, reason: "user_requested" },
      },
    ]);
    expect(await client.closing()).toEqual({ code: 4401, reason: "reauth_required" });
    expect(performance.now() - started).toBeLessThan(500);
    expect(client.pushes("sync:error")[0]).toMatchObject({ code: "reauth_required", reason: "user_requested" });
    expect((await other.ask("sync:heartbeat")).status).toBe("ok");
    other.close();
  });

  test("while the listening connection is lost sweeps bring events four times a second; it heals by itself", async () => {
    const losses = () => b.log.filter((line) => line.includes("wake-ups are cut off")).length;
    const [before, lost] = [await head(), losses()];
    await cut(b);
    await until(async () => losses() > lost);
    await a.events(1);
    await client.reach(E, before + 1, 2000);
    await until(async () => b.node.wakes().connected);
    const repaired = await repairs();
    await a.events(1);
    await client.reach(E, before + 2);
    expect(await repairs()).toBe(repaired);
    expect(client.marks(E)).toEqual(range(before, before + 2));
  });

  test("the sending connection is lost: nothing is, the next notification goes out", async () => {
    const before = await head();
    await cut(a);
    await a.events(1);
    await client.reach(E, before + 1, 3000);
    await until(async () => a.node.wakes().connected);
    const repaired = await repairs();
    await a.events(1);
    await client.reach(E, before + 2);
    expect(await repairs()).toBe(repaired);
  });

  test.each(["", "hello there", "1:2:3", "1:", ":2", "1:2,", "-1:2", "1:2;drop", "9999999999999999:1", "1:1e3"])(
    "a wake-up that is none is ignored and counted: %j",
    async (text) => {
      expect(parseWake(text)).toBeNull();
      const bad = async () =>
        (await b.metrics.registry.getSingleMetric("khala_wake_received_total")?.get())?.values.find(
          ({ labels }) => labels.result === "bad",
        )?.value ?? 0;
      const before = await bad();
      await a.fresh.store.notify("khala_wake", text);
      await until(async () => (await bad()) > before);
    },
  );

  test("a forged wake-up costs a read, no event", async () => {
    const [before, [place]] = [await head(), [...b.node.hub.streams()].filter(({ name }) => name.includes("codex"))];
    await a.fresh.store.notify("khala_wake", `${place?.id}:${before + 1000},999999:5`);
    await a.events(2);
    await client.reach(E, before + 2);
    expect(client.marks(E)).toEqual(range(before, before + 2));
  });

  test("both are in server_nodes with what they carry; the inspection shows them", async () => {
    await b.node.hub.sweep();
    await a.fresh.store.notify("khala_wake", "hello");
    await until(async () => (await seenNodes(a.fresh.store, ALIVE_SECONDS)).some(({ sockets }) => sockets === 1));
    const nodes = await seenNodes(a.fresh.store, ALIVE_SECONDS);
    expect(nodes).toMatchObject([
      { id: "a", build_id: "build", version: "1.0.0", schema_version: 1, sockets: 0, live: 0, behind: 0 },
      { id: "b", sockets: 1, live: 1, behind: 0 },
    ]);
    expect(subscriptionCounts(b.node)).toEqual({ live: 1, behind: 0 });
    expect(subscriptionCounts(a.node)).toEqual({ live: 0, behind: 0 });
  });
});

describe("what is sent", () => {
  /** The lane over a database whose notifications end when told. */
  function lane({ others = true, fails = false } = {}) {
    const told: string[] = [];
    let end: (() => void) | null = null;
    const metrics = createMetrics();
    const wake = createWake({
      store: {
        kind: "postgres",
        notify: (_channel: string, text: string) => {
          told.push(text);
          if (fails) return Promise.reject(new Error("cut off"));
          return new Promise<void>((resolve) => {
            end = resolve;
          });
        },
      } as unknown as Store,
      hub: { wake: () => {} },
      metrics,
      log: createLog({ level: "error", format: "json", write: () => {} }),
      now: Date.now,
      othersAlive: () => Promise.resolve(others),
      onHello: () => {},
    });
    const begun = () => until(async () => end !== null || fails);
    return { wake, told, begun, end: () => end?.() };
  }

  test("one statement is in flight; what gathers meanwhile is one more, a stream once with its highest head", async () => {
    const { wake, told, begun, end } = lane();
    wake.note(1, 5);
    wake.note(1, 6);
    await begun();
    for (let i = 7; i < 100; i++) wake.note(1, i);
    wake.note(2, 1);
    wake.note(1, 50);
    expect(told).toEqual(["1:6"]);
    end();
    await until(async () => told.length === 2);
    expect(told[1]).toBe("1:99,2:1");
  });

  test("a text is at most 7,900 bytes; the rest follows", async () => {
    const { wake, told, end } = lane();
    for (let i = 0; i < 2000; i++) wake.note(1_000_000 + i, i);
    const flushed = wake.flush();
    let done = false;
    void flushed.then(() => {
      done = true;
    });
    await until(async () => {
      end();
      return done;
    });
    expect(told.every((text) => text.length <= 7900 && parseWake(text) !== null)).toBe(true);
    expect(told.flatMap((text) => parseWake(text) ?? []).map(([id, at]) => id - 1_000_000 - at)).toEqual(
      Array.from({ length: 2000 }, () => 0),
    );
    expect(told.length).toBeGreaterThan(2);
  });

  test("alone, nothing; where it fails, nothing is kept for later", async () => {
    const alone = lane({ others: false });
    alone.wake.note(1, 1);
    await alone.wake.flush();
    expect(alone.told).toEqual([]);
    const cut = lane({ fails: true });
    cut.wake.note(1, 1);
    await cut.wake.flush();
    cut.wake.note(2, 1);
    await cut.wake.flush();
    expect(cut.told).toEqual(["1:1", "2:1"]);
  });
});

describe("who is there", () => {
  test("alone nothing is sent; a node that comes says hello; one that leaves takes its row away", async () => {
    const a = await live("postgres", { OA_NODE_ID: "a" });
    const ids = async () => (await seenNodes(a.fresh.store, 60)).map(({ id }) => id);
    try {
      const greeted = await a.total("khala_wake_sent_total");
      await a.events(3);
      expect([await a.total("khala_wake_sent_total"), await ids()]).toEqual([greeted, ["a"]]);
      const b = await live("postgres", { OA_NODE_ID: "b" }, a);
      await until(async () => (await a.total("khala_wake_received_total")) > 0);
      expect(await ids()).toEqual(["a", "b"]);
      await b.close();
      expect(await ids()).toEqual(["a"]);
    } finally {
      await a.close();
    }
  });

  test("two processes under one id are told so, and still wake each other", async () => {
    const a = await live("postgres", { OA_NODE_ID: "same" });
    const b = await live("postgres", { OA_NODE_ID: "same" }, a);
    try {
      await until(async () => a.log.some((line) => line.includes("another process runs as node same")));
      const client = await b.connect();
      await client.subscribe([E], { [E]: "head" });
      const sent = await a.total("khala_wake_sent_total");
      await a.events(1);
      await client.reach(E, 1);
      expect(await a.total("khala_wake_sent_total")).toBe(sent + 1);
    } finally {
      await b.close();
      await a.close();
    }
  });
});

async function until(check: () => Promise<boolean>, ms = 10_000): Promise<void> {
  const limit = performance.now() + ms;
  while (!(await check())) {
    if (performance.now() > limit) throw new Error("the condition did not come true");
    await Bun.sleep(5);
  }
}
