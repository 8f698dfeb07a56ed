import { sql } from "drizzle-orm";
import type { Store } from "../../db/database";
import type { Metrics } from "../telemetry/metrics";
import type { KhalaNode } from "./node";
import type { Rule } from "./streams";

const BATCH_ROWS = 5000;
const STREAMS_AT_ONCE = 500;

interface Candidate extends Record<string, unknown> {
  id: number;
  name: string;
}

export interface CompactOptions {
  /** One stream only, by name. */
  stream?: string;
  /** Instead of each class's own age: events older than this many seconds go. */
  olderThanSeconds?: number;
  dryRun?: boolean;
  signal?: AbortSignal;
}

export interface Compacted {
  streams: number;
  rows: number;
  bytes: number;
}

/**
 * Cuts the tails of streams: what is older than its class keeps, and what lies so far behind the head that it can reach
 * nobody (khala 3.3). Floor and rows move in one transaction, in batches, so that at every instant a row exists if and only
 * if `floor < seq <= head`. Used by the job and by `openagents ops khala:compact`.
 */
export async function compact(
  store: Store,
  { ruleOf, metrics }: Pick<KhalaNode, "ruleOf" | "metrics">,
  options: CompactOptions = {},
): Promise<Compacted> {
  const total: Compacted = { streams: 0, rows: 0, bytes: 0 };
  for (let after = 0; !options.signal?.aborted; ) {
    const some = await candidates(store, after, options.stream);
    for (const { id, name } of some) {
      if (options.signal?.aborted) break;
      const cut = await compactStream(store, id, ruleOf(name), metrics, options);
      total.streams += cut.rows > 0 ? 1 : 0;
      total.rows += cut.rows;
      total.bytes += cut.bytes;
    }
    const last = some[some.length - 1];
    if (!last || some.length < STREAMS_AT_ONCE) break;
    after = last.id;
  }
  return total;
}

/** How old the oldest event of each class is: what the retention of that class comes to (khala 3.14). */
export async function measureFloors(store: Store, metrics: Metrics): Promise<void> {
  const rows = await store.rows<{ class: string; age: number }>(
    sql`select class, extract(epoch from clock_timestamp() - min(oldest_at))::float8 as age
        from khala_streams where oldest_at is not null group by class`,
    store.replay,
  );
  for (const { class: name, age } of rows)
    metrics.gauge("khala_retention_floor_age_seconds", Math.max(0, age), { class: name });
}

const candidates = (store: Store, after: number, name: string | undefined) =>
  store.rows<Candidate>(
    sql`select id, name from khala_streams where id > ${after} and oldest_at is not null
        ${name === undefined ? sql`` : sql`and name = ${name}`} order by id limit ${STREAMS_AT_ONCE}`,
    store.replay,
  );

interface Cut extends Record<string, unknown> {
  rows: number;
  bytes: number;
  cut: number | null;
}

/** What of the next rows of a stream is to go; one statement, so one snapshot. */
async function nextCut(store: Store, id: number, rule: Rule, keepSeconds: number, most: number): Promise<Cut> {
  const [found] = await store.rows<Cut>(
    sql`select count(*) as rows, coalesce(sum(octet_length(payload)), 0)::bigint as bytes, max(seq) as cut
        from khala_streams s cross join lateral (
          select seq, recorded_at, payload from khala_events where stream_id = s.id order by seq limit ${most}::bigint) e
        where s.id = ${id}
          and (e.seq <= s.floor or e.recorded_at <= clock_timestamp() - make_interval(secs => ${keepSeconds}::float8)
               or e.seq <= s.head - ${2 * rule.budget}::bigint)`,
    store.replay,
  );
  return found ?? { rows: 0, bytes: 0, cut: null };
}

async function compactStream(store: Store, id: number, rule: Rule, metrics: Metrics, options: CompactOptions) {
  const keepSeconds = options.olderThanSeconds ?? rule.keepSeconds;
  const done = { rows: 0, bytes: 0 };
  for (;;) {
    const most = options.dryRun ? Number.MAX_SAFE_INTEGER : BATCH_ROWS;
    const { rows, bytes, cut } = await nextCut(store, id, rule, keepSeconds, most);
    if (cut === null || rows === 0) return done;
    done.rows += rows;
    done.bytes += bytes;
    if (options.dryRun) return done;
    await cutTail(store, id, cut);
    metrics.count("khala_retention_deleted_total", { class: rule.class }, rows);
    if (rows < BATCH_ROWS) return done;
  }
}

/** The lock comes first, so that what follows sees every append that was committed before it. */
const cutTail = (store: Store, id: number, cut: number) =>
  store.db.transaction(async (tx) => {
    await store.rows(sql`select id from khala_streams where id = ${id} for update`, tx);
    await store.rows(
      sql`update khala_streams set floor = greatest(floor, ${cut}::bigint),
          oldest_at = (select recorded_at from khala_events where stream_id = ${id} and seq > ${cut}::bigint order by seq limit 1)
          where id = ${id}`,
      tx,
    );
    await store.rows(sql`delete from khala_events where stream_id = ${id} and seq <= ${cut}::bigint`, tx);
  });

/** Removes the streams of a user that is gone: first nobody can read them, then their rows go, a batch at a time. */
export async function forgetUser(store: Store, userId: number, signal?: AbortSignal): Promise<void> {
  await store.rows(sql`update khala_streams set floor = head where owner_user_id = ${userId}`);
  const owned = await store.rows<{ id: number }>(sql`select id from khala_streams where owner_user_id = ${userId}`);
  for (const { id } of owned) {
    for (let left = BATCH_ROWS; left >= BATCH_ROWS; ) {
      if (signal?.aborted) throw new Error("stopped before all of a user's streams were removed");
      const gone = await store.rows(
        sql`with part as (select seq from khala_events where stream_id = ${id} order by seq limit ${BATCH_ROWS}::bigint)
            delete from khala_events where stream_id = ${id} and seq <= (select max(seq) from part) returning 1 as one`,
      );
      left = gone.length;
    }
    await store.rows(sql`delete from khala_streams where id = ${id}`);
  }
}
