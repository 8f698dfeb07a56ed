import { CronExpressionParser } from "cron-parser";
import { listSchedules } from "../../src/jobs/operator";
import type { Call } from "../command";
import { table, time } from "../print";

export async function run({ ctx, io, json }: Call): Promise<void> {
  const now = ctx.now();
  const data = (await listSchedules(ctx.store)).map(({ name, cron, last_run, running }) => ({
    name,
    cron,
    next_run: time(CronExpressionParser.parse(cron, { currentDate: now, tz: "UTC" }).next().toDate()),
    last_run: time(last_run),
    running,
  }));
  if (json) return io.out(`${JSON.stringify({ data, next_cursor: null })}\n`);
  if (!data.length) return io.out("No recurring jobs: no server has run on this database yet.\n");
  const lines = data.map(({ name, cron, next_run, last_run, running }) => [name, cron, next_run, last_run, running]);
  io.out(table(["name", "cron (UTC)", "next run", "last run", "running"], lines, io.columns));
}
