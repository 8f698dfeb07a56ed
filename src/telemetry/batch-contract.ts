import { type Static, t } from "elysia";

/** Wire shapes of what the web app and other clients report (http-platform 2.10). */

const isScalar = (value: unknown): boolean => value === null || typeof value !== "object";

const fewScalars = (most: number, text: string) => (value: unknown) => {
  const values = Object.values(value as object);
  return values.length <= most && values.every(isScalar) ? undefined : text;
};

export const ProductEvent = t.Object({
  event: t.String({ maxLength: 120, pattern: "^[$A-Za-z0-9_.:-]+$", examples: ["home_chat.page_opened"] }),
  properties: t.Optional(
    t.Nullable(
      t.Record(t.String(), t.Any(), {
        description: "At most 50, each a text, a number, a boolean or null",
        examples: [{ namespace: "home_chat", isGuest: false }],
      }),
      { "oa:rules": [fewScalars(50, "The properties field must hold at most 50 plain values.")] },
    ),
  ),
  timestamp: t.Optional(
    t.Nullable(t.Any({ description: "RFC 3339; now, when absent or a day off", examples: ["2026-02-19T12:00:00Z"] })),
  ),
});
export type ProductEvent = Static<typeof ProductEvent>;

const detail = (description: string, example: Record<string, unknown>) =>
  t.Optional(
    t.Record(t.String(), t.Any(), {
      description,
      examples: [example],
      "oa:rules": [fewScalars(16, `The ${description} must hold at most 16 plain values.`)],
    }),
  );

const name = (maxLength: number, example: string) =>
  t.String({ maxLength, pattern: "^[\\x21-\\x7e]+$", examples: [example] });

export const schemaVersion = "openagents.sync.client_telemetry.v1";

export const ClientEvent = t.Object({
  schema_version: t.Literal(schemaVersion),
  event_id: name(160, "evt_reconnect_001"),
  occurred_at_unix_ms: t.Integer({ minimum: 0, examples: [1771700400000] }),
  surface: t.String({ maxLength: 64, pattern: "^CLIENT_SURFACE_[A-Z]+$", examples: ["CLIENT_SURFACE_WEB"] }),
  client_build_id: name(64, "web-2026.02.21.3"),
  app_version: t.Optional(t.Nullable(name(64, "1.0.0"))),
  protocol_version: t.Optional(t.Nullable(name(64, "openagents.sync.v1"))),
  topic: t.Optional(t.Nullable(name(200, "run:019c7f31:events"))),
  topic_class: t.String({ maxLength: 64, pattern: "^[a-z_]+$", examples: ["run_events"] }),
  actor_scope_hash: t.Optional(
    t.Nullable(t.String({ pattern: "^sha256:[0-9a-f]{64}$", examples: [`sha256:${"7d".repeat(32)}`] })),
  ),
  session_id: t.Optional(t.Nullable(name(160, "sess_abc123"))),
  reconnect: detail("reconnect field", { attempt: 2, backoff_ms: 950, reason_code: "network_path_changed" }),
  auth_failure: detail("auth_failure field", { http_status: 401, reason_code: "token_too_old" }),
  replay: detail("replay field", { status: "stale_cursor", requested_after_seq: 0 }),
  delivery_error: detail("delivery_error field", { reason_code: "frame_too_large" }),
});
export type ClientEvent = Static<typeof ClientEvent>;

/** An entry is one of the two; which of them fail alone is told by counting, so the list itself takes anything. */
export const TelemetryBatch = t.Object({
  events: t.Array(
    t.Any({
      description: `A product event, or with \`schema_version\` \`${schemaVersion}\` what a client measured of its connection`,
    }),
    {
      minItems: 1,
      maxItems: 50,
      examples: [[{ event: "home_chat.page_opened", properties: { namespace: "home_chat", isGuest: false } }]],
    },
  ),
});

export const TelemetryTaken = t.Object({
  data: t.Object({ accepted: t.Integer({ examples: [2] }), dropped: t.Integer({ examples: [0] }) }),
});
