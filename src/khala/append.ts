import { sql } from "drizzle-orm";
import type { Database, Store } from "../../db/database";
import type { Log } from "../telemetry/log";
import type { Metrics } from "../telemetry/metrics";
import { canonicalJson, payloadHash } from "./canonical";
import type { NewEvent } from "./event";
import type { Numbered, Row } from "./khala";
import { ownerInName, type Rules, ruleOf } from "./streams";

/** How far numbers jump when the database may have lost its last commits (khala 3.7). */
export const JUMP = 1_000_000;

/** Used where the WAL functions are not permitted. */
const NO_TIMELINE = "--------";

export interface Appender {
  append(db: Database, events: NewEvent[]): Promise<Numbered[]>;
  /** Ids of streams by name; those that do not exist are made. Not inside a transaction of the caller's on PGlite. */
  ensure(wanted: { name: string; owner?: number | null }[]): Promise<Map<string, number>>;
  /** Remembers ids that a committed transaction made. */
  learn(numbered: Numbered[]): void;
}

interface Deps {
  store: Store;
  rules: Rules;
  metrics: Metrics;
  log: Log;
}

interface Prepared {
  names: string[];
  owners: Map<string, number | null>;
  kinds: string[];
  docKeys: string[];
  docVersions: number[];
  payloads: (string | null)[];
  hashes: (string | null)[];
}

/** A text as an element of a Postgres array literal. */
const element = (text: string | null) => (text === null ? "NULL" : `"${text.replace(/["\\]/g, "\\$&")}"`);
const texts = (values: (string | null)[]) => `{${values.map(element).join(",")}}`;
const numbers = (values: number[]) => `{${values.join(",")}}`;

function prepare(events: NewEvent[], { rules, metrics }: Deps): Prepared {
  const all: Prepared = {
    names: [],
    owners: new Map(),
    kinds: [],
    docKeys: [],
    docVersions: [],
    payloads: [],
    hashes: [],
  };
  for (const { stream, kind, docKey, docVersion, payload, owner } of events) {
    const text = canonicalJson(payload);
    const fits = Buffer.byteLength(text) <= ruleOf(rules, stream).maxBytes;
    if (!fits) metrics.count("khala_publish_refused_total", { reason: "payload_dropped" });
    all.names.push(stream);
    all.owners.set(stream, owner ?? ownerInName(stream));
    all.kinds.push(kind);
    all.docKeys.push(docKey);
    all.docVersions.push(docVersion);
    all.payloads.push(fits ? text : null);
    all.hashes.push(fits ? payloadHash(text) : null);
  }
  return all;
}

/**
 * The writing end of the log (khala 3.5). One statement numbers and stores all events of a transaction; the row lock on each
 * stream, taken last and held to the commit, makes commit order and number order the same thing.
 */
