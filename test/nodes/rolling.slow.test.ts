import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { seenNodes } from "../../src/khala/heartbeat";
import type { Client } from "../khala/live";
import { E, range } from "../khala/live";
import { type Node, type Nodes, startNodes, until } from "./pair";

/** Follows a topic from node to node, as clients do: again and again, from the last event that it has. */
function follow(nodes: Nodes, token: string) {
  const marks: number[] = [];
  const closes: { code: number; reason: string }[] = [];
  let client: Client | null = null;
  let over = false;
  const run = async () => {
    for (let turn = 0; !over; turn++) {
      const ids = [...nodes.all.keys()];
      const node = nodes.node(ids[turn % ids.length] as string);
      try {
        const resume = marks.at(-1) ?? "head";
        client = await node.socket(token, [E], { [E]: resume });
      } catch {
        await Bun.sleep(10);
        continue;
      }
      const mine = client;
      let taken = 0;
      const take = () => {
        const all = mine.marks(E);
        marks.push(...all.slice(taken));
        taken = all.length;
      };
      await mine.until(
        () => {
          take();
          return mine.closed !== null || over;
        },
        "the end",
        120_000,
      );
      take();
      if (mine.closed && !over) closes.push(mine.closed);
    }
  };
  const running = run();
  return {
    marks,
    closes,
    async end() {
      over = true;
      client?.close();
      await running;
    },
  };
}

/** Posts events one after another to whichever node answers, each until it is acknowledged, as a bridge does. */
function write(nodes: Nodes, token: string, worker: string) {
  const refused: (number | string)[] = [];
  let acknowledged = 0;
  let over = false;
  const post = async (id: string, turn: number): Promise<boolean> => {
    const ids = [...nodes.all.keys()];
    const node = nodes.node(ids[turn % ids.length] as string);
    try {
      const body = { event: { event_type: "worker.note", event_id: id, payload: { id } } };
      const { status } = await node.send("POST", `/api/runtime/codex/workers/${worker}/events`, { as: token, body });
      if (status !== 202) refused.push(status);
      return status === 202;
    } catch (error) {
      refused.push((error as { code?: string }).code ?? String(error));
      return false;
    }
  };
  const running = (async () => {
    for (let n = 0, turn = 0; !over; n++) {
      while (!(await post(`${worker}-${n}`, turn++))) await Bun.sleep(5);
      acknowledged++;
    }
  })();
  return {
    refused,
    acknowledged: () => acknowledged,
    async end() {
      over = true;
      await running;
    },
  };
}

