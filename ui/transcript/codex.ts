import { ask, isAsk, resolved } from "./asks";
import { further, messageBy } from "./control";
import { type Subject, subjectOf, type WorkerEvent } from "./event";
import { count, type Fields, fields, list, text, verbatim } from "./fields";
import { isLegacy, legacy } from "./legacy";
import { errorOf, planOf, statusOf, tokens, typeFromKind } from "./readings";
import type { Changes, Failure, Item, Transcript, Turn, TurnStatus } from "./transcript";
import {
  closeTurn,
  dropItem,
  itemKey,
  itemStatus,
  newItem,
  patchTurn,
  putItem,
  reasoningParts,
  turnBy,
  turnOf,
  wholeText,
} from "./turns";

interface Step {
  transcript: Transcript;
  event: WorkerEvent;
  params: Fields;
  subject: Subject;
  changes: Changes;
}

/** A Codex notification that a worker forwarded (web-ui 7.2; codex-chat 3.7 is the same table on the server). */
export function notification(transcript: Transcript, event: WorkerEvent, changes: Changes): void {
  const method = text(event.payload, "method") ?? "";
  const params = fields(event.payload.params);
  const step: Step = { transcript, event, params, subject: subjectOf(event.payload), changes };
  if (isAsk(method)) ask(transcript, event, step.subject, changes);
  else if (isLegacy(method)) legacy(transcript, event, method, step.subject, changes);
  else effects[method]?.(step);
}

type Effect = (step: Step) => void;

