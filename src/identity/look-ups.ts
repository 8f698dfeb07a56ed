import { eq, type SQL, sql } from "drizzle-orm";
import type { Database } from "../../db/database";
import { authSessions, orgMemberships, personalAccessTokens, users } from "../../db/schema/identity";

export type LookUps = ReturnType<typeof prepareLookUps>;

/**
 * The statements that find out who asks, prepared once: token or session with its user and his default organisation.
 * `view` is a further column, over the user's id and a placeholder `limit`.
 */
export function prepareLookUps(db: Database, name: string, view: SQL<unknown> = sql`null`) {
  const byToken = () =>
    db
      .select({ user: users, token: personalAccessTokens, orgId: orgMemberships.orgId, view })
      .from(personalAccessTokens)
      .innerJoin(users, eq(users.id, personalAccessTokens.tokenableId))
      .leftJoin(orgMemberships, sql`${orgMemberships.userId} = ${users.id} and ${orgMemberships.defaultOrg}`);
  return {
    patById: byToken()
      .where(eq(personalAccessTokens.id, sql.placeholder("id")))
      .limit(1)
      .prepare(`${name}_pat_by_id`),
    patByHash: byToken()
      .where(eq(personalAccessTokens.token, sql.placeholder("hash")))
      .limit(1)
      .prepare(`${name}_pat_by_hash`),
    session: db
      .select({ user: users, session: authSessions, view })
      .from(authSessions)
      .innerJoin(users, eq(users.id, authSessions.userId))
      .where(eq(authSessions.accessTokenHash, sql.placeholder("hash")))
      .limit(1)
      .prepare(`${name}_session`),
  };
}
