import { isEmail } from "../../src/http/rules";
import { createByOperator } from "../../src/identity/operator";
import { auditOps, requestIdOf } from "../audit";
import type { Call } from "../command";
import { Failure } from "../failure";

export async function run(call: Call): Promise<void> {
  const {
    ctx,
    arguments: [given = ""],
    options,
    io,
    json,
    quiet,
  } = call;
  const email = given.trim().toLowerCase();
  if (!isEmail(email) || email.length > 255) throw new Failure(1, "invalid_email", "Invalid email address.");
  const { name, workosId } = options as { name?: string; workosId?: string };
  const requestId = requestIdOf();
  const created = await ctx.commit(async (unit) => {
    const user = await createByOperator(ctx, unit, { email, name: name ?? null, workosId: workosId?.trim() || null });
    if (user) auditOps(unit, call, requestId, { email_domain: email.split("@").at(-1) ?? "" }, user.id);
    return user;
  });
  if (json) return io.out(`${JSON.stringify({ created: created !== null, id: created?.id ?? null, email })}\n`);
  if (created) io.out(quiet ? `${created.id}\n` : `Created user ${created.id} ${created.email} (${created.handle}).\n`);
  else io.out(`${email} exists already; nothing was changed.\n`);
}
