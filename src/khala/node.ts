import { sql } from "drizzle-orm";
import type { Store } from "../../db/database";
import type { Config } from "../config";
import type { Log } from "../telemetry/log";
import type { Metrics } from "../telemetry/metrics";
import { type Appender, createAppender, JUMP } from "./append";
import { createDenials } from "./denials";
import { createHeartbeat, type Load, type NodeFacts } from "./heartbeat";
import { createHub, DELAYS, type Hub } from "./hub";
import type { Khala, Numbered, Row } from "./khala";
import { createLogReader, type LogReader } from "./log";
import { type Rule, type Rules, readRules, ruleOf } from "./streams";
import type { Clock, Wire } from "./sub";
import { createViolations, type Violations } from "./violations";
import { createWake, type WakeState } from "./wake";

export interface NodeDeps {
  config: Config;
  store: Store;
  log: Log;
  metrics: Metrics;
  clock?: Clock;
}

/** Khala on this node: what domains write to, and what sockets and poll read from. */
export interface KhalaNode extends Khala {
  id: string;
  config: Config;
  rules: Rules;
  ruleOf(stream: string): Rule;
  violations: Violations;
  clock: Clock;
  log: Log;
  metrics: Metrics;
  reader: LogReader;
  hub: Hub;
  ensure: Appender["ensure"];
  /** The server whose sockets read; before it nothing is published to any. */
  publishOn(wire: Wire): void;
  startedAt: Date;
  /** An error was sent to a client, by its code; for the inspection view. */
  noteError(code: string): void;
  recentErrors(): { code: string; at: string; count: number }[];
  /** What a counter of this node has come to, all labels together. */
  total(counter: string): Promise<number>;
  /**
   * This process serves: it writes its row of `server_nodes` and hears of other nodes' commits by notification. An operator
   * command only tells them of its own.
   */
  join(facts: NodeFacts, load: () => Load): Promise<void>;
  joined(): boolean;
  wakes(): WakeState;
  /** The log can be read, and with several nodes notifications came through in the last 30 s (`/readyz`). */
  ready(): Promise<boolean>;
  /** Ends what runs by the clock, tells other nodes what they were not told yet, and takes the row away. */
  stop(): Promise<void>;
}

const SWEEP_MS = 1000;
/** While notifications are cut off. */
const CUT_SWEEP_MS = 250;
const CUT_GRACE_MS = 30_000;

const realClock: Clock = {
  now: () => Date.now(),
  soon: (run) => void setImmediate(run),
  after: (ms, run) => void setTimeout(run, ms),
};

const randomId = () => `n_${Buffer.from(crypto.getRandomValues(new Uint8Array(4))).toString("hex")}`;

/**
 * A database with another identity than the one the numbers were given in is a restored one: every stream jumps once, so
 * that no old cursor can hide new events behind old numbers (khala 3.7). The first start only notes the identity.
 */
async function noteIdentity({ store, log }: NodeDeps): Promise<void> {
  const [found] = await store
    .rows<{ id: string }>(sql`select system_identifier::text as id from pg_control_system()`)
    .catch(() => []);
  if (!found) return;
  await store.db.transaction(async (tx) => {
    await store.rows(
      sql`insert into khala_meta (id, system_identifier) values (1, ${found.id}) on conflict (id) do nothing`,
      tx,
    );
    const [known] = await store.rows<{ system_identifier: string }>(
      sql`select system_identifier from khala_meta where id = 1 for update`,
      tx,
    );
    if (known?.system_identifier === found.id) return;
    log.warn("khala", "the database was restored: every topic starts anew");
    await jumpAll(store, tx);
    await store.rows(
      sql`update khala_meta set system_identifier = ${found.id}, jumps = jumps + 1, updated_at = now() where id = 1`,
      tx,
    );
  });
}

/** Raises floor and head of every stream past every cursor that a client may hold; for a restored database. */
export async function jumpAll(store: Store, db = store.db): Promise<void> {
  await store.rows(sql`update khala_streams set head = head + ${JUMP}::bigint, floor = head + ${JUMP}::bigint`, db);
}

