import type { codexControlRequests, TurnStatus } from "../../db/schema/codex";
import type { Book, Draft, ThreadRow, TurnRow, Wanted } from "./book";
import { isUuid } from "./ids";
import { asJson, asList, cut, firstText, isJson, type Json } from "./json";
import { userText } from "./notification";
import { closeTurn, describeThread, threadStatus, turnError } from "./projection";
import { finishItem, linkUserMessage } from "./projection-items";
import { change, codexTurn, itemOfTurn, learnCodexThread, newThread, newTurn } from "./projection-rows";
import { fromMilliseconds, fromSeconds } from "./times";

export type RequestRow = typeof codexControlRequests.$inferSelect;

/** The terminal event of a request (codex-chat 3.5). */
export interface Receipt {
  type: "worker.response" | "worker.error";
  payload: Json;
}

const codexThreadOf = (response: Json): string | null => {
  const id = firstText(response.codex_thread_id, asJson(response.thread).id);
  return id && isUuid(id) ? id : null;
};

const codexTurnOf = (response: Json): string | null => {
  const turn = asJson(response.turn);
  const id = firstText(response.codex_turn_id, turn.codex_turn_id, turn.id);
  return id && id.length <= 64 ? id : null;
};

/** Adds what a receipt names to what the book must hold. */
export function wantReceipt(wanted: Wanted, request: RequestRow, { payload }: Receipt): void {
  const response = asJson(payload.response);
  const codexThread = codexThreadOf(response);
  const codexTurnId = codexTurnOf(response);
  if (request.threadId) wanted.threads.add(request.threadId);
  if (codexThread) wanted.threads.add(codexThread);
  if (request.turnId) wanted.turns.add(request.turnId);
  if (codexTurnId) wanted.turns.add(codexTurnId);
  if (request.method === "serverRequest/respond") {
    const id = firstText(request.params.server_request_id);
    if (id) wanted.serverRequests.add(id);
  }
  if (request.method === "thread/list") {
    for (const thread of listed(response)) wanted.threads.add(thread.id);
  }
  if (request.method !== "thread/read") return;
  for (const turn of asList(response.turns).map(asJson)) {
    const id = firstText(turn.id);
    if (id) wanted.turns.add(id);
    for (const item of asList(turn.items).map(asJson)) {
      const itemId = firstText(item.id);
      const clientId = firstText(item.clientId);
      if (itemId) wanted.items.add(itemId);
      if (clientId) wanted.clients.add(clientId);
    }
  }
}

/** Changes the book as the terminal event of a request says (codex-chat 3.7). */
export function projectReceipt(book: Book, request: RequestRow, { type, payload }: Receipt): void {
  const thread = book.threads.get(request.threadId ?? "");
  const turn = book.turns.get(request.turnId ?? "");
  const response = asJson(payload.response);
  if (type === "worker.error") refused(book, request, thread, turn, payload);
  else if (request.method === "thread/list") upsertThreads(book, response);
  else if (thread && request.method === "thread/read") fillThread(book, thread, response);
  else if (thread && startsSomething.has(request.method)) started(book, thread, turn, response);
}

const startsSomething = new Set(["thread/start", "thread/resume", "turn/start"]);

function started(book: Book, thread: Draft<ThreadRow>, turn: Draft<TurnRow> | undefined, response: Json): void {
  learnCodexThread(book, thread, codexThreadOf(response));
  if (isJson(response.thread)) describeThread(thread, response.thread);
  const model = firstText(response.model);
  if (model) change(thread, { model });
  const codexTurnId = codexTurnOf(response);
  if (turn && codexTurnId && codexTurnId !== turn.row.id) runs(book, thread, turn, codexTurnId);
}

/** Codex took the turn up, or joined its message to the turn that was running. */
function runs(book: Book, thread: Draft<ThreadRow>, turn: Draft<TurnRow>, codexTurnId: string): void {
  const holder = codexTurn(book, thread.row.threadId, codexTurnId);
  if (holder && holder !== turn) {
    change(turn, { status: "steered", mergedIntoTurnId: holder.row.id, codexTurnId, completedAt: book.now });
    return;
  }
  change(turn, { codexTurnId });
  if (turn.row.status !== "queued") return;
  change(turn, { status: "in_progress" });
  change(thread, { activeTurnId: turn.row.id });
}

