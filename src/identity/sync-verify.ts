import { inArray, sql } from "drizzle-orm";
import { authSessions, personalAccessTokens, users } from "../../db/schema/identity";
import type { Context } from "../context";
import { readJwt } from "./jwt";
import { syncKey } from "./token-settings";

/** Why a sync token is refused (auth.md 3.7; khala.md 2.1 check 6 and 7). */
export type SyncDenial =
  | "invalid_token"
  | "token_expired"
  | "missing_jti"
  | "missing_iat"
  | "token_too_old"
  | "token_revoked";

/** What a verified sync token says. Times in epoch seconds. */
export interface SyncClaims {
  userId: number;
  subject: string;
  tokenId: string;
  orgId: string;
  /** `sess_…` or `pat:{id}`. */
  sessionId: string;
  deviceId: string;
  scopes: string[];
  topics: string[];
  clientSurface: string | null;
  issuedAt: number;
  expiresAt: number;
  /** All claims as signed, for those that only Khala reads (`oa_client`, `oa_protocol_version`, …). */
  claims: Record<string, unknown>;
}

const text = (value: unknown): string => (typeof value === "string" ? value.trim() : "");
const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === "string" && item.trim() !== "") : [];
const seconds = (value: unknown): number | null => (typeof value === "number" && Number.isFinite(value) ? value : null);

/** Clocks of nodes may differ by this much. */
const skewSeconds = 30;

/**
 * Checks a sync token: signature by the key its `kid` names (current or previous), issuer, audience, claims version, times,
 * identifiers (auth.md 3.7). Whether the session behind it is alive is `standings`'s matter.
 */
export async function verifySyncToken(ctx: Context, token: string): Promise<SyncClaims | { denied: SyncDenial }> {
  const { config } = ctx;
  const claims = await readJwt(token, await keyRing(ctx));
  if (!claims) return { denied: "invalid_token" };
  const issuer = config.OA_SYNC_TOKEN_ISSUER ?? ctx.appUrl();
  if (claims.iss !== issuer || claims.aud !== config.OA_SYNC_TOKEN_AUDIENCE) return { denied: "invalid_token" };
  if (claims.oa_claims_version !== config.OA_SYNC_TOKEN_CLAIMS_VERSION) return { denied: "invalid_token" };
  const now = ctx.now().getTime() / 1000;
  const [expiresAt, issuedAt, notBefore] = [seconds(claims.exp), seconds(claims.iat), seconds(claims.nbf)];
  if (expiresAt === null) return { denied: "invalid_token" };
  if (expiresAt <= now) return { denied: "token_expired" };
  const tokenId = text(claims.jti);
  if (!tokenId && config.RUNTIME_SYNC_TOKEN_REQUIRE_JTI) return { denied: "missing_jti" };
  if (issuedAt === null) return { denied: "missing_iat" };
  if (issuedAt > now + skewSeconds || (notBefore !== null && notBefore > now + skewSeconds))
    return { denied: "invalid_token" };
  const maxAge = Math.max(config.RUNTIME_SYNC_TOKEN_MAX_AGE_SECONDS, config.OA_SYNC_TOKEN_MAX_TTL_SECONDS);
  if (now - issuedAt > maxAge) return { denied: "token_too_old" };
  if (tokenId && config.RUNTIME_SYNC_REVOKED_JTIS.includes(tokenId)) return { denied: "token_revoked" };
  const scopes = texts(claims.oa_sync_scopes);
  const found = {
    subject: text(claims.sub),
    orgId: text(claims.oa_org_id),
    sessionId: text(claims.oa_session_id),
    deviceId: text(claims.oa_device_id),
  };
  if (Object.values(found).includes("") || !scopes.length) return { denied: "invalid_token" };
  if (!Number.isSafeInteger(claims.oa_user_id)) return { denied: "invalid_token" };
  return {
    ...found,
    userId: claims.oa_user_id as number,
    tokenId,
    scopes,
    topics: texts(claims.oa_sync_topics),
    clientSurface: text(claims.oa_client_surface) || null,
    issuedAt,
    expiresAt,
    claims,
  };
}

async function keyRing(ctx: Context): Promise<Map<string, string>> {
  const { config } = ctx;
  const ring = new Map<string, string>();
  const previous = config.OA_SYNC_TOKEN_PREVIOUS_SIGNING_KEY?.trim();
  if (config.OA_SYNC_TOKEN_PREVIOUS_KEY_ID && previous) ring.set(config.OA_SYNC_TOKEN_PREVIOUS_KEY_ID, previous);
  const key = await syncKey(ctx);
  if (key) ring.set(config.OA_SYNC_TOKEN_KEY_ID, key);
  return ring;
}

/** Whether a session or PAT is over, and when it will be. */
export interface Standing {
  userId: number;
  /** Why it ended (`user_requested`, `token_replay`, …, `session_expired`), or null while it lives. */
  ended: string | null;
  /** When it ends by itself: a session's refresh lifetime, a PAT's expiry; null = never. */
  endsAt: Date | null;
  /** Set for a token that reaches one worker only (remote-control.md 2). */
  workerId?: string | null;
}

/**
 * The standing of sessions (`sess_…`) and PATs (`pat:{id}`), one or two statements for all. An id without a row (deleted
 * token, deleted user) is missing from the answer: it ended, reason `user_requested` (auth.md 3.6).
 */
export async function standings(ctx: Context, ids: string[]): Promise<Map<string, Standing>> {
  const found = new Map<string, Standing>();
  const now = ctx.now();
  const over = (endsAt: Date | null): boolean => endsAt !== null && endsAt <= now;
  const sessions = ids.filter((id) => id.startsWith("sess_"));
  const tokens = ids.flatMap((id) => (/^pat:\d{1,16}$/.test(id) ? [Number(id.slice(4))] : []));
  if (sessions.length) {
    const rows = await ctx.db
      .select({
        id: authSessions.id,
        userId: authSessions.userId,
        status: authSessions.status,
        reason: authSessions.revokedReason,
        endsAt: authSessions.refreshExpiresAt,
      })
      .from(authSessions)
      .where(inArray(authSessions.id, sessions));
    for (const { id, userId, status, reason, endsAt } of rows) {
      const ended = status === "active" ? (over(endsAt) ? "session_expired" : null) : (reason ?? "session_expired");
      found.set(id, { userId, ended, endsAt });
    }
  }
  if (tokens.length) {
    const rows = await ctx.db
      .select({
        id: personalAccessTokens.id,
        userId: personalAccessTokens.tokenableId,
        endsAt: personalAccessTokens.expiresAt,
        workerId: personalAccessTokens.workerId,
      })
      .from(personalAccessTokens)
      .innerJoin(users, sql`${users.id} = ${personalAccessTokens.tokenableId}`)
      .where(inArray(personalAccessTokens.id, tokens));
    for (const { id, userId, endsAt, workerId } of rows) {
      found.set(`pat:${id}`, { userId, ended: over(endsAt) ? "session_expired" : null, endsAt, workerId });
    }
  }
  return found;
}
