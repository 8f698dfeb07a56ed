/**
 * The HTTP surface in this process, on a fresh database of either engine:
 *
 * ```ts
 * const app = await testApp(engine, { domains: (ctx) => [bookmarksApi(ctx)] });
 * const ann = await app.person("ann@a.example");            // a user with a personal access token
 * const { status, json } = await app.send("POST", "/api/bookmarks", { as: ann, body: { url: "…" } });
 * app.events                                                // what was published after commits: stream, kind, payload
 * app.jobs                                                  // what was enqueued: kind, payload, options
 * app.clock.advance(60_000)                                 // the product's clock (`ctx.now()`)
 * await app.close();
 * ```
 */
import { createHash, randomBytes } from "node:crypto";
import type { AnyElysia } from "elysia";
import type { Store } from "../../db/database";
import { personalAccessTokens, users } from "../../db/schema/identity";
import { readConfig } from "../../src/config";
import { type Context, createContext } from "../../src/context";
import { type Composed, compose } from "../../src/http/compose";
import type { Guards } from "../../src/http/guards";
import { createOutbound } from "../../src/http/outbound";
import { createThrottle } from "../../src/http/throttle";
import { createGuards } from "../../src/identity/guard";
import type { JobKind, JobOptions, Jobs } from "../../src/jobs/jobs";
import { createAppender } from "../../src/khala/append";
import { createDenials } from "../../src/khala/denials";
import type { Khala } from "../../src/khala/khala";
import { readRules } from "../../src/khala/streams";
import { createAnalytics } from "../../src/telemetry/analytics";
import { createLog } from "../../src/telemetry/log";
import { createMetrics } from "../../src/telemetry/metrics";
import { createSpans, type Spans } from "../../src/telemetry/spans";
import { type Engine, type Fresh, freshDatabase } from "./database";
import { checkLog, treated } from "./treated";

/** A user for tests, with a personal access token of all abilities unless said. */
export interface Person {
  id: number;
  email: string;
  token: string;
}

export interface Sent {
  as?: Person | string | null;
  body?: unknown;
  headers?: Record<string, string>;
  /** Address of the peer; loopback unless said. */
  peer?: string;
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely
  json: any;
}

export interface TestApp {
  ctx: Context;
  composed: Composed;
  fresh: Fresh;
  events: { stream: string; kind: string; docKey: string; docVersion: number; payload: unknown; seq: number }[];
  jobs: { kind: string; payload: unknown; options: JobOptions | undefined }[];
  kinds: Map<string, JobKind<never>>;
  log: string[];
  clock: { now(): Date; advance(ms: number): void; set(time: Date): void };
  person(
    email: string,
    over?: Partial<{ name: string; isAdmin: boolean; abilities: string[]; workerId: string }>,
  ): Promise<Person>;
  send(method: string, path: string, sent?: Sent): Promise<Answer>;
  close(): Promise<void>;
}

interface TestAppOptions {
  env?: Record<string, string>;
  domains(ctx: Context): AnyElysia[];
  guards?(ctx: Context): Guards;
}

export const testKey = `base64:${Buffer.alloc(32, 7).toString("base64")}`;

/** A user, with a personal access token. */
export async function addPerson(
  store: Store,
  email: string,
  {
    name = email,
    isAdmin = false,
    abilities = ["*"],
    workerId,
  }: Partial<{ name: string; isAdmin: boolean; abilities: string[]; workerId: string }> = {},
): Promise<Person> {
  const [user] = await store.db
    .insert(users)
    .values({
      name,
      email,
      workosId: `local_${randomBytes(16).toString("hex")}`,
      avatar: "",
      handle: email.replace(/[^a-z0-9]+/g, "-"),
      isAdmin,
    })
    .returning({ id: users.id });
  const id = user?.id as number;
  const secret = randomBytes(24).toString("hex");
  const [row] = await store.db
    .insert(personalAccessTokens)
    .values({
      tokenableType: "App\\Models\\User",
      tokenableId: id,
      name: "test",
      token: createHash("sha256").update(secret).digest("hex"),
      abilities: JSON.stringify(abilities),
      ...(workerId ? { workerId } : {}),
    })
    .returning({ id: personalAccessTokens.id });
  return { id, email, token: `${row?.id}|${secret}` };
}