describe("nodes come and go", () => {
  let nodes: Nodes;
  beforeAll(async () => {
    nodes = await startNodes(["a", "b"], { OA_SHUTDOWN_DELAY_MS: "200" });
  });
  afterAll(() => nodes.close());

  /** Under load: `change` happens while two workers write and two sockets follow. */
  async function underLoad(email: string, change: (more: () => Promise<void>) => Promise<void>) {
    const { token } = await nodes.signIn([...nodes.all.values()][0] as Node, email);
    const followers = [follow(nodes, token), follow(nodes, token)];
    const first = await nodes.node("b").socket(token, [E]);
    const writers = [write(nodes, token, `${email}:1`), write(nodes, token, `${email}:2`)];
    const count = () => writers.reduce((sum, writer) => sum + writer.acknowledged(), 0);
    const more = async () => {
      const before = count();
      await until(() => count() >= before + 20, "more events", 30_000);
    };
    await more();
    await change(more);
    await more();
    for (const writer of writers) await writer.end();
    first.close();
    const total = count();
    for (const { marks } of followers) await until(() => marks.at(-1) === total, `${total} events`, 30_000);
    for (const follower of followers) {
      await follower.end();
      expect(follower.marks).toEqual(range((follower.marks[0] as number) - 1, total));
      expect(follower.marks[0] as number).toBeLessThan(20);
    }
    return { refused: writers.flatMap(({ refused }) => refused), closes: followers.flatMap(({ closes }) => closes) };
  }

  test("a rolling restart loses nothing: no event, no answer, and sockets are told when to come back", async () => {
    const { refused, closes } = await underLoad("rolling@a.example", async (more) => {
      for (const id of ["a", "b"]) {
        const old = nodes.node(id);
        expect(await old.stop()).toBe(0);
        nodes.all.delete(id);
        await more();
        await nodes.start(id);
        await more();
      }
    });
    // a connection that is gone is no answer; every answer was 202
    expect(refused.filter((what) => typeof what === "number")).toEqual([]);
    expect(closes.length).toBeGreaterThanOrEqual(2);
    for (const { code, reason } of closes) {
      expect([code, /^reconnect_after_ms=\d+$/.test(reason)]).toEqual([1012, true]);
    }
    expect((await seenNodes(nodes.fresh.store, 60)).map(({ id }) => id)).toEqual(["a", "b"]);
  });

  test("kill -9 of a node loses nothing that was acknowledged", async () => {
    await underLoad("killed@a.example", async (more) => {
      await nodes.node("a").stop("SIGKILL");
      nodes.all.delete("a");
      await more();
      const again = await nodes.start("a");
      await more();
      expect(again.server.text()).not.toContain("another process runs as node");
    });
  });

  test("36 SIGTERM during a slow request: it finishes, /readyz says draining, then new connections are refused", async () => {
    const slow = await nodes.start("slow", { OA_SHUTDOWN_DELAY_MS: "1500" });
    const { token } = await nodes.signIn(slow, "slow@a.example");
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const { promise: locked, resolve: lock } = Promise.withResolvers<void>();
    const holding = nodes.fresh.store.db.transaction(async (tx) => {
      await tx.execute(sql`lock table codex_workers in access exclusive mode`);
      lock();
      await released;
    });
    await locked;
    const answer = slow.send("GET", "/api/runtime/codex/workers", { as: token });
    const waits = async () => {
      const [found] = await nodes.fresh.store.rows<{ n: number }>(
        sql`select count(*) as n from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
      );
      return (found?.n ?? 0) > 0;
    };
    await until(waits, "the request waits");
    const ended = slow.stop();
    await slow.server.seen(/"message":"stopping"/);
    const ready = await slow.send("GET", "/readyz");
    expect([ready.status, ready.json.status, ready.headers.get("connection")]).toEqual([503, "draining", "close"]);
    expect((await slow.send("GET", "/healthz")).status).toBe(200);
    const refused = () =>
      slow.send("GET", "/healthz").then(
        () => false,
        () => true,
      );
    await until(refused, "refusal");
    let answered = false;
    void answer.then(() => {
      answered = true;
    });
    expect(answered).toBe(false);
    release();
    await holding;
    expect((await answer).status).toBe(200);
    expect(await ended).toBe(0);
    nodes.all.delete("slow");
    expect((await seenNodes(nodes.fresh.store, 60)).map(({ id }) => id)).not.toContain("slow");
  });

  test("30 a file of another build is served from the archive by a node that was not built with it", async () => {
    const a = nodes.node("a");
    const name = /"js":"(assets\/[^"]+)"/.exec((await a.send("GET", "/manifest.json")).text)?.[1] as string;
    const path = `/${name}`;
    const stored = async () =>
      (await nodes.fresh.store.rows(sql`select 1 as one from web_assets where name = ${path}`)).length > 0;
    await until(stored, "the archive");
    // as a newer build would have archived it
    const newer = path.replace(/-[^-]+\.js$/, "-0newer00.js");
    await nodes.fresh.store.rows(
      sql`insert into web_assets (name, encoding, media_type, etag, bytes, build_id)
          select ${newer}, encoding, media_type, etag, bytes, '20991231T000000Z' from web_assets where name = ${path}`,
    );
    const [own, other] = await Promise.all([a.send("GET", path), nodes.node("b").send("GET", newer)]);
    expect([other.status, other.headers.get("cache-control")]).toEqual([200, "public, max-age=31536000, immutable"]);
    expect(other.text).toBe(own.text);
  });
});
