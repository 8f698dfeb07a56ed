import type { Row } from "./khala";

/** The only channel of the array dialect (khala 2.2). */
export const CHANNEL = "sync:v1";

/** Most update text in one batch; a batch holds at least one update, whatever its size. */
export const BATCH_BYTES = 256 * 1024;

/** Everything the server starts has both refs null, so that one string serves every socket. */
export const push = (event: string, payload: string) => `[null,null,"${CHANNEL}","${event}",${payload}]`;

export type Ref = string | number | null;

/** A reply echoes both refs exactly as they were sent. */
export const reply = (joinRef: Ref, ref: Ref, topic: string, status: "ok" | "error", response: object) =>
  JSON.stringify([joinRef, ref, topic, "phx_reply", { status, response }]);

/** About how many bytes an update takes in a frame. */
export const sizeOf = (row: Row): number =>
  180 + row.docKey.length + (row.payload === null ? 0 : Buffer.byteLength(row.payload));

const update = (topic: string, row: Row) =>
  `{"topic":${topic},"doc_key":${JSON.stringify(row.docKey)},"doc_version":${row.docVersion},"payload":${row.payload ?? "null"},` +
  `"payload_hash":${row.payloadHash === null ? "null" : `"${row.payloadHash}"`},"watermark":${row.seq},"hydration_required":${row.payload === null}}`;

/** The object of a `sync:update_batch`: updates of one topic, ascending. */
export function batchText(topic: string, rows: readonly Row[], complete: boolean, head: number): string {
  const name = JSON.stringify(topic);
  let updates = "";
  for (const row of rows) updates += (updates && ",") + update(name, row);
  return `{"updates":[${updates}],"replay_complete":${complete},"head_watermarks":[{"topic":${name},"watermark":${head}}]}`;
}

type Kind = "KHALA_FRAME_KIND_UPDATE_BATCH" | "KHALA_FRAME_KIND_ERROR";

/** The object of a `sync:frame`, which carries another object as base64. */
export const frameText = (topic: string, seq: number, kind: Kind, text: string) =>
  `{"topic":${JSON.stringify(topic)},"seq":${seq},"kind":"${kind}","payload_bytes":"${Buffer.from(text).toString("base64")}","schema_version":1}`;

/** Where a batch that starts at `from` ends: at most `count` rows, at most 256 KiB of update text, at least one row. */
export function batchEnd(rows: readonly Row[], from: number, count: number): number {
  let bytes = 0;
  const most = Math.min(rows.length, from + count);
  for (let i = from; i < most; i++) {
    bytes += sizeOf(rows[i] as Row);
    if (bytes > BATCH_BYTES && i > from) return i;
  }
  return most;
}
