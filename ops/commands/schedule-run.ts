import { listSchedules } from "../../src/jobs/operator";
import { auditOps, requestIdOf } from "../audit";
import type { Call } from "../command";
import { Failure } from "../failure";
import { nearest } from "../nearest";

export async function run(call: Call): Promise<void> {
  const {
    ctx,
    arguments: [name = ""],
    io,
    json,
  } = call;
  const all = await listSchedules(ctx.store);
  const found = all.find((schedule) => schedule.name === name);
  if (!found) {
    const near = nearest(
      name,
      all.map((schedule) => schedule.name),
    );
    throw new Failure(
      1,
      "schedule_not_found",
      `No recurring job ${name}.${near.length ? ` Did you mean ${near.join(" or ")}?` : ""}`,
    );
  }
  if (found.running)
    throw new Failure(75, "busy", `${name} is running now.`, "wait for it to end, then run the command again");
  await ctx.commit(async (unit) => {
    unit.enqueue(name, {}, { key: "ops" });
    auditOps(unit, call, requestIdOf(), { job: name });
  });
  if (json) return io.out(`${JSON.stringify({ name, state: "queued" })}\n`);
  io.out(`${name} is queued; a server takes it at once.\n`);
}
