import { and, desc, eq, inArray, lte, ne, sql } from "drizzle-orm";
import type { Database } from "../../db/database";
import { authRefreshTokens, authSessions, users } from "../../db/schema/identity";
import type { Context, Unit } from "../context";
import type { Caller } from "../http/caller";
import type { Facts } from "../http/facts";
import { forbidden, invalid } from "../refusal";
import { accessToken, refreshToken, refreshTokenId, sessionId, sha256 } from "./credentials";
import { deviceIdOf } from "./devices";
import { announceRevocation, type RevocationReason, revocationReasons } from "./revocations";
import { later, wholeSecond } from "./times";

export type SessionRow = typeof authSessions.$inferSelect;

/** What of a request goes into rows and audit records. */
export type Visit = Pick<Facts, "requestId" | "ip" | "userAgent">;

export type Lane = "bearer" | "cookie";

/** A session with the tokens that only its client ever sees. */
export interface OpenedSession {
  session: SessionRow;
  accessToken: string;
  refreshToken: string;
}

/** The identity fields of an audit record about a caller (auth.md 3.14). */
export const whoOf = (caller: Caller) => ({
  userId: caller.user.id,
  sessionId: caller.sessionId,
  orgId: caller.activeOrgId,
  deviceId: caller.deviceId,
});

/** `expired` is computed when read: no row needs a timer for it. */
export const statusOf = (row: SessionRow, now: Date): SessionRow["status"] =>
  row.status === "active" && row.refreshExpiresAt <= now ? "expired" : row.status;

/** Lifetimes of a session that is opened or refreshed at `now`. */
export const lifetimes = (ctx: Context, now: Date) => ({
  accessExpiresAt: later(now, ctx.config.OA_AUTH_ACCESS_TTL_SECONDS),
  refreshExpiresAt: later(now, ctx.config.OA_AUTH_REFRESH_TTL_SECONDS),
});

export interface NewSession {
  userId: number;
  activeOrgId: string;
  deviceId: string;
  tokenName: string;
  client: string | null;
  lane: Lane;
  visit: Visit;
}

/**
 * Opens a session inside the caller's transaction; the older one on the same device ends (`device_replaced`). Two at once on
 * one device meet in the unique index, and the later one replaces the earlier.
 */
export async function openSession(ctx: Context, unit: Unit, wanted: NewSession): Promise<OpenedSession> {
  const { db } = unit;
  const now = wholeSecond(ctx.now());
  for (let round = 0; round < 10; round++) {
    await replaceDevice(unit, wanted, now);
    const [access, refresh, refreshId] = [accessToken(), refreshToken(), refreshTokenId()];
    const [session] = await db
      .insert(authSessions)
      .values({
        id: sessionId(),
        userId: wanted.userId,
        deviceId: wanted.deviceId,
        tokenName: wanted.tokenName,
        client: wanted.client,
        activeOrgId: wanted.activeOrgId,
        accessTokenHash: sha256(access),
        refreshTokenId: refreshId,
        status: "active",
        issuedAt: now,
        ipAddress: wanted.visit.ip.slice(0, 45),
        userAgent: wanted.visit.userAgent.slice(0, 512) || null,
        ...lifetimes(ctx, now),
      })
      .onConflictDoNothing()
      .returning();
    if (!session) continue;
    await db.insert(authRefreshTokens).values({
      tokenHash: sha256(refresh),
      id: refreshId,
      sessionId: session.id,
      state: "active",
      lane: wanted.lane,
      createdAt: now,
    });
    return { session, accessToken: access, refreshToken: refresh };
  }
  throw new Error("a session could not be opened: its device is signed in again and again at the same time");
}

async function replaceDevice(unit: Unit, { userId, deviceId, visit }: NewSession, now: Date): Promise<void> {
  const onDevice = and(
    eq(authSessions.userId, userId),
    eq(authSessions.deviceId, deviceId),
    eq(authSessions.status, "active"),
  );
  await unit.db
    .update(authSessions)
    .set({ status: "expired" })
    .where(and(onDevice, lte(authSessions.refreshExpiresAt, now)));
  await endSessions(unit, { userId, where: onDevice, reason: "device_replaced", now, requestId: visit.requestId });
}

