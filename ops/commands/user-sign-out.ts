import { operatorUser } from "../../src/identity/operator";
import { type RevocationReason, revocationReasons } from "../../src/identity/revocations";
import { signOutUser } from "../../src/identity/sessions";
import { auditOps, requestIdOf } from "../audit";
import type { Call } from "../command";
import { Failure, usage } from "../failure";

export async function run(call: Call): Promise<void> {
  const {
    ctx,
    arguments: [email = ""],
    options,
    io,
    json,
  } = call;
  const reason = options.reason as RevocationReason;
  if (!revocationReasons.includes(reason)) throw usage(`--reason must be one of ${revocationReasons.join(", ")}`);
  const user = await operatorUser(ctx, email);
  if (!user) throw new Failure(1, "user_not_found", `User not found for email: ${email}`);
  const requestId = requestIdOf();
  const { sessionIds } = await signOutUser(ctx, user.id, reason, requestId);
  await ctx.commit(async (unit) =>
    auditOps(unit, call, requestId, { reason, sessions: String(sessionIds.length) }, user.id),
  );
  if (json) return io.out(`${JSON.stringify({ email: user.email, sessions_ended: sessionIds })}\n`);
  io.out(
    sessionIds.length
      ? `Ended ${sessionIds.length} sessions of ${user.email}.\n`
      : `${user.email} had no session; nothing was changed.\n`,
  );
}
