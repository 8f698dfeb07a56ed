import { sql } from "drizzle-orm";
import type { Store } from "../../db/database";
import type { Row } from "./khala";

/** What one snapshot shows of a stream: consecutive rows above `floor`, up to `head` (prefix lemma, khala 3.5). */
export interface Snapshot {
  floor: number;
  head: number;
  rows: StoredRow[];
}

export interface StoredRow extends Row {
  recordedAt: Date;
}

export interface Head {
  id: number;
  head: number;
  floor: number;
}

/** The reading end of the log; the hub's only input besides what commits hand over. */
export interface LogReader {
  /** Rows with `seq > after`, ascending, at most `limit`; one statement, so one snapshot. A stream that is gone is empty. */
  read(streamId: number, after: number, limit: number): Promise<Snapshot>;
  /** Floor and head of each stream that exists. */
  heads(ids: number[]): Promise<Head[]>;
}

interface ReadRow extends Record<string, unknown> {
  floor: number;
  head: number;
  seq: number | null;
  recorded_at: Date;
  kind: string;
  doc_key: string;
  doc_version: number;
  payload: string | null;
  payload_hash: string | null;
}

export function createLogReader(store: Store): LogReader {
  return {
    async read(streamId, after, limit) {
      const found = await store.rows<ReadRow>(
        sql`select s.floor, s.head, e.*
            from khala_streams s left join lateral (
              select seq, recorded_at, kind, doc_key, doc_version, payload, encode(payload_hash, 'base64') as payload_hash
              from khala_events where stream_id = s.id and seq > greatest(s.floor, ${after}::bigint) order by seq limit ${limit}::bigint) e on true
            where s.id = ${streamId} order by e.seq`,
        store.replay,
      );
      const [first] = found;
      if (!first) return { floor: 0, head: 0, rows: [] };
      const rows = found.flatMap((row): StoredRow[] =>
        row.seq === null
          ? []
          : [
              {
                seq: row.seq,
                kind: row.kind,
                docKey: row.doc_key,
                docVersion: row.doc_version,
                payload: row.payload,
                payloadHash: row.payload_hash,
                recordedAt: row.recorded_at,
              },
            ],
      );
      return { floor: first.floor, head: first.head, rows };
    },
    async heads(ids) {
      const all: Head[] = [];
      for (let i = 0; i < ids.length; i += 5000) {
        const some = `{${ids.slice(i, i + 5000).join(",")}}`;
        const rows = await store.rows<{ id: number; head: number; floor: number }>(
          sql`select id, head, floor from khala_streams where id = any(${some}::bigint[])`,
          store.replay,
        );
        all.push(...rows);
      }
      return all;
    },
  };
}
