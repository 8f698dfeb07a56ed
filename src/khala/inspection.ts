import { sql } from "drizzle-orm";
import type { Store } from "../../db/database";
import type { Connection } from "./connection";
import { ALIVE_SECONDS, type Load, seenNodes } from "./heartbeat";
import type { KhalaNode } from "./node";
import { lagOf } from "./pump";
import { handed, type Stream } from "./sub";

const BUSIEST = 100;

interface StreamRow extends Record<string, unknown> {
  id: number;
  name: string;
  class: string;
  head: number;
  floor: number;
}

/** Subscriptions of this node: those that are followed live, and those that are served singly. */
export function subscriptionCounts({ hub }: KhalaNode): Omit<Load, "sockets"> {
  let live = 0;
  let behind = 0;
  for (const stream of hub.streams()) {
    behind += stream.behind.size;
    for (const channel of stream.channels.values()) live += channel.live.size;
  }
  return { live, behind };
}

const wholeSeconds = (time: Date) => `${time.toISOString().slice(0, 19)}Z`;

/** Other nodes as they last said, and this one as it is. On the embedded database there is no other. */
async function nodesNow(store: Store, node: KhalaNode, sockets: number, buildId: string) {
  const rows = (await seenNodes(store, ALIVE_SECONDS)).filter(({ id }) => id !== node.id);
  const others = rows.map(({ id, started_at, seen_at, ...rest }) => ({
    node: id,
    build_id: rest.build_id,
    started_at: wholeSeconds(started_at),
    seen_at: wholeSeconds(seen_at),
    sockets: rest.sockets,
    live: rest.live,
    behind: rest.behind,
  }));
  const now = new Date(node.clock.now());
  const here = {
    node: node.id,
    build_id: buildId,
    started_at: wholeSeconds(node.startedAt),
    seen_at: wholeSeconds(now),
    sockets,
    ...subscriptionCounts(node),
  };
  return [here, ...others];
}

/** The slowest reader of a stream on this node, or null without one. */
function slowest(stream: Stream): number | null {
  const marks = [...stream.behind].map(({ cursor }) => cursor);
  for (const channel of stream.channels.values()) if (channel.live.size) marks.push(stream.published);
  return marks.length ? Math.min(...marks) : null;
}

/** `GET /api/admin/khala` (khala 2.10): counts and watermarks, never payloads. */
export async function overview(
  store: Store,
  node: KhalaNode,
  connections: ReadonlySet<Connection>,
  { buildId, stream }: { buildId: string; stream?: string },
) {
  const open = [...node.hub.streams()].filter(({ name }) => stream === undefined || name === stream);
  const counts = new Map(
    await rates(
      store,
      open.map(({ id }) => id),
    ),
  );
  const topics = open
    .map((one) => ({
      stream: one.name,
      topic_class: one.rule.class,
      head: one.published,
      floor: one.floor,
      events_per_minute: counts.get(one.id) ?? 0,
      subscribers: [...one.channels.values()].reduce((sum, { subs }) => sum + subs, 0),
      slowest_watermark: slowest(one),
    }))
    .sort((a, b) => b.events_per_minute - a.events_per_minute || b.head - a.head)
    .slice(0, BUSIEST);
  return {
    nodes: await nodesNow(store, node, connections.size, buildId),
    topics,
    wake: await wakeNow(node),
    recent_errors: node.recentErrors(),
  };
}

async function wakeNow(node: KhalaNode) {
  const { mode, connected, lastAt } = node.wakes();
  return {
    mode,
    connected: mode === "local" || connected,
    last_at: lastAt === null ? null : new Date(lastAt).toISOString(),
    repairs: await node.total("khala_wake_repairs_total"),
  };
}

async function rates(store: Store, ids: number[]): Promise<[number, number][]> {
  if (!ids.length) return [];
  const rows = await store.rows<{ id: number; n: number }>(
    sql`select s.id, count(e.seq) as n
        from khala_streams s left join lateral (
          select seq from khala_events where stream_id = s.id and seq > s.head - 10000 and recorded_at > now() - interval '1 minute') e on true
        where s.id = any(${`{${ids.join(",")}}`}::bigint[]) group by s.id`,
    store.replay,
  );
  return rows.map(({ id, n }) => [id, n]);
}

/** `GET /api/admin/khala/connections`. */
export function connectionList(
  connections: ReadonlySet<Connection>,
  wanted: { userId?: number; topic?: string; limit: number },
) {
  const shown = [...connections].filter(
    ({ claims, seat }) =>
      (wanted.userId === undefined || claims.userId === wanted.userId) &&
      (wanted.topic === undefined || seat.subs.has(wanted.topic)),
  );
  return shown.slice(0, wanted.limit).map((connection) => ({
    connection_id: connection.id,
    user_id: connection.claims.userId,
    device_id: connection.claims.deviceId,
    client: connection.client.client,
    client_build_id: connection.client.buildId,
    opened_at: wholeSeconds(new Date(connection.openedAt)),
    address: connection.address,
    buffered_bytes: connection.seat.line.buffered(),
    last_seen_at: wholeSeconds(new Date(connection.lastSeenAt)),
    topics: [...connection.seat.subs].map(([topic, sub]) => ({
      topic,
      mode: sub.mode,
      watermark: handed(sub),
      acknowledged: sub.acknowledged,
      lag: lagOf(sub),
    })),
  }));
}

/** `topic_windows` of the fan-out metrics (R): highest head first. */
export async function topicWindows(store: Store, node: KhalaNode, limit: number) {
  const rows = await store.rows<StreamRow>(
    sql`select id, name, class, head, floor from khala_streams order by head desc, id limit ${limit}`,
    store.replay,
  );
  return rows.map(({ name, head, floor }) => {
    const rule = node.ruleOf(name);
    const { counts, last } = node.violations.of(name);
    return {
      topic: name,
      topic_class: rule.class,
      qos_tier: rule.tier,
      replay_budget_events: rule.budget,
      oldest_sequence: head > floor ? floor + 1 : null,
      head_sequence: head,
      queue_depth: head - floor,
      dropped_messages: floor,
      publish_rate_limit_per_second: rule.rate,
      max_payload_bytes: rule.maxBytes,
      publish_rate_limited_count: counts.publish_rate_limited ?? 0,
      frame_size_rejected_count: counts.frame_size_rejected ?? 0,
      stale_cursor_budget_exceeded_count: counts.replay_budget_exceeded ?? 0,
      stale_cursor_retention_floor_count: counts.retention_floor_breach ?? 0,
      last_violation_reason: last,
    };
  });
}
