import { count, type Fields, fields, instant, text } from "./fields";

/** One entry of a worker's log, as Khala carries it (codex-chat 3.9). */
export interface WorkerEvent {
  workerId: string;
  seq: number;
  type: string;
  payload: Fields;
  /** Milliseconds since the epoch. */
  at: number | null;
}

/** Reads either spelling of the members; null when it is no worker event. */
export function readEvent(raw: unknown): WorkerEvent | null {
  const from = fields(raw);
  const workerId = text(from, "worker_id", "workerId");
  const seq = count(from, "seq");
  const type = text(from, "event_type", "eventType");
  if (!workerId || seq === null || !type) return null;
  const payload = fields(from.payload);
  const at = instant(payload.occurred_at) ?? instant(from.occurred_at ?? from.occurredAt);
  return { workerId, seq, type, payload, at };
}

/** What a forwarded Codex notification is about: ids under all their names (codex-chat 3.6). */
export interface Subject {
  thread: string | null;
  codexThread: string | null;
  turn: string | null;
  codexTurn: string | null;
  item: string | null;
}

export function subjectOf(payload: Fields): Subject {
  const params = fields(payload.params);
  const thread = fields(params.thread);
  const turn = fields(params.turn);
  const item = fields(params.item);
  return {
    thread: text(payload, "thread_id", "threadId") ?? text(params, "thread_id"),
    codexThread:
      text(payload, "codex_thread_id") ?? text(params, "threadId", "conversationId", "thread_id") ?? text(thread, "id"),
    turn: text(payload, "turn_id", "turnId") ?? text(params, "turn_id"),
    codexTurn: text(payload, "codex_turn_id") ?? text(turn, "id") ?? text(params, "turnId", "turn_id"),
    item: text(params, "itemId", "item_id") ?? text(item, "id") ?? text(payload, "item_id"),
  };
}
