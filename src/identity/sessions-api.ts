import { Elysia } from "elysia";
import type { Context } from "../context";
import type { Caller } from "../http/caller";
import type { Facts } from "../http/facts";
import { platform } from "../http/platform";
import { unauthorized } from "../refusal";
import {
  Revoked,
  RevokeRequest,
  SessionFilter,
  type SessionItem,
  SessionList,
  SessionShow,
  SignedOut,
} from "./contract";
import { clearSessionCookies, clearSignInCookies } from "./cookies";
import { deviceIdOf } from "./devices";
import { membershipsOf } from "./memberships";
import type { Neighbours } from "./neighbours";
import { membershipView } from "./organisations";
import { findSession, listSessions, revokeSessions, type SessionRow, signOut, statusOf } from "./sessions";
import { zulu, zuluOrNull } from "./times";

/** Session endpoints and their v1 aliases (auth.md 2.5). */
export const sessionsApi = (ctx: Context, { codexAccess }: Neighbours) => {
  const show = async (caller: Caller) => {
    const session = await findSession(ctx.db, caller.sessionId);
    if (!session) throw unauthorized();
    const { user } = caller;
    return {
      data: {
        session: {
          sessionId: session.id,
          userId: String(user.id),
          email: user.email,
          deviceId: session.deviceId,
          status: statusOf(session, ctx.now()),
          tokenName: session.tokenName,
          issuedAt: zulu(session.issuedAt),
          accessExpiresAt: zulu(session.accessExpiresAt),
          refreshExpiresAt: zulu(session.refreshExpiresAt),
          activeOrgId: session.activeOrgId,
          reauthRequired: session.reauthRequired,
          lastRefreshedAt: zuluOrNull(session.lastRefreshedAt),
          revokedAt: zuluOrNull(session.revokedAt),
          revokedReason: session.revokedReason,
        },
        user: { id: String(user.id), email: user.email, name: user.name, workosId: user.workosId },
        memberships: (await membershipsOf(ctx.db, user.id, user.email)).map(membershipView),
        isAdmin: user.isAdmin,
        codexAccess: await codexAccess(user.id),
      },
    };
  };

  const list = async (caller: Caller, facts: Facts, deviceId: unknown) => {
    const rows = await listSessions(ctx, caller, deviceIdOf(deviceId), facts);
    return { data: { currentSessionId: caller.sessionId, sessions: rows.map((row) => item(ctx, caller, row)) } };
  };

  const revoke = async (request: Request, caller: Caller, facts: Facts, body: (typeof RevokeRequest)["static"]) => {
    const revoked = await revokeSessions(
      ctx,
      caller,
      {
        sessionId: body.session_id ?? null,
        deviceId: body.device_id ?? null,
        all: body.revoke_all_sessions === true,
        includeCurrent: body.include_current === true,
        reason: body.reason ?? null,
      },
      facts,
    );
    if (revoked.sessionIds.includes(caller.sessionId)) clearSessionCookies(request);
    return {
      ok: true,
      revokedSessionIds: revoked.sessionIds,
      revokedDeviceIds: revoked.deviceIds,
      revokedRefreshTokenIds: revoked.refreshTokenIds,
      reason: revoked.reason,
      revokedAt: zulu(revoked.revokedAt),
    };
  };

  return new Elysia({ tags: ["Auth"] })
    .use(platform)
    .get("/api/auth/session", ({ caller }) => show(caller), {
      user: "session",
      response: { 200: SessionShow },
      detail: { operationId: "authSession", summary: "Show the session of this request" },
    })
    .get("/api/v1/auth/session", ({ caller }) => show(caller), {
      user: "session",
      response: { 200: SessionShow },
      detail: { operationId: "v1AuthSession", summary: "Show the session of this request", deprecated: true },
    })
    .get("/api/auth/sessions", ({ caller, facts, query }) => list(caller, facts, query.device_id), {
      user: "session",
      query: SessionFilter,
      response: { 200: SessionList },
      detail: { operationId: "authSessionList", summary: "List own sessions" },
    })
    .get("/api/v1/auth/sessions", ({ caller, facts, query }) => list(caller, facts, query.device_id), {
      user: "session",
      query: SessionFilter,
      response: { 200: SessionList },
      detail: { operationId: "v1AuthSessions", summary: "List own sessions", deprecated: true },
    })
    .post("/api/auth/sessions/revoke", ({ request, caller, facts, body }) => revoke(request, caller, facts, body), {
      user: "session",
      body: RevokeRequest,
      response: { 200: Revoked },
      detail: { operationId: "authSessionRevoke", summary: "End sessions" },
    })
    .post("/api/v1/auth/sessions/revoke", ({ request, caller, facts, body }) => revoke(request, caller, facts, body), {
      user: "session",
      body: RevokeRequest,
      response: { 200: Revoked },
      detail: { operationId: "v1AuthSessionsRevoke", summary: "End sessions", deprecated: true },
    })
    .post(
      "/api/auth/logout",
      async ({ request, caller, facts }) => {
        const revokedAt = await signOut(ctx, caller, facts);
        clearSignInCookies(request);
        return { ok: true, status: "revoked", sessionId: caller.sessionId, revokedAt: zulu(revokedAt) };
      },
      {
        user: "session",
        failure: "auth.logout.failed",
        response: { 200: SignedOut },
        detail: { operationId: "authLogout", summary: "Sign out" },
      },
    );
};

const item = (ctx: Context, caller: Caller, row: SessionRow): SessionItem => ({
  session_id: row.id,
  user_id: String(row.userId),
  email: caller.user.email,
  device_id: row.deviceId,
  token_name: row.tokenName,
  status: statusOf(row, ctx.now()),
  issued_at: zulu(row.issuedAt),
  access_expires_at: zulu(row.accessExpiresAt),
  refresh_expires_at: zulu(row.refreshExpiresAt),
  active_org_id: row.activeOrgId,
  reauth_required: row.reauthRequired,
  last_refreshed_at: zuluOrNull(row.lastRefreshedAt),
  revoked_at: zuluOrNull(row.revokedAt),
  revoked_reason: row.revokedReason,
  last_used_at: zuluOrNull(row.lastUsedAt),
  user_agent: row.userAgent,
});
