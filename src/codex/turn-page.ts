import { and, asc, desc, eq, gte, inArray, lt, or, type SQL, sql } from "drizzle-orm";
import type { Database } from "../../db/database";
import { codexItems, codexServerRequests, codexThreadMessages, codexTurns } from "../../db/schema/codex";
import { invalid } from "../refusal";
import type { Turn, TurnPage } from "./contract";
import { itemView, messageView, serverRequestView, type TurnRow, turnView } from "./turn-view";

/** Turns ascending, and where the page before them ends: before that turn, or before that item in it. */
export interface Turns {
  turns: Turn[];
  nextCursor: string | null;
  nextItem: number | null;
}

/** Which items of a turn a page has: those from `from` on and before `to`. */
interface Slice {
  from: number;
  to: number | null;
}

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

/**
 * Turns of a thread with all that belongs to them, ascending: the newest `limit`, or those before a turn. With `items`, fewer
 * turns where they are long: the page has about so many items, and its oldest turn may be without its first ones. What the
 * person wrote is in the page nevertheless.
 */
export async function readTurns(db: Database, threadId: string, page: TurnPage): Promise<Turns> {
  const { limit = 20, before, before_item: beforeItem } = page;
  const end = before ? await endOf(db, threadId, before, beforeItem !== undefined) : undefined;
  const rows = await db
    .select()
    .from(codexTurns)
    .where(and(eq(codexTurns.threadId, threadId), end))
    .orderBy(desc(codexTurns.createdAt), desc(codexTurns.id))
    .limit(limit + 1);
  if (!rows.length) return { turns: [], nextCursor: null, nextItem: null };
  const slices = new Map<string, Slice>();
  if (before && beforeItem !== undefined) slices.set(before, { from: 0, to: beforeItem });
  const fitting = await fit(db, rows.slice(0, limit), slices, page.items);
  const turns = fitting.rows.reverse();
  const oldest = turns[0]?.id ?? null;
  return {
    turns: await fill(db, threadId, turns, slices),
    nextCursor: fitting.cut !== null || turns.length < rows.length ? oldest : null,
    nextItem: fitting.cut,
  };
}

/** The turns before a turn, or up to it where the page ends inside. */
async function endOf(db: Database, threadId: string, turnId: string, inside: boolean): Promise<SQL | undefined> {
  const [place] = await db
    .select({ createdAt: codexTurns.createdAt })
    .from(codexTurns)
    .where(and(eq(codexTurns.threadId, threadId), eq(codexTurns.id, turnId)));
  if (!place) throw invalid("before", "The selected before is invalid.");
  return or(
    lt(codexTurns.createdAt, place.createdAt),
    and(eq(codexTurns.createdAt, place.createdAt), lt(codexTurns.id, turnId)),
    inside ? eq(codexTurns.id, turnId) : undefined,
  );
}

/** The newest of these turns that have about `most` items together; the last of them is cut where that fills the page. */
async function fit(db: Database, rows: TurnRow[], slices: Map<string, Slice>, most: number | undefined) {
  if (most === undefined) return { rows, cut: null };
  const ids = rows.map(({ id }) => id);
  const ends = [...slices].map(([id, { to }]) =>
    and(eq(codexItems.turnId, id), gte(codexItems.position, to as number)),
  );
  const counted = await db
    .select({ turnId: codexItems.turnId, count: sql<number>`count(*)::int` })
    .from(codexItems)
    .where(and(inArray(codexItems.turnId, ids), ...ends.map((end) => sql`not (${end})`)))
    .groupBy(codexItems.turnId);
  const counts = new Map(counted.map(({ turnId, count }) => [turnId, count]));
  const fitting: TurnRow[] = [];
  let left = most;
  for (const row of rows) {
    if (fitting.length && left <= 0) break;
    fitting.push(row);
    const count = counts.get(row.id) ?? 0;
    if (count > left) {
      const to = slices.get(row.id)?.to ?? null;
      const from = await positionFromEnd(db, row.id, left, to);
      slices.set(row.id, { from, to });
      return { rows: fitting, cut: from };
    }
    left -= count;
  }
  return { rows: fitting, cut: null };
}

/** Where the last `count` items of a turn begin. */
async function positionFromEnd(db: Database, turnId: string, count: number, to: number | null): Promise<number> {
  const [row] = await db
    .select({ position: codexItems.position })
    .from(codexItems)
    .where(and(eq(codexItems.turnId, turnId), to === null ? undefined : lt(codexItems.position, to)))
    .orderBy(desc(codexItems.position))
    .offset(Math.max(0, count - 1))
    .limit(1);
  return row?.position ?? 0;
}

async function fill(db: Database, threadId: string, turns: TurnRow[], slices: Map<string, Slice>): Promise<Turn[]> {
  const ids = turns.map(({ id }) => id);
  const whole = ids.filter((id) => !slices.has(id));
  const parts = [...slices].map(([id, { from, to }]) =>
    and(
      eq(codexItems.turnId, id),
      or(
        eq(codexItems.type, "userMessage"),
        and(gte(codexItems.position, from), to === null ? undefined : lt(codexItems.position, to)),
      ),
    ),
  );
  const [items, requests, messages] = await Promise.all([
    db
      .select()
      .from(codexItems)
      .where(or(whole.length ? inArray(codexItems.turnId, whole) : undefined, ...parts))
      .orderBy(asc(codexItems.position)),
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
  const shown = new Set(items.map(placeOf));
  // A question is on the page of what it is about; an open one is on the first page that has its turn.
  const asked = requests.filter(
    (row) =>
      !slices.has(row.turnId ?? "") || row.status === "pending" || row.itemId === null || shown.has(placeOf(row)),
  );
  const itemsOf = grouped(items, ({ turnId }) => turnId, itemView);
  const requestsOf = grouped(asked, ({ turnId }) => turnId, serverRequestView);
  const messagesOf = grouped(messages, ({ turnId }) => turnId, messageView);
  return turns.map((row) =>
    turnView(row, itemsOf.get(row.id) ?? [], requestsOf.get(row.id) ?? [], messagesOf.get(row.id) ?? []),
  );
}

const placeOf = ({ turnId, itemId }: { turnId: string | null; itemId: string | null }) => `${turnId}\n${itemId}`;
