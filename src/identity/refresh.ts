import { eq } from "drizzle-orm";
import { authRefreshTokens, authSessions } from "../../db/schema/identity";
import type { Context, Unit } from "../context";
import { forbidden, unauthorized } from "../refusal";
import { accessToken, refreshToken, refreshTokenId, sha256 } from "./credentials";
import { endSessions, type Lane, lifetimes, type SessionRow, type Visit } from "./sessions";
import { wholeSecond } from "./times";

/** Two tabs of one browser may present the same refresh cookie within this time (auth.md 3.5). */
const graceSeconds = 30;

export interface Rotation {
  session: SessionRow;
  /** Null when a sibling tab has just rotated: the browser holds the new cookies already. */
  tokens: { access: string; refresh: string } | null;
  refreshTokenId: string;
  replacedRefreshTokenId: string;
}

type Outcome = { refused: "replay" | "unknown" | "device" | "expired" } | { rotation: Rotation };

type RefreshRow = typeof authRefreshTokens.$inferSelect;

interface Presented {
  token: string;
  lane: Lane;
  /** The device the client says it is, folded; null when it says nothing. */
  deviceId: string | null;
  visit: Visit;
}

/**
 * Rotates a refresh token in one transaction (auth.md 2.4, 3.5). Of two that present one token at once exactly one succeeds;
 * the other is a replay and ends the session, except between tabs of one browser. Throws 401 and 403 with the contract's
 * texts; the audit row of a failure is the route's matter.
 */
export async function refreshSession(ctx: Context, presented: Presented): Promise<Rotation> {
  const outcome = await ctx.commit((unit) => rotate(ctx, unit, presented));
  if ("rotation" in outcome) return outcome.rotation;
  switch (outcome.refused) {
    case "replay":
      throw unauthorized("Refresh token was already rotated or revoked.");
    case "unknown":
      throw unauthorized("Invalid refresh token.");
    case "device":
      throw forbidden("Refresh token does not belong to the requested device.");
    case "expired":
      throw unauthorized("Refresh session expired.");
  }
}

/** Sessions are locked before their refresh rows everywhere, so rotations and revocations cannot deadlock. */
async function rotate(ctx: Context, unit: Unit, { token, lane, deviceId, visit }: Presented): Promise<Outcome> {
  const { db } = unit;
  const now = wholeSecond(ctx.now());
  const tokenHash = sha256(token);
  const [seen] = await db
    .select({ sessionId: authRefreshTokens.sessionId })
    .from(authRefreshTokens)
    .where(eq(authRefreshTokens.tokenHash, tokenHash));
  if (!seen) return { refused: "unknown" };
  const [session] = await db.select().from(authSessions).where(eq(authSessions.id, seen.sessionId)).for("update");
  const [row] = await db
    .select()
    .from(authRefreshTokens)
    .where(eq(authRefreshTokens.tokenHash, tokenHash))
    .for("update");
  if (!session || !row) return { refused: "unknown" };
  if (row.state !== "active") {
    const sibling = siblingTab(row, session, lane, now);
    if (sibling) return { rotation: sibling };
    await punishReplay(unit, row, session, now, visit);
    return { refused: "replay" };
  }
  if (deviceId !== null && deviceId !== session.deviceId) return { refused: "device" };
  if (session.status !== "active" || session.refreshExpiresAt <= now) return { refused: "expired" };

  const [access, refresh, id] = [accessToken(), refreshToken(), refreshTokenId()];
  const [renewed] = await db
    .update(authSessions)
    .set({
      accessTokenHash: sha256(access),
      refreshTokenId: id,
      lastRefreshedAt: now,
      lastUsedAt: now,
      ...lifetimes(ctx, now),
    })
    .where(eq(authSessions.id, session.id))
    .returning();
  await db
    .update(authRefreshTokens)
    .set({ state: "rotated", lane, endedAt: now, replacedBy: id })
    .where(eq(authRefreshTokens.tokenHash, tokenHash));
  await db
    .insert(authRefreshTokens)
    .values({ tokenHash: sha256(refresh), id, sessionId: session.id, state: "active", lane, createdAt: now });
  unit.audit({
    event: "auth.refresh.completed",
    requestId: visit.requestId,
    userId: session.userId,
    sessionId: session.id,
    orgId: session.activeOrgId,
    deviceId: session.deviceId,
    attributes: { rotated_refresh_token: "true" },
  });
  return {
    rotation: {
      session: renewed as SessionRow,
      tokens: { access, refresh },
      refreshTokenId: id,
      replacedRefreshTokenId: row.id,
    },
  };
}

/** The session as it is now, when a cookie that the cookie lane rotated a moment ago is presented as a cookie again. */
function siblingTab(row: RefreshRow, session: SessionRow, lane: Lane, now: Date): Rotation | null {
  if (lane !== "cookie" || row.state !== "rotated" || row.lane !== "cookie" || !row.endedAt) return null;
  if (now.getTime() - row.endedAt.getTime() > graceSeconds * 1000) return null;
  if (session.status !== "active" || session.refreshExpiresAt <= now) return null;
  return { session, tokens: null, refreshTokenId: session.refreshTokenId, replacedRefreshTokenId: row.id };
}

async function punishReplay(unit: Unit, row: RefreshRow, session: SessionRow, now: Date, visit: Visit): Promise<void> {
  if (session.status !== "active") return;
  await endSessions(unit, {
    userId: session.userId,
    where: eq(authSessions.id, session.id),
    reason: "token_replay",
    now,
    requestId: visit.requestId,
  });
  await unit.db
    .update(authRefreshTokens)
    .set({ state: "replay_detected" })
    .where(eq(authRefreshTokens.tokenHash, row.tokenHash));
}
