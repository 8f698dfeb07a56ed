import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { authSessions, orgMemberships, personalAccessTokens } from "../../db/schema/identity";
import { sha256 } from "../../src/identity/credentials";
import { readJwt, signJwt } from "../../src/identity/jwt";
import { standings, verifySyncToken } from "../../src/identity/sync-verify";
import { engines } from "../support/database";
import { type IdentityApp, identityApp } from "./app";

const sixDigits = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000000Z$/;
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1] as string, "base64url").toString());

for (const engine of engines) {
  describe(engine, () => {
    let app: IdentityApp;
    beforeAll(async () => {
      app = await identityApp(engine, {
        env: {
          APP_URL: "http://localhost:8787",
          OA_SYNC_TOKEN_SIGNING_KEY: "sync-test-signing-key",
          OA_SYNC_TOKEN_ISSUER: "https://openagents.test",
          OA_SYNC_TOKEN_AUDIENCE: "openagents-sync-test",
          OA_SYNC_TOKEN_KEY_ID: "sync-auth-test-v1",
          OA_KHALA_TOKEN_SIGNING_KEY: " khala-test-signing-key ",
          OA_KHALA_TOKEN_ISSUER: "https://openagents.test",
          OA_KHALA_TOKEN_AUDIENCE: "openagents-khala-test",
          OA_KHALA_TOKEN_KEY_ID: "khala-auth-test-v1",
        },
        ownsRun: async (_, runId) => runId === "mine",
      });
    });
    afterAll(() => app.close());

    const revocations = () =>
      app.events.filter((event) => event.stream === "sys.revocations").map((event) => event.payload);

    describe("personal access tokens (auth 2.6, 3.4)", () => {
      test("created, used, listed, deleted; its plain text is seen once", async () => {
        const person = await app.person("pats@a.example");
        const body = { name: " api-cli ", abilities: ["chat:read", "chat:write"], expires_at: "2027-02-26 12:00" };
        const created = await app.send("POST", "/api/tokens", { as: person, body });
        expect([created.status, created.json]).toEqual([
          201,
          {
            data: {
              token: expect.stringMatching(/^\d+\|[A-Za-z0-9]{40}[0-9a-f]{8}$/),
              tokenableId: person.id,
              name: "api-cli",
              abilities: ["chat:read", "chat:write"],
              expiresAt: "2027-02-26T12:00:00.000000Z",
            },
          },
        ]);
        const { token } = created.json.data;
        const [id, secret] = token.split("|");
        const [row] = await app.ctx.db
          .select()
          .from(personalAccessTokens)
          .where(eq(personalAccessTokens.id, Number(id)));
        expect(row).toMatchObject({ token: sha256(secret), tokenableType: "App\\Models\\User", lastUsedAt: null });
        const list = await app.send("GET", "/api/tokens", { as: token });
        expect(list.json.data).toEqual([
          {
            id: Number(id),
            name: "api-cli",
            abilities: ["chat:read", "chat:write"],
            lastUsedAt: expect.stringMatching(sixDigits),
            expiresAt: "2027-02-26T12:00:00.000000Z",
            createdAt: expect.stringMatching(sixDigits),
            isCurrent: true,
          },
          expect.objectContaining({ name: "test", isCurrent: false }),
        ]);
        expect(list.text).not.toContain(secret);
        expect(app.log.join("\n")).not.toContain(secret);
        const gone = await app.send("DELETE", `/api/tokens/${id}`, { as: person });
        expect([gone.status, gone.json]).toEqual([200, { data: { deleted: true } }]);
        expect((await app.send("GET", "/api/me", { as: token })).status).toBe(401);
        expect(revocations()).toContainEqual({
          session_ids: [`pat:${id}`],
          user_id: person.id,
          reason: "user_requested",
        });
        expect(
          (await app.audit())
            .filter((entry) => entry.event.startsWith("token."))
            .map((entry) => [entry.event, entry.attributes]),
        ).toEqual([
          ["token.created", { token_id: id }],
          ["token.deleted", { token_id: id }],
        ]);
      });

      test.each([
        [{}, { name: ["The name field is required."] }],
        [{ name: "x".repeat(101) }, { name: ["The name field must not be greater than 100 characters."] }],
        [{ name: "x", abilities: "y" }, { abilities: ["The abilities field must be an array."] }],
        [{ name: "x", abilities: ["ok", "  "] }, { "abilities.1": ["The abilities.1 field must be a string."] }],
        [{ name: "x", expires_at: "tomorrow" }, { expires_at: ["The expires at field must be a valid date."] }],
        [{ name: "x", expires_at: "2026-02-30" }, { expires_at: ["The expires at field must be a valid date."] }],
        [{ name: "x", expires_at: 5 }, { expires_at: ["The expires at field must be a valid date."] }],
      ])("%j is refused", async (body, errors) => {
        const { token } = await app.signIn("bad@a.example");
        const answer = await app.send("POST", "/api/tokens", { as: token, body });
        expect([answer.status, answer.json.errors]).toEqual([422, errors]);
      });

      test.each([
        ["2027-02-26T12:00:00Z", "2027-02-26T12:00:00.000000Z"],
        ["2027-02-26T12:00:00+02:00", "2027-02-26T10:00:00.000000Z"],
        ["2027-02-26", "2027-02-26T00:00:00.000000Z"],
        ["2027-02-26 12:00:30", "2027-02-26T12:00:30.000000Z"],
        [null, null],
      ])("expiry %p is %p, whichever name it has", async (given, expiresAt) => {
        const { token } = await app.signIn("dates@a.example");
        for (const name of ["expires_at", "expiresAt"]) {
          const answer = await app.send("POST", "/api/tokens", { as: token, body: { name: "d", [name]: given } });
          expect(answer.json.data).toMatchObject({ expiresAt, abilities: ["*"] });
        }
      });

      test("case 10: an expired one is 401, and still listed", async () => {
        const { token } = await app.signIn("expired@a.example");
        const created = await app.send("POST", "/api/tokens", {
          as: token,
          body: { name: "old", expires_at: "2020-01-01" },
        });
        expect((await app.send("GET", "/api/me", { as: created.json.data.token })).status).toBe(401);
        expect((await app.send("GET", "/api/tokens", { as: token })).json.data).toHaveLength(1);
      });

      test("a narrow one cannot mint a wider one", async () => {
        const narrow = await app.person("narrow@a.example", { abilities: ["chat:read"] });
        const mint = (abilities?: string[]) =>
          app.send("POST", "/api/tokens", { as: narrow, body: { name: "x", abilities } });
        expect((await mint(["chat:read"])).status).toBe(201);
        for (const abilities of [["chat:write"], ["*"], [], undefined]) {
          const answer = await mint(abilities);
          expect([answer.status, answer.json.message]).toEqual([403, "This action is unauthorized."]);
        }
      });

      test("case 11: delete by id, then all: the count, and the one in use is dead too", async () => {
        const person = await app.person("all@a.example");
        const created = await app.send("POST", "/api/tokens", { as: person, body: { name: "api-cli" } });
        const id = created.json.data.token.split("|")[0];
        expect((await app.send("DELETE", `/api/tokens/${id}`, { as: person })).json.data.deleted).toBe(true);
        expect((await app.send("DELETE", "/api/tokens", { as: person })).json).toEqual({ data: { deletedCount: 1 } });
        expect((await app.send("GET", "/api/tokens", { as: person })).status).toBe(401);
      });

      test("someone else's, an unknown and a malformed id are not found", async () => {
        const [ann, ben] = [await app.person("ann@a.example"), await app.person("ben@a.example")];
        for (const id of [ben.token.split("|")[0], "999999", "abc", "1.5", "99999999999999999999"]) {
          const answer = await app.send("DELETE", `/api/tokens/${id}`, { as: ann });
          expect([answer.status, answer.json.message]).toEqual([404, "Not found."]);
        }
        expect((await app.send("GET", "/api/me", { as: ben })).status).toBe(200);
      });

      test("case 34: with a cookie session: no current one, and none deleted", async () => {
        const { cookie } = await app.signIn("cookie@a.example");
        await app.send("POST", "/api/tokens", { headers: { cookie }, body: { name: "x" } });
        const list = await app.send("GET", "/api/tokens", { headers: { cookie } });
        expect(list.json.data.map((item: { isCurrent: boolean }) => item.isCurrent)).toEqual([false]);
        const gone = await app.send("DELETE", "/api/tokens/current", { headers: { cookie } });
        expect([gone.status, gone.json]).toEqual([200, { data: { deleted: false } }]);
      });

      test("an imported token without an id is found by its hash", async () => {
        const person = await app.person("import@a.example");
        await app.ctx.db.insert(personalAccessTokens).values({
          tokenableId: person.id,
          name: "seed-token",
          token: sha256("oa_pat_seed_token_alpha"),
          abilities: null,
        });
        const me = await app.send("GET", "/api/me", { as: "oa_pat_seed_token_alpha" });
        expect(me.json.data.user.id).toBe(person.id);
      });

      test("an id with another's secret is refused", async () => {
        const [ann, ben] = [await app.person("id1@a.example"), await app.person("id2@a.example")];
        const mixed = `${ann.token.split("|")[0]}|${ben.token.split("|")[1]}`;
        expect((await app.send("GET", "/api/me", { as: mixed })).status).toBe(401);
      });

      test("last use is noted at most once a minute", async () => {
        const person = await app.person("use@a.example");
        const id = Number(person.token.split("|")[0]);
        const lastUse = async () =>
          (await app.ctx.db.select().from(personalAccessTokens).where(eq(personalAccessTokens.id, id)))[0]?.lastUsedAt;
        const noted = async (differs: Date | null | undefined) => {
          await app.send("GET", "/api/me", { as: person });
          for (let i = 0; i < 200 && (await lastUse())?.getTime() === differs?.getTime(); i++) await Bun.sleep(5);
          return lastUse();
        };
        const first = await noted(null);
        expect(first).toBeInstanceOf(Date);
        app.clock.advance(30_000);
        await app.send("GET", "/api/me", { as: person });
        await app.send("GET", "/api/me", { as: person });
        expect(await lastUse()).toEqual(first as Date);
        app.clock.advance(31_000);
        expect((await noted(first))?.getTime()).toBeGreaterThan((first as Date).getTime());
      });
    });

    describe("Khala tokens (auth 2.8)", () => {
      test("case 13: the whole answer and its claims; minted later, they are later", async () => {
        const { token, id } = await app.signIn("khala@a.example");
        const body = {
          scope: ["codex:read", " codex:write ", "codex:read"],
          workspace_id: "workspace_42",
          role: "admin",
        };
        const answer = await app.send("POST", "/api/khala/token", { as: token, body });
        expect(answer.json.data).toEqual({
          token: expect.any(String),
          token_type: "Bearer",
          expires_in: 300,
          issued_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/),
          expires_at: expect.stringMatching(/\+00:00$/),
          issuer: "https://openagents.test",
          audience: "openagents-khala-test",
          subject: `user:${id}`,
          claims_version: "oa_khala_claims_v1",
          scope: ["codex:read", "codex:write"],
          workspace_id: "workspace_42",
          role: "admin",
          kid: "khala-auth-test-v1",
        });
        const claims = await readJwt(
          answer.json.data.token,
          new Map([["khala-auth-test-v1", "khala-test-signing-key"]]),
        );
        expect(Object.keys(claims ?? {})).toEqual([
          "iss",
          "aud",
          "sub",
          "iat",
          "nbf",
          "exp",
          "jti",
          "oa_user_id",
          "oa_claims_version",
          "scope",
          "oa_workspace_id",
          "oa_role",
        ]);
        expect(claims).toMatchObject({ oa_user_id: id, jti: expect.stringMatching(/^[0-9a-f]{24}$/) });
        expect((claims?.exp as number) - (claims?.iat as number)).toBe(300);
        app.clock.advance(300_000);
        const later = claimsOf((await app.send("POST", "/api/khala/token", { as: token })).json.data.token);
        expect(later.iat).toBeGreaterThanOrEqual((claims?.iat as number) + 300);
        expect(later).not.toHaveProperty("scope");
        expect("denied" in (await verifySyncToken(app.ctx, answer.json.data.token))).toBe(true);
      });

      test.each([
        [{ OA_KHALA_TOKEN_ENABLED: false }, "khala token minting is disabled"],
        [{ OA_KHALA_TOKEN_SIGNING_KEY: "" }, "khala token signing key is not configured"],
        [{ OA_KHALA_TOKEN_AUDIENCE: "" }, "khala token issuer and audience must be configured"],
        [{ OA_KHALA_TOKEN_ISSUER: "" }, "khala token issuer and audience must be configured"],
        [{ OA_KHALA_TOKEN_CLAIMS_VERSION: "" }, "khala token claims_version must be configured"],
        [{ OA_KHALA_TOKEN_MIN_TTL_SECONDS: 0 }, "khala token ttl bounds are invalid"],
        [{ OA_KHALA_TOKEN_TTL_SECONDS: 901 }, "khala token ttl_seconds is outside configured bounds"],
      ])("%j: %s", async (over, message) => {
        const { token } = await app.signIn("khala@a.example");
        await app.withConfig(over, async () => {
          const answer = await app.send("POST", "/api/khala/token", { as: token });
          expect([answer.status, answer.json.error]).toEqual([503, { code: "khala_token_unavailable", message }]);
        });
      });

      test("what a request may not say", async () => {
        const { token } = await app.signIn("khala@a.example");
        const answer = await app.send("POST", "/api/khala/token", { as: token, body: { scope: [1], role: "king" } });
        expect(answer.json.errors).toEqual({
          role: ["The selected role is invalid."],
          "scope.0": ["The scope.0 field must be a string."],
        });
      });
    });

    describe("sync tokens (auth 2.9, 3.7)", () => {
      const mint = (as: string, body: object = {}, headers: Record<string, string> = {}) =>
        app.send("POST", "/api/sync/token", { as, body, headers });

      test("the whole answer and its claims", async () => {
        const { token, id, sessionId } = await app.signIn("sync@a.example", { device: "ios:1" });
        const scopes = ["runtime.codex_worker_events", " runtime.run_summaries ", "runtime.run_summaries"];
        const answer = await mint(token, { scopes, ttl_seconds: 120 }, { "x-client": " Autopilot-iOS " });
        const topics = [
          { topic: `org:user:${id}:worker_events`, required_scope: "runtime.codex_worker_events" },
          { topic: `user:${id}:runs`, required_scope: "runtime.run_summaries" },
        ];
        expect(answer.json.data).toEqual({
          token: expect.any(String),
          token_type: "Bearer",
          expires_in: 120,
          issued_at: expect.stringMatching(/\+00:00$/),
          expires_at: expect.stringMatching(/\+00:00$/),
          issuer: "https://openagents.test",
          audience: "openagents-sync-test",
          subject: `user:${id}`,
          org_id: `user:${id}`,
          claims_version: "oa_sync_claims_v1",
          scopes: ["runtime.codex_worker_events", "runtime.run_summaries"],
          granted_topics: topics,
          kid: "sync-auth-test-v1",
          token_id: expect.stringMatching(/^sync_[0-9a-f]{32}$/),
          session_id: sessionId,
          device_id: "ios:1",
        });
        expect(claimsOf(answer.json.data.token)).toMatchObject({
          oa_user_id: id,
          oa_session_id: sessionId,
          oa_sync_topics: topics.map(({ topic }) => topic),
          oa_client_surface: "autopilot-ios",
        });
        const verified = await verifySyncToken(app.ctx, answer.json.data.token);
        expect(verified).toMatchObject({ userId: id, sessionId, deviceId: "ios:1", clientSurface: "autopilot-ios" });
        expect((await app.audit()).at(-1)).toMatchObject({
          event: "sync.token.issued",
          attributes: { scope_count: "2", topic_count: "2", expires_in: "120" },
        });
      });

      test("case 14: order kept; defaults when none is asked; unknown refused", async () => {
        const { token, id } = await app.signIn("order@a.example");
        const scopes = ["runtime.run_summaries", "runtime.codex_worker_summaries"];
        expect((await mint(token, { scopes })).json.data.scopes).toEqual(scopes);
        const usual = (await mint(token)).json.data;
        expect(usual.scopes).toEqual(["runtime.codex_worker_summaries"]);
        expect(usual.granted_topics).toEqual([
          { topic: `org:user:${id}:workers`, required_scope: "runtime.codex_worker_summaries" },
        ]);
        const unknown = await mint(token, { scopes: ["runtime.everything"] });
        expect([unknown.status, unknown.json]).toEqual([
          422,
          {
            message: "requested sync scopes are not allowed",
            error: { code: "invalid_scope", message: "requested sync scopes are not allowed" },
          },
        ]);
        await app.withConfig({ OA_SYNC_TOKEN_DEFAULT_SCOPES: [] }, async () => {
          expect((await mint(token)).json.data.scopes).toHaveLength(6);
        });
      });

      test("case 25: devices and topics", async () => {
        const { token, id } = await app.signIn("topics@a.example", { device: "ios:x" });
        const other = await mint(token, { device_id: "ios:y" });
        expect([other.status, other.json.message]).toEqual([
          403,
          "Requested device does not match active authenticated session device.",
        ]);
        const person = await app.person("topics2@a.example");
        const pat = await mint(person.token, { device_id: "Ios:Y" });
        expect(pat.json.data).toMatchObject({ session_id: `pat:${person.token.split("|")[0]}`, device_id: "ios:y" });
        const cases: [string[], number, string, string][] = [
          [
            ["org:openagents:unknown"],
            422,
            "invalid_request",
            "requested topic 'org:openagents:unknown' is not supported",
          ],
          [
            [`user:${id}:runs`],
            422,
            "invalid_scope",
            `requested topic 'user:${id}:runs' requires scope 'runtime.run_summaries'`,
          ],
          [
            ["org:other:workers"],
            403,
            "forbidden",
            "Requested sync scopes/topics are not allowed for current org policy.",
          ],
          [
            ["user:999999:workers"],
            403,
            "forbidden",
            "Requested sync scopes/topics are not allowed for current org policy.",
          ],
          [
            ["run:other:workers"],
            403,
            "forbidden",
            "Requested sync scopes/topics are not allowed for current org policy.",
          ],
        ];
        for (const [topics, status, code, message] of cases) {
          const answer = await mint(token, { topics });
          expect([answer.status, answer.json.error]).toEqual([status, { code, message }]);
        }
        const own = await mint(token, {
          topics: [` org:user:${id}:workers `, "", `org:user:${id}:workers`, "run:mine:workers"],
        });
        expect(own.status).toBe(422);
        const fine = await mint(token, {
          topics: [` org:user:${id}:workers `, `org:user:${id}:workers`, "run:mine:workers"],
        });
        expect(fine.json.data.granted_topics.map((granted: { topic: string }) => granted.topic)).toEqual([
          `org:user:${id}:workers`,
          "run:mine:workers",
        ]);
        await app.send("POST", "/api/auth/logout", { as: token });
        expect((await mint(token)).status).toBe(401);
      });

      test("case 24: a mere member of openagents with it active gets no sync token", async () => {
        const { token } = await app.signIn("member@openagents.com");
        await app.send("POST", "/api/orgs/active", { as: token, body: { org_id: "org:openagents" } });
        const answer = await mint(token);
        expect([answer.status, answer.json.error.code]).toEqual([403, "forbidden"]);
      });

      test("refusals in their order", async () => {
        const { token } = await app.signIn("order2@a.example", { device: "ios:x" });
        expect((await mint(token, { ttl_seconds: "abc" })).json.errors).toEqual({
          ttl_seconds: ["The ttl seconds field must be an integer."],
        });
        for (const ttl_seconds of [59, 901]) {
          expect((await mint(token, { ttl_seconds, scopes: ["no"] })).json.message).toBe(
            "requested ttl is outside configured bounds",
          );
        }
        const texts: [object, string][] = [
          [{ OA_SYNC_TOKEN_ENABLED: false }, "sync token minting is disabled"],
          [{ OA_SYNC_TOKEN_SIGNING_KEY: "" }, "sync token signing key is not configured"],
          [{ OA_SYNC_TOKEN_ISSUER: "" }, "sync token issuer and audience must be configured"],
          [{ OA_SYNC_TOKEN_KEY_ID: "" }, "sync token key_id must be configured"],
          [{ OA_SYNC_TOKEN_CLAIMS_VERSION: "" }, "sync token claims_version must be configured"],
          [{ OA_SYNC_TOKEN_MAX_TTL_SECONDS: 30 }, "sync token ttl bounds are invalid"],
          [{ OA_SYNC_TOKEN_TTL_SECONDS: 30 }, "sync token ttl_seconds is outside configured bounds"],
          [{ OA_SYNC_TOKEN_ALLOWED_SCOPES: [] }, "sync token scopes are not configured"],
        ];
        for (const [over, message] of texts) {
          await app.withConfig(over, async () => {
            const answer = await mint(token, { ttl_seconds: 1 });
            expect([answer.status, answer.json.error]).toEqual([503, { code: "sync_token_unavailable", message }]);
          });
        }
      });

      test("verification: what is denied, and why", async () => {
        const { token, id, sessionId } = await app.signIn("deny@a.example", { device: "ios:1" });
        const minted = (await mint(token, { ttl_seconds: 900 })).json.data.token;
        const claims = claimsOf(minted);
        const sign = (over: object, key = "sync-test-signing-key", kid = "sync-auth-test-v1") => {
          const changed = { ...claims, ...over };
          return signJwt(changed, key, kid);
        };
        const now = Math.floor(app.clock.now().getTime() / 1000);
        const cases: [string, Promise<string> | string, string][] = [
          ["another key", sign({}, "other"), "invalid_token"],
          ["an unknown kid", sign({}, "sync-test-signing-key", "v0"), "invalid_token"],
          ["another issuer", sign({ iss: "https://evil" }), "invalid_token"],
          ["another audience", sign({ aud: "openagents-khala-test" }), "invalid_token"],
          ["another claims version", sign({ oa_claims_version: "v2" }), "invalid_token"],
          ["expired", sign({ exp: now }), "token_expired"],
          ["no exp", sign({ exp: undefined }), "invalid_token"],
          ["no jti", sign({ jti: undefined }), "missing_jti"],
          ["no iat", sign({ iat: undefined }), "missing_iat"],
          ["issued in the future", sign({ iat: now + 60 }), "invalid_token"],
          ["not yet valid", sign({ nbf: now + 60 }), "invalid_token"],
          ["too old", sign({ iat: now - 901 }), "token_too_old"],
          ["no session", sign({ oa_session_id: "" }), "invalid_token"],
          ["no device", sign({ oa_device_id: undefined }), "invalid_token"],
          ["no scopes", sign({ oa_sync_scopes: [] }), "invalid_token"],
          ["no subject", sign({ sub: "" }), "invalid_token"],
          ["a user id as text", sign({ oa_user_id: String(id) }), "invalid_token"],
          ["an access token", token, "invalid_token"],
        ];
        for (const [name, sent, denied] of cases) {
          expect([name, await verifySyncToken(app.ctx, await sent)]).toEqual([name, { denied }] as never);
        }
        await app.withConfig({ RUNTIME_SYNC_REVOKED_JTIS: [claims.jti] }, async () => {
          expect(await verifySyncToken(app.ctx, minted)).toEqual({ denied: "token_revoked" });
        });
        expect(await verifySyncToken(app.ctx, await sign({ iat: now + 20, nbf: now + 20 }))).toMatchObject({
          userId: id,
          sessionId,
        });
      });

      test("rotation of keys: the previous one still verifies, and only with its own id", async () => {
        const { token } = await app.signIn("keys@a.example");
        const old = (await mint(token)).json.data.token;
        const rotated = {
          OA_SYNC_TOKEN_KEY_ID: "sync-auth-test-v2",
          OA_SYNC_TOKEN_SIGNING_KEY: "new-key",
          OA_SYNC_TOKEN_PREVIOUS_KEY_ID: "sync-auth-test-v1",
          OA_SYNC_TOKEN_PREVIOUS_SIGNING_KEY: "sync-test-signing-key",
        };
        await app.withConfig(rotated, async () => {
          expect(await verifySyncToken(app.ctx, old)).toHaveProperty("sessionId");
          const fresh = (await mint(token)).json.data;
          expect(fresh.kid).toBe("sync-auth-test-v2");
          expect(await verifySyncToken(app.ctx, fresh.token)).toHaveProperty("sessionId");
        });
        await app.withConfig({ ...rotated, OA_SYNC_TOKEN_PREVIOUS_SIGNING_KEY: null }, async () => {
          expect(await verifySyncToken(app.ctx, old)).toEqual({ denied: "invalid_token" });
        });
      });

      test("without a key in the environment the server makes one, once, and seals it", async () => {
        const { token } = await app.signIn("selfmade@a.example");
        await app.withConfig({ OA_SYNC_TOKEN_SIGNING_KEY: null }, async () => {
          const [a, b] = await Promise.all([mint(token), mint(token)]);
          for (const { json } of [a, b])
            expect(await verifySyncToken(app.ctx, json.data.token)).toHaveProperty("sessionId");
        });
      });

      test("standings: sessions and tokens, alive, ended, gone", async () => {
        const session = await app.signIn("standing@a.example");
        const person = await app.person("standing2@a.example");
        const pat = `pat:${person.token.split("|")[0]}`;
        const ids = [session.sessionId, pat, "pat:999999", "sess_none", "nonsense"];
        const before = await standings(app.ctx, ids);
        expect([...before.keys()].sort()).toEqual([pat, session.sessionId].sort());
        expect(before.get(session.sessionId)).toMatchObject({
          userId: session.id,
          ended: null,
          endsAt: expect.any(Date),
        });
        expect(before.get(pat)).toEqual({ userId: person.id, ended: null, endsAt: null, workerId: null });
        await app.send("POST", "/api/auth/logout", { as: session.token });
        await app.send("DELETE", "/api/tokens/current", { as: person });
        const after = await standings(app.ctx, ids);
        expect(after.get(session.sessionId)?.ended).toBe("user_requested");
        expect(after.has(pat)).toBe(false);
      });

      test("case 10: guests", async () => {
        for (const path of ["/api/sync/token", "/api/khala/token", "/api/v1/sync/token"]) {
          const answer = await app.send("POST", path, { body: {} });
          expect([answer.status, answer.json.message]).toEqual([401, "Unauthenticated."]);
        }
      });

      test("an organisation's owner gets its topics", async () => {
        const { token, id, sessionId } = await app.signIn("orgowner@a.example");
        await app.ctx.db.insert(orgMemberships).values({
          userId: id,
          orgId: "org:acme",
          orgSlug: "acme",
          role: "owner",
          roleScopes: [],
          defaultOrg: false,
        });
        await app.ctx.db.update(authSessions).set({ activeOrgId: "org:acme" }).where(eq(authSessions.id, sessionId));
        const { data } = (await mint(token)).json;
        expect([data.org_id, data.granted_topics[0].topic]).toEqual(["org:acme", "org:acme:workers"]);
      });
    });
  });
}
