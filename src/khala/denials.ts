import type { Log } from "../telemetry/log";

/** A client that was turned away, in the words that alerts look for (khala 3.13). */
export type Denied =
  | "khala auth denied"
  | "khala topic denied"
  | "khala origin denied by policy"
  | "khala publish rate limit triggered"
  | "khala publish payload exceeds frame-size limit";

const MOST_PER_SECOND = 10;

/** Writes such a line; never with a payload or token in its fields. */
export type Deny = (what: Denied, fields: Record<string, unknown>) => void;

/** At most ten lines a second of each kind, so that a flood of refusals is no flood of lines; the next one counts the rest. */
export function createDenials(log: Log, now: () => number): Deny {
  const kinds = new Map<Denied, { second: number; written: number; left: number }>();
  return (what, fields) => {
    const second = Math.floor(now() / 1000);
    const kind = kinds.get(what) ?? { second, written: 0, left: 0 };
    kinds.set(what, kind);
    if (kind.second !== second) Object.assign(kind, { second, written: 0 });
    if (kind.written++ >= MOST_PER_SECOND) {
      kind.left++;
      return;
    }
    log.warn("khala", what, kind.left ? { ...fields, left_out: kind.left } : fields);
    kind.left = 0;
  };
}
