import { and, desc, eq, gt, ilike, isNotNull, isNull, lt, or, type SQL, sql } from "drizzle-orm";
import type { Database } from "../../db/database";
import { codexThreads, codexWorkers } from "../../db/schema/codex";
import { forbidden, invalid, notFound } from "../refusal";
import type { Thread, ThreadPage } from "./contract";
import { milliseconds, millisecondsOrNull, rfc3339 } from "./times";

export type ThreadRow = typeof codexThreads.$inferSelect;

export const foreignThread = () => forbidden("Requested thread is not available.");
export const unknownThread = () => notFound("Thread not found.");

/** A thread as every reader sees it (codex-chat 2.8). */
export const threadView = (row: ThreadRow, workerId: string | null): Thread => ({
  thread_id: row.threadId,
  user_id: String(row.userId),
  org_id: row.orgId,
  created_at: milliseconds(row.createdAt),
  updated_at: milliseconds(row.updatedAt),
  message_count: row.messageCount,
  last_message_at: millisecondsOrNull(row.lastMessageAt),
  title: row.title,
  autopilot_id: row.autopilotId,
  status: row.status,
  active_turn_id: row.activeTurnId,
  worker_id: workerId,
  codex_thread_id: row.codexThreadId,
  model: row.model,
  preview: row.preview,
});

export interface ThreadWithWorker {
  thread: ThreadRow;
  workerId: string | null;
}

/** The caller's thread. 404 when there is none, 403 when it is somebody else's. */
export async function requireThread(db: Database, userId: number, threadId: string): Promise<ThreadWithWorker> {
  const [found] = await db
    .select({ thread: codexThreads, workerId: codexWorkers.workerId })
    .from(codexThreads)
    .leftJoin(codexWorkers, eq(codexWorkers.id, codexThreads.workerPk))
    .where(eq(codexThreads.threadId, threadId));
  if (!found) throw unknownThread();
  if (found.thread.userId !== userId) throw foreignThread();
  return found;
}

/** The same with the row locked; null when there is none. */
export async function lockThread(db: Database, userId: number, threadId: string): Promise<ThreadRow | null> {
  const [row] = await db.select().from(codexThreads).where(eq(codexThreads.threadId, threadId)).for("update");
  if (row && row.userId !== userId) throw foreignThread();
  return row ?? null;
}

/** The locked thread, made when nobody has the id. */
export async function lockOrStartThread(
  db: Database,
  now: Date,
  wanted: Pick<ThreadRow, "threadId" | "userId" | "orgId"> & Partial<ThreadRow>,
): Promise<ThreadRow> {
  const known = await lockThread(db, wanted.userId, wanted.threadId);
  if (known) return known;
  const [made] = await db
    .insert(codexThreads)
    .values({ createdAt: now, updatedAt: now, ...wanted })
    .onConflictDoNothing()
    .returning();
  const row = made ?? (await lockThread(db, wanted.userId, wanted.threadId));
  if (!row) throw unknownThread();
  return row;
}

const cursorOf = ({ updatedAt, threadId }: ThreadRow) =>
  Buffer.from(JSON.stringify([updatedAt.toISOString(), threadId])).toString("base64url");

/** Rows behind the place that a cursor of `cursorOf` names. */
function behind(cursor: string): SQL | undefined {
  try {
    const [at, threadId] = JSON.parse(Buffer.from(cursor, "base64url").toString()) as [unknown, unknown];
    const instant = rfc3339(at);
    if (!instant || typeof threadId !== "string") throw new TypeError("no cursor");
    return or(
      lt(codexThreads.updatedAt, instant),
      and(eq(codexThreads.updatedAt, instant), gt(codexThreads.threadId, threadId)),
    );
  } catch {
    throw invalid("cursor", "The selected cursor is invalid.");
  }
}

export interface ThreadQuery extends ThreadPage {
  archived?: boolean;
  search?: string | null;
}

/** The caller's threads in an organisation, the latest changed first (codex-chat 2.8). */
export async function listThreads(
  db: Database,
  userId: number,
  orgId: string,
  { limit = 200, cursor, archived = false, search }: ThreadQuery,
): Promise<{ rows: ThreadWithWorker[]; nextCursor: string | null }> {
  const words = search ? `%${search.replace(/[\\%_]/g, "\\$&")}%` : null;
  const rows = await db
    .select({ thread: codexThreads, workerId: codexWorkers.workerId })
    .from(codexThreads)
    .leftJoin(codexWorkers, eq(codexWorkers.id, codexThreads.workerPk))
    .where(
      and(
        eq(codexThreads.userId, userId),
        eq(codexThreads.orgId, orgId),
        archived ? isNotNull(codexThreads.archivedAt) : isNull(codexThreads.archivedAt),
        words ? or(ilike(codexThreads.title, words), ilike(codexThreads.preview, words)) : undefined,
        cursor ? behind(cursor) : undefined,
      ),
    )
    .orderBy(desc(codexThreads.updatedAt), codexThreads.threadId)
    .limit(limit + 1);
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { rows: page, nextCursor: rows.length > limit && last ? cursorOf(last.thread) : null };
}

/** One page as the thread list prints it. */
export async function threadPage(db: Database, userId: number, orgId: string, query: ThreadQuery) {
  const { rows, nextCursor } = await listThreads(db, userId, orgId, query);
  return { threads: rows.map(({ thread, workerId }) => threadView(thread, workerId)), next_cursor: nextCursor };
}

/** Moves a thread's counters with a message that was stored in the same transaction (codex-chat 3.7). */
export const countMessage = (db: Database, threadId: string, now: Date, preview: string, more: Partial<ThreadRow>) =>
  db
    .update(codexThreads)
    .set({
      messageCount: sql`${codexThreads.messageCount} + 1`,
      lastMessageAt: now,
      updatedAt: now,
      preview: sql`coalesce(nullif(${codexThreads.preview}, ''), ${preview})`,
      ...more,
    })
    .where(eq(codexThreads.threadId, threadId))
    .returning();
