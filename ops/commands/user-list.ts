import { linkStates } from "../../src/codex/operator";
import { operatorUsers } from "../../src/identity/operator";
import type { Call } from "../command";
import { table, time } from "../print";
import { paged, pageOf, since } from "../values";

export async function run({ ctx, options, io, json }: Call): Promise<void> {
  const { email, admins, since: from } = options as { email?: string; admins?: boolean; since?: string };
  const page = pageOf(options);
  const at = from === undefined ? null : since("--since", from, ctx.now());
  const found = await operatorUsers(ctx, { email: email ?? null, admins: admins === true, since: at, ...page });
  const links = await linkStates(
    ctx,
    found.map(({ id }) => id),
  );
  const rows = found.map((user) => ({
    id: user.id,
    email: user.email,
    name: user.name,
    handle: user.handle,
    is_admin: user.isAdmin,
    created_at: time(user.createdAt),
    last_seen_at: time(user.lastSeenAt),
    codex: links.get(user.id) ?? "unknown",
  }));
  const listed = paged(rows, page);
  if (json) return io.out(`${JSON.stringify(listed)}\n`);
  if (!listed.data.length) return io.out("No users.\n");
  const lines = listed.data.map((row) => [
    row.id,
    row.email,
    row.handle,
    row.created_at,
    row.last_seen_at,
    row.is_admin,
    row.codex,
  ]);
  io.out(table(["id", "e-mail", "handle", "created", "last seen", "admin", "codex"], lines, io.columns));
  if (listed.next_cursor) io.err(`more with --cursor=${listed.next_cursor}\n`);
}
