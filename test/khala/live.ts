import { openDatabase } from "../../db/open";
import { readConfig } from "../../src/config";
import type { Access, Standing, SyncClaims } from "../../src/khala/access";
import type { NewEvent } from "../../src/khala/event";
import { subscriptionCounts } from "../../src/khala/inspection";
import { createKhala, type KhalaNode } from "../../src/khala/node";
import { type KhalaSockets, khalaSockets } from "../../src/khala/sockets";
import { streams } from "../../src/khala/streams";
import type { Clock } from "../../src/khala/sub";
import { createLog } from "../../src/telemetry/log";
import { createMetrics, type Metrics } from "../../src/telemetry/metrics";
import { type Engine, type Fresh, freshDatabase } from "../support/database";

export const E = "runtime.codex_worker_events";
export const M = "runtime.codex_worker_summaries";
export const R = "runtime.run_summaries";

export type Wire = [joinRef: unknown, ref: unknown, topic: string, event: string, payload: Payload];
// biome-ignore lint/suspicious/noExplicitAny: tests look into frames freely
type Payload = any;

/** The domains above Khala, as a test says they are. */
export interface World {
  standings: Map<string, Standing>;
  members: Set<string>;
  workers: Map<string, string>;
  runs: Set<string>;
  down: boolean;
}

/** A token is its claims as JSON, or `bad:{reason}`. */
export const accessOf = (world: World): Access => ({
  async verify(token) {
    if (!token.startsWith("{")) return { denied: token.startsWith("bad:") ? token.slice(4) : "invalid_token" };
    return JSON.parse(token) as SyncClaims;
  },
  async standings(ids) {
    if (world.down) throw new Error("down");
    return new Map(ids.flatMap((id) => (world.standings.has(id) ? [[id, world.standings.get(id) as Standing]] : [])));
  },
  members: async (asked) => asked.map(({ userId, orgId }) => world.members.has(`${userId} ${orgId}`)),
  workers: async (asked) => asked.map(({ userId, workerId }) => world.workers.get(`${userId} ${workerId}`) ?? null),
  runs: async (asked) => asked.map(({ userId, runId }) => world.runs.has(`${userId} ${runId}`)),
});

/** A real server with real sockets over a database of its own. */
export interface Live {
  fresh: Fresh;
  node: KhalaNode;
  sockets: KhalaSockets;
  world: World;
  metrics: Metrics;
  port: number;
  log: string[];
  /** Moves the clock of timeouts and heartbeats. */
  advance(ms: number): void;
  /** Stops that clock, or lets it run on. */
  freeze(stopped: boolean): void;
  /** Commits events and hands them over, as `commit` does. */
  emit(events: NewEvent[], options?: { handOver?: boolean }): Promise<void>;
  /** `count` worker events of user 7 (or `user`), of one worker. */
  events(count: number, options?: { user?: number; worker?: string; handOver?: boolean; pad?: number }): Promise<void>;
  total(counter: string): Promise<number>;
  connect(options?: Connect): Promise<Client>;
  /** The handshake's answer where it is refused. */
  refused(options: Connect & { plain?: boolean }): Promise<{ status: number; headers: Headers; body: Payload }>;
  close(): Promise<void>;
}

interface Connect {
  token?: string | null;
  claims?: Partial<SyncClaims>;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  protocols?: string[];
  /** Join at once; true unless said. */
  join?: boolean;
  path?: string;
}

export const claims = (over: Partial<SyncClaims> = {}): SyncClaims => ({
  userId: 7,
  subject: `user:${over.userId ?? 7}`,
  orgId: "user:7",
  sessionId: `sess_${over.userId ?? 7}`,
  deviceId: "web:test",
  scopes: [E],
  expiresAt: Math.floor(Date.now() / 1000) + 300,
  claims: {},
  ...over,
});

export class Client {
  readonly frames: Wire[] = [];
  closed: { code: number; reason: string } | null = null;
  private wakers: (() => void)[] = [];
  private ref = 1;

  constructor(readonly socket: WebSocket) {
    socket.onmessage = ({ data }) => {
      this.frames.push(JSON.parse(String(data)));
      this.wake();
    };
    socket.onclose = ({ code, reason }) => {
      this.closed = { code, reason };
      this.wake();
    };
  }

  private wake() {
    const all = this.wakers;
    this.wakers = [];
    for (const waker of all) waker();
  }

