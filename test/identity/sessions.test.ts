import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { authRefreshTokens, authSessions } from "../../db/schema/identity";
import { sha256 } from "../../src/identity/credentials";
import { standings } from "../../src/identity/sync-verify";
import { engines } from "../support/database";
import { cookiesOf, type IdentityApp, identityApp, setCookieOf } from "./app";

const document = { "sec-fetch-dest": "document", accept: "text/html" };

for (const engine of engines) {
  describe(engine, () => {
    let app: IdentityApp;
    beforeAll(async () => {
      app = await identityApp(engine);
    });
    afterAll(() => app.close());

    const refresh = (refresh_token: string, more: object = {}) =>
      app.send("POST", "/api/auth/refresh", { body: { refresh_token, ...more } });
    const byCookie = (cookie: string, headers: Record<string, string> = {}) =>
      app.send("POST", "/api/auth/refresh", { headers: { cookie, ...headers } });
    const alive = async (token: string) => (await app.send("GET", "/api/auth/session", { as: token })).status === 200;
    const revocations = () =>
      app.events.filter((event) => event.stream === "sys.revocations").map((event) => event.payload);

    test("case 20: a rotation: new tokens work, old ones do not", async () => {
      const { token, refresh: old, sessionId } = await app.signIn("rotate@a.example", { device: "ios:1" });
      const answer = await refresh(old);
      expect(answer.json).toEqual({
        ok: true,
        status: "active",
        tokenType: "Bearer",
        token: expect.stringMatching(/^oa_at_[0-9a-f]{32}$/),
        refreshToken: expect.stringMatching(/^oa_rt_[0-9a-f]{32}$/),
        refreshTokenId: expect.stringMatching(/^rtid_[0-9a-f]{32}$/),
        replacedRefreshTokenId: expect.stringMatching(/^rtid_[0-9a-f]{32}$/),
        sessionId,
        accessExpiresAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        refreshExpiresAt: expect.stringMatching(/Z$/),
      });
      expect(answer.headers.getSetCookie()).toEqual([]);
      expect(await alive(token)).toBe(false);
      const out = await app.send("POST", "/api/auth/logout", { as: answer.json.token });
      expect(out.json).toEqual({ ok: true, status: "revoked", sessionId, revokedAt: expect.stringMatching(/Z$/) });
      expect((await app.send("POST", "/api/auth/logout", { as: answer.json.token })).status).toBe(401);
      expect((await app.audit()).filter((row) => /refresh|logout/.test(row.event))).toMatchObject([
        { event: "auth.refresh.completed", attributes: { rotated_refresh_token: "true" } },
        { event: "auth.logout.completed" },
        { event: "auth.logout.failed", attributes: { reason: "unauthorized" } },
      ]);
    });

    test("case 21: a used refresh token is a replay: 401, and the winner's session is dead", async () => {
      const { refresh: old, sessionId, id } = await app.signIn("replay@a.example");
      const rotated = await refresh(old);
      const again = await refresh(old);
      expect([again.status, again.json.message]).toEqual([401, "Refresh token was already rotated or revoked."]);
      expect(await alive(rotated.json.token)).toBe(false);
      expect((await refresh(rotated.json.refreshToken)).json.message).toBe(
        "Refresh token was already rotated or revoked.",
      );
      const [session] = await app.ctx.db.select().from(authSessions).where(eq(authSessions.id, sessionId));
      expect(session).toMatchObject({ status: "revoked", revokedReason: "token_replay", reauthRequired: true });
      const [row] = await app.ctx.db
        .select()
        .from(authRefreshTokens)
        .where(eq(authRefreshTokens.tokenHash, sha256(old)));
      expect(row?.state).toBe("replay_detected");
      expect(revocations()).toContainEqual({ session_ids: [sessionId], user_id: id, reason: "token_replay" });
      expect((await standings(app.ctx, [sessionId])).get(sessionId)).toMatchObject({
        userId: id,
        ended: "token_replay",
      });
    });

    test("2.4: refusals in their order", async () => {
      const none = await app.send("POST", "/api/auth/refresh", { body: { rotate_refresh_token: false } });
      expect([none.status, none.json.message]).toEqual([401, "Invalid refresh token."]);
      const kept = await refresh("oa_rt_x", { rotate_refresh_token: false });
      expect([kept.status, kept.json.errors]).toEqual([
        422,
        { rotate_refresh_token: ["Refresh token rotation is required."] },
      ]);
      const unknown = await app.send("POST", "/api/auth/refresh", {
        body: { refresh_token: "oa_rt_x" },
        headers: { "x-request-id": "req-bad-refresh" },
      });
      expect([unknown.status, unknown.json.message]).toEqual([401, "Invalid refresh token."]);
      expect(await app.audit()).toContainEqual({
        event: "auth.refresh.failed",
        outcome: "failure",
        requestId: "req-bad-refresh",
        attributes: { reason: "unauthorized" },
        userId: null,
      });
      const { refresh: token } = await app.signIn("phone@a.example", { device: "ios:1" });
      const other = await refresh(token, { device_id: "ios:2" });
      expect([other.status, other.json.message]).toEqual([
        403,
        "Refresh token does not belong to the requested device.",
      ]);
      expect((await refresh(token, { device_id: "IOS:1" })).status).toBe(200);
    });

    test("2.4: the bearer header carries one too", async () => {
      const { refresh: token } = await app.signIn("header@a.example");
      expect((await app.send("POST", "/api/auth/refresh", { as: token })).status).toBe(200);
    });

    test("case 30: an expired access token is 401 and changes nothing; the refresh token still works", async () => {
      const { token, refresh: old } = await app.signIn("slow@a.example");
      app.clock.advance(3_600_000);
      expect((await app.send("GET", "/api/me", { as: token })).status).toBe(401);
      const renewed = await refresh(old);
      expect(renewed.status).toBe(200);
      expect((await app.send("GET", "/api/me", { as: renewed.json.token })).status).toBe(200);
      app.clock.advance(2_592_001_000);
      const over = await refresh(renewed.json.refreshToken);
      expect([over.status, over.json.message]).toEqual([401, "Refresh session expired."]);
    });

    test("the cookie lane: both cookies renewed, no token in the body", async () => {
      const { cookie } = await app.signIn("tab@a.example", { client: "openagents-web" });
      const answer = await byCookie(cookie);
      expect(Object.keys(answer.json)).toEqual([
        "ok",
        "status",
        "refreshTokenId",
        "replacedRefreshTokenId",
        "sessionId",
        "accessExpiresAt",
        "refreshExpiresAt",
      ]);
      expect(setCookieOf(answer, "oa_access_token")).toContain("Max-Age=3600");
      expect(setCookieOf(answer, "oa_refresh_token")).toContain("Max-Age=2592000");
      expect((await app.send("GET", "/api/me", { headers: { cookie: cookiesOf(answer) } })).status).toBe(200);
    });

    test("the cookie lane: a sibling tab within 30 s is no replay, and gets no cookies; later it is one", async () => {
      const { cookie, sessionId } = await app.signIn("siblings@a.example");
      const first = await byCookie(cookie);
      app.clock.advance(28_000);
      const sibling = await byCookie(cookie);
      expect([sibling.status, sibling.json.sessionId]).toEqual([200, sessionId]);
      expect(sibling.json.refreshTokenId).toBe(first.json.refreshTokenId);
      expect(sibling.headers.getSetCookie()).toEqual([]);
      expect((await app.send("GET", "/api/me", { headers: { cookie: cookiesOf(first) } })).status).toBe(200);
      app.clock.advance(5_000);
      const late = await byCookie(cookie);
      expect(late.status).toBe(401);
      for (const name of ["oa_access_token", "oa_refresh_token"])
        expect(setCookieOf(late, name)).toContain("Max-Age=0");
      expect((await app.send("GET", "/api/me", { headers: { cookie: cookiesOf(first) } })).status).toBe(401);
    });

    test("the grace is the cookie lane's alone: a body or bearer token never gets it", async () => {
      const bodyFirst = await app.signIn("mixed@a.example");
      await refresh(bodyFirst.refresh);
      expect((await byCookie(bodyFirst.cookie)).status).toBe(401);
      const cookieFirst = await app.signIn("mixed2@a.example");
      await byCookie(cookieFirst.cookie);
      expect((await refresh(cookieFirst.refresh)).status).toBe(401);
    });

    test("case 33: a refresh by cookie from a foreign page is refused", async () => {
      const { cookie } = await app.signIn("csrf@a.example");
      const answer = await byCookie(cookie, { origin: "https://evil.example" });
      expect([answer.status, answer.json.error.code]).toEqual([419, "csrf_mismatch"]);
      expect((await byCookie(cookie)).status).toBe(200);
    });

    test("a document whose access cookie has run out is rotated in place; an API call is not", async () => {
      const { cookie } = await app.signIn("page@a.example");
      app.clock.advance(3_601_000);
      expect((await app.send("GET", "/api/me", { headers: { cookie, ...document } })).status).toBe(401);
      const page = await app.send("GET", "/register", { headers: { cookie, ...document } });
      expect([page.status, page.headers.get("location")]).toEqual([302, "/"]);
      expect((await app.send("GET", "/api/me", { headers: { cookie: cookiesOf(page) } })).status).toBe(200);
      const sibling = await app.send("GET", "/register", { headers: { cookie, ...document } });
      expect([sibling.headers.get("location"), sibling.headers.getSetCookie()]).toEqual(["/", []]);
    });

    test("a document with dead cookies is a guest's, and they are cleared", async () => {
      const page = await app.send("GET", "/register", {
        headers: { cookie: "oa_access_token=oa_at_0; oa_refresh_token=oa_rt_0", ...document },
      });
      expect(page.headers.get("location")).toBe("/login");
      for (const name of ["oa_access_token", "oa_refresh_token"])
        expect(setCookieOf(page, name)).toContain("Max-Age=0");
    });

    test("2.5: the session of this request", async () => {
      const { token, id, sessionId } = await app.signIn("show@openagents.com", {
        device: "ios:23b77335",
        client: "autopilot-ios",
      });
      for (const path of ["/api/auth/session", "/api/v1/auth/session"]) {
        const { json } = await app.send("GET", path, { as: token });
        expect(json.data.session).toEqual({
          sessionId,
          userId: String(id),
          email: "show@openagents.com",
          deviceId: "ios:23b77335",
          status: "active",
          tokenName: "mobile:autopilot-ios",
          issuedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
          accessExpiresAt: expect.any(String),
          refreshExpiresAt: expect.any(String),
          activeOrgId: `user:${id}`,
          reauthRequired: false,
          lastRefreshedAt: null,
          revokedAt: null,
          revokedReason: null,
        });
        expect(json.data.user).toMatchObject({ id: String(id), email: "show@openagents.com" });
        expect(json.data.memberships.map((item: { org_id: string }) => item.org_id)).toEqual([
          "org:openagents",
          `user:${id}`,
        ]);
        expect(json.data).toMatchObject({ isAdmin: false, codexAccess: { status: "no_worker" } });
      }
    });

    test("case 22: two devices listed; revoking one leaves the other; all without current; all with current", async () => {
      const a = await app.signIn("many@a.example", { device: "ios-device-a" });
      const b = await app.signIn("many@a.example", { device: "ios-device-b" });
      const list = await app.send("GET", "/api/auth/sessions", { as: a.token });
      expect(list.json.data.currentSessionId).toBe(a.sessionId);
      expect(list.json.data.sessions).toHaveLength(2);
      expect(Object.keys(list.json.data.sessions[0])).toEqual([
        "session_id",
        "user_id",
        "email",
        "device_id",
        "token_name",
        "status",
        "issued_at",
        "access_expires_at",
        "refresh_expires_at",
        "active_org_id",
        "reauth_required",
        "last_refreshed_at",
        "revoked_at",
        "revoked_reason",
        "last_used_at",
        "user_agent",
      ]);
      const one = await app.send("GET", "/api/v1/auth/sessions?device_id=IOS-device-b", { as: a.token });
      expect(one.json.data.sessions.map((item: { device_id: string }) => item.device_id)).toEqual(["ios-device-b"]);
      expect((await app.send("GET", "/api/auth/sessions?device_id=a%20b", { as: a.token })).json.errors).toEqual({
        device_id: ["Device id contains unsupported characters."],
      });

      const revoke = (body: object) => app.send("POST", "/api/auth/sessions/revoke", { as: a.token, body });
      const revoked = await revoke({ device_id: "ios-device-b" });
      expect(revoked.json).toEqual({
        ok: true,
        revokedSessionIds: [b.sessionId],
        revokedDeviceIds: ["ios-device-b"],
        revokedRefreshTokenIds: [expect.stringMatching(/^rtid_/)],
        reason: "user_requested",
        revokedAt: expect.stringMatching(/Z$/),
      });
      expect([await alive(a.token), await alive(b.token)]).toEqual([true, false]);
      expect(revocations()).toContainEqual({ session_ids: [b.sessionId], user_id: a.id, reason: "user_requested" });
      expect((await revoke({ device_id: "ios-device-b" })).json.revokedSessionIds).toEqual([]);

      expect((await revoke({ revoke_all_sessions: true })).json.revokedSessionIds).toEqual([]);
      expect((await revoke({ session_id: a.sessionId })).json.revokedSessionIds).toEqual([]);
      expect(await alive(a.token)).toBe(true);
      const self = await revoke({ revoke_all_sessions: true, include_current: true, reason: "security_policy" });
      expect(self.json).toMatchObject({ revokedSessionIds: [a.sessionId], reason: "security_policy" });
      expect(self.headers.getSetCookie().map((line) => line.split("=")[0])).toEqual([
        "oa_access_token",
        "oa_refresh_token",
      ]);
      expect(await alive(a.token)).toBe(false);
      expect((await app.audit()).filter((row) => row.event === "auth.sessions.revoked").at(-1)?.attributes).toEqual({
        reason: "security_policy",
        revoked_session_count: "1",
        revoked_refresh_token_count: "1",
      });
      expect(
        (await app.audit()).filter((row) => row.event.endsWith("propagation.completed")).at(-1)?.attributes,
      ).toEqual({
        reason: "security_policy",
        session_count: "1",
        device_count: "1",
      });
    });

    test("2.5: what a revocation may not ask", async () => {
      const { token } = await app.signIn("refused@a.example");
      const stranger = await app.signIn("stranger@a.example");
      const target = "Provide exactly one revocation target: session_id, device_id, or revoke_all_sessions=true.";
      const cases: [object, number, string, string | null][] = [
        [{}, 422, target, "target"],
        [{ session_id: "sess_x", device_id: "d" }, 422, target, "target"],
        [{ device_id: "d", revoke_all_sessions: true }, 422, target, "target"],
        [{ revoke_all_sessions: false }, 422, target, "target"],
        [{ session_id: "sess_unknown" }, 422, "Requested session does not exist.", "session_id"],
        [{ session_id: stranger.sessionId }, 403, "Requested session is not owned by current user.", null],
        [{ device_id: "a b" }, 422, "Device id contains unsupported characters.", "device_id"],
        [{ device_id: "d", reason: "boredom" }, 422, "The selected reason is invalid.", "reason"],
        [{ session_id: "sess_x", device_id: "a b" }, 422, target, "target"],
        [{ session_id: "sess_unknown", reason: "boredom" }, 422, "Requested session does not exist.", "session_id"],
      ];
      for (const [body, status, message, field] of cases) {
        const answer = await app.send("POST", "/api/v1/auth/sessions/revoke", { as: token, body });
        expect([answer.status, answer.json.message, field && Object.keys(answer.json.errors)]).toEqual([
          status,
          message,
          field && [field],
        ]);
      }
      expect(await alive(stranger.token)).toBe(true);
    });

    test("case 31: two browsers of one person stay signed in; one browser signing in again replaces itself", async () => {
      const [first, second] = [await app.signIn("browsers@a.example"), await app.signIn("browsers@a.example")];
      expect([await alive(first.token), await alive(second.token)]).toEqual([true, true]);
      const from = app.peer();
      const sent = await app.send("POST", "/api/auth/email", { body: { email: "browsers@a.example" }, peer: from });
      const again = await app.send("POST", "/api/auth/verify", {
        body: { code: "123456", challenge_id: sent.json.challengeId },
        headers: { cookie: first.cookie },
        peer: from,
      });
      expect(again.status).toBe(200);
      expect(setCookieOf(again, "oa_device_id")).toBeUndefined();
      expect([await alive(first.token), await alive(second.token), await alive(again.json.token)]).toEqual([
        false,
        true,
        true,
      ]);
      expect(revocations()).toContainEqual({
        session_ids: [first.sessionId],
        user_id: first.id,
        reason: "device_replaced",
      });
    });

    test("case 23: a PAT at a session's door is 401, and audited with the request's id", async () => {
      const person = await app.person("pat@a.example");
      const answer = await app.send("POST", "/api/auth/logout", { as: person, headers: { "x-request-id": "req-pat" } });
      expect([answer.status, answer.json.message]).toEqual([401, "Unauthenticated."]);
      expect((await app.audit()).at(-1)).toMatchObject({
        event: "auth.logout.failed",
        requestId: "req-pat",
        attributes: { reason: "unauthorized" },
      });
      for (const path of ["/api/auth/session", "/api/auth/sessions"]) {
        expect((await app.send("GET", path, { as: person })).status).toBe(401);
      }
    });

    test("2.0: credentials: a present but bad header is 401 and the cookie is not tried; another scheme is none", async () => {
      const { cookie, token } = await app.signIn("lanes@a.example");
      const me = (headers: Record<string, string>) => app.send("GET", "/api/me", { headers });
      for (const authorization of ["Bearer nonsense", "bearer 1|x", "Bearer oa_at_0", "Bearer", "Bearer |"]) {
        expect((await me({ authorization, cookie })).status).toBe(401);
      }
      expect((await me({ authorization: "Basic eDp5", cookie })).status).toBe(200);
      expect((await me({ authorization: `bEaReR ${token}` })).status).toBe(200);
      expect((await me({ cookie: "oa_access_token=oa_at_0" })).status).toBe(401);
      const guest = await me({});
      expect([guest.status, guest.json.message, guest.headers.get("www-authenticate")]).toEqual([
        401,
        "Unauthenticated.",
        "Bearer",
      ]);
    });

    test("an expired session says so when read, and is skipped by a revocation", async () => {
      const old = await app.signIn("expired@a.example", { device: "d:old" });
      app.clock.advance(2_592_001_000);
      const fresh = await app.signIn("expired@a.example", { device: "d:new" });
      const { json } = await app.send("GET", "/api/auth/sessions", { as: fresh.token });
      expect(
        json.data.sessions.map((item: { device_id: string; status: string }) => [item.device_id, item.status]),
      ).toEqual([
        ["d:new", "active"],
        ["d:old", "expired"],
      ]);
      expect((await standings(app.ctx, [old.sessionId])).get(old.sessionId)?.ended).toBe("session_expired");
      const body = { device_id: "d:old" };
      expect(
        (await app.send("POST", "/api/auth/sessions/revoke", { as: fresh.token, body })).json.revokedSessionIds,
      ).toEqual([]);
      const replacing = await app.signIn("expired@a.example", { device: "d:old" });
      expect(await alive(replacing.token)).toBe(true);
    });
  });
}