/** The command failed: so did the turn that it was to start, and an answer to Codex may be given anew. */
function refused(
  book: Book,
  request: RequestRow,
  thread: Draft<ThreadRow> | undefined,
  turn: Draft<TurnRow> | undefined,
  payload: Json,
): void {
  if (request.method === "serverRequest/respond") {
    const asked = book.serverRequests.get(firstText(request.params.server_request_id) ?? "");
    if (asked?.row.status === "pending") change(asked, { decision: null });
    return;
  }
  if (!turn) return;
  if (request.method === "turn/interrupt") {
    change(turn, { interruptRequestedAt: null });
    return;
  }
  const running = turn.row.status === "in_progress" && payload.code !== "timeout";
  if (turn.row.status !== "queued" && !running) return;
  const error = {
    message: firstText(payload.message) ?? "",
    code: firstText(payload.code),
    details: payload.details ?? null,
  };
  change(turn, { error });
  closeTurn(book, thread, turn, "failed", book.now);
}

const listed = (response: Json) =>
  asList(response.threads)
    .map(asJson)
    .flatMap((thread) => {
      const id = firstText(thread.id);
      return id && isUuid(id) ? [{ id, thread }] : [];
    });

/** Threads of Codex that the machine told of. */
function upsertThreads(book: Book, response: Json): void {
  for (const { id, thread: codex } of listed(response)) {
    const known = book.threads.get(book.names.get(id) ?? "");
    const createdAt = fromSeconds(codex.createdAt) ?? book.now;
    const thread =
      known ??
      newThread(book, id, {
        createdAt,
        updatedAt: fromSeconds(codex.updatedAt) ?? createdAt,
        status: threadStatus(codex.status) ?? "not_loaded",
      });
    describeThread(thread, codex);
  }
}

const turnStatuses: Record<string, TurnStatus> = {
  completed: "completed",
  interrupted: "interrupted",
  failed: "failed",
  inProgress: "in_progress",
};

/** Stores turns and items of a thread that this server had not seen. Codex gives the newest turn first. */
function fillThread(book: Book, thread: Draft<ThreadRow>, response: Json): void {
  const { threadId } = thread.row;
  learnCodexThread(book, thread, codexThreadOf(response));
  if (isJson(response.thread)) describeThread(thread, response.thread);
  for (const codex of asList(response.turns).map(asJson).reverse()) {
    const id = firstText(codex.id);
    if (!id || id.length > 64) continue;
    const startedAt = fromSeconds(codex.startedAt);
    const turn =
      codexTurn(book, threadId, id) ??
      newTurn(book, threadId, id, {
        status: turnStatuses[firstText(codex.status) ?? ""] ?? "completed",
        error: turnError(codex.error, null),
        startedAt,
        completedAt: fromSeconds(codex.completedAt),
        durationMs: typeof codex.durationMs === "number" ? Math.trunc(codex.durationMs) : null,
        createdAt: startedAt ?? book.now,
      });
    for (const item of asList(codex.items).map(asJson)) fillItem(book, turn.row, item, startedAt ?? book.now);
  }
}

function fillItem(book: Book, turn: TurnRow, item: Json, at: Date): void {
  const itemId = firstText(item.id);
  if (!itemId || itemId.length > 128) return;
  const draft = itemOfTurn(book, turn, itemId, cut(firstText(item.type) ?? "unknown", 40));
  if (!draft.fresh || draft.row.completedAt) return;
  draft.row.startedAt = fromMilliseconds(item.startedAtMs);
  finishItem(book, draft, item, fromMilliseconds(item.completedAtMs) ?? at, true, at);
  if (draft.row.type === "userMessage") {
    linkUserMessage(book, draft.row, firstText(item.clientId), userText(item.content), at);
  }
}
