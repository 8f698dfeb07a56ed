import { operatorUser, revokeByOperator } from "../../src/identity/operator";
import { auditOps, requestIdOf } from "../audit";
import type { Call } from "../command";
import { Failure, usage } from "../failure";
import { whole } from "../values";

export async function run(call: Call): Promise<void> {
  const {
    ctx,
    arguments: [id],
    options,
    io,
    json,
  } = call;
  const { user: email, all } = options as { user?: string; all?: boolean };
  if ((id === undefined) === (email === undefined)) throw usage("give a token's id, or --user=<email> --all");
  if (email !== undefined && !all) throw usage("--user needs --all, for it revokes every token of that user");
  const which =
    email === undefined
      ? { tokenId: whole("the token's id", id, 1, Number.MAX_SAFE_INTEGER) }
      : await tokensOf(call, email);
  const requestId = requestIdOf();
  const ids = await ctx.commit(async (unit) => {
    const gone = await revokeByOperator(unit, which, requestId);
    if (gone.length) auditOps(unit, call, requestId, { tokens: gone.join(",") });
    return gone;
  });
  if (!ids.length && "tokenId" in which)
    throw new Failure(1, "token_not_found", `No token with the id ${which.tokenId}`);
  if (json) return io.out(`${JSON.stringify({ revoked: ids })}\n`);
  io.out(
    ids.length
      ? `Revoked ${ids.length === 1 ? `token ${ids[0]}` : `${ids.length} tokens`}.\n`
      : `${email} has no tokens; nothing was changed.\n`,
  );
}

async function tokensOf({ ctx }: Call, email: string): Promise<{ userId: number }> {
  const user = await operatorUser(ctx, email);
  if (!user) throw new Failure(1, "user_not_found", `User not found for email: ${email}`);
  return { userId: user.id };
}
