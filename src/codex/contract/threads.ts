import { type Static, t } from "elysia";
import { ServerRequest } from "./requests";
import { Delivery, oneOf, optionalText, pageLimit } from "./workers";

const Instant = t.String({ format: "date-time", examples: ["2026-02-22T00:06:00.000Z"] });
const NullableText = t.Union([t.String(), t.Null()]);
const NullableInstant = t.Union([Instant, t.Null()]);
const AnyObject = t.Record(t.String(), t.Unknown());

export const Thread = t.Object(
  {
    thread_id: t.String(),
    user_id: t.String(),
    org_id: t.String(),
    created_at: Instant,
    updated_at: Instant,
    message_count: t.Integer({ minimum: 0 }),
    last_message_at: NullableInstant,
    title: NullableText,
    autopilot_id: NullableText,
    status: oneOf("not_loaded", "idle", "active", "waiting_on_approval", "waiting_on_user_input", "system_error"),
    active_turn_id: NullableText,
    worker_id: NullableText,
    codex_thread_id: NullableText,
    model: NullableText,
    preview: NullableText,
  },
  {
    examples: [
      {
        thread_id: "thread_1",
        user_id: "1001",
        org_id: "org:openagents",
        created_at: "2026-02-22T00:00:00.000Z",
        updated_at: "2026-02-22T00:06:00.000Z",
        message_count: 2,
        last_message_at: "2026-02-22T00:06:00.000Z",
        title: "Fix the build",
        autopilot_id: null,
        status: "idle",
        active_turn_id: null,
        worker_id: "desktopw:shared",
        codex_thread_id: "01a2081b-aa27-7571-987d-0df41cd32858",
        model: "gpt-5-codex",
        preview: "hello",
      },
    ],
  },
);
export type Thread = Static<typeof Thread>;

export const ThreadPage = t.Object({ limit: pageLimit(200, 200), cursor: optionalText(400) });
export type ThreadPage = Static<typeof ThreadPage>;

export const Item = t.Object({
  item_id: t.String(),
  type: t.String({ examples: ["agentMessage"] }),
  status: t.String({ examples: ["completed"] }),
  text: t.String(),
  payload: AnyObject,
  position: t.Integer(),
  started_at: NullableInstant,
  completed_at: NullableInstant,
});
export type Item = Static<typeof Item>;

export const TurnError = t.Object({ message: t.String(), code: NullableText, details: t.Unknown() });
export const TokenUsage = t.Object({
  input_tokens: t.Integer(),
  cached_input_tokens: t.Integer(),
  output_tokens: t.Integer(),
  reasoning_output_tokens: t.Integer(),
  total_tokens: t.Integer(),
});
export type TokenUsage = Static<typeof TokenUsage>;

/** What the person wrote in a turn (ours, additive): there also before Codex echoes it as a `userMessage` item. */
export const TurnMessage = t.Object({
  message_id: t.String(),
  request_id: NullableText,
  item_id: NullableText,
  text: t.String(),
  created_at: Instant,
});
export type TurnMessage = Static<typeof TurnMessage>;

export const Turn = t.Object({
  id: t.String(),
  codex_turn_id: NullableText,
  status: oneOf("queued", "in_progress", "completed", "interrupted", "failed", "steered"),
  model: NullableText,
  effort: NullableText,
  error: t.Union([TurnError, t.Null()]),
  diff: NullableText,
  plan: t.Union([t.Array(t.Object({ step: t.String(), status: t.String() })), t.Null()]),
  token_usage: t.Union([TokenUsage, t.Null()]),
  merged_into_turn_id: NullableText,
  interrupt_requested_at: NullableInstant,
  started_at: NullableInstant,
  completed_at: NullableInstant,
  duration_ms: t.Union([t.Integer(), t.Null()]),
  created_at: Instant,
  items: t.Array(Item),
  server_requests: t.Array(ServerRequest),
  messages: t.Array(TurnMessage),
});
export type Turn = Static<typeof Turn>;

/**
 * The thread read. `event_seqs` (ours, additive) is worker id → `latest_seq` of the caller's workers, read in the same
 * snapshot of the database as everything else (one repeatable-read transaction): a client applies exactly the events after
 * it, so that no delta between snapshot and tail is lost or counted twice. `token_usage` and `model_context_window` are the
 * thread's last `thread/tokenUsage/updated`. `next_item` (ours, additive): the oldest turn begins here with the item of that
 * position, and the turns before `next_cursor` begin with what it lacks.
 */
