import { sql } from "drizzle-orm";
import type { Invariant } from "../../db/invariants";

/** What holds of Codex's tables (ops-data 3.4), looked at where they moved last. */
export const recentCodexInvariants: Invariant[] = [
  {
    id: "threads.counts",
    broken: sql`select t.thread_id as key
      from (select thread_id, message_count, last_message_at from codex_threads order by updated_at desc limit 100) t
      cross join lateral (
        select count(*) as n, max(created_at) as at from codex_thread_messages m where m.thread_id = t.thread_id) m
      where t.message_count <> m.n or t.last_message_at is distinct from m.at`,
  },
  {
    id: "workers.seq",
    broken: sql`select w.worker_id as key from (select * from codex_workers order by updated_at desc limit 10) w
      cross join lateral (
        select count(*) as n, min(seq) as low, max(seq) as high from codex_worker_events e
        where e.worker_pk = w.id and e.seq > w.latest_seq - 1000) e
      where e.n > 0 and (e.high <> w.latest_seq or e.n <> e.high - e.low + 1)`,
  },
];