interface Ending {
  userId: number;
  where: ReturnType<typeof and>;
  reason: RevocationReason;
  now: Date;
  requestId: string;
}

export interface EndedSessions {
  sessionIds: string[];
  deviceIds: string[];
  refreshTokenIds: string[];
}

/** Ends the living sessions that `where` picks, with their refresh tokens, and queues the news. Lists are sorted. */
export async function endSessions(
  unit: Unit,
  { userId, where, reason, now, requestId }: Ending,
): Promise<EndedSessions> {
  const { db } = unit;
  const ended = await db
    .update(authSessions)
    .set({
      status: "revoked",
      revokedAt: now,
      revokedReason: reason,
      reauthRequired: reason === "token_replay" || reason === "security_policy",
    })
    .where(and(where, eq(authSessions.status, "active")))
    .returning({ id: authSessions.id, deviceId: authSessions.deviceId });
  const sessionIds = ended.map((row) => row.id).sort();
  const deviceIds = [...new Set(ended.map((row) => row.deviceId))].sort();
  if (!sessionIds.length) return { sessionIds, deviceIds, refreshTokenIds: [] };
  const tokens = await db
    .update(authRefreshTokens)
    .set({ state: "session_revoked", endedAt: now })
    .where(and(inArray(authRefreshTokens.sessionId, sessionIds), eq(authRefreshTokens.state, "active")))
    .returning({ id: authRefreshTokens.id });
  announceRevocation(unit, { userId, ids: sessionIds, reason, devices: deviceIds, requestId });
  return { sessionIds, deviceIds, refreshTokenIds: tokens.map((row) => row.id).sort() };
}

/** The session of a caller; undefined when its row has gone meanwhile. */
export async function findSession(db: Database, id: string): Promise<SessionRow | undefined> {
  const [row] = await db.select().from(authSessions).where(eq(authSessions.id, id));
  return row;
}

/** All sessions of a user in any state, newest first, at most 200 (auth.md 2.5). */
export async function listSessions(
  ctx: Context,
  caller: Caller,
  deviceId: string | null,
  visit: Visit,
): Promise<SessionRow[]> {
  return ctx.commit(async ({ db, audit }) => {
    const rows = await db
      .select()
      .from(authSessions)
      .where(
        and(
          eq(authSessions.userId, caller.user.id),
          deviceId === null ? undefined : eq(authSessions.deviceId, deviceId),
        ),
      )
      .orderBy(desc(authSessions.issuedAt), desc(authSessions.id))
      .limit(200);
    audit({
      event: "auth.sessions.listed",
      requestId: visit.requestId,
      ...whoOf(caller),
      attributes: { session_count: String(rows.length) },
    });
    return rows;
  });
}

export interface RevokeRequest {
  sessionId: string | null;
  /** As it was sent. */
  deviceId: string | null;
  all: boolean;
  includeCurrent: boolean;
  reason: string | null;
}

export interface Revoked extends EndedSessions {
  reason: RevocationReason;
  revokedAt: Date;
}

const isReason = (text: string): text is RevocationReason => (revocationReasons as readonly string[]).includes(text);

