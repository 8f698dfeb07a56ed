import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { users } from "../../db/schema/identity";
import { testLoginLink } from "../../src/identity/test-login";
import { engines } from "../support/database";
import { cookiesOf, type IdentityApp, identityApp, setCookieOf } from "./app";

for (const engine of engines) {
  describe(engine, () => {
    let app: IdentityApp;
    const made: string[] = [];
    beforeAll(async () => {
      app = await identityApp(engine, {
        env: {
          OA_AUTH_API_SIGNUP_ENABLED: "true",
          OA_AUTH_LOCAL_TEST_LOGIN_ENABLED: "true",
          OA_AUTH_LOCAL_TEST_LOGIN_ALLOWED_EMAILS: "tester@openagents.com",
          OA_AUTH_LOCAL_TEST_LOGIN_SIGNING_KEY: "local-test-signing-key",
        },
        makeAutopilot: async (_unit, user, displayName) => {
          made.push(displayName);
          return {
            id: "0195",
            handle: `${user.handle}-autopilot`,
            displayName,
            status: "active",
            visibility: "private",
          };
        },
      });
    });
    afterAll(() => app.close());

    describe("register (auth 2.3)", () => {
      const register = (body: object) => app.send("POST", "/api/auth/register", { body, peer: app.peer() });

      test("case 16: a new user, then the same one; a token each time", async () => {
        const first = await register({ email: " Staging-User-1@staging.openagents.com ", tokenName: "staging-e2e" });
        expect([first.status, first.json]).toEqual([
          201,
          {
            data: {
              created: true,
              tokenType: "Bearer",
              token: expect.stringMatching(/^\d+\|[A-Za-z0-9]{48}$/),
              tokenName: "staging-e2e",
              tokenAbilities: ["*"],
              user: {
                id: expect.any(Number),
                name: "Staging User 1",
                email: "staging-user-1@staging.openagents.com",
                handle: "staging-user-1",
              },
              autopilot: null,
            },
          },
        ]);
        const { id } = first.json.data.user;
        const [row] = await app.ctx.db.select().from(users).where(eq(users.id, id));
        expect(row).toMatchObject({
          workosId: expect.stringMatching(/^api_bootstrap_[0-9a-f]{32}$/),
          avatar: expect.stringMatching(/^https:\/\/www\.gravatar\.com\/avatar\/[0-9a-f]{32}\?d=identicon$/),
        });
        const second = await register({
          email: "staging-user-1@staging.openagents.com",
          name: "Other",
          tokenAbilities: ["chat:read"],
        });
        expect(second.status).toBe(200);
        expect(second.json.data).toMatchObject({
          created: false,
          user: { id, name: "Staging User 1" },
          tokenName: "api-bootstrap",
          tokenAbilities: ["chat:read"],
        });
        for (const { json } of [first, second]) {
          expect((await app.send("GET", "/api/me", { as: json.data.token })).status).toBe(200);
        }
        expect((await app.audit()).at(-1)).toMatchObject({
          event: "auth.register.completed",
          userId: id,
          attributes: {
            created: "false",
            token_name: "api-bootstrap",
            autopilot_created: "false",
            email_domain: "staging.openagents.com",
          },
        });
      });

      test("an existing user without a name of his own gets the one that is given", async () => {
        await app.ctx.db
          .insert(users)
          .values({ name: "nameless@a.example", email: "nameless@a.example", workosId: "", avatar: "" });
        const answer = await register({ email: "nameless@a.example", name: "Now Named" });
        expect(answer.json.data.user.name).toBe("Now Named");
      });

      test("case 16: createAutopilot makes exactly one", async () => {
        const answer = await register({
          email: "pilot@a.example",
          createAutopilot: true,
          autopilotDisplayName: "Creator Agent",
        });
        expect(answer.json.data.autopilot).toMatchObject({ displayName: "Creator Agent" });
        await register({ email: "pilot2@a.example", createAutopilot: "1" });
        expect(made).toEqual(["Creator Agent", "Autopilot"]);
      });

      test("case 16: domains", async () => {
        await app.withConfig({ OA_AUTH_API_SIGNUP_ALLOWED_DOMAINS: ["Allowed.example"] }, async () => {
          expect((await register({ email: "a@ALLOWED.example" })).status).toBe(201);
          const refused = await register({ email: "a@other.example" });
          expect([refused.status, refused.json.errors]).toEqual([
            422,
            { email: ["Email domain is not allowed for API signup in this environment."] },
          ]);
        });
      });

      test.each([[{ OA_AUTH_API_SIGNUP_ENABLED: false }], [{ APP_ENV: "production" }], [{ APP_ENV: "staging" }]])(
        "case 16: %j: 404, whatever is sent",
        async (over) => {
          await app.withConfig(over, async () => {
            const answer = await register({ email: "a@b.c" });
            expect([answer.status, answer.json.message]).toEqual([404, "Not found."]);
            expect((await register({ email: 7 })).status).toBe(404);
          });
        },
      );

      test("what it may not be given", async () => {
        const answer = await register({
          email: "x",
          name: "n".repeat(121),
          tokenAbilities: [""],
          createAutopilot: "maybe",
        });
        expect(answer.json.errors).toEqual({
          email: ["The email field must be a valid email address."],
          name: ["The name field must not be greater than 120 characters."],
          createAutopilot: ["The create autopilot field must be true or false."],
          "tokenAbilities.0": ["The tokenAbilities.0 field must be a string."],
        });
      });
    });

    describe("test login (auth 2.12, 3.12)", () => {
      const key = "local-test-signing-key";
      const expires = 4102444800;
      const open = (link: string, headers = {}) => app.send("GET", link, { headers, peer: app.peer() });
      const link = (over: object = {}) =>
        testLoginLink(key, "", { email: "tester@openagents.com", expires, name: "MaintenanceTester", ...over });

      test("case 9: signs in; the name and the id are overwritten each time", async () => {
        const answer = await open(link());
        expect([answer.status, answer.headers.get("location")]).toEqual([302, "/"]);
        expect(setCookieOf(answer, "oa_local_test_auth")).toBe(
          "oa_local_test_auth=1; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=2592000",
        );
        const me = await app.send("GET", "/api/me", { headers: { cookie: cookiesOf(answer) } });
        expect(me.json.data.user).toMatchObject({
          name: "MaintenanceTester",
          workosId: "test_local_f613994747640b8610308c74",
          avatar: "https://www.gravatar.com/avatar/dc9cafb26e983741174c56faf525d055?d=identicon",
        });
        expect((await app.audit()).at(-1)).toMatchObject({
          event: "auth.web.verify.completed",
          attributes: { new_user: "true" },
        });
        const again = await open(testLoginLink(key, "", { email: "TESTER@openagents.com", expires }));
        const second = await app.send("GET", "/api/me", { headers: { cookie: cookiesOf(again) } });
        expect(second.json.data.user).toMatchObject({ id: me.json.data.user.id, name: "Tester" });
        const signedIn = await open(link(), { cookie: cookiesOf(answer) });
        expect(signedIn.headers.get("location")).toBe("/");
        expect(signedIn.headers.getSetCookie()).toEqual([]);
      });

      test("case 9: refusals in their order", async () => {
        const cases: [string, number, string][] = [
          [link().replace(/signature=.*/, ""), 403, "Invalid signature."],
          [`${link()}0`, 403, "Invalid signature."],
          [link().replace("expires=4102444800", "expires=4102444801"), 403, "Invalid signature."],
          [link({ expires: 1 }), 403, "Invalid signature."],
          [link({ email: "nonsense" }), 422, "Invalid email."],
          [link({ email: "other@openagents.com" }), 403, "Forbidden."],
        ];
        for (const [url, status, message] of cases) {
          const answer = await open(url);
          expect([answer.status, answer.json.message]).toEqual([status, message]);
          expect(answer.headers.getSetCookie()).toEqual([]);
        }
        for (const over of [
          { APP_ENV: "production" },
          { OA_AUTH_LOCAL_TEST_LOGIN_ENABLED: false },
          { OA_AUTH_LOCAL_TEST_LOGIN_SIGNING_KEY: null },
        ]) {
          await app.withConfig(over, async () => expect((await open(link())).status).toBe(404));
        }
        await app.withConfig({ OA_AUTH_LOCAL_TEST_LOGIN_ALLOWED_EMAILS: [] }, async () =>
          expect((await open(link())).status).toBe(403),
        );
      });

      test("an upper-case signature is the same one", async () => {
        const upper = link().replace(/signature=(.*)/, (_, hex: string) => `signature=${hex.toUpperCase()}`);
        expect((await open(upper)).status).toBe(302);
      });
    });
  });
}
