import { accept, further } from "./control";
import { count, type Fields, fields, instant, isFields, list, strings, text } from "./fields";
import { errorOf, planOf, tokens } from "./readings";
import {
  type Ask,
  type Before,
  emptyTranscript,
  type Item,
  noChanges,
  type Transcript,
  type Turn,
  type TurnStatus,
} from "./transcript";
import { itemKey, itemStatus, newItem, newTurn, turnBy, userText } from "./turns";

const turnStatuses = ["queued", "in_progress", "completed", "interrupted", "failed", "steered"] as const;
const turnStatus = (raw: unknown): TurnStatus => turnStatuses.find((status) => status === raw) ?? "completed";

/**
 * The conversation as the server's read-model has it (codex-chat 2.9): `data` of the thread read. Its `event_seqs` say up
 * to which event of each worker it is told, so that events of the tail neither double nor miss a delta.
 */
export function fromSnapshot(threadId: string, data: unknown): Transcript {
  const body = fields(data);
  const transcript = emptyTranscript(threadId);
  readHead(transcript, fields(body.thread), body);
  for (const raw of list(body.turns)) addSnapshotTurn(transcript, fields(raw));
  transcript.before = readBefore(body);
  for (const [workerId, seq] of Object.entries(fields(body.event_seqs))) {
    if (typeof seq === "number") transcript.applied.set(workerId, seq);
  }
  const last = transcript.turns.findLast((turn) => turn.usage !== null);
  if (last) transcript.usage = { ...transcript.usage, last: last.usage };
  return transcript;
}

/** Where what a snapshot has begins. */
export function readBefore(body: Fields): Before | null {
  const turn = text(body, "next_cursor");
  return turn ? { turn, item: count(body, "next_item") } : null;
}

function readHead(transcript: Transcript, thread: Fields, body: Fields): void {
  transcript.codexThreadId = text(thread, "codex_thread_id");
  transcript.workerId = text(thread, "worker_id");
  transcript.title = text(thread, "title");
  transcript.status = text(thread, "status") ?? "idle";
  transcript.model = text(thread, "model");
  transcript.preview = text(thread, "preview");
  transcript.updatedAt = instant(thread.updated_at);
  transcript.usage = {
    total: tokens(body.token_usage),
    last: null,
    window: count(body, "model_context_window"),
  };
}

export function addSnapshotTurn(transcript: Transcript, raw: Fields): void {
  const id = text(raw, "id");
  if (!id) return;
  const status = turnStatus(raw.status);
  const turn: Turn = {
    ...newTurn(id),
    codexId: text(raw, "codex_turn_id"),
    workerId: text(raw, "worker_id") ?? transcript.workerId,
    status,
    model: text(raw, "model"),
    effort: text(raw, "effort"),
    error: errorOf(raw.error),
    diff: text(raw, "diff"),
    plan: raw.plan ? planOf(raw.plan) : null,
    usage: tokens(raw.token_usage),
    startedAt: instant(raw.started_at),
    completedAt: instant(raw.completed_at),
    durationMs: count(raw, "duration_ms"),
    stopping:
      raw.interrupt_requested_at !== undefined && raw.interrupt_requested_at !== null && status === "in_progress",
  };
  transcript.turns.push(turn);
  for (const entry of list(raw.items).map(fields)) addSnapshotItem(transcript, turn, entry);
  addMessages(transcript, turn, list(raw.messages).map(fields));
  for (const entry of list(raw.server_requests).map(fields)) addSnapshotAsk(transcript, turn, entry);
}

function addSnapshotItem(transcript: Transcript, turn: Turn, raw: Fields): void {
  const id = text(raw, "item_id");
  if (!id) return;
  const payload = fields(raw.payload);
  const type = text(raw, "type") ?? text(payload, "type") ?? "unknown";
  const user = type === "userMessage";
  const messageId = user ? text(payload, "clientId") : null;
  const words = typeof raw.text === "string" ? raw.text : "";
  const item: Item = {
    ...newItem(turn.id, messageId ?? id, type),
    status: user ? "completed" : itemStatus(raw.status, turn.status === "in_progress" ? "inProgress" : "completed"),
    text: words || (user ? userText(payload) : ""),
    payload,
    startedAt: instant(raw.started_at),
    completedAt: instant(raw.completed_at),
    messageId,
    stage: user ? "applied" : null,
    ...(type === "reasoning" ? { summary: strings(payload.summary), content: strings(payload.content) } : {}),
  };
  if (transcript.items.has(item.key)) return;
  transcript.items.set(item.key, item);
  turn.items.push(item.key);
}

/** What the person wrote, also where Codex has not shown it yet: such a message stands before what answers it. */
function addMessages(transcript: Transcript, turn: Turn, messages: Fields[]): void {
  const waiting = messages.filter((raw) => raw.role !== "assistant" && text(raw, "message_id"));
  for (const raw of waiting) {
    const messageId = text(raw, "message_id") ?? "";
    const key = itemKey(turn.id, messageId);
    const requestId = text(raw, "request_id");
    const known = transcript.items.get(key);
    if (known) {
      transcript.items.set(key, { ...known, requestId, messageId });
      continue;
    }
    // Linked to an item of another spelling: Codex echoes it without our id.
    const linked = text(raw, "item_id");
    const shown = linked ? transcript.items.get(itemKey(turn.id, linked)) : undefined;
    if (shown) {
      transcript.items.set(shown.key, { ...shown, requestId, messageId });
      continue;
    }
    const item = accept(
      transcript,
      {
        requestId,
        messageId,
        turnId: turn.id,
        text: typeof raw.text === "string" ? raw.text : "",
        workerId: turn.workerId,
        at: instant(raw.created_at),
      },
      noChanges(),
    );
    const now = turnBy(transcript, turn.id);
    const failed = turn.status === "failed" && !turn.codexId;
    transcript.items.set(item.key, {
      ...item,
      stage: failed ? "failed" : further(item.stage, turn.status === "queued" ? "stored" : "machine"),
      failure: failed ? turn.error : null,
    });
    if (now && item.turnId === turn.id) {
      now.items = [item.key, ...now.items.filter((other) => other !== item.key)];
    }
  }
}

function addSnapshotAsk(transcript: Transcript, turn: Turn, raw: Fields): void {
  const id = text(raw, "server_request_id");
  if (!id) return;
  const status = raw.status === "resolved" || raw.status === "expired" ? raw.status : "pending";
  const answered = status === "pending" && isFields(raw.answer);
  const answer = fields(raw.answer);
  const ask: Ask = {
    id,
    method: text(raw, "method") ?? "",
    status,
    turnId: turn.id,
    itemId: text(raw, "item_id"),
    workerId: text(raw, "worker_id") ?? turn.workerId,
    params: fields(raw.params),
    decisions: Array.isArray(raw.available_decisions) ? raw.available_decisions : null,
    decision: raw.decision ?? null,
    answerId: answered ? text(answer, "request_id") : null,
    stage: status === "resolved" ? "applied" : answered ? "stored" : null,
    failure: null,
    requestedAt: instant(raw.requested_at),
    resolvedAt: instant(raw.resolved_at),
  };
  transcript.asks.set(id, ask);
}
