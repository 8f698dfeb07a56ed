import { sql } from "drizzle-orm";
import type { Context } from "../context";

const kind = "codex.prune";
const newestKept = 3000;
const rowsAtOnce = 5000;
const replayHorizonDays = 30;

/**
 * Cuts the logs of workers at their beginning (codex-chat 4): what is older than the retention, but never one of the newest
 * 3000 nor anything from a request without receipt on. Returns how many events went.
 */
export async function pruneEvents(ctx: Context): Promise<number> {
  const before = daysAgo(ctx, ctx.config.OA_CODEX_EVENT_RETENTION_DAYS);
  const cuts = await ctx.store.rows<{ worker_pk: string; cut: number }>(sql`
    select w.id as worker_pk, old.cut from codex_workers w cross join lateral (
      select least(
        (select max(seq) from codex_worker_events e where e.worker_pk = w.id and e.seq <= w.latest_seq - ${newestKept}::bigint
          and e.recorded_at < ${before}::timestamptz),
        (select min(request_seq) - 1 from codex_control_requests r where r.worker_pk = w.id and r.finished_at is null)
      ) as cut) old
    where w.latest_seq > ${newestKept}::bigint and old.cut > 0
      and exists (select 1 from codex_worker_events e where e.worker_pk = w.id and e.seq <= w.latest_seq - ${newestKept}::bigint
        and e.recorded_at < ${before}::timestamptz)`);
  let pruned = 0;
  for (const { worker_pk, cut } of cuts) pruned += await cutLog(ctx, worker_pk, cut);
  return pruned;
}

async function cutLog(ctx: Context, workerPk: string, cut: number): Promise<number> {
  let total = 0;
  for (;;) {
    const gone = await ctx.store.rows(sql`
      delete from codex_worker_events where worker_pk = ${workerPk}::uuid and seq in (
        select seq from codex_worker_events where worker_pk = ${workerPk}::uuid and seq <= ${cut}::bigint
        order by seq limit ${rowsAtOnce}::int) returning 1`);
    total += gone.length;
    if (gone.length < rowsAtOnce) return total;
  }
}

/** Forgets requests that finished so long ago that nobody repeats them. Returns how many. */
export async function pruneRequests(ctx: Context): Promise<number> {
  const before = daysAgo(ctx, replayHorizonDays);
  let total = 0;
  for (;;) {
    const gone = await ctx.store.rows(sql`
      delete from codex_control_requests where (worker_pk, request_id) in (
        select worker_pk, request_id from codex_control_requests where finished_at < ${before}::timestamptz
        limit ${rowsAtOnce}::int) returning 1`);
    total += gone.length;
    if (gone.length < rowsAtOnce) return total;
  }
}

const daysAgo = (ctx: Context, days: number) => new Date(ctx.now().getTime() - days * 86_400_000).toISOString();

export function definePrune(ctx: Context): void {
  ctx.jobs.define({
    kind,
    tries: 3,
    backoffSeconds: 60,
    run: async () => {
      const events = await pruneEvents(ctx);
      const requests = await pruneRequests(ctx);
      if (events || requests) ctx.log.info("oa.codex", "codex log pruned", { events, requests });
    },
  });
  ctx.jobs.every("17 * * * *", kind);
}
