/** What operator commands read of the log (ops-data 2.9). */
import { sql } from "drizzle-orm";
import type { Store } from "../../db/database";
import type { Hub } from "./hub";

export interface StreamStats extends Record<string, unknown> {
  topic: string;
  class: string;
  head: number;
  floor: number;
  rows: number;
  bytes: number;
  /** Of the last five minutes. */
  events_per_minute: number;
  /** Sockets that read it on this node; null where no server runs in this process. */
  subscribers: number | null;
  /** The last event that the slowest of them has been handed. */
  slowest_watermark: number | null;
}

/** Streams by name, one or all. */
export async function streamStats(
  store: Store,
  topic: string | null,
  limit: number,
  hub?: Hub,
): Promise<StreamStats[]> {
  const rows = await store.rows<StreamStats>(sql`
    select s.name as topic, s.class, s.head, s.floor, s.head - s.floor as rows,
      coalesce((select sum(octet_length(coalesce(e.payload, '')))::float8 from khala_events e where e.stream_id = s.id), 0) as bytes,
      coalesce((select count(*)::float8 / 5 from khala_events e
        where e.stream_id = s.id and e.seq > s.head - 100000 and e.recorded_at > now() - interval '5 minutes'), 0) as events_per_minute
    from khala_streams s where ${topic}::text is null or s.name = ${topic}::text order by s.name limit ${limit}`);
  const live = new Map([...(hub?.streams() ?? [])].map((stream) => [stream.name, stream]));
  return rows.map((row) => {
    const stream = live.get(row.topic);
    const channels = stream ? [...stream.channels.values()] : [];
    const cursors = stream ? [...stream.behind].map(({ cursor }) => cursor) : [];
    const anyLive = channels.some((channel) => channel.live.size);
    if (stream && anyLive) cursors.push(stream.published);
    return {
      ...row,
      subscribers: hub ? channels.reduce((sum, { subs }) => sum + subs, 0) : null,
      slowest_watermark: cursors.length ? Math.min(...cursors) : null,
    };
  });
}

/** Streams whose held numbers have a hole (khala 3.3): none, unless the database was damaged. */
export const gappedStreams = async (store: Store, newest: number, most: number): Promise<string[]> =>
  (
    await store.rows<{ name: string }>(sql`
      select s.name from (select * from khala_streams order by last_at desc nulls last limit ${most}) s
      where (select count(*) from khala_events e where e.stream_id = s.id and e.seq > greatest(s.floor, s.head - ${newest}::bigint))
        <> s.head - greatest(s.floor, s.head - ${newest}::bigint)`)
  ).map(({ name }) => name);
