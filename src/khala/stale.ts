import type { StaleReason } from "./start";
import type { Rule } from "./streams";
import type { Place } from "./sub";

/** One topic whose cursor cannot be resumed. */
export interface StaleTopic {
  topic: string;
  stream: string;
  rule: Rule;
  reason: StaleReason;
  resumeAfter: number;
  place: Place;
}

const FORMAT = "openagents.sync.snapshot.v1";

interface Snapshot {
  cadence_seconds?: number;
  source_table?: string;
  route?: string;
}

/** Where the state behind a topic is read over HTTP; null where the log is all there is (khala 3.3). */
function snapshotOf({ topic, stream }: StaleTopic): Snapshot | null {
  if (stream.endsWith(":codex.summaries")) {
    return {
      cadence_seconds: 120,
      source_table: "runtime.sync_codex_worker_summaries",
      route: "/api/runtime/codex/workers",
    };
  }
  if (stream.endsWith(":runs")) return { cadence_seconds: 300, source_table: "runtime.sync_run_summaries" };
  if (stream.startsWith("w:")) {
    const workerId = topic.slice("worker:".length, -":lifecycle".length);
    return { route: `/api/runtime/codex/workers/${encodeURIComponent(workerId)}` };
  }
  if (stream.endsWith(":notifications")) return { route: "/api/notifications" };
  if (stream.endsWith(":payments")) return { route: "/api/l402/transactions" };
  return stream === "social.shouts" ? { route: "/api/shouts" } : null;
}

const texts: Record<StaleReason, string> = {
  retention_floor_breach: "cursor is older than retention floor",
  replay_budget_exceeded: "replay budget exceeded for topic qos tier; full resync required",
  cursor_ahead_of_head: "cursor is ahead of the topic head; full resync required",
};

/** The `stale_cursor` object of khala 2.6. */
export function staleCursor(topics: StaleTopic[]) {
  const reasons = [...new Set(topics.map(({ reason }) => reason))];
  return {
    code: "stale_cursor",
    message: texts[reasons.length === 1 ? (reasons[0] as StaleReason) : "retention_floor_breach"],
    full_resync_required: true,
    reason_codes: reasons,
    stale_topics: topics.map(({ topic, reason, rule, resumeAfter, place }) => ({
      topic,
      reason,
      qos_tier: rule.tier,
      resume_after: resumeAfter,
      retention_floor: place.floor,
      head_watermark: place.head,
      replay_lag: Math.max(place.head - resumeAfter, 0),
      replay_budget_events: rule.budget,
    })),
    snapshot_plan: {
      format: FORMAT,
      topics: topics.flatMap((stale) => {
        const snapshot = snapshotOf(stale);
        if (!snapshot) return [];
        const { topic, place } = stale;
        const whole = { topic, format: FORMAT, schema_version: 1, ...snapshot };
        return [{ topic, head_watermark: place.head, snapshot: whole }];
      }),
    },
  };
}
