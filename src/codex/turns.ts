import { and, asc, eq, gt, or, sql } from "drizzle-orm";
import type { Database } from "../../db/database";
import { codexItems, codexTurns, codexWorkers } from "../../db/schema/codex";
import type { Context } from "../context";
import { invalid } from "../refusal";
import type { ItemPage, ThreadSnapshot, TokenUsage, TurnPage } from "./contract";
import { requireThread, threadView } from "./threads";
import { rfc3339 } from "./times";
import { readTurns } from "./turn-page";
import { type ItemRow, itemView } from "./turn-view";

/**
 * A thread with its newest turns (codex-chat 2.9). Everything is read in one snapshot of the database, so that `event_seqs`
 * says exactly up to which event of each worker it is told.
 */
export const showThread = (ctx: Context, userId: number, threadId: string, page: TurnPage): Promise<ThreadSnapshot> =>
  ctx.db.transaction(
    async (tx) => {
      const db = tx as Database;
      const { thread, workerId } = await requireThread(db, userId, threadId);
      const [{ turns, nextCursor, nextItem }, workers] = await Promise.all([
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
        next_item: nextItem,
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
