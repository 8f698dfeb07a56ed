import { setAdmin } from "../src/identity/operator";
import { isListedAdmin } from "../src/identity/users";
import { auditOps, requestIdOf } from "./audit";
import type { Call } from "./command";

/** Makes somebody an administrator or takes it away; in force with the next request. */
export async function changeAdmin(call: Call, isAdmin: boolean): Promise<void> {
  const {
    ctx,
    arguments: [email = ""],
    io,
    json,
  } = call;
  const requestId = requestIdOf();
  const { user, changed } = await ctx.commit(async (unit) => {
    const result = await setAdmin(ctx, unit, email, isAdmin);
    if (result.changed) auditOps(unit, call, requestId, {}, result.user.id);
    return result;
  });
  const listed = isListedAdmin(ctx.config, user.email);
  if (!isAdmin && listed) io.err(`warning: ADMIN_EMAILS still makes ${user.email} an administrator\n`);
  if (json) return io.out(`${JSON.stringify({ email: user.email, is_admin: isAdmin || listed, changed })}\n`);
  const state = isAdmin ? "an administrator" : "no administrator by his row";
  io.out(
    changed
      ? `${user.email} is now ${isAdmin ? state : "no administrator by the table"}.\n`
      : `${user.email} is ${isAdmin ? "an administrator already" : "no administrator by the table"}; nothing was changed.\n`,
  );
}
