import {
  addThread,
  type Book,
  type Draft,
  type ItemRow,
  itemKey,
  type MessageRow,
  type TextDraft,
  type ThreadRow,
  type TurnRow,
} from "./book";
import { isUuid, newThreadId, newTurnId } from "./ids";
import { cut } from "./json";

/** Changes of a draft, so that only rows that differ are written. */
export function change<Row extends object>(draft: Draft<Row>, values: Partial<Row>): void {
  for (const [name, value] of Object.entries(values) as [keyof Row, Row[keyof Row]][]) {
    if (draft.row[name] === value) continue;
    draft.row[name] = value;
    draft.dirty = true;
  }
}

/** Adds to a text, or puts another in its place. */
export function addText<Row extends { text: string }>(draft: TextDraft<Row>, text: string, max?: number): void {
  if (!text) return;
  const joined = draft.row.text + text;
  draft.row.text = max === undefined || joined.length <= max ? joined : [...joined].slice(-max).join("");
  draft.dirty = true;
}

export function setText<Row extends { text: string }>(draft: TextDraft<Row>, text: string): void {
  draft.row.text = text;
  draft.kept = false;
  draft.dirty = true;
}

/** Whether the text, as stored after this transaction, says nothing. */
export const isEmpty = <Row extends { text: string }>(draft: TextDraft<Row>) =>
  draft.row.text === "" && !(draft.kept && draft.stored);

/** A thread that did not exist: Codex's ids get an id of ours beside them, other ids are ours. */
export function newThread(book: Book, name: string, parts: Partial<ThreadRow> = {}): Draft<ThreadRow> {
  const { worker, now } = book;
  const codexThreadId = isUuid(name) ? name : null;
  const row: ThreadRow = {
    threadId: codexThreadId ? newThreadId() : name,
    userId: worker.ownerUserId,
    orgId: worker.orgId,
    autopilotId: null,
    title: null,
    workerPk: worker.id,
    codexThreadId,
    codexSessionId: null,
    status: "idle",
    activeTurnId: null,
    model: null,
    modelProvider: null,
    cwd: null,
    preview: null,
    messageCount: 0,
    lastMessageAt: null,
    tokenUsage: null,
    origin: "codex",
    archivedAt: null,
    createdAt: now,
    updatedAt: now,
    ...parts,
  };
  return addThread(book, { row, fresh: true, dirty: true });
}

/** Notes which thread of Codex a thread of ours is, unless another thread has it. */
export function learnCodexThread(book: Book, thread: Draft<ThreadRow>, codexThreadId: string | null): void {
  if (!codexThreadId || thread.row.codexThreadId === codexThreadId) return;
  const holder = book.threads.get(book.names.get(codexThreadId) ?? "");
  if (holder && holder !== thread) {
    // A notification of Codex was faster than the receipt that names our thread: what it made says nothing yet.
    if (holder.row.origin !== "codex" || holder.row.messageCount > 0) return;
    change(holder, { codexThreadId: null, archivedAt: book.now });
  }
  change(thread, { codexThreadId });
  book.names.set(codexThreadId, thread.row.threadId);
}

/** The turns of a thread that are in the book. */
export const turnsOf = (book: Book, threadId: string): Draft<TurnRow>[] =>
  [...book.turns.values()].filter(({ row }) => row.threadId === threadId);

/** The turn of a thread that Codex calls so; a steered one only stands for the turn it was merged into. */
export const codexTurn = (book: Book, threadId: string, codexTurnId: string): Draft<TurnRow> | undefined =>
  turnsOf(book, threadId).find(({ row }) => row.codexTurnId === codexTurnId && row.status !== "steered");

export function newTurn(book: Book, threadId: string, codexTurnId: string | null, parts: Partial<TurnRow> = {}) {
  const row: TurnRow = {
    id: newTurnId(),
    threadId,
    codexTurnId,
    requestId: null,
    status: "in_progress",
    model: null,
    effort: null,
    error: null,
    plan: null,
    tokenUsage: null,
    diff: null,
    mergedIntoTurnId: null,
    interruptRequestedAt: null,
    startedAt: null,
    completedAt: null,
    durationMs: null,
    createdAt: book.now,
    updatedAt: book.now,
    ...parts,
  };
  const draft: Draft<TurnRow> = { row, fresh: true, dirty: true };
  book.turns.set(row.id, draft);
  return draft;
}

/** The item of a turn, made at the turn's end when it is new. */
export function itemOfTurn(book: Book, turn: TurnRow, itemId: string, type: string): TextDraft<ItemRow> {
  const key = itemKey(turn.id, itemId);
  const known = book.items.get(key);
  if (known) return known;
  const position = (book.positions.get(turn.id) ?? -1) + 1;
  book.positions.set(turn.id, position);
  const row: ItemRow = {
    threadId: turn.threadId,
    turnId: turn.id,
    itemId,
    position,
    type: cut(type, 40),
    status: "in_progress",
    text: "",
    payload: {},
    startedAt: null,
    completedAt: null,
  };
  const draft = { row, fresh: true, dirty: true, kept: false, stored: false };
  book.items.set(key, draft);
  return draft;
}

/** The message that an item became, if any. */
export function messageOfItem(book: Book, turnId: string, itemId: string): TextDraft<MessageRow> | undefined {
  for (const draft of book.messages.values()) {
    if (draft.row.turnId === turnId && draft.row.itemId === itemId && !book.dropped.has(draft.row.messageId))
      return draft;
  }
  return undefined;
}

const previewLength = 500;

/** A new message of a thread; the thread's counters move with it (codex-chat 3.7). */
export function newMessage(
  book: Book,
  parts: Pick<MessageRow, "messageId" | "threadId" | "role" | "text"> & Partial<MessageRow>,
): TextDraft<MessageRow> {
  const at = parts.createdAt ?? book.now;
  const row: MessageRow = {
    userId: book.worker.ownerUserId,
    turnId: null,
    itemId: null,
    requestId: null,
    streaming: false,
    createdAt: at,
    updatedAt: book.now,
    ...parts,
  };
  const draft = { row, fresh: true, dirty: true, kept: false, stored: false };
  book.messages.set(row.messageId, draft);
  const thread = book.threads.get(row.threadId);
  if (thread) {
    const { messageCount, lastMessageAt, updatedAt, preview } = thread.row;
    change(thread, {
      messageCount: messageCount + 1,
      lastMessageAt: later(lastMessageAt, at),
      updatedAt: later(updatedAt, at),
      preview: preview || (row.role === "user" ? cut(row.text, previewLength) : preview),
    });
  }
  return draft;
}

const later = (a: Date | null, b: Date): Date => (a && a > b ? a : b);

/** Takes back a message that ended empty. */
export function dropMessage(book: Book, draft: TextDraft<MessageRow>): void {
  const { messageId, threadId } = draft.row;
  if (draft.fresh) book.messages.delete(messageId);
  else book.dropped.add(messageId);
  book.recount.add(threadId);
}
