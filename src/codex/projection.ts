import type { ThreadStatus, TurnStatus } from "../../db/schema/codex";
import type { Book, Draft, ThreadRow, TurnRow, Wanted } from "./book";
import { asJson, asList, cut, firstText, isJson, type Json } from "./json";
import type { Notification } from "./notification";
import { itemChanges, userMessage } from "./projection-items";
import {
  change,
  codexTurn,
  dropMessage,
  isEmpty,
  learnCodexThread,
  newThread,
  newTurn,
  turnsOf,
} from "./projection-rows";
import { fromSeconds } from "./times";

/** Adds what a notification names to what the book must hold. */
export function want(wanted: Wanted, notification: Notification): void {
  const { method, thread, codexThread, turn, ownTurn, itemId, clientId, serverRequestId } = notification;
  if (thread) wanted.threads.add(thread);
  if (codexThread) wanted.threads.add(codexThread);
  if (turn) wanted.turns.add(turn);
  if (ownTurn) wanted.turns.add(ownTurn);
  if (itemId) wanted.items.add(itemId);
  if (clientId) wanted.clients.add(clientId);
  if (serverRequestId) wanted.serverRequests.add(serverRequestId);
  if (method === "turn/completed") wanted.closes = true;
  if (method === "codex/exited") wanted.exits = true;
}

/** Changes the book as one notification says (codex-chat 3.7). Pure: reads nothing but the book. */
export function project(book: Book, notification: Notification): void {
  const { method, serverRequestId } = notification;
  if (method === "codex/exited") closeWork(book, "failed", "codex app-server exited");
  else if (method === "serverRequest/resolved") resolved(book, notification);
  else if (serverRequestId !== null) ask(book, notification);
  else {
    const thread = threadOf(book, notification);
    if (thread) projectInThread(book, thread, notification);
  }
}

function projectInThread(book: Book, thread: Draft<ThreadRow>, notification: Notification): void {
  const { method } = notification;
  const ofTurn = turnChanges[method];
  if (threadChanges[method]) threadChanges[method](book, thread, notification);
  else if (method === "user/message") userMessage(book, thread, notification);
  else if (ofTurn) ofTurn(book, thread, turnOf(book, thread, notification), notification);
  else itemChanges[method]?.(book, turnOf(book, thread, notification), notification);
}

function threadOf(book: Book, { thread, codexThread }: Notification): Draft<ThreadRow> | null {
  const name = thread ?? codexThread;
  if (name === null) return null;
  const known = book.threads.get(book.names.get(name) ?? "") ?? newThread(book, name);
  learnCodexThread(book, known, codexThread);
  return known;
}

/** The turn that a notification is about: by Codex's id, by ours, else the active one. */
function knownTurn(book: Book, thread: Draft<ThreadRow>, { turn, ownTurn }: Notification): Draft<TurnRow> | undefined {
  const { threadId, activeTurnId } = thread.row;
  const own = (id: string | null) => {
    const draft = id === null ? undefined : book.turns.get(id);
    return draft?.row.threadId === threadId ? draft : undefined;
  };
  const byCodex = turn === null ? undefined : codexTurn(book, threadId, turn);
  const found = byCodex ?? own(turn) ?? merged(book, own(ownTurn)) ?? (turn === null ? own(activeTurnId) : undefined);
  if (found && turn !== null && turn !== found.row.id && found.row.codexTurnId === null)
    change(found, { codexTurnId: turn });
  return found;
}

/** The same, and a new one for a new id. */
const turnOf = (book: Book, thread: Draft<ThreadRow>, notification: Notification): Draft<TurnRow> =>
  knownTurn(book, thread, notification) ?? newTurn(book, thread.row.threadId, notification.turn);

const merged = (book: Book, turn: Draft<TurnRow> | undefined) =>
  turn?.row.status === "steered" ? book.turns.get(turn.row.mergedIntoTurnId ?? "") : turn;

const activeStatuses = new Set<ThreadStatus>(["active", "waiting_on_approval", "waiting_on_user_input"]);

/** Codex's thread status in our words. */
export function threadStatus(status: unknown): ThreadStatus | null {
  const { type, activeFlags } = isJson(status) ? status : { type: status, activeFlags: null };
  const flags = asList(activeFlags);
  if (type === "notLoaded") return "not_loaded";
  if (type === "idle") return "idle";
  if (type === "systemError") return "system_error";
  if (type !== "active") return null;
  if (flags.includes("waitingOnApproval")) return "waiting_on_approval";
  return flags.includes("waitingOnUserInput") ? "waiting_on_user_input" : "active";
}

type ThreadChange = (book: Book, thread: Draft<ThreadRow>, notification: Notification) => void;

