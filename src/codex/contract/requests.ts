import { type Static, t } from "elysia";
import { rfc3339 } from "../times";
import { oneOf, optionalObject, optionalText, text } from "./workers";

/** Control methods that are executed (codex-chat 3.5), in the spelling that is stored and printed. */
export const controlMethods = [
  "thread/start",
  "thread/resume",
  "turn/start",
  "turn/interrupt",
  "thread/list",
  "thread/read",
  "serverRequest/respond",
] as const;
export type ControlMethod = (typeof controlMethods)[number];

/** The method of the allowlist that a text names, in any case; null when it names none. */
export const controlMethod = (name: unknown): ControlMethod | null =>
  (typeof name === "string" && controlMethods.find((method) => method.toLowerCase() === name.trim().toLowerCase())) ||
  null;

const NullableText = t.Union([t.String(), t.Null()]);
const AnyObject = t.Record(t.String(), t.Unknown());
const badParams = "The request.params field must be an array.";
const badDate = "The request.sent_at field must be a valid date.";
const notAllowed = "Control method is not allowlisted.";

export const ControlRequest = t.Object(
  {
    request: t.Object({
      request_id: text(160, {
        "oa:message": {
          required: "Request id is required.",
          string: "Request id is required.",
          max: "Value may not be greater than 160 characters.",
        },
      }),
      method: t.String({
        "oa:message": { required: notAllowed, string: notAllowed },
        "oa:rules": [(value: unknown) => (controlMethod(value) ? undefined : notAllowed)],
      }),
      params: optionalObject(badParams),
      request_version: optionalText(32),
      source: optionalText(120),
      session_id: optionalText(160),
      thread_id: optionalText(160),
      sent_at: t.Optional(
        t.Union([t.String({ format: "date-time" }), t.Null()], {
          "oa:message": { string: badDate, "date-time": badDate },
          "oa:rules": [(value: unknown) => (rfc3339(value) ? undefined : badDate)],
        }),
      ),
    }),
  },
  {
    description: "A command for a worker. The same `request_id` is never executed twice.",
    examples: [
      {
        request: {
          request_id: "req_turn_1",
          method: "turn/start",
          params: { thread_id: "thread_123", text: "Continue." },
          request_version: "v1",
          source: "openagents-web-shell",
        },
      },
    ],
  },
);
export type ControlRequest = Static<typeof ControlRequest>;

export const RequestState = oneOf("queued", "dispatched", "succeeded", "failed");

/** The terminal event of a request, once there is one. */
export const Receipt = t.Object({ event_type: t.String(), seq: t.Integer(), payload: AnyObject });
export type Receipt = Static<typeof Receipt>;

export const ControlReply = t.Object({
  worker_id: t.String(),
  request_id: t.String(),
  ok: t.Boolean(),
  method: t.String(),
  idempotent_replay: t.Boolean(),
  response: AnyObject,
  source: t.Optional(t.String()),
  request_version: t.Optional(t.String()),
  session_id: t.Optional(t.String()),
  state: RequestState,
  receipt: t.Optional(Receipt),
});
export type ControlReply = Static<typeof ControlReply>;

const badType = "The event.event_type field format is invalid.";
const reserved = "worker.request events are produced by the control lane.";
const badPayload = "The event.payload field must be an object.";
const isReserved = (value: unknown) => (value === "worker.request" ? reserved : undefined);

const event = (message: { required?: string; regex?: string; payload: string }) =>
  t.Object({
    event_type: text(160, {
      pattern: "^worker\\.",
      examples: ["worker.event"],
      "oa:message": {
        max: "Value may not be greater than 160 characters.",
        ...(message.required ? { required: message.required } : {}),
        ...(message.regex ? { regex: message.regex, string: message.regex } : {}),
      },
      "oa:rules": [isReserved],
    }),
    payload: optionalObject(message.payload),
    event_id: optionalText(160),
  });

const Event = event({
  required: "The event.event_type field is required.",
  regex: badType,
  payload: badPayload,
});

export const NewEvents = t.Object(
  {
    event: t.Optional(Event),
    events: t.Optional(
      t.Array(event({ payload: "The payload field must be an object." }), { minItems: 1, maxItems: 100 }),
    ),
  },
  {
    description: "One event of a worker, or a batch of at most 100 that is stored whole or not at all.",
    examples: [
      {
        event: {
          event_type: "worker.event",
          event_id: "session_ab12:41",
          payload: { source: "autopilot-desktop", method: "turn/started", params: {} },
        },
      },
    ],
  },
);
export type NewEvents = Static<typeof NewEvents>;

export const StoredEvent = t.Object({
  worker_id: t.String(),
  seq: t.Integer(),
  event_type: t.String(),
  payload: AnyObject,
  occurred_at: t.String({ format: "date-time" }),
  idempotent_replay: t.Boolean(),
});
export type StoredEvent = Static<typeof StoredEvent>;

export const StoredBatch = t.Object({
  worker_id: t.String(),
  latest_seq: t.Integer(),
  events: t.Array(t.Object({ seq: t.Integer(), event_type: t.String(), idempotent_replay: t.Boolean() })),
});
export type StoredBatch = Static<typeof StoredBatch>;

export const ServerRequest = t.Object({
  server_request_id: t.String(),
  method: t.String({ examples: ["item/commandExecution/requestApproval"] }),
  status: oneOf("pending", "resolved", "expired"),
  item_id: NullableText,
  params: AnyObject,
  available_decisions: t.Union([t.Array(t.Unknown()), t.Null()]),
  decision: t.Unknown(),
  requested_at: t.String(),
  resolved_at: NullableText,
});
export type ServerRequest = Static<typeof ServerRequest>;
