/** Khala's figures on one node (khala 7.3), each as a ratio against its yardstick in the same run: `bun test/bench/khala.ts`. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { push } from "../../src/khala/frames";
import { createLanes } from "../../src/khala/lanes";
import { streams } from "../../src/khala/streams";
import { claims, type Live, live } from "../khala/live";
import { median } from "./load";

export interface Figure {
  name: string;
  ours: number;
  yardstick: number | null;
  ratio: number | null;
  must: string;
  met: boolean;
}

const SOCKETS = Number(process.env.BENCH_SOCKETS ?? 1000);
const ROUNDS = 5;

interface Clients {
  expect(count: number): Promise<void>;
  done(): Promise<void>;
  closed(): Promise<void>;
  delays(): Promise<[p50: number, p99: number]>;
  stop(): void;
}

async function clients(url: string, mode: "bare" | "khala"): Promise<Clients> {
  const child = Bun.spawn(["bun", join(import.meta.dir, "khala-clients.ts"), url, String(SOCKETS), mode], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const lines: string[] = [];
  let wake = () => {};
  void (async () => {
    let text = "";
    for await (const bytes of child.stdout) {
      text += Buffer.from(bytes).toString();
      const parts = text.split("\n");
      text = parts.pop() as string;
      lines.push(...parts);
      wake();
    }
  })();
  const until = async (word: string): Promise<string> => {
    for (;;) {
      const at = lines.findIndex((line) => line.startsWith(word));
      if (at >= 0) return lines.splice(at, 1)[0] as string;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const tell = (line: string) => {
    child.stdin.write(`${line}\n`);
    child.stdin.flush();
  };
  await until("ready");
  return {
    async expect(count) {
      tell(`expect ${count}`);
      await until("expecting");
    },
    done: async () => void (await until("done")),
    closed: async () => void (await until("closed")),
    async delays() {
      tell("delays");
      const [, p50, p99] = (await until("delays")).split(" ");
      return [Number(p50), Number(p99)];
    },
    stop: () => child.kill(),
  };
}

const breathe = () => new Promise<void>((resolve) => setImmediate(resolve));

const payload = (n: number) => JSON.stringify({ n, text: "x".repeat(24) });

function rowOf(seq: number) {
  return {
    seq,
    kind: "k",
    docKey: "d:1",
    docVersion: seq,
    payload: payload(seq),
    payloadHash: "KZtGl+zF6+u847XYt89k+sgc935czf0trxq6cTx5GfY=",
  };
}

/** Deliveries a second to 1,000 live sockets, against a bare publish of the same bytes. */
async function fanOut(it: Live, url: string): Promise<Figure> {
  const khala = await clients(url, "khala");
  const bare = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, on) => (on.upgrade(request) ? undefined : new Response(null)),
    websocket: {
      backpressureLimit: 8 << 20,
      closeOnBackpressureLimit: true,
      perMessageDeflate: false,
      open: (ws) => void ws.subscribe("t"),
      message: () => {},
    },
  });
  const others = await clients(`ws://127.0.0.1:${bare.port}/`, "bare");
  const stream = (await it.node.ensure([{ name: streams.codexEvents(7) }])).get(streams.codexEvents(7)) as number;
  const events = 200;
  let seq = 0;
  const text = push(
    "sync:update_batch",
    `{"updates":[{"topic":"runtime.codex_worker_events","doc_key":"d:1","doc_version":1,"payload":${payload(1)},"payload_hash":"KZtGl+zF6+u847XYt89k+sgc935czf0trxq6cTx5GfY=","watermark":1,"hydration_required":false}],"replay_complete":true,"head_watermarks":[{"topic":"runtime.codex_worker_events","watermark":1}]}`,
  );
  const run = async (who: Clients, one: () => void) => {
    await who.expect(events * SOCKETS);
    const since = performance.now();
    for (let i = 0; i < events; i++) {
      one();
      await breathe();
    }
    await who.done();
    return (events * SOCKETS) / ((performance.now() - since) / 1000);
  };
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    ours.push(
      await run(khala, () => {
        seq++;
        it.node.hub.offer(stream, seq, [rowOf(seq)]);
      }),
    );
    theirs.push(await run(others, () => bare.publish("t", text)));
  }
  khala.stop();
  others.stop();
  await bare.stop(true);
  return figure("fan-out to 1,000 sockets, deliveries/s ÷ bare publish", median(ours), median(theirs), 0.8);
}

const figure = (name: string, ours: number, yardstick: number, least: number): Figure => ({
  name,
  ours,
  yardstick,
  ratio: ours / yardstick,
  must: `≥ ${least}`,
  met: ours / yardstick >= least,
});

/** Commit → received at 200 events/s with 1,000 sockets, and revoking all of them, in milliseconds. `it` writes. */
async function deliver(it: Live, url: string): Promise<{ p50: number; p99: number; closing: number }> {
  const khala = await clients(url, "khala");
  const events = 600;
  await khala.expect(events * SOCKETS);
  const since = performance.now();
  for (let i = 0; i < events; i++) {
    const wait = since + i * 5 - performance.now();
    if (wait > 0) await Bun.sleep(wait);
    const at = performance.timeOrigin + performance.now();
    await it.emit([{ stream: streams.codexEvents(7), kind: "k", docKey: "d", docVersion: i, payload: { at } }]);
  }
  await khala.done();
  const [p50, p99] = await khala.delays();
  const start = performance.now();
  await it.emit([
    {
      stream: streams.revocations,
      kind: "session.revoked",
      docKey: "d",
      docVersion: 0,
      payload: { session_ids: null, user_id: 7, reason: "user_requested" },
    },
  ]);
  await khala.closed();
  const closing = performance.now() - start;
  khala.stop();
  return { p50, p99, closing };
}