/** Sends requests to a composed surface, as a local peer would. */
export const sender =
  (fetch: Composed["fetch"]) =>
  async (method: string, path: string, { as, body, headers = {}, peer = "127.0.0.1" }: Sent = {}): Promise<Answer> => {
    const out = new Headers({ host: "localhost:8787", ...headers });
    const token = typeof as === "object" ? as?.token : as;
    if (token) out.set("authorization", `Bearer ${token}`);
    const raw =
      body === undefined || typeof body === "string" || body instanceof Uint8Array || body instanceof ReadableStream;
    if (!raw && !out.has("content-type")) out.set("content-type", "application/json");
    const request = new Request(`http://localhost:8787${path}`, {
      method,
      headers: out,
      ...(body === undefined ? {} : { body: raw ? (body as BodyInit) : JSON.stringify(body) }),
    });
    const response = (await fetch(request, { requestIP: () => ({ address: peer }) })) as Response;
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.includes("json");
    return { status: response.status, headers: response.headers, text, json: isJson && text ? JSON.parse(text) : null };
  };

export async function testApp(engine: Engine, options: TestAppOptions): Promise<TestApp> {
  const fresh = await freshDatabase(engine);
  const { store } = fresh;
  const config = readConfig({ APP_URL: "http://localhost:8787", APP_KEY: testKey, ...options.env });
  const lines: string[] = [];
  const log = createLog({ level: "debug", format: "json", write: (text) => void lines.push(text) });
  const metrics = createMetrics();
  let offset = 0;
  const clock = {
    now: () => new Date(Date.now() + offset),
    advance: (ms: number) => {
      offset += ms;
    },
    set: (time: Date) => {
      offset = time.getTime() - Date.now();
    },
  };
  const events: TestApp["events"] = [];
  const jobs: TestApp["jobs"] = [];
  const kinds = new Map<string, JobKind<never>>();
  const appender = await createAppender({ store, rules: readRules(config), log, metrics });
  const khala: Khala = {
    append: (db, list) => appender.append(db, list),
    deny: createDenials(log, () => clock.now().getTime()),
    publish(numbered) {
      appender.learn(numbered);
      for (const { stream, rows } of numbered) {
        for (const row of rows) {
          events.push({
            stream,
            kind: row.kind,
            docKey: row.docKey,
            docVersion: row.docVersion,
            payload: row.payload === null ? null : JSON.parse(row.payload),
            seq: row.seq,
          });
        }
      }
    },
  };
  const recorded: Jobs = {
    define: (kind) => void kinds.set(kind.kind, kind as JobKind<never>),
    every: () => {},
    enqueue: (_db, kind, payload, jobOptions) => {
      jobs.push({ kind, payload, options: jobOptions });
      return Promise.resolve();
    },
    start: () => Promise.resolve(),
    opening: () => null,
    stop: () => Promise.resolve(),
    ready: () => true,
  };
  let spans: Spans | null = null;
  const outbound = createOutbound(log, metrics, (span) => spans?.record(span));
  spans = createSpans({ config, outbound, log, metrics, version: "1.0.0" });
  const ctx = createContext({
    config,
    appUrl: () => config.APP_URL ?? "http://localhost:8787",
    store,
    now: clock.now,
    log,
    metrics,
    analytics: createAnalytics({ config, outbound, log, metrics, now: clock.now }),
    spans,
    khala,
    jobs: recorded,
    outbound,
    throttle: createThrottle(
      store,
      () => clock.now().getTime(),
      (error) => {
        throw error;
      },
    ),
  });
  const surface = compose(ctx, {
    domains: options.domains(ctx),
    guards: options.guards ? options.guards(ctx) : createGuards(ctx),
    loopback: true,
  });
  const composed = { ...surface, fetch: treated(surface.fetch) };

  return {
    ctx,
    composed,
    fresh,
    events,
    jobs,
    kinds,
    log: lines,
    clock,
    person: (email, over) => addPerson(store, email, over),
    send: sender(composed.fetch),
    async close() {
      await log.flush();
      await fresh.drop();
      checkLog(lines);
    },
  };
}
