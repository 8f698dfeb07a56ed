import { invalid, invalidFields } from "../refusal";
import type { NewEvents } from "./contract";
import { asJson, isJson, type Json, textOf } from "./json";
import { rfc3339 } from "./times";

/** An event as a client sends it, checked. */
export interface IncomingEvent {
  type: string;
  eventId: string | null;
  payload: Json;
  bytes: number;
}

const encoder = new TextEncoder();

/** The events of a body, in order (codex-chat 2.6). Throws 422. */
export function readEvents(body: NewEvents): { events: IncomingEvent[]; batch: boolean } {
  const { event, events } = body;
  if (!event && !events) {
    throw invalidFields({
      event: ["The event field is required."],
      "event.event_type": ["The event.event_type field is required."],
    });
  }
  const given = events ?? (event ? [event] : []);
  return {
    batch: !!events,
    events: given.map(({ event_type, event_id, payload }) => {
      const said = asJson(payload ?? {});
      checkHandshake(event_type, said);
      return {
        type: event_type,
        eventId: event_id ?? null,
        payload: said,
        bytes: encoder.encode(JSON.stringify(said)).byteLength,
      };
    }),
  };
}

const handshakes = ["ios/handshake", "desktop/handshake_ack"];

export const isHandshake = (type: string, payload: Json) =>
  type === "worker.event" && handshakes.includes(String(payload.method));

/** Handshakes between phone and desktop are complete or refused (codex-chat 3.6). */
function checkHandshake(type: string, payload: Json): void {
  if (!isHandshake(type, payload)) return;
  const fields = [payload.source, payload.method, payload.handshake_id, payload.occurred_at];
  if (fields.some((field) => textOf(field) === null)) {
    throw invalid("event.payload", "Handshake payload is missing required fields.");
  }
  if (!rfc3339(payload.occurred_at)) {
    throw invalid("event.payload.occurred_at", "The occurred_at field must be a valid RFC3339 timestamp.");
  }
  if (payload.method === "ios/handshake" && textOf(payload.device_id) === null) {
    throw invalid("event.payload.device_id", "ios/handshake requires device_id.");
  }
  if (payload.method === "desktop/handshake_ack" && textOf(payload.desktop_session_id) === null) {
    throw invalid("event.payload.desktop_session_id", "desktop/handshake_ack requires desktop_session_id.");
  }
}

/** Whether the event ends a request. */
export const isReceipt = (type: string): type is "worker.response" | "worker.error" =>
  type === "worker.response" || type === "worker.error";

/** Fields of a report on the Codex account that are kept: no e-mail, no token, no user id (codex-chat 3.8). */
const reported = [
  "hydration_status",
  "provider",
  "auth_mode",
  "plan_type",
  "requires_openai_auth",
  "status_reason",
  "observed_at",
];

/** The account report of a `codex/auth_state` or `account/updated` event, over what was known before. */
export function authState(before: Json | null, payload: Json, now: string): Json | null {
  const params = isJson(payload.params) ? payload.params : payload;
  if (payload.method === "account/updated") {
    const known = before ?? {};
    const mode = params.authMode ?? params.auth_mode ?? null;
    return {
      ...known,
      auth_mode: mode,
      plan_type: params.planType ?? params.plan_type ?? null,
      hydration_status: `CODEX_AUTH_HYDRATION_STATUS_${mode === null ? "UNAUTHENTICATED" : "AUTHENTICATED"}`,
      observed_at: now,
    };
  }
  const source = params.hydration_status === undefined ? payload : params;
  if (source.hydration_status === undefined) return before;
  const report = Object.fromEntries(reported.map((name) => [name, source[name] ?? null]));
  return { ...report, observed_at: report.observed_at ?? now };
}
