import { inArray, sql } from "drizzle-orm";
import type { Database } from "../../db/database";
import { codexItems, codexServerRequests, codexThreadMessages, codexThreads, codexTurns } from "../../db/schema/codex";
import type { Book, Draft } from "./book";
import { outputKept } from "./projection-items";

/**
 * Writes what the reducers changed: for each table at most one insert and one update, whatever the number of rows. What does
 * not refer to each other goes together, which on Postgres is one round trip.
 */
export async function saveBook(db: Database, book: Book): Promise<void> {
  await saveThreads(db, book);
  await saveTurns(db, book);
  await Promise.all([saveItems(db, book), saveMessages(db, book), saveServerRequests(db, book)]);
  if (book.recount.size) await recount(db, [...book.recount]);
}

const fresh = <D extends Draft<object>>(drafts: Map<string, D>): D[] => [...drafts.values()].filter((d) => d.fresh);
const changed = <D extends Draft<object>>(drafts: Map<string, D>): D[] =>
  [...drafts.values()].filter((d) => d.dirty && !d.fresh);

/** Rows for `jsonb_to_recordset`: instants as text, everything else as it is. */
const records = (rows: object[]) => sql`${JSON.stringify(rows)}::jsonb`;

async function saveThreads(db: Database, { threads }: Book): Promise<void> {
  const made = fresh(threads);
  if (made.length) await db.insert(codexThreads).values(made.map(({ row }) => row));
  // A name that a thread gave up is free before another takes it.
  const rows = changed(threads).sort(
    (a, b) => Number(b.row.codexThreadId === null) - Number(a.row.codexThreadId === null),
  );
  const given = rows.filter(({ row }) => row.codexThreadId === null);
  const taken = rows.filter(({ row }) => row.codexThreadId !== null);
  for (const group of [given, taken]) {
    if (!group.length) continue;
    await db.execute(sql`
      update codex_threads t set
        title = v."title", worker_pk = v."workerPk", codex_thread_id = v."codexThreadId",
        codex_session_id = v."codexSessionId", status = v."status", active_turn_id = v."activeTurnId", model = v."model",
        model_provider = v."modelProvider", cwd = v."cwd", preview = v."preview", message_count = v."messageCount",
        last_message_at = v."lastMessageAt", token_usage = v."tokenUsage", archived_at = v."archivedAt",
        updated_at = v."updatedAt"
      from jsonb_to_recordset(${records(group.map(({ row }) => row))}) as v(
        "threadId" text, "title" text, "workerPk" uuid, "codexThreadId" text, "codexSessionId" text, "status" text,
        "activeTurnId" text, "model" text, "modelProvider" text, "cwd" text, "preview" text, "messageCount" int,
        "lastMessageAt" timestamptz, "tokenUsage" jsonb, "archivedAt" timestamptz, "updatedAt" timestamptz)
      where t.thread_id = v."threadId"`);
  }
}

async function saveTurns(db: Database, { turns, now }: Book): Promise<void> {
  const made = fresh(turns);
  const rows = changed(turns);
  if (rows.length) {
    await db.execute(sql`
      update codex_turns t set
        codex_turn_id = v."codexTurnId", status = v."status", model = v."model", effort = v."effort", error = v."error",
        plan = v."plan", token_usage = v."tokenUsage", diff = v."diff", merged_into_turn_id = v."mergedIntoTurnId",
        interrupt_requested_at = v."interruptRequestedAt", started_at = v."startedAt", completed_at = v."completedAt", duration_ms = v."durationMs",
        updated_at = ${now.toISOString()}::timestamptz
      from jsonb_to_recordset(${records(rows.map(({ row }) => row))}) as v(
        "id" text, "codexTurnId" text, "status" text, "model" text, "effort" text, "error" jsonb, "plan" jsonb,
        "tokenUsage" jsonb, "diff" text, "mergedIntoTurnId" text, "interruptRequestedAt" timestamptz,
        "startedAt" timestamptz, "completedAt" timestamptz, "durationMs" bigint)
      where t.id = v."id"`);
  }
  if (made.length) await db.insert(codexTurns).values(made.map(({ row }) => row));
}

async function saveItems(db: Database, { items }: Book): Promise<void> {
  const made = fresh(items);
  if (made.length) await db.insert(codexItems).values(made.map(({ row }) => row));
  const rows = changed(items);
  if (!rows.length) return;
  await db.execute(sql`
    update codex_items i set
      status = v."status", payload = v."payload", started_at = v."startedAt", completed_at = v."completedAt",
      text = case when not v."kept" then v."text" when v."text" = '' then i.text
        when i.type = 'commandExecution' then right(i.text || v."text", ${outputKept}::int) else i.text || v."text" end
    from jsonb_to_recordset(${records(rows.map(({ row, kept }) => ({ ...row, kept })))}) as v(
      "turnId" text, "itemId" text, "status" text, "payload" jsonb, "startedAt" timestamptz, "completedAt" timestamptz,
      "text" text, "kept" boolean)
    where i.turn_id = v."turnId" and i.item_id = v."itemId"`);
}

async function saveMessages(db: Database, { messages, dropped }: Book): Promise<void> {
  if (dropped.size) {
    await db.delete(codexThreadMessages).where(inArray(codexThreadMessages.messageId, [...dropped]));
  }
  const made = fresh(messages);
  if (made.length) await db.insert(codexThreadMessages).values(made.map(({ row }) => row));
  const rows = changed(messages).filter(({ row }) => !dropped.has(row.messageId));
  if (!rows.length) return;
  await db.execute(sql`
    update codex_thread_messages m set
      text = case when not v."kept" then v."text" when v."text" = '' then m.text else m.text || v."text" end,
      turn_id = v."turnId", item_id = v."itemId", streaming = v."streaming", updated_at = v."updatedAt"
    from jsonb_to_recordset(${records(rows.map(({ row, kept }) => ({ ...row, kept })))}) as v(
      "messageId" text, "turnId" text, "itemId" text, "streaming" boolean, "updatedAt" timestamptz, "text" text,
      "kept" boolean)
    where m.message_id = v."messageId"`);
}

async function saveServerRequests(db: Database, { serverRequests }: Book): Promise<void> {
  const made = fresh(serverRequests);
  if (made.length) {
    await db
      .insert(codexServerRequests)
      .values(made.map(({ row }) => row))
      .onConflictDoNothing();
  }
  const rows = changed(serverRequests);
  if (!rows.length) return;
  await db.execute(sql`
    update codex_server_requests s set status = v."status", decision = v."decision", resolved_at = v."resolvedAt"
    from jsonb_to_recordset(${records(rows.map(({ row }) => row))}) as v(
      "serverRequestId" text, "status" text, "decision" jsonb, "resolvedAt" timestamptz)
    where s.server_request_id = v."serverRequestId"`);
}

const recount = (db: Database, threadIds: string[]) =>
  db.execute(sql`
    update codex_threads t set message_count = c.count, last_message_at = c.last
    from (select t.thread_id, count(m.message_id)::int as count, max(m.created_at) as last
      from codex_threads t left join codex_thread_messages m on m.thread_id = t.thread_id
      where ${inArray(sql`t.thread_id`, threadIds)} group by t.thread_id) c
    where t.thread_id = c.thread_id`);
