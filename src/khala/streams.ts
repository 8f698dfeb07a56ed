import type { Config } from "../config";

/** Names of the streams that domains append to (khala 3.1). A worker's stream goes by its primary key, not its public id. */
export const streams = {
  codexEvents: (userId: number) => `u:${userId}:codex.events`,
  codexSummaries: (userId: number) => `u:${userId}:codex.summaries`,
  workerLifecycle: (workerPk: string) => `w:${workerPk}:lifecycle`,
  run: (runId: string) => `r:${runId}:events`,
  runs: (userId: number) => `u:${userId}:runs`,
  notifications: (userId: number) => `u:${userId}:notifications`,
  payments: (userId: number) => `u:${userId}:payments`,
  shouts: "social.shouts",
  revocations: "sys.revocations",
} as const;

export type TopicClass =
  | "codex_worker_events"
  | "durable_summary"
  | "worker_lifecycle"
  | "run_events"
  | "ephemeral_notifications"
  | "fallback";

export type Tier = "hot" | "warm" | "cold";

/** What holds for a stream (khala 3.3). */
export interface Rule {
  class: TopicClass;
  tier: Tier;
  /** How many events behind the head a reader may resume. */
  budget: number;
  /** Events a second that a client may push in; null where only the server writes. */
  rate: number | null;
  /** Bytes of canonical JSON above which an event travels without its payload. */
  maxBytes: number;
  keepSeconds: number;
}

/** The eight rows of khala 3.3, run summaries and codex summaries apart. */
export interface Rules {
  codexEvents: Rule;
  codexSummaries: Rule;
  runs: Rule;
  lifecycle: Rule;
  runEvents: Rule;
  notifications: Rule;
  fallback: Rule;
}

const DAY = 86_400;

export function readRules(config: Config): Rules {
  const summaries = config.OA_KHALA_RETENTION_SECONDS_DURABLE_SUMMARY;
  return {
    codexEvents: {
      class: "codex_worker_events",
      tier: "hot",
      budget: config.RUNTIME_KHALA_CODEX_WORKER_EVENTS_REPLAY_BUDGET_EVENTS,
      rate: config.RUNTIME_KHALA_CODEX_WORKER_EVENTS_PUBLISH_RATE_PER_SECOND,
      maxBytes: config.RUNTIME_KHALA_CODEX_WORKER_EVENTS_MAX_PAYLOAD_BYTES,
      keepSeconds: config.OA_KHALA_RETENTION_SECONDS_CODEX_WORKER_EVENTS,
    },
    codexSummaries: {
      class: "durable_summary",
      tier: "warm",
      budget: config.RUNTIME_KHALA_WORKER_LIFECYCLE_REPLAY_BUDGET_EVENTS,
      rate: null,
      maxBytes: config.RUNTIME_KHALA_WORKER_LIFECYCLE_MAX_PAYLOAD_BYTES,
      keepSeconds: summaries ?? 3 * DAY,
    },
    runs: {
      class: "durable_summary",
      tier: "warm",
      budget: config.RUNTIME_KHALA_RUN_EVENTS_REPLAY_BUDGET_EVENTS,
      rate: null,
      maxBytes: config.RUNTIME_KHALA_FALLBACK_MAX_PAYLOAD_BYTES,
      keepSeconds: summaries ?? 7 * DAY,
    },
    lifecycle: {
      class: "worker_lifecycle",
      tier: "warm",
      budget: config.RUNTIME_KHALA_WORKER_LIFECYCLE_REPLAY_BUDGET_EVENTS,
      rate: config.RUNTIME_KHALA_WORKER_LIFECYCLE_PUBLISH_RATE_PER_SECOND,
      maxBytes: config.RUNTIME_KHALA_WORKER_LIFECYCLE_MAX_PAYLOAD_BYTES,
      keepSeconds: config.OA_KHALA_RETENTION_SECONDS_WORKER_LIFECYCLE,
    },
    runEvents: {
      class: "run_events",
      tier: "warm",
      budget: config.RUNTIME_KHALA_RUN_EVENTS_REPLAY_BUDGET_EVENTS,
      rate: config.RUNTIME_KHALA_RUN_EVENTS_PUBLISH_RATE_PER_SECOND,
      maxBytes: config.RUNTIME_KHALA_RUN_EVENTS_MAX_PAYLOAD_BYTES,
      keepSeconds: config.OA_KHALA_RETENTION_SECONDS_RUN_EVENTS,
    },
    notifications: {
      class: "ephemeral_notifications",
      tier: "cold",
      budget: config.RUNTIME_KHALA_FALLBACK_REPLAY_BUDGET_EVENTS,
      rate: config.RUNTIME_KHALA_FALLBACK_PUBLISH_RATE_PER_SECOND,
      maxBytes: config.RUNTIME_KHALA_FALLBACK_MAX_PAYLOAD_BYTES,
      keepSeconds: config.OA_KHALA_RETENTION_SECONDS_EPHEMERAL_NOTIFICATIONS,
    },
    fallback: {
      class: "fallback",
      tier: "cold",
      budget: config.RUNTIME_KHALA_FALLBACK_REPLAY_BUDGET_EVENTS,
      rate: config.RUNTIME_KHALA_FALLBACK_PUBLISH_RATE_PER_SECOND,
      maxBytes: config.RUNTIME_KHALA_FALLBACK_MAX_PAYLOAD_BYTES,
      keepSeconds: config.OA_KHALA_RETENTION_SECONDS_FALLBACK,
    },
  };
}

/** The rule of a stream, by its name. */
export function ruleOf(rules: Rules, stream: string): Rule {
  if (stream.startsWith("w:")) return rules.lifecycle;
  if (stream.startsWith("r:")) return rules.runEvents;
  if (stream.endsWith(":codex.events")) return rules.codexEvents;
  if (stream.endsWith(":codex.summaries")) return rules.codexSummaries;
  if (stream.endsWith(":runs")) return rules.runs;
  if (stream.endsWith(":notifications")) return rules.notifications;
  return rules.fallback;
}

/** The user a stream belongs to as far as its name tells; null for public streams and those named after something else. */
export function ownerInName(stream: string): number | null {
  const found = /^u:(\d+):/.exec(stream);
  return found ? Number(found[1]) : null;
}
