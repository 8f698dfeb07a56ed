/** The array dialect of the socket: `[join_ref, ref, topic, event, payload]` (khala 2.2). */
export const CHANNEL = "sync:v1";

export interface Frame {
  ref: string | null;
  topic: string;
  event: string;
  payload: Record<string, unknown>;
}

/** One change of one document. `payload` is null when it was too large to carry: fetch the document over HTTP. */
export interface Update {
  topic: string;
  docKey: string;
  docVersion: number;
  payload: unknown;
  /** The topic's gap-free sequence. */
  watermark: number;
  hydrationRequired: boolean;
}

export interface Watermark {
  topic: string;
  watermark: number;
}

const record = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const count = (value: unknown): number | null =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;

export const encode = (ref: string, event: string, payload: unknown): string =>
  JSON.stringify([null, ref, CHANNEL, event, payload]);

/** Null for whatever is not a frame: a client ignores it and lives on (khala 3.11). */
export function decode(message: unknown): Frame | null {
  if (typeof message !== "string") return null;
  try {
    const parts: unknown = JSON.parse(message);
    if (!Array.isArray(parts) || parts.length !== 5 || typeof parts[3] !== "string") return null;
    return {
      ref: parts[1] == null ? null : String(parts[1]),
      topic: text(parts[2]),
      event: parts[3],
      payload: record(parts[4]),
    };
  } catch {
    return null;
  }
}

export const watermarksOf = (list: unknown): Watermark[] =>
  (Array.isArray(list) ? list : []).flatMap((entry) => {
    const { topic, watermark } = record(entry);
    const n = count(watermark);
    return typeof topic === "string" && n !== null ? [{ topic, watermark: n }] : [];
  });

/** The updates and heads of a `sync:update_batch`; malformed entries are left out. */
export function batchOf(payload: Record<string, unknown>): { updates: Update[]; heads: Watermark[] } {
  const updates: Update[] = [];
  for (const entry of Array.isArray(payload.updates) ? payload.updates : []) {
    const one = record(entry);
    const watermark = count(one.watermark);
    if (typeof one.topic !== "string" || watermark === null) continue;
    updates.push({
      topic: one.topic,
      docKey: text(one.doc_key),
      docVersion: count(one.doc_version) ?? 0,
      payload: one.payload ?? null,
      watermark,
      hydrationRequired: one.hydration_required === true,
    });
  }
  return { updates, heads: watermarksOf(payload.head_watermarks) };
}

/** Topics a stale-cursor object names, each with the head to go on from after its snapshot (khala 2.6). */
export const staleTopicsOf = (error: Record<string, unknown>): Watermark[] =>
  (Array.isArray(error.stale_topics) ? error.stale_topics : []).flatMap((entry) => {
    const { topic, head_watermark } = record(entry);
    return typeof topic === "string" ? [{ topic, watermark: count(head_watermark) ?? 0 }] : [];
  });

export const namesOf = (list: unknown): string[] =>
  (Array.isArray(list) ? list : []).filter((name): name is string => typeof name === "string");
