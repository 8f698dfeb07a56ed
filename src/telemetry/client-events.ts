import type { ClientEvent } from "./batch-contract";
import type { Log } from "./log";
import type { Metrics } from "./metrics";

/** What clients measured of their connections: counted and logged, never forwarded (http-platform 2.10). */

const kinds = ["reconnect", "auth_failure", "replay", "delivery_error"] as const;
type Kind = (typeof kinds)[number];

const surfaces = new Set(["DESKTOP", "WEB", "IOS", "ANDROID", "CLI"].map((name) => `CLIENT_SURFACE_${name}`));
const classes = new Set([
  "codex_worker_events",
  "durable_summary",
  "ephemeral_notifications",
  "fallback",
  "run_events",
  "worker_lifecycle",
]);
/** Anybody may report: no more words than this become labels. */
const mostReasons = 100;
const reasonForm = /^[a-z0-9_.-]{1,64}$/;

/** The one kind that an event is of; null when it is of none or several. */
export function kindOf(event: ClientEvent): Kind | null {
  const [kind, ...others] = kinds.filter((name) => event[name] !== undefined);
  return kind && !others.length ? kind : null;
}

/** Counts client events, and writes one line for each. */
export function clientEvents(log: Log, metrics: Metrics) {
  const reasons = new Set<string>();
  const labelOf = (reason: unknown): string => {
    if (typeof reason !== "string" || !reasonForm.test(reason)) return "other";
    if (!reasons.has(reason) && reasons.size >= mostReasons) return "other";
    reasons.add(reason);
    return reason;
  };
  return (event: ClientEvent, kind: Kind, requestId: string): void => {
    const { reason_code, status } = event[kind] ?? {};
    metrics.count("client_telemetry_events_total", {
      kind,
      surface: surfaces.has(event.surface) ? event.surface : "other",
      topic_class: classes.has(event.topic_class) ? event.topic_class : "other",
      reason: labelOf(reason_code ?? status),
    });
    log.info("oa.client", kind, {
      request_id: requestId,
      event_id: event.event_id,
      occurred_at_unix_ms: event.occurred_at_unix_ms,
      surface: event.surface,
      client_build_id: event.client_build_id,
      app_version: event.app_version ?? undefined,
      protocol_version: event.protocol_version ?? undefined,
      topic_class: event.topic_class,
      actor_scope_hash: event.actor_scope_hash ?? undefined,
      [kind]: event[kind],
    });
  };
}
