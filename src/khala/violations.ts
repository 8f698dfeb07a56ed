import type { StaleReason } from "./start";

export type Violation = "publish_rate_limited" | "frame_size_rejected" | StaleReason;

export interface Violations {
  note(stream: string, what: Violation): void;
  of(stream: string): { counts: Partial<Record<Violation, number>>; last: Violation | null };
  /** Events of a stream in this second; true when they are more than `rate`. */
  overRate(stream: string, events: number, rate: number, now: number): boolean;
}

const MOST_STREAMS = 10_000;

/** Counts of what went over a limit on this node, by stream, for the inspection view (khala 2.10). */
export function createViolations(): Violations {
  const byStream = new Map<string, { counts: Partial<Record<Violation, number>>; last: Violation | null }>();
  let second = 0;
  let rates = new Map<string, number>();
  return {
    note(stream, what) {
      const found = byStream.get(stream) ?? { counts: {}, last: null };
      found.counts[what] = (found.counts[what] ?? 0) + 1;
      found.last = what;
      if (byStream.size >= MOST_STREAMS && !byStream.has(stream)) byStream.clear();
      byStream.set(stream, found);
    },
    of: (stream) => byStream.get(stream) ?? { counts: {}, last: null },
    overRate(stream, events, rate, now) {
      const current = Math.floor(now / 1000);
      if (current !== second) {
        second = current;
        rates = new Map();
      }
      const count = (rates.get(stream) ?? 0) + events;
      rates.set(stream, count);
      return count > rate;
    },
  };
}
