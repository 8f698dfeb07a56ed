import { usage } from "./failure";

/** A whole number within bounds, or the failure of our own commands: exit 2. */
export function whole(name: string, given: unknown, min: number, max: number): number {
  const text = String(given).trim();
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= min && number <= max) return number;
  throw usage(`${name} must be a whole number from ${min} to ${max}, not '${text}'`);
}

const units: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration such as `90s`, `30m`, `12h`, `7d`, in seconds. */
export function seconds(name: string, given: string): number {
  const match = /^(\d+)([smhd])$/.exec(given.trim());
  if (!match) throw usage(`${name} must be a duration such as 12h or 7d, not '${given}'`);
  return (Number(match[1]) * (units[match[2] as string] as number)) / 1000;
}

/** A time: RFC 3339, a date, or so long ago (`30m`, `12h`, `7d`). */
export function since(name: string, given: string, now: Date): Date {
  const ago = /^(\d+)([smhd])$/.exec(given.trim());
  if (ago) return new Date(now.getTime() - Number(ago[1]) * (units[ago[2] as string] as number));
  const at = /^\d{4}-\d\d-\d\d/.test(given) ? new Date(given) : new Date(Number.NaN);
  if (Number.isNaN(at.getTime()))
    throw usage(`${name} must be a time such as 2026-02-19T12:00:00Z or 7d, not '${given}'`);
  return at;
}

/** Options of every command that lists (ops-data 2.9). */
export interface Page {
  limit: number;
  /** Id after which to go on. */
  before: number | null;
}

export function pageOf(options: Record<string, unknown>): Page {
  const limit = whole("--limit", options.limit ?? 50, 1, 1000);
  const before = options.cursor === undefined ? null : whole("--cursor", options.cursor, 0, Number.MAX_SAFE_INTEGER);
  return { limit, before };
}

/** Rows of one page and where the next begins. `rows` may hold one more than the limit. */
export function paged<T extends { id: number }>(rows: T[], { limit }: Page): { data: T[]; next_cursor: string | null } {
  const data = rows.slice(0, limit);
  return { data, next_cursor: rows.length > limit ? String(data.at(-1)?.id) : null };
}
