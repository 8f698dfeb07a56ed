import { eq, type SQL, sql } from "drizzle-orm";
import { authSessions, orgMemberships, personalAccessTokens, users } from "../../db/schema/identity";
import type { Context } from "../context";
import { together } from "./together";

export type LookUps = ReturnType<typeof prepareLookUps>;

/** Only what a caller is made of: each column costs on every request. */
const user = {
  id: users.id,
  name: users.name,
  email: users.email,
  handle: users.handle,
  avatar: users.avatar,
  workosId: users.workosId,
  isAdmin: users.isAdmin,
  createdAt: users.createdAt,
  updatedAt: users.updatedAt,
};
const token = {
  id: personalAccessTokens.id,
  name: personalAccessTokens.name,
  token: personalAccessTokens.token,
  abilities: personalAccessTokens.abilities,
  workerId: personalAccessTokens.workerId,
  lastUsedAt: personalAccessTokens.lastUsedAt,
  expiresAt: personalAccessTokens.expiresAt,
};
const session = {
  id: authSessions.id,
  deviceId: authSessions.deviceId,
  tokenName: authSessions.tokenName,
  activeOrgId: authSessions.activeOrgId,
  status: authSessions.status,
  accessExpiresAt: authSessions.accessExpiresAt,
  refreshExpiresAt: authSessions.refreshExpiresAt,
  lastUsedAt: authSessions.lastUsedAt,
};

/**
 * The statements that find out who asks, prepared once: token or session with its user and his default organisation.
 * `view` is a further column, over the user's id and a placeholder `limit`.
 */
export function prepareLookUps(
  { db, metrics }: Pick<Context, "db" | "metrics">,
  name: string,
  view: SQL<unknown> = sql`null`,
) {
  const byToken = () =>
    db
      .select({ user, token, orgId: orgMemberships.orgId, view })
      .from(personalAccessTokens)
      .innerJoin(users, eq(users.id, personalAccessTokens.tokenableId))
      .leftJoin(orgMemberships, sql`${orgMemberships.userId} = ${users.id} and ${orgMemberships.defaultOrg}`);
  const patById = byToken()
    .where(eq(personalAccessTokens.id, sql.placeholder("id")))
    .limit(1)
    .prepare(`${name}_pat_by_id`);
  const patByHash = byToken()
    .where(eq(personalAccessTokens.token, sql.placeholder("hash")))
    .limit(1)
    .prepare(`${name}_pat_by_hash`);
  const bySession = db
    .select({ user, session, view })
    .from(authSessions)
    .innerJoin(users, eq(users.id, authSessions.userId))
    .where(eq(authSessions.accessTokenHash, sql.placeholder("hash")))
    .limit(1)
    .prepare(`${name}_session`);
  const [tokens, sessions] = [
    together<Awaited<ReturnType<typeof patById.execute>>>(),
    together<Awaited<ReturnType<typeof bySession.execute>>>(),
  ];
  return {
    patById: (id: number, limit: number) =>
      tokens(`${id} ${limit}`, () => metrics.query(`${name}_pat_by_id`, patById.execute({ id, limit }))),
    patByHash: (hash: string, limit: number) =>
      tokens(`${hash} ${limit}`, () => metrics.query(`${name}_pat_by_hash`, patByHash.execute({ hash, limit }))),
    session: (hash: string, limit: number) =>
      sessions(`${hash} ${limit}`, () => metrics.query(`${name}_session`, bySession.execute({ hash, limit }))),
  };
}
