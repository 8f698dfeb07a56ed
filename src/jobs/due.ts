import { sql } from "drizzle-orm";
import type { Store } from "../../db/database";

/** How often the queue is asked, and how far ahead: a job made after one look is seen by the next before it is due. */
const EVERY_MS = 1000;
const AHEAD_MS = 1500;

export interface Due {
  /** A job of `kind` was stored by this node for `at`. */
  expect(kind: string, at: Date): void;
  /** Whether the last look succeeded. */
  healthy(): boolean;
  stop(): void;
}

/**
 * Wakes the workers of a kind at the instant a job is due. pg-boss's workers poll and hear of new jobs, but not of those
 * whose time comes (retries, exact deadlines); one look a second for all kinds finds them, and a timer hits the instant.
 */
export function watchDue(store: Store, kinds: string[], wake: (kind: string) => void): Due {
  const timers = new Map<string, { at: number; timer: Timer }>();
  let healthy = true;
  let stopped = false;
  const names = sql.join(
    kinds.map((kind) => sql`${kind}`),
    sql`, `,
  );

  const arm = (kind: string, ms: number) => {
    const at = performance.now() + ms;
    const set = timers.get(kind);
    if (stopped || (set && set.at <= at)) return;
    clearTimeout(set?.timer);
    // The claim asks for `start_after < now()`, so a moment later.
    const fire = () => {
      timers.delete(kind);
      wake(kind);
    };
    timers.set(kind, { at, timer: setTimeout(fire, Math.max(0, Math.ceil(ms)) + 2) });
  };

  const look = async () => {
    try {
      const rows = await store.rows<{ name: string; ms: number }>(
        sql`select name, (extract(epoch from min(start_after) - clock_timestamp()) * 1000)::float8 as ms from jobs.job
            where name in (${names}) and state < 'active' and start_after < clock_timestamp() + ${`${AHEAD_MS} ms`}::interval
            group by name`,
      );
      healthy = true;
      for (const { name, ms } of rows) arm(name, ms);
    } catch {
      healthy = false;
    }
    if (!stopped) next = setTimeout(look, EVERY_MS);
  };
  let next: Timer = setTimeout(look, 0);

  return {
    expect(kind, at) {
      const ms = at.getTime() - Date.now();
      if (ms < AHEAD_MS) arm(kind, ms);
    },
    healthy: () => healthy,
    stop() {
      stopped = true;
      clearTimeout(next);
      for (const { timer } of timers.values()) clearTimeout(timer);
      timers.clear();
    },
  };
}