const effects: Record<string, Effect> = {
  "thread/started": ({ transcript, params, changes }) => {
    const thread = fields(params.thread);
    transcript.codexThreadId ??= text(thread, "id");
    transcript.title ??= text(thread, "name");
    transcript.model = text(thread, "model") ?? transcript.model;
    transcript.preview ??= text(thread, "preview");
    changes.head = true;
  },
  "thread/name/updated": ({ transcript, params, changes }) => {
    transcript.title = text(params, "threadName", "name");
    changes.head = true;
  },
  "thread/status/changed": ({ transcript, params, changes }) => {
    transcript.status = statusOf(fields(params.status));
    changes.head = true;
  },
  "thread/tokenUsage/updated": (step) => {
    const { transcript, params, changes } = step;
    const usage = fields(params.tokenUsage ?? params.token_usage);
    const last = tokens(usage.last);
    const total = tokens(usage.total);
    transcript.usage = { total, last, window: count(usage, "modelContextWindow") ?? transcript.usage.window };
    changes.head = true;
    const turn = turnBy(transcript, step.subject.turn, step.subject.codexTurn);
    if (turn && last) patchTurn(transcript, turn, { usage: last }, changes);
  },
  "account/rateLimits/updated": ({ transcript, params, changes }) => {
    const primary = fields(fields(params.rateLimits).primary);
    const usedPercent = count(primary, "usedPercent");
    if (usedPercent === null) return;
    const resetsAt = count(primary, "resetsAt");
    transcript.rateLimit = {
      usedPercent,
      resetsAt: resetsAt === null ? null : resetsAt * 1000,
      windowMinutes: count(primary, "windowDurationMins"),
    };
    changes.head = true;
  },
  "thread/settings/updated": model,
  "model/rerouted": model,
  "turn/started": (step) => {
    const { transcript, params, event, changes } = step;
    const turn = theTurn(step);
    const started = count(fields(params.turn), "startedAt");
    patchTurn(
      transcript,
      turn,
      {
        status: "in_progress",
        startedAt: started === null ? (turn.startedAt ?? event.at) : started * 1000,
        model: text(params, "model") ?? turn.model,
        effort: text(params, "reasoning_effort") ?? turn.effort,
        error: null,
        completedAt: null,
      },
      changes,
    );
    changes.head = true;
  },
  "turn/completed": (step) => {
    const turn = fields(step.params.turn);
    end(step, text(turn, "status") ?? text(step.params, "status") ?? "completed", errorOf(turn.error));
  },
  "turn/plan/updated": (step) => {
    patchTurn(step.transcript, theTurn(step), { plan: planOf(step.params.plan) }, step.changes);
  },
  "turn/diff/updated": (step) => {
    patchTurn(step.transcript, theTurn(step), { diff: verbatim(step.params, "diff") || null }, step.changes);
  },
  error: (step) => {
    const why = errorOf(step.params.error) ?? { code: "error", message: "Turn errored." };
    const again = step.params.willRetry === true || step.params.will_retry === true;
    const patch: Partial<Turn> = again ? { retrying: why.message } : { error: why, retrying: null };
    patchTurn(step.transcript, theTurn(step), patch, step.changes);
  },
  "item/started": (step) => {
    const payload = fields(step.params.item);
    if (payload.type === "userMessage") return userMessage(step, payload);
    const item = theItem(step, text(payload, "type") ?? typeFromKind(step.params));
    const { summary, content } = reasoningParts(payload);
    put(step, {
      ...item,
      payload: { ...item.payload, ...payload },
      status: itemStatus(payload.status, "inProgress"),
      text: item.text || wholeText(payload),
      summary: item.summary.length ? item.summary : summary,
      content: item.content.length ? item.content : content,
      startedAt: item.startedAt ?? count(step.params, "startedAtMs") ?? step.event.at,
    });
  },
  "item/completed": (step) => {
    const payload = fields(step.params.item);
    if (payload.type === "userMessage") return userMessage(step, payload);
    const item = theItem(step, text(payload, "type") ?? typeFromKind(step.params));
    const whole = Object.keys(payload).length > 0;
    const next: Item = {
      ...item,
      payload: whole ? payload : item.payload,
      status: itemStatus(payload.status ?? step.params.item_status, "completed"),
      text: whole ? wholeText(payload) : item.text,
      ...(whole ? reasoningParts(payload) : {}),
      completedAt: count(step.params, "completedAtMs") ?? step.event.at,
    };
    // A message that ends empty is no message (codex-chat 3.7).
    if (next.type === "agentMessage" && next.text === "") return dropItem(step.transcript, next, step.changes);
    put(step, next);
  },
  "item/agentMessage/delta": (step) => append(step, "agentMessage"),
  "item/plan/delta": (step) => append(step, "plan"),
  "item/commandExecution/outputDelta": (step) => append(step, "commandExecution"),
  "item/toolOutput/delta": (step) => append(step, "commandExecution"),
  "item/commandExecution/terminalInteraction": (step) => {
    const item = theItem(step, "commandExecution");
    const stdin = verbatim(step.params, "stdin");
    if (stdin) put(step, { ...item, stdin: [...item.stdin, stdin] });
  },
  "item/reasoning/summaryPartAdded": (step) => reason(step, "summary", "summaryIndex", ""),
  "item/reasoning/summaryTextDelta": (step) => reason(step, "summary", "summaryIndex", verbatim(step.params, "delta")),
  "item/reasoning/textDelta": (step) => reason(step, "content", "contentIndex", verbatim(step.params, "delta")),
  "item/reasoning/contentDelta": (step) => reason(step, "content", "contentIndex", verbatim(step.params, "delta")),
  "item/fileChange/patchUpdated": (step) => {
    const item = theItem(step, "fileChange");
    put(step, { ...item, payload: { ...item.payload, changes: list(step.params.changes) } });
  },
  "item/mcpToolCall/progress": (step) => {
    put(step, { ...theItem(step, "mcpToolCall"), text: verbatim(step.params, "message") });
  },
  "serverRequest/resolved": ({ transcript, event, changes }) => resolved(transcript, event, changes),
  "codex/exited": ({ transcript, event, changes }) => exited(transcript, event, "codex app-server exited", changes),
};
for (const name of ["turn/error", "turn/errored", "turn/failed", "codex/error"]) {
  effects[name] = (step) => {
    const why = errorOf(step.params.error) ?? errorOf(step.params) ?? { code: "error", message: "Turn errored." };
    end(step, "failed", why);
  };
}
for (const name of ["turn/aborted", "turn/interrupted"]) effects[name] = (step) => end(step, "interrupted", null);

function model({ transcript, params, changes }: Step): void {
  const name = text(params, "toModel", "model") ?? text(fields(params.settings), "model");
  if (!name) return;
  transcript.model = name;
  changes.head = true;
}

const theTurn = (step: Step): Turn => turnOf(step.transcript, step.subject, step.event.workerId, step.changes);

function theItem(step: Step, type: string): Item {
  const turn = theTurn(step);
  const id = step.subject.item ?? `${type}-${step.event.seq}`;
  if (turn.retrying) patchTurn(step.transcript, turn, { retrying: null }, step.changes);
  if (type === "agentMessage") giveWay(step, turn);
  const known = step.transcript.items.get(itemKey(turn.id, id));
  if (known && known.type !== "unknown" && type !== "unknown" && known.type !== type) {
    // Old desktops send reasoning under the id of the message it belongs to.
    const beside = `${id}:${type}`;
    return step.transcript.items.get(itemKey(turn.id, beside)) ?? newItem(turn.id, beside, type);
  }
  if (known) return known.type === "unknown" ? { ...known, type } : known;
  return { ...newItem(turn.id, id, type), startedAt: step.event.at };
}

