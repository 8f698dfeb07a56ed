import { forgetJobs } from "../../src/jobs/operator";
import { auditOps, requestIdOf } from "../audit";
import type { Call } from "../command";
import { confirm } from "../confirm";
import { Failure } from "../failure";

export async function run(call: Call): Promise<void> {
  const { ctx, arguments: ids, io, json } = call;
  await confirm(
    call,
    `Delete ${ids.length === 1 ? "this job" : `${ids.length} jobs`}? What they would have done is not done.`,
  );
  const gone = await ctx.commit(async (unit) => {
    const forgotten = await forgetJobs(ctx.store, unit.db, ids);
    if (forgotten.length) auditOps(unit, call, requestIdOf(), { jobs: forgotten.join(",") });
    return forgotten;
  });
  if (!gone.length) throw new Failure(1, "job_not_found", "No such job, or it is running.");
  if (json) return io.out(`${JSON.stringify({ forgotten: gone })}\n`);
  io.out(`Deleted ${gone.length} of ${ids.length}.\n`);
}
