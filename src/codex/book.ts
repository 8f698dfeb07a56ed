import { and, eq, inArray, or, type SQL, sql } from "drizzle-orm";
import type { Database } from "../../db/database";
import { codexItems, codexServerRequests, codexThreadMessages, codexThreads, codexTurns } from "../../db/schema/codex";
import type { Context } from "../context";
import { isUuid, namedMessageId } from "./ids";
import type { Worker } from "./worker-state";

export type ThreadRow = typeof codexThreads.$inferSelect;
export type TurnRow = typeof codexTurns.$inferSelect;
export type ItemRow = Omit<typeof codexItems.$inferSelect, "id">;
export type MessageRow = Omit<typeof codexThreadMessages.$inferSelect, "ordinal">;
export type ServerRequestRow = typeof codexServerRequests.$inferSelect;

/** A row as this transaction leaves it. */
export interface Draft<Row> {
  row: Row;
  /** Not in the table yet. */
  fresh: boolean;
  dirty: boolean;
}

/** A row with a long text that is not read: while `kept`, `row.text` is what is added to the stored one. */
export interface TextDraft<Row> extends Draft<Row> {
  kept: boolean;
  /** Whether the stored text says anything. */
  stored: boolean;
}

/**
 * The part of the read-model that a batch of events touches, in memory: read by few statements, changed by the reducers of
 * `projection*.ts`, written by few statements (`book-save.ts`). So a hundred deltas cost as much as one.
 */
export interface Book {
  worker: Worker;
  now: Date;
  /** Thread ids by what events call them: ours or Codex's. */
  names: Map<string, string>;
  /** Thread ids that belong to somebody else. */
  foreign: Set<string>;
  threads: Map<string, Draft<ThreadRow>>;
  turns: Map<string, Draft<TurnRow>>;
  items: Map<string, TextDraft<ItemRow>>;
  /** The last position in a turn. */
  positions: Map<string, number>;
  messages: Map<string, TextDraft<MessageRow>>;
  serverRequests: Map<string, Draft<ServerRequestRow>>;
  /** Messages to delete, and threads whose counters are counted anew. */
  dropped: Set<string>;
  recount: Set<string>;
}

/** What events name; the book holds the rows behind it. */
export interface Wanted {
  threads: Set<string>;
  turns: Set<string>;
  items: Set<string>;
  /** Message ids that Codex or phones name. */
  clients: Set<string>;
  serverRequests: Set<string>;
  /** Whether turns end in this batch: then what is open in them is needed too. */
  closes: boolean;
  /** Whether the worker's process ended: then everything open on it is needed. */
  exits: boolean;
}

export const nothingWanted = (): Wanted => ({
  threads: new Set(),
  turns: new Set(),
  items: new Set(),
  clients: new Set(),
  serverRequests: new Set(),
  closes: false,
  exits: false,
});

export const itemKey = (turnId: string, itemId: string) => `${turnId}\n${itemId}`;

/** Opens the book for a locked worker: its threads are locked and named, nothing else is read yet. */
export async function openBook(db: Database, worker: Worker, now: Date, wanted: Wanted): Promise<Book> {
  const book: Book = {
    worker,
    now,
    names: new Map(),
    foreign: new Set(),
    threads: new Map(),
    turns: new Map(),
    items: new Map(),
    positions: new Map(),
    messages: new Map(),
    serverRequests: new Map(),
    dropped: new Set(),
    recount: new Set(),
  };
  const refs = [...wanted.threads];
  const uuids = refs.filter(isUuid);
  const open = sql`${codexThreads.workerPk} = ${worker.id}::uuid and exists (select 1 from codex_turns u
    where u.thread_id = "codex_threads"."thread_id" and u.status = 'in_progress')`;
  const any: (SQL | undefined)[] = [
    refs.length ? inArray(codexThreads.threadId, refs) : undefined,
    uuids.length ? inArray(codexThreads.codexThreadId, uuids) : undefined,
    wanted.exits ? open : undefined,
  ];
  if (!any.some(Boolean)) return book;
  const rows = await db
    .select()
    .from(codexThreads)
    .where(and(eq(codexThreads.userId, worker.ownerUserId), or(...any)))
    .orderBy(codexThreads.threadId)
    .for("update");
  for (const row of rows) addThread(book, { row, fresh: false, dirty: false });
  const unknown = refs.filter((ref) => !book.names.has(ref));
  if (!unknown.length) return book;
  const others = await db
    .select({ threadId: codexThreads.threadId })
    .from(codexThreads)
    .where(inArray(codexThreads.threadId, unknown));
  for (const { threadId } of others) book.foreign.add(threadId);
  return book;
}

/** Puts a thread into the book under both its names. Codex's name wins where both exist (codex-chat 3.7). */
export function addThread(book: Book, draft: Draft<ThreadRow>): Draft<ThreadRow> {
  const { threadId, codexThreadId } = draft.row;
  book.threads.set(threadId, draft);
  if (!book.names.has(threadId)) book.names.set(threadId, threadId);
  if (codexThreadId) book.names.set(codexThreadId, threadId);
  return draft;
}

