import type { Subject } from "./event";
import { type Fields, fields, list, strings, text } from "./fields";
import type { Changes, Item, ItemStatus, Transcript, Turn, TurnStatus } from "./transcript";

export const newTurn = (id: string): Turn => ({
  id,
  codexId: null,
  workerId: null,
  status: "in_progress",
  model: null,
  effort: null,
  error: null,
  diff: null,
  plan: null,
  usage: null,
  startedAt: null,
  completedAt: null,
  durationMs: null,
  retrying: null,
  stopping: false,
  items: [],
});

export const newItem = (turnId: string, id: string, type: string): Item => ({
  key: itemKey(turnId, id),
  id,
  turnId,
  type,
  status: "inProgress",
  text: "",
  payload: {},
  summary: [],
  content: [],
  startedAt: null,
  completedAt: null,
  stdin: [],
  messageId: null,
  requestId: null,
  stage: null,
  failure: null,
  legacy: false,
});

/** Codex item ids are unique within a turn only. */
export const itemKey = (turnId: string, id: string) => `${turnId}/${id}`;

/** The turn with this id, ours or Codex's. */
export function turnBy(transcript: Transcript, ...ids: (string | null)[]): Turn | null {
  for (const id of ids) {
    if (!id) continue;
    const found = transcript.turns.findLast((turn) => turn.id === id || turn.codexId === id);
    if (found) return found;
  }
  return null;
}

export function patchTurn(transcript: Transcript, turn: Turn, patch: Partial<Turn>, changes: Changes): Turn {
  const next = { ...turn, ...patch };
  const at = transcript.turns.lastIndexOf(turn);
  if (at >= 0) transcript.turns[at] = next;
  changes.turns.add(turn.id);
  return next;
}

export function addTurn(transcript: Transcript, turn: Turn, changes: Changes): Turn {
  transcript.turns.push(turn);
  changes.turns.add(turn.id);
  changes.order = true;
  return turn;
}

/** The turn an event speaks of; the newest when it names none, a new one when it names an unknown one. */
export function turnOf(transcript: Transcript, subject: Subject, workerId: string, changes: Changes): Turn {
  const codexId = subject.codexTurn;
  const known = turnBy(transcript, subject.turn, codexId);
  if (known) {
    const patch: Partial<Turn> = {};
    if (codexId && !known.codexId && codexId !== known.id) patch.codexId = codexId;
    if (!known.workerId) patch.workerId = workerId;
    return Object.keys(patch).length ? patchTurn(transcript, known, patch, changes) : known;
  }
  const id = subject.turn ?? codexId;
  if (!id) {
    const last = transcript.turns.findLast((turn) => turn.status !== "steered");
    if (last) return last;
  }
  const made = { ...newTurn(id ?? "turn_unknown"), codexId: codexId === id ? null : codexId, workerId };
  return addTurn(transcript, made, changes);
}

export function putItem(transcript: Transcript, item: Item, changes: Changes): Item {
  const known = transcript.items.has(item.key);
  transcript.items.set(item.key, item);
  changes.items.add(item.key);
  if (known) return item;
  const turn = turnBy(transcript, item.turnId);
  if (turn) patchTurn(transcript, turn, { items: [...turn.items, item.key] }, changes);
  return item;
}

export function dropItem(transcript: Transcript, item: Item, changes: Changes): void {
  transcript.items.delete(item.key);
  changes.items.add(item.key);
  const turn = turnBy(transcript, item.turnId);
  if (turn) patchTurn(transcript, turn, { items: turn.items.filter((key) => key !== item.key) }, changes);
}

/** Closes what a turn leaves open: Codex sends no `item/completed` for what an interrupt cut off (codex-chat 3.7). */
export function closeTurn(
  transcript: Transcript,
  turn: Turn,
  status: TurnStatus,
  patch: Partial<Turn>,
  changes: Changes,
): void {
  const left: ItemStatus = status === "completed" ? "completed" : status === "failed" ? "failed" : "interrupted";
  for (const key of turn.items) {
    const item = transcript.items.get(key);
    if (item?.status !== "inProgress" || item.type === "userMessage") continue;
    putItem(transcript, { ...item, status: left, completedAt: item.completedAt ?? patch.completedAt ?? null }, changes);
  }
  for (const ask of transcript.asks.values()) {
    if (ask.turnId !== turn.id || ask.status !== "pending") continue;
    const status = ask.answerId ? "resolved" : "expired";
    transcript.asks.set(ask.id, { ...ask, status, resolvedAt: patch.completedAt ?? null });
    changes.asks.add(ask.id);
  }
  const now = turnBy(transcript, turn.id) ?? turn;
  patchTurn(transcript, now, { ...patch, status, retrying: null, stopping: false }, changes);
}

/** Codex's and our spellings of how an item stands. */
export function itemStatus(raw: unknown, otherwise: ItemStatus): ItemStatus {
  switch (raw) {
    case "in_progress":
    case "inProgress":
    case "running":
      return "inProgress";
    case "completed":
    case "failed":
    case "declined":
    case "interrupted":
      return raw;
    default:
      return otherwise;
  }
}

/** The text of an item that Codex gave whole: what a person reads of it. */
export function wholeText(payload: Fields): string {
  if (payload.type === "commandExecution") return text(payload, "aggregatedOutput") ?? "";
  if (payload.type === "userMessage") return userText(payload);
  return text(payload, "text", "review") ?? "";
}

/** Text parts of a user message, one a line (codex-chat 3.7). */
export function userText(payload: Fields): string {
  const parts = list(payload.content)
    .map(fields)
    .filter((part) => part.type === "text")
    .map((part) => (typeof part.text === "string" ? part.text : ""));
  return parts.length ? parts.join("\n") : (text(payload, "text", "message") ?? "");
}

export const reasoningParts = (payload: Fields) => ({
  summary: strings(payload.summary),
  content: strings(payload.content),
});
