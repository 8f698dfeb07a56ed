import { and, asc, desc, eq, gt, inArray, lt, or, sql } from "drizzle-orm";
import type { Database } from "../../db/database";
import { codexItems, codexServerRequests, codexThreadMessages, codexTurns, codexWorkers } from "../../db/schema/codex";
import type { Context } from "../context";
import { invalid } from "../refusal";
import type {
  Item,
  ItemPage,
  ServerRequest,
  ThreadSnapshot,
  TokenUsage,
  Turn,
  TurnMessage,
  TurnPage,
} from "./contract";
import { requireThread, threadView } from "./threads";
import { milliseconds, millisecondsOrNull, rfc3339 } from "./times";

type TurnRow = typeof codexTurns.$inferSelect;
type ItemRow = typeof codexItems.$inferSelect;
type ServerRequestRow = typeof codexServerRequests.$inferSelect;
type MessageRow = typeof codexThreadMessages.$inferSelect;

const itemView = (row: ItemRow): Item => ({
  item_id: row.itemId,
  type: row.type,
  status: row.status,
  text: row.text,
  payload: row.payload,
  position: row.position,
  started_at: millisecondsOrNull(row.startedAt),
  completed_at: millisecondsOrNull(row.completedAt),
});

const serverRequestView = (row: ServerRequestRow): ServerRequest => ({
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

const messageView = (
  row: Pick<MessageRow, "messageId" | "requestId" | "itemId" | "text" | "createdAt">,
): TurnMessage => ({
  message_id: row.messageId,
  request_id: row.requestId,
  item_id: row.itemId,
  text: row.text,
  created_at: milliseconds(row.createdAt),
});

const turnView = (row: TurnRow, items: Item[], serverRequests: ServerRequest[], messages: TurnMessage[]): Turn => ({
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

function grouped<Row, View>(rows: Row[], keyOf: (row: Row) => string | null, view: (row: Row) => View) {
  const groups = new Map<string, View[]>();
  for (const row of rows) {
    const key = keyOf(row) ?? "";
    const group = groups.get(key);
    if (group) group.push(view(row));
    else groups.set(key, [view(row)]);
  }
  return groups;
}

/** Turns of a thread with all that belongs to them, ascending: the newest `limit`, or those before a turn. */
export async function readTurns(db: Database, threadId: string, { limit = 20, before }: TurnPage) {
  const rows = await db
    .select()
    .from(codexTurns)
    .where(and(eq(codexTurns.threadId, threadId), before ? await earlier(db, threadId, before) : undefined))
    .orderBy(desc(codexTurns.createdAt), desc(codexTurns.id))
    .limit(limit + 1);
  const turns = rows.slice(0, limit).reverse();
  const ids = turns.map(({ id }) => id);
  if (!ids.length) return { turns: [], nextCursor: null };
  const [items, requests, messages] = await Promise.all([
    db.select().from(codexItems).where(inArray(codexItems.turnId, ids)).orderBy(asc(codexItems.position)),
    db
      .select()
      .from(codexServerRequests)
      .where(and(eq(codexServerRequests.threadId, threadId), inArray(codexServerRequests.turnId, ids)))
      .orderBy(asc(codexServerRequests.requestedAt), asc(codexServerRequests.serverRequestId)),
    db
      .select()
      .from(codexThreadMessages)
      .where(
        and(
          eq(codexThreadMessages.threadId, threadId),
          inArray(codexThreadMessages.turnId, ids),
          eq(codexThreadMessages.role, "user"),
        ),
      )
      .orderBy(asc(codexThreadMessages.createdAt), asc(codexThreadMessages.ordinal)),
  ]);
  const itemsOf = grouped(items, ({ turnId }) => turnId, itemView);
  const requestsOf = grouped(requests, ({ turnId }) => turnId, serverRequestView);
  const messagesOf = grouped(messages, ({ turnId }) => turnId, messageView);
  return {
    turns: turns.map((row) =>
      turnView(row, itemsOf.get(row.id) ?? [], requestsOf.get(row.id) ?? [], messagesOf.get(row.id) ?? []),
    ),
    nextCursor: rows.length > limit ? (turns[0]?.id ?? null) : null,
  };
}

async function earlier(db: Database, threadId: string, turnId: string) {
  const [place] = await db
    .select({ createdAt: codexTurns.createdAt })
    .from(codexTurns)
    .where(and(eq(codexTurns.threadId, threadId), eq(codexTurns.id, turnId)));
  if (!place) throw invalid("before", "The selected before is invalid.");
  return or(
    lt(codexTurns.createdAt, place.createdAt),
    and(eq(codexTurns.createdAt, place.createdAt), lt(codexTurns.id, turnId)),
  );
}

/**
 * A thread with its newest turns (codex-chat 2.9). Everything is read in one snapshot of the database, so that `event_seqs`
 * says exactly up to which event of each worker it is told.
 */
export const showThread = (ctx: Context, userId: number, threadId: string, page: TurnPage): Promise<ThreadSnapshot> =>
  ctx.db.transaction(
    async (tx) => {
      const db = tx as Database;
      const { thread, workerId } = await requireThread(db, userId, threadId);
      const [{ turns, nextCursor }, workers] = await Promise.all([
        readTurns(db, threadId, page),
        db
          .select({ workerId: codexWorkers.workerId, latestSeq: codexWorkers.latestSeq })
          .from(codexWorkers)
          .where(eq(codexWorkers.ownerUserId, userId)),
      ]);
      const { model_context_window: window = null, ...usage } = thread.tokenUsage ?? {};
      return {
        thread: threadView(thread, workerId),
        turns,
        next_cursor: nextCursor,
        event_seqs: Object.fromEntries(workers.map((worker) => [worker.workerId, worker.latestSeq])),
        token_usage: thread.tokenUsage ? (usage as TokenUsage) : null,
        model_context_window: window as number | null,
      };
    },
    { isolationLevel: "repeatable read", accessMode: "read only" },
  );

/** Items of a thread in the order of its turns (codex-chat 2.9). */
export async function listItems(ctx: Context, userId: number, threadId: string, page: ItemPage) {
  await requireThread(ctx.db, userId, threadId);
  const { limit = 200, cursor, turn_id } = page;
  const rows = await ctx.db
    .select({ item: codexItems, createdAt: codexTurns.createdAt })
    .from(codexItems)
    .innerJoin(codexTurns, eq(codexTurns.id, codexItems.turnId))
    .where(
      and(
        eq(codexItems.threadId, threadId),
        turn_id ? eq(codexItems.turnId, turn_id) : undefined,
        cursor ? behind(cursor) : undefined,
      ),
    )
    .orderBy(asc(codexTurns.createdAt), asc(codexTurns.id), asc(codexItems.position))
    .limit(limit + 1);
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const next = rows.length > limit && last ? cursorOf(last) : null;
  return { thread_id: threadId, items: shown.map(({ item }) => itemView(item)), next_cursor: next };
}

const cursorOf = ({ item, createdAt }: { item: ItemRow; createdAt: Date }) =>
  Buffer.from(JSON.stringify([createdAt.toISOString(), item.turnId, item.position])).toString("base64url");

function behind(cursor: string) {
  try {
    const [at, turnId, position] = JSON.parse(Buffer.from(cursor, "base64url").toString()) as unknown[];
    const instant = rfc3339(at);
    if (!instant || typeof turnId !== "string" || !Number.isInteger(position)) throw new TypeError("no cursor");
    const same = eq(codexTurns.createdAt, instant);
    return or(
      gt(codexTurns.createdAt, instant),
      and(same, gt(codexTurns.id, turnId)),
      and(same, eq(codexTurns.id, turnId), sql`${codexItems.position} > ${position}::int`),
    );
  } catch {
    throw invalid("cursor", "The selected cursor is invalid.");
  }
}
