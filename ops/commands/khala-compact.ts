import { compact } from "../../src/khala/retention";
import { auditOps, requestIdOf } from "../audit";
import type { Call } from "../command";
import { seconds } from "../values";

export async function run(call: Call): Promise<void> {
  const { ctx, khala, options, io, json } = call;
  const { topic, before, dryRun } = options as { topic?: string; before?: string; dryRun?: boolean };
  const cut = await compact(ctx.store, khala, {
    ...(topic === undefined ? {} : { stream: topic }),
    ...(before === undefined ? {} : { olderThanSeconds: seconds("--before", before) }),
    dryRun: dryRun === true,
    signal: io.signal,
  });
  if (!dryRun && cut.rows)
    await ctx.commit(async (unit) => auditOps(unit, call, requestIdOf(), { rows: String(cut.rows) }));
  if (json) return io.out(`${JSON.stringify({ ...cut, dry_run: dryRun === true })}\n`);
  const would = dryRun ? "Would delete" : "Deleted";
  io.out(
    cut.rows
      ? `${would} ${cut.rows} events of ${cut.streams} topics, ${(cut.bytes / 1e6).toFixed(1)} MB.\n`
      : "Nothing is past its time; nothing was changed.\n",
  );
}
