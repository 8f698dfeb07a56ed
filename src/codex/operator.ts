/** What operator commands read of workers and requests (ops-data 2.9). */
import { and, desc, eq, inArray, lt, sql } from "drizzle-orm";
import { codexControlRequests, codexWorkers } from "../../db/schema/codex";
import type { Context } from "../context";
import { type LinkState, userLinkState } from "./policy";
import { heartbeatState } from "./worker-state";

/** State of the Codex account of each user, as his workers reported it. */
export async function linkStates({ db }: Context, userIds: number[]): Promise<Map<number, LinkState>> {
  const rows = userIds.length
    ? await db.select().from(codexWorkers).where(inArray(codexWorkers.ownerUserId, userIds))
    : [];
  return new Map(userIds.map((id) => [id, userLinkState(rows.filter((row) => row.ownerUserId === id))]));
}

/** Workers, the last touched first, of one user or all. */
export async function operatorWorkers(ctx: Context, { userId, limit }: { userId: number | null; limit: number }) {
  const open = ctx.db
    .select({ n: sql<number>`count(*)::int` })
    .from(codexControlRequests)
    .where(and(eq(codexControlRequests.workerPk, codexWorkers.id), sql`${codexControlRequests.finishedAt} is null`));
  const rows = await ctx.db
    .select({ worker: codexWorkers, open: sql<number>`(${open})` })
    .from(codexWorkers)
    .where(userId === null ? undefined : eq(codexWorkers.ownerUserId, userId))
    .orderBy(desc(codexWorkers.updatedAt))
    .limit(limit);
  return rows.map(({ worker, open: requests }) => ({
    worker_id: worker.workerId,
    owner_user_id: worker.ownerUserId,
    status: worker.status,
    heartbeat: heartbeatState(worker, ctx.now(), ctx.config.OA_CODEX_HEARTBEAT_STALE_AFTER_MS),
    latest_seq: worker.latestSeq,
    open_requests: requests,
    last_heartbeat_at: worker.lastHeartbeatAt,
    workspace: worker.workspaceRef,
  }));
}

/** Control requests, newest first, in one state or all. */
export async function operatorRequests(
  ctx: Context,
  { state, before, limit }: { state: string | null; before: Date | null; limit: number },
) {
  const rows = await ctx.db
    .select({ request: codexControlRequests, workerId: codexWorkers.workerId })
    .from(codexControlRequests)
    .innerJoin(codexWorkers, eq(codexWorkers.id, codexControlRequests.workerPk))
    .where(
      and(
        state === null ? undefined : sql`${codexControlRequests.state} = ${state}`,
        before === null ? undefined : lt(codexControlRequests.createdAt, before),
      ),
    )
    .orderBy(desc(codexControlRequests.createdAt))
    .limit(limit);
  return rows.map(({ request, workerId }) => ({
    request_id: request.requestId,
    worker_id: workerId,
    user_id: request.userId,
    method: request.method,
    state: request.state,
    created_at: request.createdAt,
    deadline_at: request.deadlineAt,
    finished_at: request.finishedAt,
  }));
}
