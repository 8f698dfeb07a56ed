import type { WorkerEvent } from "./event";
import { count, type Fields, fields, list, text } from "./fields";
import type { Changes, Failure, Item, Stage, Transcript } from "./transcript";
import { addTurn, closeTurn, newItem, newTurn, patchTurn, putItem, turnBy } from "./turns";

/** How far a message has got; it never goes back. */
const order: Record<Stage, number> = { stored: 0, machine: 1, applied: 2, failed: 3 };
export const further = (now: Stage | null, next: Stage): Stage => (now && order[now] >= order[next] ? now : next);

/** A message that our server has accepted: by its answer, by the log, or by the snapshot. */
export interface Accepted {
  requestId: string | null;
  messageId: string;
  turnId: string;
  text: string;
  workerId: string | null;
  at: number | null;
}

export function messageBy(transcript: Transcript, ids: { messageId?: string | null; requestId?: string | null }) {
  for (const item of transcript.items.values()) {
    if (item.type !== "userMessage") continue;
    if (ids.messageId && item.messageId === ids.messageId) return item;
    if (ids.requestId && item.requestId === ids.requestId) return item;
  }
  return null;
}

/** Puts the message where it belongs, once, however often it is reported. */
export function accept(transcript: Transcript, message: Accepted, changes: Changes): Item {
  const known = messageBy(transcript, message);
  if (known) {
    if (known.requestId || !message.requestId) return known;
    return putItem(transcript, { ...known, requestId: message.requestId }, changes);
  }
  if (!turnBy(transcript, message.turnId)) {
    addTurn(transcript, { ...newTurn(message.turnId), status: "queued", workerId: message.workerId }, changes);
  }
  const turn = turnBy(transcript, message.turnId);
  return putItem(
    transcript,
    {
      ...newItem(turn?.id ?? message.turnId, message.messageId, "userMessage"),
      status: "completed",
      text: message.text,
      messageId: message.messageId,
      requestId: message.requestId,
      startedAt: message.at,
      stage: turn && turn.status !== "queued" ? "machine" : "stored",
    },
    changes,
  );
}

const textOf = (params: Fields): string => {
  const direct = text(params, "text", "message", "prompt");
  if (direct) return direct;
  const part = list(params.input)
    .map(fields)
    .find((entry) => entry.type === "text");
  return part ? (text(part, "text") ?? "") : "";
};

/** `worker.request`: what somebody asked of the machine, on this device or another (codex-chat 3.5). */
export function request(transcript: Transcript, event: WorkerEvent, changes: Changes): void {
  const { payload } = event;
  const params = fields(payload.params);
  const requestId = text(payload, "request_id");
  const method = text(payload, "method");
  if (method === "turn/start" || method === "thread/start") {
    const messageId = text(payload, "message_id");
    const turnId = text(payload, "turn_id");
    if (!messageId || !turnId) return;
    accept(
      transcript,
      { requestId, messageId, turnId, text: textOf(params), workerId: event.workerId, at: event.at },
      changes,
    );
    if (!transcript.workerId) {
      transcript.workerId = event.workerId;
      changes.head = true;
    }
    return;
  }
  if (method === "turn/interrupt") {
    const turn = turnBy(transcript, text(payload, "turn_id"), text(params, "turn_id", "turnId"));
    if (turn?.status === "in_progress") patchTurn(transcript, turn, { stopping: true }, changes);
    return;
  }
  if (method === "serverRequest/respond") {
    const ask = transcript.asks.get(text(params, "server_request_id") ?? "");
    if (!ask || ask.answerId) return;
    const decision = params.decision ?? params.response ?? null;
    transcript.asks.set(ask.id, { ...ask, answerId: requestId, decision, stage: further(ask.stage, "stored") });
    changes.asks.add(ask.id);
  }
}

/** `worker.response`: the machine has done, or taken over, what was asked. */
export function response(transcript: Transcript, event: WorkerEvent, changes: Changes): void {
  const { payload } = event;
  const requestId = text(payload, "request_id");
  const body = fields(payload.response);
  const codexThread = text(body, "codex_thread_id");
  if (codexThread && !transcript.codexThreadId) {
    transcript.codexThreadId = codexThread;
    changes.head = true;
  }
  if (text(body, "model")) {
    transcript.model = text(body, "model");
    changes.head = true;
  }
  const codexTurn = text(body, "codex_turn_id");
  const message = messageBy(transcript, { requestId });
  const turn = turnBy(transcript, text(fields(body.turn), "id"), message?.turnId ?? null);
  if (turn && codexTurn) {
    const running = transcript.turns.find((other) => other.codexId === codexTurn && other.id !== turn.id);
    if (running) patchTurn(transcript, turn, { status: "steered" }, changes);
    else {
      const status = turn.status === "queued" ? "in_progress" : turn.status;
      patchTurn(transcript, turn, { codexId: codexTurn, status, workerId: event.workerId }, changes);
    }
    changes.order = true;
  }
  if (message) putItem(transcript, { ...message, stage: further(message.stage, "machine") }, changes);
  advance(transcript, requestId, "machine", null, changes);
  if (payload.method === "turn/interrupt") interrupted(transcript, event, body, changes);
}

/** An interrupt of a turn that had not started ends it here; else `turn/completed` follows. */
function interrupted(transcript: Transcript, event: WorkerEvent, body: Fields, changes: Changes) {
  const turn = turnBy(transcript, text(body, "turn_id"));
  if (turn?.status === "queued") closeTurn(transcript, turn, "interrupted", { completedAt: event.at }, changes);
}

function advance(transcript: Transcript, answerId: string | null, stage: Stage, failure: Failure | null, c: Changes) {
  if (!answerId) return;
  for (const ask of transcript.asks.values()) {
    if (ask.answerId !== answerId) continue;
    const failed = stage === "failed" && ask.status === "pending";
    transcript.asks.set(
      ask.id,
      failed
        ? { ...ask, answerId: null, decision: null, stage: null, failure }
        : { ...ask, stage: further(ask.stage, stage), failure },
    );
    c.asks.add(ask.id);
  }
}

/** `worker.error`: the machine refused, or nobody came for the request in time. */
export function failure(transcript: Transcript, event: WorkerEvent, changes: Changes): void {
  const { payload } = event;
  const requestId = text(payload, "request_id");
  const why: Failure = {
    code: text(payload, "code") ?? "internal_error",
    message: text(payload, "message") ?? "The request failed.",
    retryable: payload.retryable === true,
    details: count(fields(payload.details), "codex_code")?.toString() ?? null,
  };
  advance(transcript, requestId, "failed", why, changes);
  const message = messageBy(transcript, { requestId });
  if (message) {
    putItem(transcript, { ...message, stage: "failed", failure: why }, changes);
    const turn = turnBy(transcript, message.turnId);
    const open = turn?.status === "queued" || turn?.status === "in_progress";
    if (!turn || !open) return;
    const cancelled = why.message === "turn interrupted before dispatch"; // codex-chat 3.4
    if (cancelled) closeTurn(transcript, turn, "interrupted", { completedAt: event.at }, changes);
    else closeTurn(transcript, turn, "failed", { error: why, completedAt: event.at }, changes);
    return;
  }
  if (payload.method !== "turn/interrupt") return;
  for (const turn of transcript.turns) if (turn.stopping) patchTurn(transcript, turn, { stopping: false }, changes);
}
