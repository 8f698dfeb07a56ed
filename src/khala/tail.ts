import { sizeOf } from "./frames";
import type { Row } from "./khala";

const MOST_ROWS = 512;
const MOST_BYTES = 1 << 20;

/** Tails share this much; the least recently used stream loses its tail first, which only costs reads (khala 3.8). */
const SHARED_BYTES = 64 << 20;

/** The newest rows of a stream, consecutive up to what is published. */
export interface Tail {
  /** Appends rows that follow the last one. */
  push(rows: readonly Row[]): void;
  /** Up to `limit` rows after `cursor`, or null when the tail does not reach back that far. */
  after(cursor: number, limit: number): Row[] | null;
  drop(): void;
}

export interface Tails {
  create(): Tail;
  bytes(): number;
}

export function createTails(shared = SHARED_BYTES): Tails {
  let total = 0;
  /** In order of use: the first is the one not used for longest. */
  const used = new Map<Tail, () => void>();

  function create(): Tail {
    let rows: Row[] = [];
    let from = 0;
    let bytes = 0;
    const drop = () => {
      total -= bytes;
      rows = [];
      from = 0;
      bytes = 0;
      used.delete(tail);
    };
    const shift = () => {
      const size = sizeOf(rows[from++] as Row);
      bytes -= size;
      total -= size;
      if (from > MOST_ROWS) {
        rows = rows.slice(from);
        from = 0;
      }
    };
    const touch = () => {
      used.delete(tail);
      used.set(tail, drop);
    };
    const tail: Tail = {
      push(more) {
        const last = rows[rows.length - 1];
        if (last && more[0] && more[0].seq !== last.seq + 1) drop();
        touch();
        for (const row of more) {
          rows.push(row);
          const size = sizeOf(row);
          bytes += size;
          total += size;
          while (rows.length - from > MOST_ROWS || bytes > MOST_BYTES) shift();
        }
        for (const [, forget] of used) {
          if (total <= shared) break;
          forget();
        }
      },
      after(cursor, limit) {
        const first = rows[from];
        if (!first || cursor + 1 < first.seq) return null;
        touch();
        const start = from + cursor + 1 - first.seq;
        return rows.slice(start, start + limit);
      },
      drop,
    };
    return tail;
  }

  return { create, bytes: () => total };
}
