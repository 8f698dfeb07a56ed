import type { Subject, WorkerEvent } from "./event";
import { count, fields, list, text } from "./fields";
import type { Ask, Changes, Transcript } from "./transcript";
import { patchTurn, turnOf } from "./turns";

const methods = new Set([
  "item/commandExecution/requestApproval",
  "item/fileChange/requestApproval",
  "item/permissions/requestApproval",
  "item/tool/requestUserInput",
  "mcpServer/elicitation/request",
  "execCommandApproval",
  "applyPatchApproval",
]);

/** Codex asks the person something (codex-chat 3.12). */
export const isAsk = (method: string): boolean => methods.has(method);

const idOf = (event: WorkerEvent): string | null => {
  const { payload } = event;
  const own = text(payload, "server_request_id") ?? text(fields(payload.params), "server_request_id");
  if (own) return own;
  const raw = fields(payload.params).requestId;
  const session = text(payload, "session_id");
  return session && (typeof raw === "number" || typeof raw === "string") ? `${session}:${raw}` : null;
};

export function ask(transcript: Transcript, event: WorkerEvent, subject: Subject, changes: Changes): void {
  const id = idOf(event);
  if (!id || transcript.asks.has(id)) return;
  const params = fields(event.payload.params);
  const named = subject.turn ?? subject.codexTurn;
  const turn = named ? turnOf(transcript, subject, event.workerId, changes) : null;
  const offered = event.payload.available_decisions ?? params.availableDecisions;
  const next: Ask = {
    id,
    method: text(event.payload, "method") ?? "",
    status: "pending",
    turnId: turn?.id ?? null,
    itemId: subject.item,
    workerId: event.workerId,
    params,
    decisions: Array.isArray(offered) ? list(offered) : null,
    decision: null,
    answerId: null,
    stage: null,
    failure: null,
    requestedAt: count(params, "startedAtMs") ?? event.at,
    resolvedAt: null,
  };
  transcript.asks.set(id, next);
  changes.asks.add(id);
  if (turn) patchTurn(transcript, turn, {}, changes); // its view lists what was asked in it
  changes.head = true;
}

/** `serverRequest/resolved` follows every answer, and an interrupt while waiting. */
export function resolved(transcript: Transcript, event: WorkerEvent, changes: Changes): void {
  const known = transcript.asks.get(idOf(event) ?? "");
  if (known?.status !== "pending") return;
  const answered = known.answerId !== null;
  transcript.asks.set(known.id, {
    ...known,
    status: answered ? "resolved" : "expired",
    stage: answered ? "applied" : known.stage,
    failure: null,
    resolvedAt: event.at,
  });
  changes.asks.add(known.id);
  changes.head = true;
}
