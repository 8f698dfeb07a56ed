/** What operator commands see and do in the queue (ops-data 2.9). Internal queues of pg-boss are left out. */
import { sql } from "drizzle-orm";
import type { Database, Store } from "../../db/database";
import type { Invariant } from "../../db/invariants";

export const jobStates = ["queued", "running", "dead", "done"] as const;
export type JobState = (typeof jobStates)[number];

export interface ListedJob extends Record<string, unknown> {
  id: string;
  kind: string;
  state: JobState;
  tries: number;
  run_at: Date;
  created_at: Date;
  last_error: string | null;
  payload: unknown;
}

const state = sql`case when state in ('created', 'retry') then 'queued' when state = 'active' then 'running'
  when state = 'completed' then 'done' else 'dead' end`;
const ours = sql`name not like '\\_\\_pgboss%'`;

/** A place in the list: the time of the last job seen and its id. */
export interface JobCursor {
  createdAt: string;
  id: string;
}

interface JobQuery {
  state: JobState | null;
  kind: string | null;
  after: JobCursor | null;
  limit: number;
}

/** Jobs, newest first; one more than the limit. */
export const listJobs = (store: Store, { state: wanted, kind, after, limit }: JobQuery): Promise<ListedJob[]> =>
  store.rows<ListedJob>(sql`
    select id::text as id, name as kind, ${state} as state, retry_count + (state not in ('created', 'retry'))::int as tries,
      start_after as run_at, created_on as created_at, coalesce(output->>'message', output->>'value') as last_error, data as payload
    from jobs.job
    where ${ours}
      and (${wanted}::text is null or ${state} = ${wanted}::text)
      and (${kind}::text is null or name = ${kind}::text)
      and (${after?.createdAt ?? null}::timestamptz is null
        or (created_on, id) < (${after?.createdAt ?? null}::timestamptz, ${after?.id ?? null}::uuid))
    order by created_on desc, id desc limit ${limit + 1}`);

/** No job runs on whose runner has long gone (ops-data 3.4). */
export const jobInvariants: Invariant[] = [
  {
    id: "jobs.lease",
    broken: sql`select id::text as key from jobs.job
      where state = 'active' and started_on + make_interval(secs => expire_seconds) < now() - interval '10 minutes'`,
  },
];

export interface Retried {
  id: string;
  kind: string;
  /** `skipped`: a live job with the same key does the work already. */
  result: "queued" | "skipped";
}

/** Puts dead jobs back as if never tried: those named, or all (of a kind). */
export async function retryJobs(
  store: Store,
  db: Database,
  which: { ids: string[] } | { kind: string | null },
): Promise<Retried[]> {
  const chosen =
    "ids" in which
      ? sql`id::text in (${sql.join(
          which.ids.map((id) => sql`${id}`),
          sql`, `,
        )})`
      : sql`(${which.kind}::text is null or name = ${which.kind}::text)`;
  const dead = await store.rows<{ id: string; kind: string }>(
    sql`select id::text as id, name as kind from jobs.job where state in ('failed', 'cancelled') and ${ours} and ${chosen}
      order by created_on for update`,
    db,
  );
  const results: Retried[] = [];
  for (const { id, kind } of dead) {
    const [row] = await store.rows(
      sql`update jobs.job j set state = 'created', retry_count = 0, start_after = now(), started_on = null, completed_on = null,
          heartbeat_on = null, output = null, keep_until = now() + interval '30 days'
        where id = ${id}::uuid and name = ${kind} and not exists (select 1 from jobs.job live
          where live.name = j.name and live.singleton_key = j.singleton_key and live.state <= 'active' and live.id <> j.id)
        returning id`,
      db,
    );
    results.push({ id, kind, result: row ? "queued" : "skipped" });
  }
  return results;
}

/** Deletes jobs that do not run. Returns the ids of those that were there. */
export async function forgetJobs(store: Store, db: Database, ids: string[]): Promise<string[]> {
  const list = sql.join(
    ids.map((id) => sql`${id}`),
    sql`, `,
  );
  const rows = await store.rows<{ id: string }>(
    sql`delete from jobs.job where id::text in (${list}) and state <> 'active' and ${ours} returning id::text as id`,
    db,
  );
  return rows.map(({ id }) => id);
}

export interface ListedSchedule extends Record<string, unknown> {
  name: string;
  cron: string;
  last_run: Date | null;
  running: boolean;
}

/** Recurring jobs by name. */
export const listSchedules = (store: Store): Promise<ListedSchedule[]> =>
  store.rows<ListedSchedule>(sql`
    select s.name, s.cron,
      (select max(started_on) from jobs.job j where j.name = s.name) as last_run,
      exists (select 1 from jobs.job j where j.name = s.name and j.state = 'active') as running
    from jobs.schedule s order by s.name`);

/** Oldest due job's age in seconds, how many are dead, how many wait. */
export async function queueHealth(store: Store): Promise<{ lagSeconds: number; dead: number; queued: number }> {
  const [row] = await store.rows<{ lag: number | null; dead: number; queued: number }>(sql`
    select (select extract(epoch from now() - min(start_after))::float8 from jobs.job
        where state < 'active' and start_after <= now() and ${ours}) as lag,
      (select count(*)::int from jobs.job where state = 'failed' and ${ours}) as dead,
      (select count(*)::int from jobs.job where state < 'active' and ${ours}) as queued`);
  return { lagSeconds: Math.max(0, row?.lag ?? 0), dead: row?.dead ?? 0, queued: row?.queued ?? 0 };
}

export interface KindCounts extends Record<string, unknown> {
  kind: string;
  queued: number;
  running: number;
  dead: number;
  /** Age of its oldest due job. */
  lag: number;
}

/** Jobs that are not done, by kind. */
export const jobCounts = (store: Store): Promise<KindCounts[]> =>
  store.rows<KindCounts>(sql`
    select name as kind, (count(*) filter (where ${state} = 'queued'))::int as queued,
      (count(*) filter (where ${state} = 'running'))::int as running, (count(*) filter (where ${state} = 'dead'))::int as dead,
      greatest(0, coalesce(extract(epoch from now() - min(start_after) filter (where ${state} = 'queued' and start_after <= now())), 0))::float8 as lag
    from jobs.job where ${ours} and state <> 'completed' group by name order by name`);
