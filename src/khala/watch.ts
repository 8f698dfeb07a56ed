import type { Access, Standing } from "./access";
import type { Closing } from "./closing";
import { type Connection, tell, tellError, watermarks } from "./connection";
import type { Row } from "./khala";
import type { KhalaNode } from "./node";
import { forbiddenTopics } from "./subscribing";
import { type Denial, resolveTopics } from "./topics";

const JOIN_MS = 10_000;
const RECHECK_MS = 60_000;
const AT_ONCE = 1000;

export interface Watch {
  /** Everything that happens by the clock; called a few times a second. */
  tick(): void;
  /** Rows of `sys.revocations`. */
  onRevocations(rows: readonly Row[]): void;
  /** Whether the sessions behind all sockets live and their topics are still theirs (khala 3.9). */
  recheck(): Promise<void>;
}

interface WatchDeps {
  node: KhalaNode;
  access: Access;
  closing: Closing;
  connections: ReadonlySet<Connection>;
}

export function createWatch({ node, access, closing, connections }: WatchDeps): Watch {
  const { clock, config, hub, metrics } = node;
  const slowMs = config.OA_KHALA_SLOW_CONSUMER_SECONDS * 1000;
  let recheckAt = clock.now() + RECHECK_MS;
  let reportAt = 0;

  function tick(): void {
    const now = clock.now();
    for (const connection of connections) look(connection, now);
    if (now >= reportAt) {
      reportAt = now + 1000;
      report();
    }
    if (now < recheckAt) return;
    recheckAt = now + RECHECK_MS;
    void recheck().catch((error) => node.log.warn("khala", "khala recheck failed", { error: String(error) }));
  }

  function look(connection: Connection, now: number) {
    if (connection.closing) return closing.expire(connection, now);
    const { joined } = connection;
    if (!joined && now - connection.idleSince >= JOIN_MS) return closing.close(connection, 4408, "join_timeout");
    if (joined && now - connection.lastSeenAt >= config.OA_KHALA_HEARTBEAT_TIMEOUT_MS) {
      return closing.close(connection, 4408, "heartbeat_timeout");
    }
    if (isStuck(connection, now)) return cutSlow(connection);
    if (joined && now >= joined.nextBeat) {
      joined.nextBeat = now + config.OA_KHALA_HEARTBEAT_INTERVAL_MS;
      tell(connection, "sync:heartbeat", { watermarks: watermarks(connection) });
    }
    if (connection.endsAt !== null && now >= connection.endsAt) void endIfOver(connection);
  }

  /** Its buffer has not shrunk for too long. What was paused without a later drain goes on here. */
  function isStuck(connection: Connection, now: number): boolean {
    const buffered = connection.seat.line.buffered();
    if (buffered < connection.buffered || buffered === 0) connection.shrankAt = now;
    connection.buffered = buffered;
    hub.drained(connection.seat);
    return now - connection.shrankAt >= slowMs;
  }

  function cutSlow(connection: Connection): void {
    metrics.count("khala_slow_consumer_closes_total");
    node.noteError("slow_consumer");
    const [topic = ""] = connection.seat.subs.keys();
    tellError(connection, topic, {
      code: "slow_consumer",
      message: "client cannot keep up with live fanout",
      action: "disconnect",
      topic,
      queue_depth: connection.buffered,
      queue_limit: 256 * 1024,
      reconnect_after_ms: 2000,
      full_resync_required: false,
    });
    closing.close(connection, 4409, "slow_consumer");
  }

  const endOf = (standing: Standing | undefined, { claims }: Connection): string | null =>
    standing && standing.userId === claims.userId ? standing.ended : "user_requested";

  /** The instant has passed: the row is read again, since a refresh may have moved it. */
  async function endIfOver(connection: Connection): Promise<void> {
    const { sessionId } = connection.claims;
    connection.endsAt = null;
    try {
      const standing = (await access.standings([sessionId])).get(sessionId);
      const reason = endOf(standing, connection);
      if (reason !== null) return closing.revoke(connection, reason);
      connection.endsAt = standing?.endsAt?.getTime() ?? null;
    } catch {
      connection.endsAt = clock.now() + 1000;
    }
  }

  function onRevocations(rows: readonly Row[]): void {
    for (const { payload } of rows) {
      if (payload === null) continue;
      const { session_ids: ids, user_id: userId, reason } = JSON.parse(payload) as Revocation;
      const since = clock.now();
      const named = ids && new Set(ids);
      for (const connection of [...connections]) {
        const { claims } = connection;
        if (named ? named.has(claims.sessionId) : claims.userId === userId) closing.revoke(connection, reason);
      }
      metrics.observe("khala_revocation_close_seconds", (clock.now() - since) / 1000);
    }
  }

  async function recheck(): Promise<void> {
    const ids = [...new Set([...connections].map(({ claims }) => claims.sessionId))];
    for (let i = 0; i < ids.length; i += AT_ONCE) {
      const some = new Set(ids.slice(i, i + AT_ONCE));
      const standings = await access.standings([...some]);
      for (const connection of [...connections]) {
        const { sessionId } = connection.claims;
        if (!some.has(sessionId) || connection.closing) continue;
        const reason = endOf(standings.get(sessionId), connection);
        if (reason !== null) closing.revoke(connection, reason);
      }
    }
    await recheckTopics();
  }

  async function recheckTopics(): Promise<void> {
    const held = [...connections].flatMap((connection) =>
      [...connection.seat.subs.values()].map((sub) => ({ connection, sub, topic: sub.channel.name })),
    );
    for (let i = 0; i < held.length; i += AT_ONCE) {
      const some = held.slice(i, i + AT_ONCE);
      const asks = some.map(({ connection: { principal }, topic }) => ({ principal, topic }));
      const lost = new Map<Connection, { topic: string; denied: Denial }[]>();
      for (const [at, resolution] of (await resolveTopics(access, asks)).entries()) {
        const { connection, sub, topic } = some[at] as (typeof some)[number];
        const same = "stream" in resolution && resolution.stream === sub.channel.stream.name;
        if (same || sub.gone) continue;
        hub.detach(sub);
        const denied = "denied" in resolution ? resolution.denied : "owner_mismatch";
        lost.set(connection, [...(lost.get(connection) ?? []), { topic, denied }]);
      }
      for (const [connection, topics] of lost) {
        tellError(connection, topics[0]?.topic as string, forbiddenTopics(topics));
      }
    }
  }

  function report(): void {
    let buffered = 0;
    const subs = new Map<string, number>();
    for (const { seat } of connections) {
      buffered += seat.line.buffered();
      for (const { mode, channel } of seat.subs.values()) {
        const key = `${channel.stream.rule.class} ${mode}`;
        subs.set(key, (subs.get(key) ?? 0) + 1);
      }
    }
    metrics.gauge("khala_sockets", connections.size);
    metrics.gauge("khala_buffered_bytes", buffered);
    metrics.gauge("khala_tail_bytes", hub.tailBytes());
    for (const key of new Set([...subs.keys(), ...reported])) {
      const [name = "", mode = ""] = key.split(" ");
      metrics.gauge("khala_subscriptions", subs.get(key) ?? 0, { class: name, mode });
      reported.add(key);
    }
  }
  const reported = new Set<string>();

  return { tick, onRevocations, recheck };
}

interface Revocation {
  session_ids: string[] | null;
  user_id: number;
  reason: string;
}
