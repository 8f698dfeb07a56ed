import { type SQL, sql } from "drizzle-orm";
import type { Store } from "../../db/database";
import type { Jobs } from "./jobs";

const BATCH = 1000;
const BUDGET_MS = 20_000;

interface Parts {
  store: Store;
  jobs: Jobs;
  now(): Date;
}

/**
 * Declares `platform.prune` (http-platform 3.13): hourly, throttle rows, audit rows after 400 days, done jobs after 7, files of old
 * builds. */
export function definePlatformPrune(parts: Parts): void {
  parts.jobs.define<null>({
    kind: "platform.prune",
    tries: 3,
    backoffSeconds: 60,
    run: (_, { signal }) => prunePlatform(parts.store, parts.now(), signal),
  });
  parts.jobs.every("7 * * * *", "platform.prune");
}

/** Deletes in batches of 1,000, for at most 20 s; the next run goes on. */
export async function prunePlatform(store: Store, now: Date, signal?: AbortSignal): Promise<void> {
  const stopAt = performance.now() + BUDGET_MS;
  const before = (days: number) => sql`${new Date(now.getTime() - days * 86_400_000).toISOString()}::timestamptz`;
  const old: [SQL, SQL][] = [
    [sql`http_throttles`, sql`window_ends_at < ${before(0)}`],
    [sql`audit_events`, sql`occurred_at < ${before(400)}`],
    [sql`jobs.job`, sql`state in ('completed', 'cancelled') and completed_on < ${before(7)}`],
    [
      sql`web_assets`,
      sql`last_build_seen_at < ${before(14)} and build_id not in (
        select build_id from web_assets group by build_id order by max(last_build_seen_at) desc limit 5)`,
    ],
    [sql`server_nodes`, sql`seen_at < ${before(1 / 24)}`],
  ];
  for (const [table, where] of old) {
    while (!signal?.aborted && performance.now() < stopAt) {
      const [gone] = await store.rows<{ n: number }>(sql`with gone as (
        delete from ${table} where (tableoid, ctid) in (select tableoid, ctid from ${table} where ${where} limit ${BATCH}) returning 1
      ) select count(*) as n from gone`);
      if (gone!.n < BATCH) break;
    }
  }
}