/** Opens Khala on a migrated database. */
export async function createKhala(deps: NodeDeps): Promise<KhalaNode> {
  const { config, store, log, metrics, clock = realClock } = deps;
  await noteIdentity(deps);
  const rules = readRules(config);
  const violations = createViolations();
  const reader = createLogReader(store);
  const appender = await createAppender({ store, rules, metrics, log });
  let wire: Wire = { publish: () => {}, subscriberCount: () => 0 };
  const hub = createHub({
    log: reader,
    wire: {
      publish: (topic, text) => wire.publish(topic, text),
      subscriberCount: (topic) => wire.subscriberCount(topic),
    },
    clock,
    rules,
    metrics,
    journal: log,
  });
  const errors = new Map<string, { at: number; count: number }>();
  const id = config.OA_NODE_ID ?? randomId();
  const startedAt = new Date(clock.now());
  const heartbeat = createHeartbeat({ store, id, startedAt, log });
  const wake = createWake({
    store,
    hub,
    metrics,
    log,
    now: clock.now,
    othersAlive: heartbeat.othersAlive,
    onHello: () => void heartbeat.beat(),
  });
  let hasJoined = false;
  let sweeping = false;
  let sweptAt = Number.NEGATIVE_INFINITY;
  const timer = setInterval(() => {
    const isCut = hasJoined && wake.state().mode === "postgres" && !wake.state().connected;
    if (performance.now() - sweptAt >= (isCut ? 0 : SWEEP_MS - CUT_SWEEP_MS / 2)) sweep();
  }, CUT_SWEEP_MS);
  timer.unref();

  function sweep(): void {
    if (sweeping) return;
    sweeping = true;
    sweptAt = performance.now();
    hub
      .sweep()
      .catch((error) => log.warn("khala", "khala sweep failed", { error: String(error) }))
      .finally(() => {
        sweeping = false;
      });
  }

  async function readable(): Promise<boolean> {
    return reader.heads([0]).then(
      () => true,
      () => false,
    );
  }

  async function ready(): Promise<boolean> {
    if (!(await readable())) return false;
    const { mode, connected, upAt } = wake.state();
    if (!hasJoined || mode === "local" || connected) return true;
    return clock.now() - (upAt ?? startedAt.getTime()) < CUT_GRACE_MS || !(await heartbeat.othersAlive());
  }

  function publish(numbered: Numbered[]): void {
    appender.learn(numbered);
    for (const { streamId, stream, first, rows, at } of numbered) {
      hub.offer(streamId, first, rows);
      wake.note(streamId, first + rows.length - 1);
      noteLimits(stream, rows);
      const delay = (performance.now() - at) / 1000;
      metrics.observe("khala_commit_to_publish_seconds", delay, { origin: "local" }, DELAYS);
    }
  }

  /** What the server itself produces is never refused: above a limit it is only counted (khala 3.3). */
  function noteLimits(stream: string, rows: readonly Row[]): void {
    const { rate } = ruleOf(rules, stream);
    if (rate !== null && violations.overRate(stream, rows.length, rate, clock.now())) {
      violations.note(stream, "publish_rate_limited");
    }
    for (const { payload } of rows) if (payload === null) violations.note(stream, "frame_size_rejected");
  }

  return {
    id,
    config,
    rules,
    ruleOf: (stream) => ruleOf(rules, stream),
    violations,
    clock,
    log,
    metrics,
    reader,
    hub,
    append: appender.append,
    ensure: appender.ensure,
    publish,
    deny: createDenials(log, clock.now),
    publishOn: (server) => {
      wire = server;
    },
    startedAt,
    noteError(code) {
      const found = errors.get(code);
      errors.set(code, { at: clock.now(), count: (found?.count ?? 0) + 1 });
    },
    recentErrors: () => [...errors].map(([code, { at, count }]) => ({ code, at: new Date(at).toISOString(), count })),
    async total(counter) {
      const found = await metrics.registry.getSingleMetric(counter)?.get();
      return found?.values.reduce((sum, { value }) => sum + value, 0) ?? 0;
    },
    async join(facts, load) {
      hasJoined = true;
      await heartbeat.start(facts, load);
      await wake.start(() => {
        // one that runs may have looked too early
        sweptAt = Number.NEGATIVE_INFINITY;
        sweep();
      });
    },
    joined: () => hasJoined,
    wakes: wake.state,
    ready,
    async stop() {
      clearInterval(timer);
      await wake.flush();
      // a row that stays is forgotten by itself
      await heartbeat.stop().catch(() => {});
      await wake.stop();
    },
  };
}
