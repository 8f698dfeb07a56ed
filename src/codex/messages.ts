import { and, desc, eq, lt, or } from "drizzle-orm";
import type { Database } from "../../db/database";
import { codexThreadMessages } from "../../db/schema/codex";
import type { Context } from "../context";
import { invalid } from "../refusal";
import type { Message, MessagePage } from "./contract";
import { requireThread } from "./threads";
import { milliseconds } from "./times";

export type MessageRow = typeof codexThreadMessages.$inferSelect;

const messageView = (row: MessageRow): Message => ({
  message_id: row.messageId,
  thread_id: row.threadId,
  role: row.role,
  text: row.text,
  created_at: milliseconds(row.createdAt),
  turn_id: row.turnId,
  item_id: row.itemId,
  streaming: row.streaming,
});

/** Messages of a thread, ascending: the newest `limit`, or those before a message (codex-chat 2.10). */
export async function readMessages(
  db: Database,
  threadId: string,
  { limit = 500, before }: MessagePage,
): Promise<{ rows: MessageRow[]; more: boolean }> {
  const rows = await db
    .select()
    .from(codexThreadMessages)
    .where(and(eq(codexThreadMessages.threadId, threadId), before ? await earlier(db, threadId, before) : undefined))
    .orderBy(desc(codexThreadMessages.createdAt), desc(codexThreadMessages.ordinal))
    .limit(limit + 1);
  return { rows: rows.slice(0, limit).reverse(), more: rows.length > limit };
}

async function earlier(db: Database, threadId: string, messageId: string) {
  const [place] = await db
    .select({ createdAt: codexThreadMessages.createdAt, ordinal: codexThreadMessages.ordinal })
    .from(codexThreadMessages)
    .where(and(eq(codexThreadMessages.threadId, threadId), eq(codexThreadMessages.messageId, messageId)));
  if (!place) throw invalid("before", "The selected before is invalid.");
  return or(
    lt(codexThreadMessages.createdAt, place.createdAt),
    and(eq(codexThreadMessages.createdAt, place.createdAt), lt(codexThreadMessages.ordinal, place.ordinal)),
  );
}

/** The caller's messages of a thread; the organisation is not asked here. */
export async function listMessages(ctx: Context, userId: number, threadId: string, page: MessagePage) {
  await requireThread(ctx.db, userId, threadId);
  return messagesView(ctx.db, threadId, page);
}

export async function messagesView(db: Database, threadId: string, page: MessagePage) {
  const { rows, more } = await readMessages(db, threadId, page);
  return { thread_id: threadId, messages: rows.map(messageView), has_more: more };
}

/** When a message was stored; null when it is gone. */
export async function writtenAt(db: Database, messageId: string): Promise<Date | null> {
  const [row] = await db
    .select({ createdAt: codexThreadMessages.createdAt })
    .from(codexThreadMessages)
    .where(eq(codexThreadMessages.messageId, messageId));
  return row?.createdAt ?? null;
}