const most = (name: string, ours: number, limit: number): Figure => ({
  name,
  ours,
  yardstick: null,
  ratio: null,
  must: `≤ ${limit} ms`,
  met: ours <= limit,
});

async function latency(it: Live, url: string): Promise<Figure[]> {
  const { p50, p99, closing } = await deliver(it, url);
  return [
    most("append and commit → received, 1,000 sockets, 200 events/s, p50 ms", p50, 3),
    most("the same, p99 ms", p99, 10),
    most("revocation of 1,000 sockets: all closed, ms", closing, 500),
  ];
}

/** The sockets are another node's, which shares nothing with the writer but Postgres. */
async function acrossNodes(it: Live, url: string): Promise<Figure[]> {
  const there = await live("postgres", { OA_KHALA_MAX_SOCKETS_PER_USER: "5000" }, it);
  while (!(await it.total("khala_wake_received_total"))) await breathe();
  const { p99, closing } = await deliver(it, url.replace(String(it.port), String(there.port)));
  await there.close();
  return [
    most("append and commit → received on another node, 1,000 sockets, 200 events/s, p99 ms", p99, 30),
    most("revocation of 1,000 sockets of another node: all closed, ms", closing, 500),
  ];
}

/** `pgbench`, one row and one commit a transaction. */
function pgbench(url: string, connections: number): number {
  const folder = mkdtempSync(join(tmpdir(), "oa-bench-"));
  const script = join(folder, "insert.sql");
  writeFileSync(script, "insert into bench_rows (payload) values (repeat('x', 200));\n");
  try {
    const args = ["-n", "-c", String(connections), "-j", "1", "-T", "3", "-f", script, url];
    const run = spawnSync("/usr/lib/postgresql/15/bin/pgbench", args, { encoding: "utf8" });
    const found = /tps = ([\d.]+)/.exec(run.stdout);
    if (!found) throw new Error(`pgbench: ${run.stderr}`);
    return Number(found[1]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Events/s of `clients` that each wait for their answer, through the combining lanes. */
async function ingest(it: Live, callers: number, batch: number): Promise<number> {
  const { store } = it.fresh;
  const lanes = createLanes<number, number>({
    committers: 4,
    weigh: (events) => ({ events, bytes: events * 200 }),
    apply: async (taken) => {
      const events = taken.flatMap(({ key, inputs }) =>
        inputs.flatMap((count) =>
          Array.from({ length: count }, (_, i) => ({
            stream: streams.codexEvents(Number(key)),
            kind: "k",
            docKey: "d",
            docVersion: i,
            payload: { text: "x".repeat(180) },
          })),
        ),
      );
      it.node.publish(await store.db.transaction((tx) => it.node.append(tx, events)));
      return taken.map(({ inputs }) => inputs.map((value) => ({ value })));
    },
  });
  const end = performance.now() + 3000;
  let done = 0;
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      while (performance.now() < end) {
        // `done +=` with an await on its right would lose what others add meanwhile
        const stored = await lanes.submit(String(100 + (caller % 16)), batch);
        done += stored;
      }
    }),
  );
  return done / 3;
}

/** Gives each figure as soon as it is measured. */
export async function* benchKhala(): AsyncGenerator<Figure> {
  const it = await live("postgres", { OA_KHALA_MAX_SOCKETS_PER_USER: "5000" });
  const token = encodeURIComponent(JSON.stringify(claims()));
  const url = `ws://127.0.0.1:${it.port}/sync/socket/websocket?token=${token}`;
  yield* await latency(it, url);
  const { store, url: database } = it.fresh;
  await store.db.execute("create table bench_rows (id bigint generated always as identity primary key, payload text)");
  for (const connections of [8, 64]) {
    const theirs = pgbench(database as string, connections);
    const ours = await ingest(it, connections, 1);
    yield figure(`ingest, one event a request, ${connections} callers, events/s ÷ pgbench`, ours, theirs, 1);
    if (connections === 8) {
      yield figure("ingest, batches of 100, events/s ÷ the same pgbench", await ingest(it, 8, 100), theirs, 5);
    }
  }
  yield* await acrossNodes(it, url);
  await it.close();
  // without the sweep: what fan-out is given here was never stored
  const bare = await live("pglite", { OA_KHALA_MAX_SOCKETS_PER_USER: "5000" });
  bare.node.stop();
  yield await fanOut(bare, url.replace(String(it.port), String(bare.port)));
  await bare.close();
}

if (import.meta.main) {
  for await (const { name, ours, yardstick, ratio, must, met } of benchKhala()) {
    const shown =
      ratio === null
        ? ours.toFixed(1)
        : `${ratio.toFixed(2)} (${Math.round(ours)} / ${Math.round(yardstick as number)})`;
    console.log(`${met ? "ok  " : "MISS"} ${name}: ${shown}, must be ${must}`);
  }
  process.exit(0);
}
