import { expireRequests } from "../../src/codex/deadlines";
import { auditOps, requestIdOf } from "../audit";
import type { Call } from "../command";

export async function run(call: Call): Promise<void> {
  const { ctx, io, json } = call;
  const expired = await expireRequests(ctx);
  if (expired) await ctx.commit(async (unit) => auditOps(unit, call, requestIdOf(), { requests: String(expired) }));
  if (json) return io.out(`${JSON.stringify({ expired })}\n`);
  io.out(expired ? `Expired ${expired} requests.\n` : "No request is past its deadline; nothing was changed.\n");
}
