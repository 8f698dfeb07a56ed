import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { asc } from "drizzle-orm";
import { auditEvents } from "../../db/schema/platform";
import { engines } from "../support/database";
import { type IdentityApp, identityApp } from "./app";

type Fields = "all four" | "user" | "none";

/** auth 3.14, row by row: who is named, and with which attributes. */
const events: [event: string, fields: Fields, attributes: string[], outcome?: string][] = [
  ["auth.challenge.requested", "none", ["provider", "email_domain"]],
  ["auth.web.challenge.requested", "none", ["provider", "email_domain"]],
  ["auth.verify.completed", "all four", ["provider", "new_user"]],
  ["auth.web.verify.completed", "all four", ["provider", "new_user"]],
  ["auth.register.completed", "user", ["created", "token_name", "autopilot_created", "email_domain"]],
  ["auth.refresh.completed", "all four", ["rotated_refresh_token"]],
  ["auth.logout.completed", "all four", []],
  ["auth.active_org.updated", "all four", []],
  ["auth.sessions.listed", "all four", ["session_count"]],
  ["auth.sessions.revoked", "all four", ["reason", "revoked_session_count", "revoked_refresh_token_count"]],
  ["auth.sessions.revocation.propagation.completed", "none", ["reason", "session_count", "device_count"]],
  ["auth.challenge.failed", "none", ["reason", "field"], "failure"],
  ["auth.verify.failed", "none", ["reason", "field"], "failure"],
  ["auth.refresh.failed", "none", ["reason"], "failure"],
  ["auth.logout.failed", "none", ["reason"], "failure"],
  ["profile.read", "all four", []],
  ["profile.updated", "all four", ["field_updated", "source"]],
  ["profile.deleted", "all four", ["source"]],
  ["sync.token.issued", "all four", ["scope_count", "topic_count", "expires_in"]],
  ["token.created", "all four", ["token_id"]],
  ["token.deleted", "all four", ["token_id"]],
];

for (const engine of engines) {
  describe(`the audit trail (auth 3.14) on ${engine}`, () => {
    let app: IdentityApp;
    let rows: (typeof auditEvents.$inferSelect)[];
    const secrets = new Set<string>();
    beforeAll(async () => {
      app = await identityApp(engine, {
        env: { OA_AUTH_API_SIGNUP_ENABLED: "true", OA_AUTH_MOCK_MAGIC_CODE: "847219" },
      });
      const send: IdentityApp["send"] = (method, path, sent = {}) =>
        app.send(method, path, {
          peer: app.peer(),
          ...sent,
          headers: { "x-request-id": `req-${method}-${path.slice(1).replaceAll("/", "-")}`, ...sent.headers },
        });
      const email = "Trail@private.example";
      const signIn = async () => {
        const { json } = await send("POST", "/api/auth/email", { body: { email } });
        const body = { code: "847219", challenge_id: json.challengeId };
        const answer = await send("POST", "/api/auth/verify", { body });
        for (const secret of ["token", "refreshToken"]) secrets.add(answer.json[secret]);
        secrets.add(json.challengeId);
        return answer.json as { token: string; refreshToken: string; sessionId: string };
      };
      secrets.add("847219").add("Trail@").add("trail@");

      const form = { accept: "application/json" };
      const web = await send("POST", "/login/email", { body: { email }, headers: form });
      const challenge = /oa_magic_challenge=([^;]+)/.exec(web.headers.getSetCookie().join())?.[1] as string;
      secrets.add(challenge);
      await send("POST", "/login/verify", { body: { code: "847219", challenge_id: challenge }, headers: form });
      const registered = await send("POST", "/api/auth/register", { body: { email: "other@private.example" } });
      secrets.add(registered.json.data.token);
      await send("POST", "/api/auth/email", { body: { email: "nothing" } });
      await send("POST", "/api/auth/verify", { body: { code: "847219" } });
      await send("POST", "/api/auth/refresh", { body: { refresh_token: "oa_rt_secret0secret0" } });
      secrets.add("oa_rt_secret0secret0");
      await send("POST", "/api/auth/logout");

      const first = await signIn();
      const refreshed = await send("POST", "/api/auth/refresh", { body: { refresh_token: first.refreshToken } });
      secrets.add(refreshed.json.token).add(refreshed.json.refreshToken);
      await send("POST", "/api/auth/logout", { as: refreshed.json.token });
      const { token: as } = await signIn();
      const id = (await send("GET", "/api/me", { as })).json.data.user.id;
      await send("POST", "/api/orgs/active", { as, body: { org_id: `user:${id}` } });
      await send("GET", "/api/auth/sessions", { as });
      await send("POST", "/api/auth/sessions/revoke", { as, body: { revoke_all_sessions: true } });
      const synced = await send("POST", "/api/sync/token", { as });
      secrets.add(synced.json.data.token);
      const made = await send("POST", "/api/tokens", { as, body: { name: "x" } });
      const pat = made.json.data.token as string;
      secrets.add(pat.split("|")[1] as string);
      await send("DELETE", `/api/tokens/${pat.split("|")[0]}`, { as });
      await send("GET", "/api/settings/profile", { as });
      await send("PATCH", "/api/settings/profile", { as, body: { name: "Trail" } });
      await send("DELETE", "/api/settings/profile", { as, body: { email } });
      await app.ctx.log.flush();
      rows = await app.ctx.db.select().from(auditEvents).orderBy(asc(auditEvents.id));
    });
    afterAll(() => app.close());

    test.each(events)("%s names %s, with %j", async (event, fields, attributes, outcome = "success") => {
      const row = rows.find(({ eventName }) => eventName === event);
      expect(row).toBeDefined();
      const { userId, sessionId, orgId, deviceId } = row as (typeof rows)[0];
      const named = [userId, sessionId, orgId, deviceId].map((value) => value !== null);
      expect(named).toEqual(
        { "all four": [true, true, true, true], user: [true, false, false, false], none: [false, false, false, false] }[
          fields
        ],
      );
      expect(Object.keys(row?.attributes as object).sort()).toEqual([...attributes].sort());
      expect([row?.outcome, row?.requestId]).toEqual([outcome, expect.stringMatching(/^req-/)]);

      const lines = app.log
        .join("")
        .split("\n")
        .filter((line) => line.includes('"oa.audit"'))
        .map((line) => JSON.parse(line))
        .filter((line) => line.event_name === event);
      const times = rows.filter(({ eventName }) => eventName === event).length;
      expect(lines).toHaveLength(times);
      const expected = [
        "event_name",
        "request_id",
        "outcome",
        "occurred_at",
        ...(named[0] ? ["user_id"] : []),
        ...(named[1] ? ["session_id", "org_id", "device_id"] : []),
        ...(attributes.length ? ["attributes"] : []),
      ];
      for (const name of expected) expect(lines[0]).toHaveProperty(name);
      for (const name of ["user_id", "session_id", "org_id", "device_id", "attributes"])
        if (!expected.includes(name)) expect(lines[0]).not.toHaveProperty(name);
      expect(lines[0].occurred_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      expect(await app.ctx.metrics.registry.metrics()).toContain(`oa_events_total{event="${event}"} ${times}`);
    });

    test("no code, token, cookie or address is in a row or a line, whatever was asked", () => {
      const told = JSON.stringify(rows) + app.log.join("\n");
      expect([...secrets].filter((secret) => told.includes(secret))).toEqual([]);
      expect(secrets.size).toBeGreaterThan(12);
    });
  });
}
