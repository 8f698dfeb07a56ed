import { retryJobs } from "../../src/jobs/operator";
import { auditOps, requestIdOf } from "../audit";
import type { Call } from "../command";
import { Failure, usage } from "../failure";

export async function run(call: Call): Promise<void> {
  const { ctx, arguments: ids, options, io, json } = call;
  const { dead, kind } = options as { dead?: boolean; kind?: string };
  if (!ids.length && !dead) throw usage("give the ids of dead jobs, or --dead for all of them");
  if (ids.length && dead) throw usage("give ids or --dead, not both");
  const results = await ctx.commit(async (unit) => {
    const retried = await retryJobs(ctx.store, unit.db, dead ? { kind: kind ?? null } : { ids });
    if (retried.length) auditOps(unit, call, requestIdOf(), { jobs: String(retried.length) });
    return retried;
  });
  if (!results.length) throw new Failure(1, "no_dead_job", "No dead job matches.");
  if (json) return io.out(`${JSON.stringify({ data: results })}\n`);
  for (const { id, kind: name, result } of results) io.out(`${id}  ${name}  ${result}\n`);
}