const threadChanges: Record<string, ThreadChange> = {
  "thread/started": (_book, thread, { params }) => describeThread(thread, asJson(params.thread)),
  "thread/status/changed": (_book, thread, { params }) => {
    const status = threadStatus(params.status);
    if (status) change(thread, { status });
  },
  "thread/name/updated": (_book, thread, { params }) => {
    const title = firstText(params.threadName, params.thread_name);
    change(thread, { title: title && cut(title, 255) });
  },
  "thread/archived": (book, thread) => change(thread, { archivedAt: thread.row.archivedAt ?? book.now }),
  "thread/unarchived": (_book, thread) => change(thread, { archivedAt: null }),
  "thread/deleted": (book, thread) => change(thread, { archivedAt: thread.row.archivedAt ?? book.now }),
  "thread/compacted": (_book, thread, { params }) => setModel(thread, params.model),
  "thread/settings/updated": (_book, thread, { params }) =>
    setModel(thread, asJson(params.threadSettings).model ?? params.model),
  "model/rerouted": (_book, thread, { params }) => setModel(thread, params.toModel ?? params.model),
  "thread/tokenUsage/updated": (book, thread, notification) => {
    const usage = asJson(notification.params.tokenUsage);
    const window = typeof usage.modelContextWindow === "number" ? Math.trunc(usage.modelContextWindow) : null;
    if (isJson(usage.total)) {
      change(thread, { tokenUsage: { ...tokenUsage(usage.total), model_context_window: window } });
    }
    // Codex repeats the last count when it loads a thread: that is no new turn.
    const turn = isJson(usage.last) ? knownTurn(book, thread, notification) : undefined;
    if (turn) change(turn, { tokenUsage: tokenUsage(asJson(usage.last)) });
  },
};

function setModel(thread: Draft<ThreadRow>, model: unknown): void {
  const name = firstText(model);
  if (name) change(thread, { model: name });
}

/** What a thread of Codex tells about itself. A title that a person gave stays. */
export function describeThread(thread: Draft<ThreadRow>, codex: Json): void {
  const { row } = thread;
  const name = firstText(codex.name);
  change(thread, {
    codexSessionId: firstText(codex.sessionId)?.slice(0, 64) ?? row.codexSessionId,
    cwd: firstText(codex.cwd) ?? row.cwd,
    model: firstText(codex.model) ?? row.model,
    modelProvider: firstText(codex.modelProvider) ?? row.modelProvider,
    preview: firstText(codex.preview) ? cut(firstText(codex.preview) as string, 500) : row.preview,
    title: row.title ?? (name && cut(name, 255)),
  });
}

const count = (value: unknown) => (typeof value === "number" && Number.isFinite(value) ? Math.trunc(value) : 0);

/** Codex's token counts under our names. */
export const tokenUsage = (usage: Json) => ({
  input_tokens: count(usage.inputTokens ?? usage.input_tokens),
  cached_input_tokens: count(usage.cachedInputTokens ?? usage.cached_input_tokens),
  output_tokens: count(usage.outputTokens ?? usage.output_tokens),
  reasoning_output_tokens: count(usage.reasoningOutputTokens ?? usage.reasoning_output_tokens),
  total_tokens: count(usage.totalTokens ?? usage.total_tokens),
});

/** Codex's error of a turn as `{message, code, details}`. */
export function turnError(error: unknown, fallback: string | null): Json | null {
  if (typeof error === "string") return { message: error, code: null, details: null };
  if (!isJson(error)) return fallback === null ? null : { message: fallback, code: null, details: null };
  const info = error.codexErrorInfo;
  const code = isJson(info) ? (Object.keys(info)[0] ?? null) : firstText(info, error.code);
  return {
    message: firstText(error.message) ?? fallback ?? "Codex reported an error.",
    code,
    details: error.additionalDetails ?? error.details ?? null,
  };
}

type TurnChange = (book: Book, thread: Draft<ThreadRow>, turn: Draft<TurnRow>, notification: Notification) => void;

const maxDiff = 262_144;

