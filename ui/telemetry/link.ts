import type { Khala, Link } from "../khala/client";
import { freshId, world } from "../world";

/** Reports of one connection, in the shape of http-platform 2.10: no id of a person, a session or a topic is in them. */
export interface Reporter {
  stale(topic: string, after: number, head: number): void;
  gap(topic: string): void;
  /** The server ended the session. */
  refused(): void;
  /** Follows the state of the connection. Returns its undo. */
  watch(khala: Pick<Khala, "link" | "lastError">): () => void;
}

const CLASSES: Record<string, string> = {
  "runtime.codex_worker_events": "codex_worker_events",
  "runtime.codex_worker_summaries": "durable_summary",
};
const classOf = (topic: string): string => CLASSES[topic] ?? "fallback";

/** `1006 reset by peer` is `close_1006`, other texts become words with underscores. */
export function reasonCode(error: string | null): string {
  const code = /\b([14]\d{3})\b/.exec(error ?? "")?.[1];
  if (code) return `close_${code}`;
  const words = (error ?? "").toLowerCase().match(/[a-z0-9]+/g);
  return words ? words.join("_").slice(0, 64) : "unknown";
}

/** Makes the reporter of a tab; `send` takes each event, `buildId` tells which build saw it. */
export function linkReporter(send: (event: Record<string, unknown>) => void, buildId: string): Reporter {
  const tell = (topicClass: string, part: Record<string, Record<string, unknown>>) =>
    send({
      schema_version: "openagents.sync.client_telemetry.v1",
      event_id: freshId("evt_"),
      occurred_at_unix_ms: world.now(),
      surface: "CLIENT_SURFACE_WEB",
      client_build_id: buildId,
      protocol_version: "khala.ws.v1",
      topic_class: topicClass,
      ...part,
    });

  /** A snapshot had to stand in for what was missed, since the link was lost. */
  let started = false;
  return {
    stale(topic, after, head) {
      started = true;
      tell(classOf(topic), {
        replay: { status: "stale_cursor", requested_after_seq: after, head_seq: head, catchup_duration_ms: 0 },
      });
    },
    gap: (topic) => tell(classOf(topic), { delivery_error: { reason_code: "gap" } }),
    refused: () =>
      tell("fallback", { auth_failure: { http_status: 401, reason_code: "signed_out", refresh_attempted: true } }),
    watch({ link, lastError }) {
      let lost: { attempt: number; backoff_ms: number; reason_code: string } | null = null;
      let replaying: number | null = null;
      return link.subscribe((now: Link) => {
        if (now.kind === "backoff") {
          const backoff_ms = Math.max(0, now.until - world.now());
          lost = { attempt: now.attempt, backoff_ms, reason_code: reasonCode(lastError.peek()) };
        }
        if (now.kind === "replaying" && now.total > 0) replaying ??= world.now();
        if (now.kind !== "live") return;
        if (lost) tell("fallback", { reconnect: { ...lost, resumed: !started } });
        if (replaying !== null)
          tell("fallback", { replay: { status: "completed", catchup_duration_ms: world.now() - replaying } });
        lost = replaying = null;
        started = false;
      });
    },
  };
}
