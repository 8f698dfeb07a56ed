import { and, inArray, lte } from "drizzle-orm";
import { codexControlRequests } from "../../db/schema/codex";
import type { Context, Unit } from "../context";
import type { RequestRow } from "./projection-receipts";
import { type Failure, failRequests, unfinishedRequests } from "./receipts";
import { closeLog, openLog } from "./worker-log";
import { lockWorkers } from "./workers";

const kind = "codex.request.deadlines";

/** Asks for a look at the deadlines when one passes. */
export const deadlineJob = (unit: Unit, deadline: Date) => unit.enqueue(kind, {}, { startAt: deadline });

const overdue = ({ state }: RequestRow): Failure =>
  state === "queued"
    ? { code: "worker_unavailable", message: "desktop session mapping unavailable", retryable: true }
    : { code: "timeout", message: "Timed out waiting for worker receipt.", retryable: true };

/**
 * Gives every request whose deadline has passed its error receipt (codex-chat 3.4). Returns how many.
 */
export async function expireRequests(ctx: Context): Promise<number> {
  let expired = 0;
  for (;;) {
    const workers = await ctx.db
      .selectDistinct({ workerPk: codexControlRequests.workerPk })
      .from(codexControlRequests)
      .where(
        and(
          inArray(codexControlRequests.state, ["queued", "dispatched"]),
          lte(codexControlRequests.deadlineAt, ctx.now()),
        ),
      )
      .limit(100);
    if (!workers.length) return expired;
    for (const { workerPk } of workers) expired += await expireWorker(ctx, workerPk);
  }
}

const expireWorker = (ctx: Context, workerPk: string): Promise<number> =>
  ctx.commit(async (unit) => {
    const now = ctx.now();
    const [worker] = await lockWorkers(unit.db, [workerPk]);
    if (!worker) return 0;
    const late = (await unfinishedRequests(unit.db, workerPk)).filter(({ deadlineAt }) => deadlineAt <= now);
    if (!late.length) return 0;
    const log = openLog(worker, now);
    await failRequests(ctx, unit.db, log, late, overdue);
    await closeLog(ctx, unit, log);
    return late.length;
  });

/** The job at each deadline, and a sweep each minute for whatever it missed. */
export function defineDeadlines(ctx: Context): void {
  ctx.jobs.define({
    kind,
    tries: 5,
    backoffSeconds: 5,
    double: true,
    run: async () => {
      const expired = await expireRequests(ctx);
      if (expired) ctx.log.info("oa.codex", "requests expired", { expired });
    },
  });
  ctx.jobs.every("* * * * *", kind);
}
