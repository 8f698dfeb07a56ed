/**
 * Several `serve` processes of the compiled executable on one Postgres:
 *
 * ```ts
 * const nodes = await startNodes(["a", "b"]);
 * const ann = await nodes.signIn("ann@a.example");
 * await nodes.a.send("POST", "/api/…", { as: ann.token, body: {} });
 * const socket = await nodes.b.socket(ann.token, [E]);       // joined and live
 * await nodes.close();
 * ```
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { peers, type Session, signInThrough } from "../identity/app";
import { Client } from "../khala/live";
import { type Answer, type Sent, testKey } from "../support/app";
import { type Fresh, freshDatabase } from "../support/database";
import { run, type Server, serve } from "../support/executable";

export interface Node {
  id: string;
  server: Server;
  /** `peer`: the address that the request comes from, as a proxy on this machine would say. */
  send(method: string, path: string, sent?: Sent): Promise<Answer>;
  /** A socket with these topics, followed from their heads unless `resume` says otherwise. */
  socket(token: string, topics: string[], resume?: Record<string, number | "head">): Promise<Client>;
  /** Ends it; 0 after a graceful stop. */
  stop(signal?: NodeJS.Signals): Promise<number>;
}

export interface Nodes {
  fresh: Fresh;
  all: Map<string, Node>;
  node(id: string): Node;
  start(id: string, env?: Record<string, string>): Promise<Node>;
  /** Signs in on a node with the mock provider, from an address of its own. */
  signIn(on: Node, email: string, how?: { device?: string }): Promise<Session>;
  /** Runs an operator command beside the nodes. */
  ops(...argv: string[]): ReturnType<typeof run>;
  close(): Promise<void>;
}

export async function startNodes(ids: string[], env: Record<string, string> = {}): Promise<Nodes> {
  const fresh = await freshDatabase("postgres");
  const folder = mkdtempSync(join(tmpdir(), "oa-nodes-"));
  const shared = {
    DATABASE_URL: fresh.url as string,
    APP_KEY: testKey,
    APP_URL: "http://127.0.0.1:8787",
    APP_ENV: "testing",
    OA_AUTH_PROVIDER_MODE: "mock",
    OA_SHUTDOWN_DELAY_MS: "0",
    RUNTIME_KHALA_CODEX_WORKER_EVENTS_PUBLISH_RATE_PER_SECOND: "100000",
    ...env,
  };
  const all = new Map<string, Node>();
  const running = new Set<Server>();
  const peer = peers();

  async function start(id: string, more: Record<string, string> = {}): Promise<Node> {
    const argv = ["--data-dir", join(folder, id)];
    const server = await serve(argv, { env: { ...shared, OA_NODE_ID: id, ...more }, cwd: folder });
    running.add(server);
    const send = sendTo(server.url);
    const node: Node = {
      id,
      server,
      send,
      async socket(token, topics, resume) {
        const minted = await send("POST", "/api/sync/token", { as: token, body: { scopes: topics } });
        if (minted.status !== 200) throw new Error(`no sync token: ${minted.text}`);
        const socket = new WebSocket(`${server.url.replace("http", "ws")}/sync/socket/websocket`, [
          "khala.ws.v1",
          `bearer.${minted.json.data.token}`,
        ]);
        const client = new Client(socket);
        await new Promise<void>((resolve, reject) => {
          socket.onopen = () => resolve();
          socket.onerror = () => reject(new Error("no 101"));
        });
        const joined = await client.join({ frames: "batch" });
        if (joined.status !== "ok") throw new Error(`no join: ${JSON.stringify(joined)}`);
        await client.subscribe(topics, resume ?? Object.fromEntries(topics.map((topic) => [topic, "head"])));
        return client;
      },
      async stop(signal = "SIGTERM") {
        server.signal(signal);
        const code = await server.ended;
        running.delete(server);
        return code;
      },
    };
    all.set(id, node);
    return node;
  }

  for (const id of ids) await start(id);
  return {
    fresh,
    all,
    node: (id) => all.get(id) as Node,
    start,
    signIn: (on, email, how) => signInThrough(on.send, email, peer(), how),
    ops: (...argv) => run(["ops", ...argv, "--data-dir", join(folder, "ops")], { env: shared, cwd: folder }),
    async close() {
      for (const server of running) server.signal("SIGKILL");
      await Promise.all([...running].map(({ ended }) => ended));
      await fresh.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const sendTo =
  (url: string): Node["send"] =>
  async (method, path, { as, body, headers = {}, peer } = {}) => {
    const token = typeof as === "object" ? as?.token : as;
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(peer ? { "x-forwarded-for": peer } : {}),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: "manual",
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.includes("json");
    return { status: response.status, headers: response.headers, text, json: isJson && text ? JSON.parse(text) : null };
  };

/** Waits for a condition. */
export async function until(check: () => Promise<boolean> | boolean, what: string, ms = 10_000): Promise<void> {
  const limit = performance.now() + ms;
  while (!(await check())) {
    if (performance.now() > limit) throw new Error(`${what} did not come true`);
    await Bun.sleep(5);
  }
}