/** Ends one session, those of a device, or all, of the caller (auth.md 2.5). What has ended already is skipped. */
export async function revokeSessions(
  ctx: Context,
  caller: Caller,
  wanted: RevokeRequest,
  visit: Visit,
): Promise<Revoked> {
  const targets = [wanted.sessionId !== null, wanted.deviceId !== null, wanted.all].filter(Boolean).length;
  if (targets !== 1) {
    throw invalid(
      "target",
      "Provide exactly one revocation target: session_id, device_id, or revoke_all_sessions=true.",
    );
  }
  const userId = caller.user.id;
  const now = wholeSecond(ctx.now());
  return ctx.commit(async (unit) => {
    if (wanted.sessionId !== null) await ownSession(unit.db, wanted.sessionId, userId);
    const deviceId = deviceIdOf(wanted.deviceId);
    const reason = wanted.reason ?? "user_requested";
    if (!isReason(reason)) throw invalid("reason", "The selected reason is invalid.");
    const ended = await endSessions(unit, {
      userId,
      where: and(
        eq(authSessions.userId, userId),
        sql`${authSessions.refreshExpiresAt} > ${now.toISOString()}::timestamptz`,
        wanted.sessionId === null ? undefined : eq(authSessions.id, wanted.sessionId),
        wanted.deviceId === null ? undefined : eq(authSessions.deviceId, deviceId ?? ""),
        wanted.includeCurrent ? undefined : ne(authSessions.id, caller.sessionId),
      ),
      reason,
      now,
      requestId: visit.requestId,
    });
    unit.audit({
      event: "auth.sessions.revoked",
      requestId: visit.requestId,
      ...whoOf(caller),
      attributes: {
        reason,
        revoked_session_count: String(ended.sessionIds.length),
        revoked_refresh_token_count: String(ended.refreshTokenIds.length),
      },
    });
    return { ...ended, reason, revokedAt: now };
  });
}

async function ownSession(db: Database, id: string, userId: number): Promise<void> {
  const row = await findSession(db, id);
  if (!row) throw invalid("session_id", "Requested session does not exist.");
  if (row.userId !== userId) throw forbidden("Requested session is not owned by current user.");
}

/** Ends the session of the caller (auth.md 2.5). Returns when; an ended session has no caller, so it is always alive here. */
export async function signOut(ctx: Context, caller: Caller, visit: Visit): Promise<Date> {
  const now = wholeSecond(ctx.now());
  return ctx.commit(async (unit) => {
    await endSessions(unit, {
      userId: caller.user.id,
      where: eq(authSessions.id, caller.sessionId),
      reason: "user_requested",
      now,
      requestId: visit.requestId,
    });
    unit.audit({ event: "auth.logout.completed", requestId: visit.requestId, ...whoOf(caller) });
    unit.after(() => ctx.analytics.capture(caller.user.email, "user logged out"));
    return now;
  });
}

/** Ends the session that a refresh token belongs to, for a browser whose access cookie has run out. */
export const signOutByRefresh = (ctx: Context, token: string, visit: Visit): Promise<void> =>
  ctx.commit(async (unit) => {
    const [row] = await unit.db
      .select({
        id: authSessions.id,
        userId: authSessions.userId,
        orgId: authSessions.activeOrgId,
        deviceId: authSessions.deviceId,
        email: users.email,
      })
      .from(authRefreshTokens)
      .innerJoin(authSessions, eq(authSessions.id, authRefreshTokens.sessionId))
      .innerJoin(users, eq(users.id, authSessions.userId))
      .where(and(eq(authRefreshTokens.tokenHash, sha256(token)), eq(authRefreshTokens.state, "active")));
    if (!row) return;
    const { id: sessionId, userId, orgId, deviceId, email } = row;
    const { sessionIds } = await endSessions(unit, {
      userId,
      where: eq(authSessions.id, sessionId),
      reason: "user_requested",
      now: wholeSecond(ctx.now()),
      requestId: visit.requestId,
    });
    if (!sessionIds.length) return;
    unit.audit({
      event: "auth.logout.completed",
      requestId: visit.requestId,
      userId,
      sessionId,
      orgId,
      deviceId,
    });
    unit.after(() => ctx.analytics.capture(email, "user logged out"));
  });

/** Ends all sessions of a user for an operator. Returns what ended. */
export const signOutUser = (
  ctx: Context,
  userId: number,
  reason: RevocationReason,
  requestId: string,
): Promise<EndedSessions> =>
  ctx.commit((unit) =>
    endSessions(unit, {
      userId,
      where: eq(authSessions.userId, userId),
      reason,
      now: wholeSecond(ctx.now()),
      requestId,
    }),
  );