/** Reads the turns, items, messages and questions that the events name, in the threads of the book. */
export async function fillBook(ctx: Context, db: Database, book: Book, wanted: Wanted): Promise<void> {
  const threads = [...book.threads.keys()];
  if (!threads.length) return fillServerRequests(db, book, threads, wanted, wanted.exits);
  const turnRefs = [...wanted.turns];
  const turns = await db
    .select()
    .from(codexTurns)
    .where(
      and(
        inArray(codexTurns.threadId, threads),
        or(
          inArray(codexTurns.status, ["queued", "in_progress"]),
          turnRefs.length ? inArray(codexTurns.codexTurnId, turnRefs) : undefined,
          turnRefs.length ? inArray(codexTurns.id, turnRefs) : undefined,
        ),
      ),
    );
  for (const row of turns) book.turns.set(row.id, { row, fresh: false, dirty: false });
  const turnIds = turns.map(({ id }) => id);
  const closes = wanted.closes || wanted.exits;
  // Together: on Postgres they share a round trip.
  await Promise.all([
    fillItems(ctx, db, book, turnIds, [...wanted.items], closes),
    fillMessages(db, book, threads, turnIds, wanted, closes),
    fillServerRequests(db, book, threads, wanted, closes),
  ]);
}

async function fillItems(
  ctx: Context,
  db: Database,
  book: Book,
  turnIds: string[],
  itemIds: string[],
  closes: boolean,
): Promise<void> {
  if (!turnIds.length || (!itemIds.length && !closes)) return;
  const rows = await db
    .select({ ...itemColumns, stored: sql<boolean>`${codexItems.text} <> ''` })
    .from(codexItems)
    .where(
      and(
        inArray(codexItems.turnId, turnIds),
        or(
          itemIds.length ? inArray(codexItems.itemId, itemIds) : undefined,
          closes ? eq(codexItems.status, "in_progress") : undefined,
        ),
      ),
    );
  for (const { stored, ...row } of rows) {
    const draft = { row: { ...row, text: "" }, fresh: false, dirty: false, kept: true, stored };
    book.items.set(itemKey(row.turnId, row.itemId), draft);
  }
  const found = new Set(rows.map(({ itemId }) => itemId));
  if (itemIds.every((id) => found.has(id))) return;
  const last = await ctx.store.rows<{ turn_id: string; position: number }>(
    sql`select turn_id, max(position)::int as position from codex_items
      where ${inArray(codexItems.turnId, turnIds)} group by turn_id`,
    db,
  );
  for (const { turn_id, position } of last) book.positions.set(turn_id, position);
}

const itemColumns = {
  threadId: codexItems.threadId,
  turnId: codexItems.turnId,
  itemId: codexItems.itemId,
  position: codexItems.position,
  type: codexItems.type,
  status: codexItems.status,
  payload: codexItems.payload,
  startedAt: codexItems.startedAt,
  completedAt: codexItems.completedAt,
};

async function fillMessages(
  db: Database,
  book: Book,
  threads: string[],
  turnIds: string[],
  wanted: Wanted,
  closes: boolean,
): Promise<void> {
  const itemIds = [...wanted.items];
  const ids = [...wanted.clients].flatMap((id) => [id, ...threads.map((thread) => namedMessageId(thread, id))]);
  const any = [
    turnIds.length && itemIds.length
      ? and(inArray(codexThreadMessages.turnId, turnIds), inArray(codexThreadMessages.itemId, itemIds))
      : undefined,
    ids.length ? inArray(codexThreadMessages.messageId, ids) : undefined,
    closes && turnIds.length
      ? and(inArray(codexThreadMessages.turnId, turnIds), eq(codexThreadMessages.streaming, true))
      : undefined,
  ];
  if (!any.some(Boolean)) return;
  const rows = await db
    .select({
      messageId: codexThreadMessages.messageId,
      threadId: codexThreadMessages.threadId,
      userId: codexThreadMessages.userId,
      role: codexThreadMessages.role,
      turnId: codexThreadMessages.turnId,
      itemId: codexThreadMessages.itemId,
      requestId: codexThreadMessages.requestId,
      streaming: codexThreadMessages.streaming,
      createdAt: codexThreadMessages.createdAt,
      updatedAt: codexThreadMessages.updatedAt,
      stored: sql<boolean>`${codexThreadMessages.text} <> ''`,
    })
    .from(codexThreadMessages)
    .where(and(inArray(codexThreadMessages.threadId, threads), or(...any)));
  for (const { stored, ...row } of rows) {
    book.messages.set(row.messageId, { row: { ...row, text: "" }, fresh: false, dirty: false, kept: true, stored });
  }
}

async function fillServerRequests(
  db: Database,
  book: Book,
  threads: string[],
  wanted: Wanted,
  closes: boolean,
): Promise<void> {
  const ids = [...wanted.serverRequests];
  if (!ids.length && !closes) return;
  const rows = await db
    .select()
    .from(codexServerRequests)
    .where(
      and(
        eq(codexServerRequests.workerPk, book.worker.id),
        or(
          ids.length ? inArray(codexServerRequests.serverRequestId, ids) : undefined,
          closes
            ? and(
                eq(codexServerRequests.status, "pending"),
                wanted.exits ? undefined : inArray(codexServerRequests.threadId, threads),
              )
            : undefined,
        ),
      ),
    );
  for (const row of rows) book.serverRequests.set(row.serverRequestId, { row, fresh: false, dirty: false });
}