export async function createAppender(deps: Deps): Promise<Appender> {
  const { store, rules, metrics, log } = deps;
  const ids = new Map<string, number>();
  const permitted = await store
    .rows(sql`select left(pg_walfile_name(pg_current_wal_lsn()), 8) as line`)
    .then(() => true)
    .catch(() => false);
  if (!permitted) {
    log.warn("khala", "WAL functions are not permitted: a fail-over that loses commits may reuse numbers");
  }
  const line = permitted ? sql`left(pg_walfile_name(pg_current_wal_lsn()), 8)` : sql`${NO_TIMELINE}::text`;

  /** On `db`, so that it may run inside a transaction on PGlite. */
  async function makeStreams(db: Database, wanted: { name: string; owner?: number | null }[]) {
    const names = texts(wanted.map(({ name }) => name));
    const classes = texts(wanted.map(({ name }) => ruleOf(rules, name).class));
    const owners = texts(wanted.map(({ name, owner }) => (owner ?? ownerInName(name))?.toString() ?? null));
    await store.rows(
      sql`insert into khala_streams (name, class, owner_user_id, timeline)
          select n, c, o, ${line} from unnest(${names}::text[], ${classes}::text[], ${owners}::bigint[]) as w(n, c, o)
          order by n on conflict (name) do nothing`,
      db,
    );
    const rows = await store.rows<{ id: number; name: string }>(
      sql`select id, name from khala_streams where name = any(${names}::text[])`,
      db,
    );
    return new Map(rows.map(({ id, name }) => [name, id]));
  }

  async function ensure(wanted: { name: string; owner?: number | null }[]) {
    const unknown = wanted.filter(({ name }) => !ids.has(name));
    if (unknown.length) for (const [name, id] of await makeStreams(store.replay, unknown)) ids.set(name, id);
    return new Map(wanted.map(({ name }) => [name, ids.get(name) as number]));
  }

  /**
   * Outside the domain's transaction on Postgres, by the pool that nobody holds while waiting for another connection. PGlite
   * has one connection, which the transaction holds: there the rows are made inside it, and remembered after its commit.
   */
  async function idsFor(db: Database, { names, owners }: Prepared) {
    const wanted = [...new Set(names)].map((name) => ({ name, owner: owners.get(name) ?? null }));
    if (wanted.every(({ name }) => ids.has(name)) || store.kind === "postgres") return ensure(wanted);
    return makeStreams(db, wanted);
  }

  async function append(db: Database, events: NewEvent[]): Promise<Numbered[]> {
    if (!events.length) return [];
    const started = performance.now();
    const all = prepare(events, deps);
    const known = await idsFor(db, all);
    const streamIds = all.names.map((name) => known.get(name) as number);
    const firsts = await store.rows<{ stream_id: number; first: number }>(
      sql`with e as (
            select stream_id, ord, row_number() over (partition by stream_id order by ord) as nth,
                   kind, doc_key, doc_version, payload, payload_hash
            from unnest(${numbers(streamIds)}::bigint[], ${texts(all.kinds)}::text[], ${texts(all.docKeys)}::text[],
                        ${numbers(all.docVersions)}::bigint[], ${texts(all.payloads)}::text[], ${texts(all.hashes)}::text[])
                 with ordinality as u(stream_id, kind, doc_key, doc_version, payload, payload_hash, ord)),
          n as (select stream_id, count(*) as c from e group by 1),
          t as (select ${line} as line),
          l as materialized (
            select id, case when timeline = t.line then head else head + ${JUMP}::bigint end as base, timeline <> t.line as jumped
            from khala_streams, t where id in (select stream_id from n) order by id for update of khala_streams),
          s as (
            update khala_streams k
            set head = l.base + n.c, floor = case when l.jumped then l.base else k.floor end, timeline = t.line,
                oldest_at = coalesce(k.oldest_at, clock_timestamp()), last_at = clock_timestamp()
            from l join n on n.stream_id = l.id, t where k.id = l.id),
          i as (
            insert into khala_events (stream_id, seq, kind, doc_key, doc_version, payload, payload_hash)
            select e.stream_id, l.base + e.nth, e.kind, e.doc_key, e.doc_version, e.payload, decode(e.payload_hash, 'base64')
            from e join l on l.id = e.stream_id order by e.stream_id, e.nth
            returning stream_id, seq)
          select stream_id, min(seq) as first from i group by 1`,
      db,
    );
    const at = performance.now();
    metrics.observe("khala_append_seconds", (at - started) / 1000);
    metrics.observe("khala_append_batch_events", events.length, {}, [1, 2, 5, 10, 25, 50, 100, 250, 512]);
    const starts = new Map(firsts.map(({ stream_id: id, first }) => [id, first]));
    const numbered = new Map<number, Numbered>();
    streamIds.forEach((streamId, i) => {
      const first = starts.get(streamId);
      const stream = all.names[i] as string;
      if (first === undefined) throw new Error(`stream ${stream} has gone`);
      const part = numbered.get(streamId) ?? { streamId, stream, first, rows: [], at };
      numbered.set(streamId, part);
      const row: Row = {
        seq: part.first + part.rows.length,
        kind: all.kinds[i] as string,
        docKey: all.docKeys[i] as string,
        docVersion: all.docVersions[i] as number,
        payload: all.payloads[i] as string | null,
        payloadHash: all.hashes[i] as string | null,
      };
      part.rows.push(row);
    });
    return [...numbered.values()];
  }

  const learn = (numbered: Numbered[]) => {
    for (const { stream, streamId } of numbered) ids.set(stream, streamId);
  };

  return { append, ensure, learn };
}
