import { operatorTokens, operatorUser } from "../../src/identity/operator";
import type { Call } from "../command";
import { Failure } from "../failure";
import { table, time } from "../print";
import { paged, pageOf } from "../values";

export async function run({ ctx, arguments: [email], options, io, json }: Call): Promise<void> {
  const page = pageOf(options);
  const user = email === undefined ? null : await operatorUser(ctx, email);
  if (email !== undefined && !user) throw new Failure(1, "user_not_found", `User not found for email: ${email}`);
  const found = await operatorTokens(ctx, { userId: user?.id ?? null, ...page });
  const listed = paged(
    found.map((token) => ({
      id: token.id,
      user_id: token.userId,
      email: token.email,
      name: token.name,
      abilities: token.abilities,
      worker_id: token.workerId,
      created_at: time(token.createdAt),
      last_used_at: time(token.lastUsedAt),
      expires_at: time(token.expiresAt),
    })),
    page,
  );
  if (json) return io.out(`${JSON.stringify(listed)}\n`);
  if (!listed.data.length) return io.out("No tokens.\n");
  const lines = listed.data.map((t) => [
    t.id,
    t.email,
    t.name,
    t.abilities.join(","),
    t.created_at,
    t.last_used_at,
    t.expires_at,
  ]);
  io.out(table(["id", "user", "name", "abilities", "created", "last used", "expires"], lines, io.columns));
  if (listed.next_cursor) io.err(`more with --cursor=${listed.next_cursor}\n`);
}