/** What old event names told of this turn, now that the real item comes. */
function giveWay({ transcript, changes }: Step, turn: Turn): void {
  for (const key of turn.items) {
    const item = transcript.items.get(key);
    if (item?.legacy && item.type === "agentMessage") dropItem(transcript, item, changes);
  }
}

const put = (step: Step, item: Item): Item => putItem(step.transcript, item, step.changes);

function append(step: Step, type: string): void {
  const item = theItem(step, type);
  put(step, { ...item, text: item.text + verbatim(step.params, "delta") });
}

function reason(step: Step, part: "summary" | "content", indexName: string, delta: string): void {
  const item = theItem(step, "reasoning");
  const parts = [...item[part]];
  const index = Math.max(0, count(step.params, indexName) ?? Math.max(0, parts.length - 1));
  if (index > 10_000) return;
  while (parts.length <= index) parts.push("");
  parts[index] += delta;
  put(step, { ...item, [part]: parts });
}

/** Codex shows a user message: ours, recognised by its client id, or one typed elsewhere. */
function userMessage(step: Step, payload: Fields): void {
  const { transcript, changes, event } = step;
  const turn = theTurn(step);
  const id = step.subject.item ?? `userMessage-${event.seq}`;
  const messageId = text(payload, "clientId");
  const known = messageBy(transcript, { messageId }) ?? transcript.items.get(itemKey(turn.id, id));
  const words = wholeText(payload);
  if (!known) {
    const made = newItem(turn.id, messageId ?? id, "userMessage");
    put(step, {
      ...made,
      status: "completed",
      text: words,
      payload,
      messageId,
      stage: "applied",
      startedAt: count(step.params, "startedAtMs", "completedAtMs") ?? event.at,
    });
    return;
  }
  const text_ = known.text || words;
  if (known.turnId === turn.id) {
    put(step, { ...known, payload, text: text_, stage: further(known.stage, "applied"), failure: null });
    return;
  }
  // A steering message: Codex took it into the turn that was running.
  const from = turnBy(transcript, known.turnId);
  dropItem(transcript, known, changes);
  put(step, {
    ...known,
    key: itemKey(turn.id, known.id),
    turnId: turn.id,
    payload,
    text: text_,
    stage: "applied",
    failure: null,
  });
  if (from && from.status !== "steered") {
    const now = turnBy(transcript, from.id);
    if (now?.items.length === 0) patchTurn(transcript, now, { status: "steered" }, changes);
  }
  changes.order = true;
}

function end(step: Step, status: string, error: Failure | null): void {
  const turn = theTurn(step);
  const raw = fields(step.params.turn);
  const completed = count(raw, "completedAt");
  const started = count(raw, "startedAt");
  const completedAt = completed === null ? step.event.at : completed * 1000;
  const startedAt = turn.startedAt ?? (started === null ? null : started * 1000);
  const measured = completedAt !== null && startedAt !== null ? Math.max(0, completedAt - startedAt) : null;
  const closed: TurnStatus = status === "failed" || status === "interrupted" ? status : "completed";
  const usage = tokens(step.params.token_usage) ?? turn.usage;
  closeTurn(
    step.transcript,
    turn,
    closed,
    {
      error: closed === "failed" ? (error ?? turn.error ?? { code: "error", message: "Turn errored." }) : turn.error,
      completedAt,
      startedAt,
      durationMs: count(raw, "durationMs") ?? measured,
      usage,
    },
    step.changes,
  );
  step.changes.head = true;
}

/** Codex or its worker is gone: what ran there has ended. */
export function exited(transcript: Transcript, event: WorkerEvent, why: string | null, changes: Changes): void {
  for (const turn of [...transcript.turns]) {
    if (turn.status !== "in_progress" || (turn.workerId && turn.workerId !== event.workerId)) continue;
    const status: TurnStatus = why ? "failed" : "interrupted";
    const error = why ? { code: "codex_exited", message: why } : turn.error;
    const durationMs = event.at !== null && turn.startedAt !== null ? Math.max(0, event.at - turn.startedAt) : null;
    closeTurn(transcript, turn, status, { error, completedAt: event.at, durationMs }, changes);
  }
  for (const one of transcript.asks.values()) {
    if (one.status !== "pending" || (one.workerId && one.workerId !== event.workerId)) continue;
    transcript.asks.set(one.id, { ...one, status: "expired", resolvedAt: event.at });
    changes.asks.add(one.id);
  }
  changes.head = true;
}
