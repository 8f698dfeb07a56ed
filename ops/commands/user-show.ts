import { linkStates, operatorWorkers } from "../../src/codex/operator";
import { operatorUser, userRecord } from "../../src/identity/operator";
import type { Call } from "../command";
import { Failure } from "../failure";
import { facts, table, time } from "../print";

export async function run({ ctx, arguments: [given = ""], io, json }: Call): Promise<void> {
  const row = await operatorUser(ctx, given);
  if (!row) throw new Failure(1, "user_not_found", `No user with the id, e-mail or handle: ${given}`);
  const record = await userRecord(ctx, row);
  const workers = await operatorWorkers(ctx, { userId: row.id, limit: 100 });
  const codex = (await linkStates(ctx, [row.id])).get(row.id) ?? "unknown";
  const { user } = record;
  const shown = {
    user: {
      id: user.id,
      email: user.email,
      name: user.name,
      handle: user.handle,
      is_admin: user.isAdmin,
      created_at: time(user.createdAt),
      last_seen_at: time(user.lastSeenAt),
      codex,
    },
    sessions: record.sessions.map((session) => ({
      id: session.id,
      device_id: session.deviceId,
      status: session.status,
      issued_at: time(session.issuedAt),
      last_used_at: time(session.lastUsedAt),
      ip_address: session.ipAddress,
    })),
    tokens: record.tokens.map((token) => ({
      id: token.id,
      name: token.name,
      abilities: token.abilities,
      created_at: time(token.createdAt),
      last_used_at: time(token.lastUsedAt),
      expires_at: time(token.expiresAt),
    })),
    memberships: record.memberships.map(({ orgId, role, defaultOrg }) => ({
      org_id: orgId,
      role,
      is_default: defaultOrg,
    })),
    workers: workers.map((worker) => ({ ...worker, last_heartbeat_at: time(worker.last_heartbeat_at) })),
  };
  if (json) return io.out(`${JSON.stringify(shown)}\n`);
  io.out(facts(Object.entries(shown.user)));
  for (const [title, rows] of Object.entries(shown).slice(1) as [string, Record<string, unknown>[]][]) {
    if (!rows.length) continue;
    io.out(
      `\n${title}\n${table(
        Object.keys(rows[0] as object),
        rows.map((entry) => Object.values(entry)),
        io.columns,
      )}`,
    );
  }
}