const turnChanges: Record<string, TurnChange> = {
  "turn/started": (book, thread, turn, { params }) => {
    const { row } = turn;
    // A turn that timed out before its start was heard of does run: say so. What Codex ended stays ended.
    if (row.completedAt && row.startedAt) return;
    change(turn, {
      status: "in_progress",
      error: null,
      completedAt: null,
      startedAt: fromSeconds(asJson(params.turn).startedAt) ?? row.startedAt ?? book.now,
      model: firstText(params.model) ?? row.model,
      effort: firstText(params.reasoning_effort, params.reasoningEffort) ?? row.effort,
    });
    change(thread, { activeTurnId: row.id, workerPk: book.worker.id });
    if (thread.row.status === "idle" || thread.row.status === "not_loaded") change(thread, { status: "active" });
  },
  "turn/plan/updated": (_book, _thread, turn, { params }) => {
    const steps = asList(params.plan).filter(isJson);
    change(turn, {
      plan: steps.map(({ step, status }) => ({ step: String(step ?? ""), status: String(status ?? "") })),
    });
  },
  "turn/diff/updated": (_book, _thread, turn, { params }) => {
    if (typeof params.diff === "string") change(turn, { diff: cut(params.diff, maxDiff) });
  },
  error: (_book, _thread, turn, { params }) => {
    if ((params.willRetry ?? params.will_retry) === true) return;
    change(turn, { error: turnError(params.error, firstText(params.message)) });
  },
  "turn/completed": (book, thread, turn, { params }) => {
    const codex = asJson(params.turn);
    const said = firstText(codex.status, params.status);
    const status: TurnStatus = said === "failed" || said === "interrupted" ? said : "completed";
    const error = turnError(codex.error ?? params.error, status === "failed" ? firstText(params.message) : null);
    const { row } = turn;
    change(turn, {
      error: error ?? (status === "failed" ? row.error : null),
      startedAt: fromSeconds(codex.startedAt) ?? row.startedAt,
      durationMs: typeof codex.durationMs === "number" ? Math.trunc(codex.durationMs) : row.durationMs,
    });
    const usage = codex.token_usage ?? params.token_usage;
    if (isJson(usage) && !row.tokenUsage) change(turn, { tokenUsage: tokenUsage(usage) });
    closeTurn(book, thread, turn, status, fromSeconds(codex.completedAt) ?? book.now);
  },
};

/**
 * Ends a turn: its open items get its status, its messages stop streaming, its questions are no longer open. Codex sends no
 * `item/completed` for what an interrupt cut off.
 */
export function closeTurn(
  book: Book,
  thread: Draft<ThreadRow> | undefined,
  turn: Draft<TurnRow>,
  status: TurnStatus,
  at: Date,
): void {
  const { id, startedAt, durationMs } = turn.row;
  change(turn, {
    status,
    completedAt: at,
    durationMs: durationMs ?? (startedAt && Math.max(0, at.getTime() - startedAt.getTime())),
  });
  for (const item of book.items.values()) {
    if (item.row.turnId === id && item.row.status === "in_progress") change(item, { status, completedAt: at });
  }
  for (const message of [...book.messages.values()]) {
    if (message.row.turnId !== id || !message.row.streaming) continue;
    change(message, { streaming: false, updatedAt: book.now });
    if (isEmpty(message)) dropMessage(book, message);
  }
  for (const request of book.serverRequests.values()) {
    if (request.row.status !== "pending" || request.row.turnId !== id) continue;
    change(request, { status: request.row.decision === null ? "expired" : "resolved", resolvedAt: at });
  }
  if (!thread) return;
  if (thread.row.activeTurnId === id) change(thread, { activeTurnId: null });
  if (thread.row.activeTurnId === null && activeStatuses.has(thread.row.status)) change(thread, { status: "idle" });
}

/** Ends everything that runs on the worker: its process is gone or was told to stop. */
export function closeWork(book: Book, status: "failed" | "interrupted", why: string | null): void {
  for (const request of book.serverRequests.values()) {
    if (request.row.status === "pending") change(request, { status: "expired", resolvedAt: book.now });
  }
  for (const thread of book.threads.values()) {
    if (thread.row.workerPk !== book.worker.id) continue;
    for (const turn of turnsOf(book, thread.row.threadId)) {
      if (turn.row.status !== "in_progress") continue;
      if (why !== null) change(turn, { error: { message: why, code: "internal_error", details: null } });
      closeTurn(book, thread, turn, status, book.now);
    }
  }
}

/** Codex asks a person (codex-chat 3.12). */
function ask(book: Book, notification: Notification): void {
  const { serverRequestId, method, params, payload, itemId } = notification;
  const thread = threadOf(book, notification);
  if (!thread || serverRequestId === null || book.serverRequests.has(serverRequestId)) return;
  const { threadId, activeTurnId } = thread.row;
  const { turn, ownTurn } = notification;
  const turnId = turn || ownTurn || activeTurnId ? turnOf(book, thread, notification).row.id : null;
  const decisions = payload.available_decisions ?? params.availableDecisions;
  book.serverRequests.set(serverRequestId, {
    row: {
      serverRequestId,
      workerPk: book.worker.id,
      sessionId: firstText(payload.session_id)?.slice(0, 160) ?? book.worker.executorSessionId ?? "",
      threadId,
      turnId,
      itemId,
      method: cut(method, 80),
      params,
      availableDecisions: Array.isArray(decisions) ? decisions : null,
      status: "pending",
      decision: null,
      requestedAt: book.now,
      resolvedAt: null,
    },
    fresh: true,
    dirty: true,
  });
}

/** Codex has its answer, or needs none any more. */
function resolved(book: Book, { serverRequestId }: Notification): void {
  const request = serverRequestId === null ? undefined : book.serverRequests.get(serverRequestId);
  if (request?.row.status !== "pending") return;
  change(request, { status: request.row.decision === null ? "expired" : "resolved", resolvedAt: book.now });
}
