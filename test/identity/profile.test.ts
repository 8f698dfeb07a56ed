import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { count, eq } from "drizzle-orm";
import { authChallenges, authSessions, orgMemberships, personalAccessTokens, users } from "../../db/schema/identity";
import { engines } from "../support/database";
import { type FakeWorkos, fakeWorkos } from "../support/workos";
import { codexAccess, type IdentityApp, identityApp, setCookieOf } from "./app";

const sixDigits = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000000Z$/;
const form = { "content-type": "application/x-www-form-urlencoded" };
const json = { accept: "application/json" };
const flashOf = (line: string | undefined) =>
  JSON.parse(Buffer.from((line ?? "").split(";")[0]?.slice("oa_flash=".length) ?? "", "base64url").toString());

for (const engine of engines) {
  describe(engine, () => {
    let app: IdentityApp;
    let workos: FakeWorkos;
    const asked: [number, number][] = [];
    beforeAll(async () => {
      workos = fakeWorkos();
      app = await identityApp(engine, {
        env: {
          OA_WORKOS_API_BASE_URL: workos.url,
          WORKOS_API_KEY: workos.apiKey,
          ADMIN_EMAILS: "Chris@openagents.com, x@y.z",
        },
        chatThreads: async (userId, limit) => {
          asked.push([userId, limit]);
          return [{ id: "thread_1", title: "New conversation", updatedAt: "2026-02-19T12:00:00.000000Z" }];
        },
      });
    });
    afterAll(async () => {
      await app.close();
      await workos.close();
    });

    const rowsOf = async (id: number) => {
      const tables = await Promise.all([
        app.ctx.db.select({ n: count() }).from(users).where(eq(users.id, id)),
        app.ctx.db.select({ n: count() }).from(authSessions).where(eq(authSessions.userId, id)),
        app.ctx.db.select({ n: count() }).from(personalAccessTokens).where(eq(personalAccessTokens.tokenableId, id)),
        app.ctx.db.select({ n: count() }).from(orgMemberships).where(eq(orgMemberships.userId, id)),
      ]);
      return tables.map(([row]) => row?.n);
    };

    test("2.7: /api/me, member by member", async () => {
      const { token, id } = await app.signIn("me@a.example");
      const answer = await app.send("GET", "/api/me", { as: token });
      expect(answer.json).toEqual({
        data: {
          user: {
            id,
            name: "me Mock",
            email: "me@a.example",
            handle: "me",
            avatar: "",
            createdAt: expect.stringMatching(sixDigits),
            updatedAt: expect.stringMatching(sixDigits),
            workosId: expect.stringMatching(/^mock_workos_/),
          },
          chatThreads: [{ id: "thread_1", title: "New conversation", updatedAt: "2026-02-19T12:00:00.000000Z" }],
          isAdmin: false,
          codexAccess,
        },
      });
      expect(Object.keys(answer.json.data.user)).toEqual([
        "id",
        "name",
        "email",
        "handle",
        "avatar",
        "createdAt",
        "updatedAt",
        "workosId",
      ]);
      expect(answer.headers.get("cache-control")).toBe("no-store");
    });

    test.each([
      ["", 50],
      ["?chat_limit=", 50],
      ["?chat_limit=7", 7],
      ["?chat_limit=0", 1],
      ["?chat_limit=-4", 1],
      ["?chat_limit=9999", 200],
      ["?chat_limit=abc", 1],
      ["?chat_limit=2.9", 2],
    ])("2.7: chat_limit %p is %p", async (query, limit) => {
      const { token } = await app.signIn("me@a.example");
      expect((await app.send("GET", `/api/me${query}`, { as: token })).status).toBe(200);
      expect(asked.at(-1)?.[1]).toBe(limit);
    });

    test("3.11: an administrator by list, whatever its letters; by column otherwise", async () => {
      for (const [email, isAdmin] of [
        ["CHRIS@openagents.com", true],
        ["other@openagents.com", false],
      ] as const) {
        const { token } = await app.signIn(email);
        expect((await app.send("GET", "/api/me", { as: token })).json.data.isAdmin).toBe(isAdmin);
      }
      const person = await app.person("column@a.example", { isAdmin: true });
      expect((await app.send("GET", "/api/me", { as: person })).json.data.isAdmin).toBe(true);
    });

    test("2.10: shown, and changed without createdAt", async () => {
      const { token, id } = await app.signIn("profile@a.example");
      const shown = await app.send("GET", "/api/settings/profile", { as: token });
      expect(shown.json.data).toEqual({
        id,
        name: "profile Mock",
        email: "profile@a.example",
        avatar: "",
        createdAt: expect.stringMatching(sixDigits),
        updatedAt: expect.stringMatching(sixDigits),
      });
      const changed = await app.send("PATCH", "/api/settings/profile", {
        as: token,
        body: { name: "  Ana  ", email: "x" },
      });
      expect(changed.json.data).toEqual({
        id,
        name: "Ana",
        email: "profile@a.example",
        avatar: "",
        updatedAt: expect.stringMatching(sixDigits),
      });
      expect(app.analytics.at(-1)).toEqual({
        id: "profile@a.example",
        event: "profile updated",
        properties: { field_updated: "name", source: "api" },
      });
      expect((await app.audit()).slice(-2)).toMatchObject([
        { event: "profile.read", userId: id },
        { event: "profile.updated", attributes: { field_updated: "name", source: "api" } },
      ]);
    });

    test("case 35: what a name has to be", async () => {
      const { token } = await app.signIn("names@a.example");
      const patch = (name: unknown) => app.send("PATCH", "/api/settings/profile", { as: token, body: { name } });
      expect((await patch("   ")).json.message).toBe("The name field is required.");
      expect((await patch("x".repeat(256))).json.message).toBe(
        "The name field must not be greater than 255 characters.",
      );
      expect((await patch("🦊".repeat(255))).status).toBe(200);
      expect((await patch(5)).json.message).toBe("The name field must be a string.");
    });

    test("case 33: a cookie's change from a foreign page is refused and nothing is written; by bearer it passes", async () => {
      const { cookie, token } = await app.signIn("csrf@a.example");
      const origin = "https://evil.example";
      const body = { name: "Evil" };
      const foreign = await app.send("PATCH", "/api/settings/profile", { headers: { cookie, origin }, body });
      expect([foreign.status, foreign.json.error.code]).toEqual([419, "csrf_mismatch"]);
      expect((await app.send("GET", "/api/settings/profile", { as: token })).json.data.name).toBe("csrf Mock");
      const wrongToken = await app.send("PATCH", "/api/settings/profile", {
        headers: { cookie, "x-xsrf-token": "x" },
        body,
      });
      expect(wrongToken.status).toBe(419);
      const csrf = /XSRF-TOKEN=([^;]+)/.exec(cookie)?.[1] as string;
      const right = await app.send("PATCH", "/api/settings/profile", {
        headers: { cookie, "x-xsrf-token": csrf },
        body,
      });
      expect(right.status).toBe(200);
      expect((await app.send("PATCH", "/api/settings/profile", { as: token, headers: { origin }, body })).status).toBe(
        200,
      );
    });

    test("case 15: deletion needs the address, and takes everything; sockets, WorkOS and analytics are told", async () => {
      const { token, id, cookie } = await app.signIn("leaving@a.example");
      await app.send("POST", "/api/tokens", { as: token, body: { name: "x" } });
      await app.send("POST", "/api/auth/email", { body: { email: "leaving@a.example" }, peer: app.peer() });
      await app.ctx.db.update(users).set({ workosId: "user_leaving" }).where(eq(users.id, id));
      workos.people.set("leaving@a.example", { id: "user_leaving" });
      const remove = (body: object) => app.send("DELETE", "/api/settings/profile", { headers: { cookie }, body });
      expect((await remove({})).json.errors).toEqual({ email: ["The email field is required."] });
      const wrong = await remove({ email: "other@a.example" });
      expect([wrong.status, wrong.json.errors]).toEqual([
        422,
        { email: ["Email confirmation does not match the authenticated user."] },
      ]);
      expect((await rowsOf(id))[0]).toBe(1);

      const gone = await remove({ email: " LEAVING@a.example " });
      expect([gone.status, gone.json]).toEqual([200, { data: { deleted: true } }]);
      for (const name of ["oa_access_token", "oa_refresh_token", "oa_local_test_auth"]) {
        expect(setCookieOf(gone, name)).toContain("Max-Age=0");
      }
      expect(await rowsOf(id)).toEqual([0, 0, 0, 0]);
      const left = await app.ctx.db.select().from(authChallenges).where(eq(authChallenges.email, "leaving@a.example"));
      expect(left).toEqual([]);
      expect((await app.send("GET", "/api/me", { as: token })).status).toBe(401);
      expect(app.events.at(-1)).toMatchObject({
        stream: "sys.revocations",
        payload: { session_ids: null, user_id: id, reason: "user_requested" },
      });
      expect(app.analytics.at(-1)).toMatchObject({
        id: "leaving@a.example",
        event: "account deleted",
        properties: { source: "api" },
      });
      expect((await app.audit()).filter((row) => row.event === "profile.deleted").at(-1)?.attributes).toEqual({
        source: "api",
      });
      await app.runJobs("workos.user.delete");
      expect(workos.people.has("leaving@a.example")).toBe(false);
    });

    test("the WorkOS job tries again on a fault, and is done when WorkOS does not know the person", async () => {
      const { token, id } = await app.signIn("job@a.example");
      await app.ctx.db.update(users).set({ workosId: "user_job" }).where(eq(users.id, id));
      await app.send("DELETE", "/api/settings/profile", { as: token, body: { email: "job@a.example" } });
      const job = app.jobs.find(({ kind }) => kind === "workos.user.delete");
      workos.fault = { at: "users", kind: "500" };
      await expect(app.runJobs("workos.user.delete")).rejects.toThrow("WorkOS answered 500");
      workos.fault = null;
      app.jobs.push(job as (typeof app.jobs)[0]);
      await app.runJobs("workos.user.delete");
      expect(app.kinds.get("workos.user.delete")).toMatchObject({ tries: 5, backoffSeconds: 30, double: true });
    });

    test("who has signed up again before the job ran is kept at WorkOS", async () => {
      const { token, id } = await app.signIn("back@a.example");
      await app.ctx.db.update(users).set({ workosId: "user_back" }).where(eq(users.id, id));
      workos.people.set("back@a.example", { id: "user_back" });
      await app.send("DELETE", "/api/settings/profile", { as: token, body: { email: "back@a.example" } });
      await app.ctx.db.insert(users).values({ name: "B", email: "back@a.example", workosId: "user_back", avatar: "" });
      await app.runJobs("workos.user.delete");
      expect(workos.people.has("back@a.example")).toBe(true);
    });

    test("who never was at WorkOS is not deleted there", async () => {
      const { token, id } = await app.signIn("mock@a.example");
      await app.send("DELETE", "/api/settings/profile", { as: token, body: { email: "mock@a.example" } });
      expect(app.jobs.at(-1)).toMatchObject({ kind: "khala.forget", payload: { user_id: id } });
      expect(app.jobs.filter(({ kind }) => kind === "workos.user.delete")).toEqual([]);
    });

    test("2.10 web: change and deletion by form and by script", async () => {
      const { cookie, id } = await app.signIn("webform@a.example");
      const patch = (body: string, headers = {}) =>
        app.send("PATCH", "/settings/profile", { headers: { cookie, ...form, ...headers }, body });
      const changed = await patch("name=Ana+Maria");
      expect([changed.status, changed.headers.get("location")]).toEqual([303, "/settings/profile"]);
      expect(flashOf(setCookieOf(changed, "oa_flash"))).toEqual({ status: "profile-updated" });
      expect(app.analytics.at(-1)?.properties).toEqual({ field_updated: "name" });
      const bad = await patch("name=+");
      expect([bad.status, bad.headers.get("location")]).toEqual([303, "/settings/profile"]);
      expect(flashOf(setCookieOf(bad, "oa_flash"))).toEqual({ errors: { name: "The name field is required." } });
      const script = await patch("name=Script", json);
      expect([script.status, script.json.data.name]).toEqual([200, "Script"]);
      expect((await patch("name=+", json)).status).toBe(422);

      const wrong = await app.send("DELETE", "/settings/profile", {
        headers: { cookie, ...form },
        body: "email=x%40y.z",
      });
      expect(flashOf(setCookieOf(wrong, "oa_flash"))).toEqual({
        errors: { email: "Email confirmation does not match the authenticated user." },
      });
      for (const body of [{ email: ["webform@a.example"] }, { email: 5 }, { email: "webform" }])
        expect((await app.send("DELETE", "/settings/profile", { headers: { cookie, ...json }, body })).status).toBe(
          422,
        );
      const gone = await app.send("DELETE", "/settings/profile", { headers: { cookie } });
      expect(gone.headers.getSetCookie().map((line) => line.split("=")[0])).toEqual([
        "oa_access_token",
        "oa_refresh_token",
        "oa_local_test_auth",
        "oa_flash",
      ]);
      expect([gone.status, gone.headers.get("location")]).toEqual([303, "/"]);
      expect(flashOf(setCookieOf(gone, "oa_flash"))).toEqual({ status: "profile-deleted" });
      expect(await rowsOf(id)).toEqual([0, 0, 0, 0]);
      expect((await app.audit()).filter((row) => row.event === "profile.deleted").at(-1)?.attributes).toEqual({
        source: "web",
      });
      expect((await app.send("PATCH", "/settings/profile", { headers: json, body: { name: "x" } })).status).toBe(401);
    });

    test("2.11: memberships and the active organisation", async () => {
      const { token, id } = await app.signIn("org@openagents.com");
      const list = await app.send("GET", "/api/orgs/memberships", { as: token });
      expect(list.json.data).toMatchObject({
        activeOrgId: `user:${id}`,
        memberships: [
          {
            org_id: "org:openagents",
            org_slug: "openagents",
            role: "member",
            role_scopes: ["runtime.read", "sync.subscribe", "policy.evaluate", "org.membership.read"],
            default_org: false,
          },
          { org_id: `user:${id}`, org_slug: `user-${id}`, role: "owner", default_org: true },
        ],
      });
      const choose = (org_id: unknown) => app.send("POST", "/api/orgs/active", { as: token, body: { org_id } });
      expect((await choose("  ")).json.errors).toEqual({ org_id: ["Organization id is required."] });
      const foreign = await choose("org:other");
      expect([foreign.status, foreign.json.message]).toEqual([
        403,
        "Requested organization is not available for this user.",
      ]);
      const chosen = await choose("org:openagents");
      expect(chosen.json).toMatchObject({ ok: true, activeOrgId: "org:openagents" });
      expect((await app.send("GET", "/api/orgs/memberships", { as: token })).json.data.activeOrgId).toBe(
        "org:openagents",
      );
      expect((await app.audit()).at(-1)).toMatchObject({ event: "auth.active_org.updated" });
      const person = await app.person("orgpat@a.example");
      expect((await app.send("POST", "/api/orgs/active", { as: person, body: { org_id: "x" } })).status).toBe(401);
      expect((await app.send("GET", "/api/orgs/memberships", { as: person })).json.data.memberships).toHaveLength(1);
    });

    test("case 24: policy", async () => {
      const { token } = await app.signIn("policy@openagents.com");
      await app.send("POST", "/api/orgs/active", { as: token, body: { org_id: "org:openagents" } });
      const ask = async (body: object) =>
        (await app.send("POST", "/api/policy/authorize", { as: token, body })).json.data;
      expect(await ask({ required_scopes: ["runtime.write"] })).toEqual({
        allowed: false,
        resolved_org_id: "org:openagents",
        granted_scopes: [],
        denied_reasons: ["scope_denied:runtime.write"],
      });
      expect(
        await ask({ required_scopes: ["runtime.read", ""], requested_topics: ["org:openagents:workers", "  "] }),
      ).toEqual({
        allowed: true,
        resolved_org_id: "org:openagents",
        granted_scopes: ["runtime.read"],
        denied_reasons: [],
      });
      expect(await ask({ requested_topics: ["org:other:workers", "run:1:events"] })).toMatchObject({
        allowed: false,
        denied_reasons: ["topic_denied:org:other:workers", "topic_denied:run:1:events"],
      });
      expect(await ask({ org_id: "org:other", required_scopes: ["runtime.read"] })).toEqual({
        allowed: false,
        resolved_org_id: "org:other",
        granted_scopes: [],
        denied_reasons: ["org_scope_denied"],
      });
      expect(await ask({})).toMatchObject({ allowed: true });
    });
  });
}