  /** Waits for a condition over what has arrived; fails after `ms`. */
  async until<T>(look: () => T | undefined | null | false, what = "a frame", ms = 20_000): Promise<T> {
    const end = performance.now() + ms;
    for (;;) {
      const found = look();
      if (found) return found;
      const left = end - performance.now();
      if (left <= 0) throw new Error(`${what} did not come; got ${JSON.stringify(this.frames).slice(0, 1500)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wakers.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  raw(text: string | Uint8Array<ArrayBuffer>) {
    this.socket.send(text);
  }

  post(event: string, payload: unknown = {}, topic = "sync:v1"): string {
    const ref = String(this.ref++);
    this.raw(JSON.stringify([null, ref, topic, event, payload]));
    return ref;
  }

  reply(ref: unknown): Promise<{ status: string; response: Payload }> {
    return this.until(() => this.frames.find((f) => f[3] === "phx_reply" && f[1] === ref)?.[4], `reply ${ref}`);
  }

  ask(event: string, payload: unknown = {}, topic = "sync:v1") {
    return this.reply(this.post(event, payload, topic));
  }

  join = (payload: unknown = {}) => this.ask("phx_join", payload);

  subscribe = (topics: unknown, resume?: unknown, more: object = {}) =>
    this.ask("sync:subscribe", { topics, ...(resume === undefined ? {} : { resume_after: resume }), ...more });

  batches = (topic?: string): Payload[] =>
    this.frames
      .filter((f) => f[3] === "sync:update_batch" && (!topic || f[4].updates[0].topic === topic))
      .map((f) => f[4]);

  /** Watermarks of a topic in the order they came. */
  marks = (topic: string): number[] =>
    this.batches(topic).flatMap(({ updates }) => updates.map(({ watermark }: Payload) => watermark));

  reach = (topic: string, watermark: number, ms?: number) =>
    this.until(() => this.marks(topic).at(-1) === watermark, `${topic} at ${watermark}`, ms);

  pushes = (event: string): Payload[] => this.frames.filter((f) => f[3] === event).map((f) => f[4]);

  closing = (ms?: number) => this.until(() => this.closed, "the close", ms);

  close() {
    this.socket.close();
  }
}

async function opened({ url }: Fresh): Promise<Fresh> {
  const store = await openDatabase({ kind: "postgres", url: url as string, poolSize: 4 });
  return { store, url, drop: () => store.close() };
}

/** 1, 2, … n after `start`. */
export const range = (start: number, end: number) => Array.from({ length: end - start }, (_, i) => start + 1 + i);

/** `beside`: on the database of another one, as a second node of it. */
export async function live(engine: Engine, env: Record<string, string> = {}, beside?: Live): Promise<Live> {
  const fresh = beside ? await opened(beside.fresh) : await freshDatabase(engine);
  const { store } = fresh;
  const config = readConfig(env);
  const log: string[] = [];
  const metrics = createMetrics();
  let offset = 0;
  let stoppedAt: number | null = null;
  const clock: Clock = {
    now: () => (stoppedAt ?? Date.now()) + offset,
    soon: (run) => void setImmediate(run),
    after: (ms, run) => void setTimeout(run, ms),
  };
  const journal = createLog({ level: "debug", format: "json", write: (text) => void log.push(text) });
  const node = await createKhala({ config, store, log: journal, metrics, clock });
  const world: World = {
    standings: new Map(
      [7, 8].map((userId) => [`sess_${userId}`, { userId, ended: null, endsAt: null, workerId: null }]),
    ),
    members: new Set(["7 org:openagents", "8 org:openagents"]),
    workers: new Map(),
    runs: new Set(),
    down: false,
  };
  const sockets = khalaSockets(node, accessOf(world), { appUrl: () => "https://app.example" });
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request, on) {
      const origin = `http://${request.headers.get("host")}`;
      const facts = { origin, ip: "127.0.0.1" } as Parameters<typeof sockets.upgrade>[1]["facts"];
      const { pathname: path } = new URL(request.url);
      const answer = await sockets.upgrade(request, { path, facts }, on);
      return answer === null ? new Response("not found", { status: 404 }) : (answer as Response);
    },
    websocket: sockets.websocket,
  });
  await node.join({ version: "1.0.0", buildId: "build", schemaVersion: 1 }, () => ({
    sockets: sockets.connections.size,
    ...subscriptionCounts(node),
  }));
  const base = (options: Connect) => {
    const url = new URL(`http://127.0.0.1:${server.port}${options.path ?? "/sync/socket/websocket"}`);
    const token = options.token === undefined ? JSON.stringify(claims(options.claims)) : options.token;
    if (token !== null) url.searchParams.set("token", token);
    for (const [name, value] of Object.entries(options.query ?? {})) url.searchParams.set(name, value);
    return url;
  };
  const clients: Client[] = [];

  async function emit(events: NewEvent[], { handOver = true } = {}) {
    const numbered = await store.db.transaction((tx) => node.append(tx, events));
    if (handOver) node.publish(numbered);
  }

  return {
    fresh,
    node,
    sockets,
    world,
    metrics,
    port: server.port as number,
    log,
    advance: (ms) => {
      offset += ms;
    },
    freeze: (stopped) => {
      stoppedAt = stopped ? Date.now() : null;
    },
    emit,
    async events(count, { user = 7, worker = "desktopw:shared", handOver = true, pad = 0 } = {}) {
      const stream = streams.codexEvents(user);
      for (let sent = 0; sent < count; sent += 500) {
        const some = Math.min(500, count - sent);
        await emit(
          Array.from({ length: some }, (_, i) => ({
            stream,
            kind: "worker.event",
            docKey: `runtime/codex_worker_event:${worker}:${sent + i + 1}`,
            docVersion: sent + i + 1,
            payload: { seq: sent + i + 1, ...(pad ? { text: "x".repeat(pad) } : {}) },
          })),
          { handOver },
        );
      }
    },
    total: (counter) => node.total(counter),
    async connect(options = {}) {
      const url = base(options).href.replace("http", "ws");
      // Bun's own client takes headers, which the DOM's type does not know
      const chosen = { headers: options.headers ?? {}, protocols: options.protocols ?? [] } as unknown as string[];
      const socket = new WebSocket(url, chosen);
      const client = new Client(socket);
      clients.push(client);
      await new Promise<void>((resolve, reject) => {
        socket.onopen = () => resolve();
        socket.onerror = () => reject(new Error("no 101"));
      });
      if (options.join !== false) await client.join(options.query?.frames ? {} : { frames: "batch" });
      return client;
    },
    async refused(options) {
      const headers: Record<string, string> = options.plain
        ? {}
        : {
            connection: "Upgrade",
            upgrade: "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
            ...(options.protocols ? { "sec-websocket-protocol": options.protocols.join(", ") } : {}),
          };
      const response = await fetch(base(options), { headers: { ...headers, ...options.headers } });
      const text = await response.text();
      return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : null };
    },
    async close() {
      for (const client of clients) client.close();
      sockets.stop();
      await node.stop();
      await server.stop(true);
      await fresh.drop();
    },
  };
}