export const ThreadSnapshot = t.Object({
  thread: Thread,
  turns: t.Array(Turn),
  next_cursor: NullableText,
  next_item: t.Union([t.Integer({ minimum: 0 }), t.Null()]),
  event_seqs: t.Record(t.String(), t.Integer({ minimum: 0 }), { examples: [{ "desktopw:shared": 12 }] }),
  token_usage: t.Union([TokenUsage, t.Null()]),
  model_context_window: t.Union([t.Integer(), t.Null()]),
});
export type ThreadSnapshot = Static<typeof ThreadSnapshot>;

/**
 * `items` and `before_item` (ours, additive): a page of about so many items, whose oldest turn may lack its first ones; the next
 * page is then asked for with `before` and `before_item`.
 */
export const TurnPage = t.Object({
  limit: pageLimit(100, 20),
  before: optionalText(64),
  items: t.Optional(t.Integer({ minimum: 1, maximum: 5000 })),
  before_item: t.Optional(t.Integer({ minimum: 0, maximum: 2_147_483_647 })),
});
export type TurnPage = Static<typeof TurnPage>;

export const ItemPage = t.Object({
  limit: pageLimit(500, 200),
  cursor: optionalText(400),
  turn_id: optionalText(64),
});
export type ItemPage = Static<typeof ItemPage>;

export const Message = t.Object({
  message_id: t.String(),
  thread_id: t.String(),
  role: oneOf("user", "assistant"),
  text: t.String(),
  created_at: Instant,
  turn_id: NullableText,
  item_id: NullableText,
  streaming: t.Boolean(),
});
export type Message = Static<typeof Message>;

export const MessagePage = t.Object({ limit: pageLimit(500, 500), before: optionalText(64) });
export type MessagePage = Static<typeof MessagePage>;

const required = "Message text is required.";

export const NewMessage = t.Object(
  {
    text: t.String({
      maxLength: 20000,
      "oa:message": { required, string: required, max: "Message text exceeds 20000 characters." },
    }),
    worker_id: optionalText(160),
    request_id: optionalText(160),
    model: optionalText(160),
    effort: optionalText(40),
  },
  { examples: [{ text: "Who are you?" }] },
);
export type NewMessage = Static<typeof NewMessage>;

export const AcceptedMessage = t.Object({
  accepted: t.Boolean(),
  thread: Thread,
  message: t.Object({
    id: t.String(),
    thread_id: t.String(),
    role: t.Literal("user"),
    text: t.String(),
    accepted_at: Instant,
  }),
  turn: t.Object({ id: t.String() }),
  control: t.Object({ method: t.Literal("turn/start"), worker_id: t.String(), request_id: t.String() }),
});
export type AcceptedMessage = Static<typeof AcceptedMessage>;

/** A thread as the retired chat routes show it (codex-chat 2.12). */
export const Conversation = t.Object({
  id: t.String(),
  title: t.String(),
  autopilotId: NullableText,
  createdAt: Instant,
  updatedAt: Instant,
});
export type Conversation = Static<typeof Conversation>;

export const ConversationMessage = t.Object({
  id: t.String(),
  runId: t.Null(),
  autopilotId: NullableText,
  role: oneOf("user", "assistant"),
  content: t.String(),
  meta: t.Null(),
  createdAt: Instant,
  updatedAt: Instant,
});
export type ConversationMessage = Static<typeof ConversationMessage>;

export const NewConversation = t.Object({ title: optionalText(255) }, { examples: [{ title: "Migration Chat" }] });

/** Old clients send many forms; what is read of them is codex-chat 2.12. */
export const LegacyPost = t.Record(t.String(), t.Unknown(), {
  description:
    "A message in any of the forms of the retired chat: `text`, `message`, or the last user entry of `messages`. Its payment options (`maxSpendMsats`, `maxSpendSats`, `requireApproval`, `approvalRequired`) have no effect any more.",
  examples: [{ id: "thread-stream-alias", messages: [{ role: "user", content: "hello" }] }],
});

export const LegacyReply = t.Object({
  retired: t.Literal(true),
  stream_protocol: t.Literal("disabled"),
  canonical: t.String(),
  bridge: t.Object({ method: t.String(), worker_id: t.String(), request_id: t.String() }),
  response: AnyObject,
  delivery: Delivery,
});
export type LegacyReply = Static<typeof LegacyReply>;
