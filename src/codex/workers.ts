import { and, desc, eq, inArray, like, not, or, type SQL, sql } from "drizzle-orm";
import type { Database } from "../../db/database";
import { codexWorkers, type WorkerStatus } from "../../db/schema/codex";
import type { Context } from "../context";
import type { Caller } from "../http/caller";
import { conflict, forbidden, invalid, notFound } from "../refusal";
import type { WorkerFilter, WorkerSnapshot } from "./contract";
import { codePoints } from "./json";
import { preferredWorker, type Worker, workerSnapshot } from "./worker-state";

/** 403: the worker belongs to somebody else, or a worker token names another worker (remote-control 2). */
export const foreignWorker = () => forbidden("worker does not belong to authenticated principal");
export const stoppedText = "worker is stopped; create or reattach to resume";
export const stoppedWorker = () => conflict(stoppedText);

const statuses: string[] = ["starting", "running", "stopping", "stopped", "failed"] satisfies WorkerStatus[];

/** Rows that `workerId` may mean for a user: his own, or the one owner of a name that is not shared. */
const named = (userId: number, workerId: string): SQL | undefined =>
  and(
    eq(codexWorkers.workerId, workerId),
    or(eq(codexWorkers.ownerUserId, userId), not(like(codexWorkers.workerId, "%:shared"))),
  );

/** A worker token reaches only the worker it was made for. */
export function admitWorker(caller: Caller, workerId: string): void {
  if (caller.workerId !== null && caller.workerId !== workerId) throw foreignWorker();
}

const staleAfter = (ctx: Context) => ctx.config.OA_CODEX_HEARTBEAT_STALE_AFTER_MS;

/** The caller's worker or null when nobody has that id; 403 for somebody else's. */
export async function findWorker(db: Database, caller: Caller, workerId: string): Promise<Worker | null> {
  admitWorker(caller, workerId);
  const [worker] = await db.select().from(codexWorkers).where(named(caller.user.id, workerId));
  if (worker && worker.ownerUserId !== caller.user.id) throw foreignWorker();
  return worker ?? null;
}

/** The same with the row locked until the transaction ends. Every change of a worker and its log starts with it. */
export async function lockWorker(db: Database, caller: Caller, workerId: string): Promise<Worker | null> {
  admitWorker(caller, workerId);
  const [worker] = await db.select().from(codexWorkers).where(named(caller.user.id, workerId)).for("update");
  if (worker && worker.ownerUserId !== caller.user.id) throw foreignWorker();
  return worker ?? null;
}

/** Locks workers by primary key, in ascending order. */
export const lockWorkers = (db: Database, pks: string[]): Promise<Worker[]> =>
  db.select().from(codexWorkers).where(inArray(codexWorkers.id, pks)).orderBy(codexWorkers.id).for("update");

/** What a new worker starts with; the rest are the table's defaults. */
export type WorkerParts = Partial<
  Pick<Worker, "workspaceRef" | "codexHomeRef" | "adapter" | "metadata" | "executorSessionId">
>;

/**
 * The locked worker, made when nobody has the id (codex-chat 2.2). Of two callers at once exactly one gets `created`.
 */
export async function lockOrProvision(
  db: Database,
  caller: Caller,
  workerId: string,
  now: Date,
  parts: WorkerParts = {},
): Promise<{ worker: Worker; created: boolean }> {
  const known = await lockWorker(db, caller, workerId);
  if (known) return { worker: known, created: false };
  // Ids of paths have passed no shape: what the column cannot hold names no worker.
  if (!workerId || codePoints(workerId) > 160) throw notFound();
  const [made] = await db
    .insert(codexWorkers)
    .values({
      id: crypto.randomUUID(),
      workerId,
      ownerUserId: caller.user.id,
      orgId: caller.activeOrgId,
      status: "running",
      startedAt: now,
      lastHeartbeatAt: now,
      createdAt: now,
      updatedAt: now,
      ...parts,
    })
    .onConflictDoNothing()
    .returning();
  if (made) return { worker: made, created: true };
  const winner = await lockWorker(db, caller, workerId);
  if (!winner) throw conflict("the worker was removed at the same time");
  return { worker: winner, created: false };
}

const pendingOf = sql<number>`(select count(*)::int from codex_control_requests r
  where r.worker_pk = "codex_workers"."id" and r.finished_at is null)`;

/** Requests of one worker that have no receipt yet. */
export async function countPending(ctx: Context, worker: Worker): Promise<number> {
  const [row] = await ctx.store.rows<{ count: number }>(sql`
    select count(*)::int as count from codex_control_requests
    where worker_pk = ${worker.id}::uuid and finished_at is null`);
  return row?.count ?? 0;
}

/** The caller's workers, the latest changed first. Nobody sees other people's, administrators neither. */
export async function listWorkers(ctx: Context, caller: Caller, filter: WorkerFilter): Promise<WorkerSnapshot[]> {
  const status = filter.status?.toLowerCase() ?? null;
  if (status !== null && !statuses.includes(status)) throw invalid("status", "The selected status is invalid.");
  const now = ctx.now();
  const rows = await ctx.db
    .select({ worker: codexWorkers, pending: pendingOf })
    .from(codexWorkers)
    .where(
      and(
        eq(codexWorkers.ownerUserId, caller.user.id),
        caller.workerId === null ? undefined : eq(codexWorkers.workerId, caller.workerId),
        status === null ? undefined : eq(codexWorkers.status, status as WorkerStatus),
        filter.workspace_ref ? eq(codexWorkers.workspaceRef, filter.workspace_ref) : undefined,
      ),
    )
    .orderBy(desc(codexWorkers.updatedAt), codexWorkers.workerId)
    .limit(filter.limit ?? 50);
  return rows.map(({ worker, pending }) => workerSnapshot(worker, pending, now, staleAfter(ctx)));
}

/** The caller's worker; 404 when nobody has the id. Never makes one. */
export async function requireWorker(ctx: Context, caller: Caller, workerId: string): Promise<Worker> {
  const worker = await findWorker(ctx.db, caller, workerId);
  if (!worker) throw notFound();
  return worker;
}

export async function showWorker(ctx: Context, caller: Caller, workerId: string): Promise<WorkerSnapshot> {
  const worker = await requireWorker(ctx, caller, workerId);
  return workerSnapshot(worker, await countPending(ctx, worker), ctx.now(), staleAfter(ctx));
}

/** All workers of a user. */
export const workersOf = (db: Database, userId: number): Promise<Worker[]> =>
  db.select().from(codexWorkers).where(eq(codexWorkers.ownerUserId, userId));

/**
 * Where the server sends a message that names no worker: the preferred runnable one, else `desktopw:shared`, which the
 * caller provisions or reattaches (codex-chat 3.3).
 */
export async function chooseWorkerId(ctx: Context, userId: number): Promise<string> {
  const runnable = (await workersOf(ctx.db, userId)).filter(
    ({ status }) => status === "running" || status === "starting",
  );
  return preferredWorker(runnable, ctx.now(), staleAfter(ctx))?.workerId ?? "desktopw:shared";
}
