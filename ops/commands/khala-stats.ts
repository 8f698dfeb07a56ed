import { ALIVE_SECONDS, seenNodes } from "../../src/khala/heartbeat";
import { streamStats } from "../../src/khala/operator";
import type { Call } from "../command";
import { Failure } from "../failure";
import { table, time } from "../print";
import { whole } from "../values";

export async function run({ ctx, khala, options, io, json }: Call): Promise<void> {
  const topic = (options.topic as string | undefined) ?? null;
  const limit = whole("--limit", options.limit ?? 1000, 1, 1000);
  const data = await streamStats(ctx.store, topic, limit, khala.joined() ? khala.hub : undefined);
  const nodes = (await seenNodes(ctx.store, ALIVE_SECONDS)).map(({ id, sockets, live, behind, seen_at }) => ({
    node_id: id,
    sockets,
    live,
    behind,
    last_seen: time(seen_at),
  }));
  if (topic !== null && !data.length) throw new Failure(1, "unknown_topic", `No topic ${topic}`);
  if (json) return io.out(`${JSON.stringify({ data, nodes, next_cursor: null })}\n`);
  if (!data.length) return io.out("No topics yet.\n");
  const lines = data.map((s) => [
    s.topic,
    s.head,
    s.floor,
    s.rows,
    s.bytes,
    Math.round(s.events_per_minute * 10) / 10,
    s.subscribers,
    s.slowest_watermark,
  ]);
  io.out(table(["topic", "head", "floor", "rows", "bytes", "events/min", "subscribers", "slowest"], lines, io.columns));
  for (const { node_id, sockets, live, behind } of nodes)
    io.out(`node ${node_id}  ${sockets} sockets  ${live} subscriptions live  ${behind} behind\n`);
}
