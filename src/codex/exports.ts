import { and, asc, desc, eq, isNull, ne } from "drizzle-orm";
import type { Database } from "../../db/database";
import { codexThreads, codexWorkers } from "../../db/schema/codex";
import type { Context, Unit } from "../context";
import { isShared } from "./ids";
import { cut, type Json, textOf } from "./json";
import { type LinkState, linkState, userLinkState } from "./policy";
import { heartbeatState, preferredWorker, type RankedWorker, type Worker } from "./worker-state";
import { workersOf } from "./workers";

/** A conversation of `GET /api/me` (auth 2.7). */
export interface ChatThread {
  id: string;
  title: string;
  updatedAt: string;
}

const sixDigits = (instant: Date) => `${instant.toISOString().slice(0, -1)}000Z`;

/**
 * A person's conversations for `GET /api/me`: threads with a message, the latest first, and the newest empty one among them
 * (auth 2.7). At most `limit`.
 */
export async function chatThreads(ctx: Context, userId: number, limit: number): Promise<ChatThread[]> {
  const mine = and(eq(codexThreads.userId, userId), isNull(codexThreads.archivedAt));
  const columns = {
    id: codexThreads.threadId,
    title: codexThreads.title,
    preview: codexThreads.preview,
    updatedAt: codexThreads.updatedAt,
  };
  const [spoken, empty] = await Promise.all([
    ctx.db
      .select(columns)
      .from(codexThreads)
      .where(and(mine, ne(codexThreads.messageCount, 0)))
      .orderBy(desc(codexThreads.updatedAt), asc(codexThreads.threadId))
      .limit(limit),
    ctx.db
      .select(columns)
      .from(codexThreads)
      .where(and(mine, eq(codexThreads.messageCount, 0)))
      .orderBy(desc(codexThreads.createdAt), asc(codexThreads.threadId))
      .limit(1),
  ]);
  return shownThreads([...spoken, ...empty], limit);
}

/** How a conversation began, as long as a title is: the first line of its first message. */
const beginning = (preview: string | null): string => cut(preview?.trim().split("\n", 1)[0]?.trim() ?? "", 80);

/** Threads as `GET /api/me` lists them: the latest first. */
export const shownThreads = (
  threads: { id: string; title: string | null; preview: string | null; updatedAt: Date }[],
  limit: number,
): ChatThread[] =>
  threads
    .toSorted((a, b) => b.updatedAt.getTime() - a.updatedAt.getTime())
    .slice(0, limit)
    .map(({ id, title, preview, updatedAt }) => ({
      id,
      title: title?.trim() || beginning(preview) || "New conversation",
      updatedAt: sixDigits(updatedAt),
    }));

/** As much of a worker as its person's account is told from. */
export type AccessWorker = RankedWorker & Pick<Worker, "authState">;

/** A person's Codex account as `GET /api/me` shows it (auth 3.10). */
export interface CodexAccess {
  status: "no_worker" | "worker_offline" | "not_linked" | "ready";
  workerId: string | null;
  account: { type: string; email: null; planType: string | null } | null;
  linkState: LinkState;
  chatgptLinked: boolean;
  checkedAt: string | null;
  policy: "chatgpt_required" | "off";
}

export const codexAccess = async (ctx: Context, userId: number): Promise<CodexAccess> =>
  accessOf(ctx, await workersOf(ctx.db, userId));

/** What the person's workers say of the account. */
export function accessOf(ctx: Context, workers: AccessWorker[]): CodexAccess {
  const now = ctx.now();
  const staleAfter = ctx.config.OA_CODEX_HEARTBEAT_STALE_AFTER_MS;
  const preferred = preferredWorker(workers, now, staleAfter);
  const link = userLinkState(workers);
  const required = ctx.config.OA_CODEX_REQUIRE_CHATGPT_ACCOUNT;
  const telling = workers.filter(({ authState }) => authState !== null && linkState(authState) === link);
  const report = newest(telling);
  const checkedAt = textOf(newest(workers)?.observed_at);
  const offline = preferred !== null && heartbeatState(preferred, now, staleAfter) !== "fresh";
  const running = workers.some(({ status }) => status !== "stopped");
  return {
    status: !running
      ? "no_worker"
      : offline
        ? "worker_offline"
        : required && link === "unlinked"
          ? "not_linked"
          : "ready",
    workerId: preferred?.workerId ?? null,
    account: accountOf(report),
    linkState: link,
    chatgptLinked: link === "linked",
    checkedAt,
    policy: required ? "chatgpt_required" : "off",
  };
}

const newest = (workers: AccessWorker[]): Json | null =>
  workers
    .map(({ authState }) => authState)
    .filter((state) => state !== null)
    .sort((a, b) => String(b.observed_at ?? "").localeCompare(String(a.observed_at ?? "")))[0] ?? null;

function accountOf(report: Json | null): CodexAccess["account"] {
  const mode = textOf(report?.auth_mode);
  if (mode === null) return null;
  const type = mode.startsWith("chatgpt") ? "chatgpt" : "apiKey";
  return { type, email: null, planType: textOf(report?.plan_type) };
}

/** Primary key and owner of the worker that a user means by an id; null when there is none (khala 3.1). */
export async function workerOwner(
  ctx: Context,
  userId: number,
  workerId: string,
): Promise<{ pk: string; userId: number } | null> {
  const [row] = await ctx.db
    .select({ pk: codexWorkers.id, userId: codexWorkers.ownerUserId })
    .from(codexWorkers)
    .where(
      and(eq(codexWorkers.workerId, workerId), isShared(workerId) ? eq(codexWorkers.ownerUserId, userId) : undefined),
    );
  return row ?? null;
}

/** Whether somebody else's worker has this id, so that a machine of this user cannot take it (remote-control 2). */
export async function isForeignWorker(db: Database, userId: number, workerId: string): Promise<boolean> {
  if (isShared(workerId)) return false;
  const [row] = await db
    .select({ userId: codexWorkers.ownerUserId })
    .from(codexWorkers)
    .where(eq(codexWorkers.workerId, workerId));
  return row !== undefined && row.userId !== userId;
}

/** Marks a worker offline whose token was taken away: nobody beats for it any more (remote-control 2). */
export const markWorkerOffline = (unit: Unit, userId: number, workerId: string) =>
  unit.db
    .update(codexWorkers)
    .set({ lastHeartbeatAt: null })
    .where(and(eq(codexWorkers.ownerUserId, userId), eq(codexWorkers.workerId, workerId)));
