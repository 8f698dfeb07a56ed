import type { codexItems, codexServerRequests, codexThreadMessages, codexTurns } from "../../db/schema/codex";
import type { Item, ServerRequest, Turn, TurnMessage } from "./contract";
import { milliseconds, millisecondsOrNull } from "./times";

export type TurnRow = typeof codexTurns.$inferSelect;
export type ItemRow = typeof codexItems.$inferSelect;
type ServerRequestRow = typeof codexServerRequests.$inferSelect;
type MessageRow = typeof codexThreadMessages.$inferSelect;

export const itemView = (row: ItemRow): Item => ({
  item_id: row.itemId,
  type: row.type,
  status: row.status,
  text: row.text,
  payload: row.payload,
  position: row.position,
  started_at: millisecondsOrNull(row.startedAt),
  completed_at: millisecondsOrNull(row.completedAt),
});

export const serverRequestView = (row: ServerRequestRow): ServerRequest => ({
  server_request_id: row.serverRequestId,
  method: row.method,
  status: row.status,
  item_id: row.itemId,
  params: row.params,
  available_decisions: row.availableDecisions,
  decision: row.decision,
  requested_at: milliseconds(row.requestedAt),
  resolved_at: millisecondsOrNull(row.resolvedAt),
});

export const messageView = (
  row: Pick<MessageRow, "messageId" | "requestId" | "itemId" | "text" | "createdAt">,
): TurnMessage => ({
  message_id: row.messageId,
  request_id: row.requestId,
  item_id: row.itemId,
  text: row.text,
  created_at: milliseconds(row.createdAt),
});

export const turnView = (
  row: TurnRow,
  items: Item[],
  serverRequests: ServerRequest[],
  messages: TurnMessage[],
): Turn => ({
  id: row.id,
  codex_turn_id: row.codexTurnId,
  status: row.status,
  model: row.model,
  effort: row.effort,
  error: row.error as Turn["error"],
  diff: row.diff,
  plan: row.plan as Turn["plan"],
  token_usage: row.tokenUsage as Turn["token_usage"],
  merged_into_turn_id: row.mergedIntoTurnId,
  interrupt_requested_at: millisecondsOrNull(row.interruptRequestedAt),
  started_at: millisecondsOrNull(row.startedAt),
  completed_at: millisecondsOrNull(row.completedAt),
  duration_ms: row.durationMs,
  created_at: milliseconds(row.createdAt),
  items,
  server_requests: serverRequests,
  messages,
});
