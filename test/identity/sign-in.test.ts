import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { authChallenges, users } from "../../db/schema/identity";
import { sha256 } from "../../src/identity/credentials";
import { engines } from "../support/database";
import { type FakeWorkos, fakeWorkos } from "../support/workos";
import { cookiesOf, type IdentityApp, identityApp, setCookieOf } from "./app";

const form = { "content-type": "application/x-www-form-urlencoded" };
const flashOf = (line: string | undefined) =>
  JSON.parse(Buffer.from((line ?? "").split(";")[0]?.slice("oa_flash=".length) ?? "", "base64url").toString());

for (const engine of engines) {
  describe(`mock provider on ${engine}`, () => {
    let app: IdentityApp;
    beforeAll(async () => {
      app = await identityApp(engine);
    });
    afterAll(() => app.close());

    const mail = (email: unknown, headers = {}) =>
      app.send("POST", "/api/auth/email", { body: { email }, peer: app.peer(), headers });
    const verify = (body: object, headers: Record<string, string> = {}) =>
      app.send("POST", "/api/auth/verify", { body, headers, peer: app.peer() });

    test("2.1: the address is echoed as typed, the challenge is stored folded and hashed", async () => {
      const sent = await mail("  Chris@OpenAgents.com ");
      expect(sent.json).toEqual({
        ok: true,
        status: "code-sent",
        email: "Chris@OpenAgents.com",
        challengeId: expect.stringMatching(/^challenge_[0-9a-f]{32}$/),
      });
      expect(setCookieOf(sent, "oa_magic_challenge")).toBe(
        `oa_magic_challenge=${sent.json.challengeId}; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=600`,
      );
      expect(sent.headers.get("cache-control")).toBe("no-store");
      const [row] = await app.ctx.db
        .select()
        .from(authChallenges)
        .where(eq(authChallenges.idHash, sha256(sent.json.challengeId)));
      expect(row).toMatchObject({ email: "chris@openagents.com", failures: 0 });
      expect(app.analytics.at(-1)).toEqual({
        id: "Chris@OpenAgents.com",
        event: "login code sent",
        properties: { method: "magic_auth", source: "chat_onboarding" },
      });
      expect(await app.audit()).toContainEqual(
        expect.objectContaining({
          event: "auth.challenge.requested",
          attributes: { provider: "mock", email_domain: "openagents.com" },
        }),
      );
      expect(app.log.join("\n")).not.toContain("Chris@OpenAgents.com");
    });

    test.each([
      [{}, ["The email field is required."]],
      [{ email: "   " }, ["The email field is required."]],
      [{ email: 7 }, ["The email field must be a string.", "The email field must be a valid email address."]],
      [{ email: "abc" }, ["The email field must be a valid email address."]],
      ["not json", ["The email field is required."]],
      [
        { email: `${"a".repeat(60)}@${`${"b".repeat(60)}.`.repeat(4)}c` },
        ["The email field must not be greater than 255 characters."],
      ],
    ])("2.1: %j is refused", async (body, messages) => {
      const answer = await app.send("POST", "/api/auth/email", { body, peer: app.peer() });
      expect([answer.status, answer.json.errors]).toEqual([422, { email: messages }]);
      expect(answer.json.error.code).toBe("invalid_request");
    });

    test("2.2: the whole answer, its cookies, its audit and analytics", async () => {
      const sent = await mail("nina@a.example");
      const answer = await verify({ code: "123456", challengeId: sent.json.challengeId });
      expect(answer.status).toBe(200);
      expect(Object.keys(answer.json)).toEqual([
        "ok",
        "userId",
        "status",
        "user",
        "redirect",
        "tokenType",
        "token",
        "tokenName",
        "refreshToken",
        "refreshTokenId",
        "sessionId",
        "newUser",
      ]);
      expect(answer.json).toMatchObject({
        ok: true,
        userId: String(answer.json.user.id),
        status: "authenticated",
        user: {
          name: "nina Mock",
          email: "nina@a.example",
          workosId: expect.stringMatching(/^mock_workos_[0-9a-f]{32}$/),
        },
        redirect: "/",
        tokenType: "Bearer",
        tokenName: "device:unknown",
        newUser: true,
      });
      for (const [name, form] of [
        [
          "oa_access_token",
          /^oa_access_token=oa_at_[0-9a-f]{32}; Path=\/; HttpOnly; Secure; SameSite=Lax; Max-Age=3600$/,
        ],
        [
          "oa_refresh_token",
          /^oa_refresh_token=oa_rt_[0-9a-f]{32}; Path=\/; HttpOnly; Secure; SameSite=Lax; Max-Age=2592000$/,
        ],
        ["oa_device_id", /^oa_device_id=web:[0-9a-f]{32}; Path=\/; HttpOnly; Secure; SameSite=Lax; Max-Age=31536000$/],
        ["XSRF-TOKEN", /^XSRF-TOKEN=[A-Za-z0-9]{40}; Path=\/; Secure; SameSite=Lax; Max-Age=7200$/],
        ["oa_magic_challenge", /^oa_magic_challenge=; Path=\/; HttpOnly; Secure; SameSite=Lax; Max-Age=0$/],
      ] as const) {
        expect(setCookieOf(answer, name)).toMatch(form);
      }
      expect(answer.headers.getSetCookie().join()).not.toContain("Domain=");
      const me = await app.send("GET", "/api/me", { headers: { cookie: cookiesOf(answer) } });
      expect([me.status, me.json.data.user.email]).toEqual([200, "nina@a.example"]);
      expect(app.analytics.slice(-2)).toEqual([
        {
          id: "nina@a.example",
          event: "$identify",
          properties: {
            email: "nina@a.example",
            name: "nina Mock",
            handle: "nina",
            date_joined: expect.stringMatching(/T\d\d:\d\d:\d\d\.000000Z$/),
          },
        },
        { id: "nina@a.example", event: "user signed up", properties: { signup_method: "magic_auth" } },
      ]);
      expect((await app.audit()).at(-1)).toMatchObject({
        event: "auth.verify.completed",
        userId: answer.json.user.id,
        attributes: { provider: "mock", new_user: "true" },
      });
    });

    test("case 5: a native client's token name, and its token opens /api/me", async () => {
      for (const client of ["autopilot-ios", "openagents-expo", "autopilot-desktop", "openagents-desktop"]) {
        const { answer, token } = await app.signIn("native@a.example", { client: ` ${client.toUpperCase()} ` });
        expect(answer.json.tokenName).toBe(`${client.includes("desktop") ? "desktop" : "mobile"}:${client}`);
        expect((await app.send("GET", "/api/me", { as: token })).status).toBe(200);
      }
    });

    test("our own pages get cookies and nothing readable", async () => {
      const { answer, cookie } = await app.signIn("web@a.example", { client: "openagents-web" });
      expect(Object.keys(answer.json)).toEqual(["ok", "userId", "status", "user", "redirect", "sessionId", "newUser"]);
      expect((await app.send("GET", "/api/me", { headers: { cookie } })).status).toBe(200);
    });

    test("2.0: the device cookie is a browser's id, set once; a broken one is replaced", async () => {
      const native = (await app.signIn("dev@a.example", { client: "autopilot-ios" })).answer;
      expect(setCookieOf(native, "oa_device_id")).toMatch(/^oa_device_id=web:[0-9a-f]{32};/);
      const sent = await mail("dev@a.example");
      const check = async (cookie: string) => {
        const challenge_id = (await mail("dev@a.example")).json.challengeId;
        return setCookieOf(await verify({ code: "123456", challenge_id }, { cookie }), "oa_device_id");
      };
      expect(sent.headers.getSetCookie().join()).not.toContain("oa_device_id");
      expect(await check("oa_device_id=web:00112233445566778899aabbccddeeff")).toBeUndefined();
      expect(await check("oa_device_id=no%20device")).toMatch(/^oa_device_id=web:[0-9a-f]{32};/);
    });

    test("a foreign page's verify is answered but sets no cookie", async () => {
      const sent = await mail("victim@a.example");
      const answer = await verify(
        { code: "123456", challenge_id: sent.json.challengeId },
        { origin: "https://evil.example", "sec-fetch-site": "cross-site" },
      );
      expect(answer.status).toBe(200);
      expect(answer.headers.getSetCookie()).toEqual([]);
    });

    test("case 6, 18: no challenge, an unknown one, an expired one", async () => {
      const gone = { code: ["Your sign-in code expired. Request a new code."] };
      for (const body of [{ code: "123456" }, { code: "123456", challenge_id: "challenge_x" }]) {
        const answer = await verify(body);
        expect([answer.status, answer.json.error.code, answer.json.errors]).toEqual([422, "invalid_request", gone]);
      }
      const sent = await mail("late@a.example");
      app.clock.advance(601_000);
      expect((await verify({ code: "123456", challenge_id: sent.json.challengeId })).json.errors).toEqual(gone);
    });

    test("case 28: what code has to be", async () => {
      expect((await verify({ code: 123456 })).json.message).toBe("The code field must be a string.");
      expect((await verify({ code: "123" })).json.message).toBe("The code field must be at least 6 characters.");
      expect((await verify({ code: "1".repeat(129) })).json.message).toBe(
        "The code field must not be greater than 128 characters.",
      );
      expect((await app.send("POST", "/api/auth/verify", { body: "no json", peer: app.peer() })).json.message).toBe(
        "The code field is required.",
      );
    });

    test("a bad device id is told before the code is spent", async () => {
      const sent = await mail("device@a.example");
      const challenge_id = sent.json.challengeId;
      const bad = await verify({ code: "123456", challenge_id, device_id: "a b" });
      expect(bad.json.errors).toEqual({ device_id: ["Device id contains unsupported characters."] });
      const byHeader = await verify({ code: "123456", challenge_id }, { "x-device-id": "a".repeat(161) });
      expect(byHeader.json.errors).toEqual({ device_id: ["Device id exceeds maximum length."] });
      const good = await verify({ code: "123456", challenge_id, deviceId: " IOS:1 " });
      expect(good.status).toBe(200);
      const session = await app.send("GET", "/api/auth/session", { as: good.json.token });
      expect(session.json.data.session.deviceId).toBe("ios:1");
    });

    test("a wrong code keeps the challenge; ten end it", async () => {
      const wrong = { code: ["That code is invalid or expired. Request a new one."] };
      const sent = await mail("guess@a.example");
      const challenge_id = sent.json.challengeId;
      for (let i = 0; i < 9; i++) expect((await verify({ code: "000000", challenge_id })).json.errors).toEqual(wrong);
      expect((await verify({ code: "123456", challenge_id })).status).toBe(200);

      const second = await mail("guess@a.example");
      for (let i = 0; i < 10; i++) await verify({ code: "000000", challenge_id: second.json.challengeId });
      const over = await verify({ code: "123456", challenge_id: second.json.challengeId });
      expect(over.json.errors).toEqual({ code: ["Your sign-in code expired. Request a new code."] });
    });

    test("a challenge works once, and an older one stays usable beside a newer", async () => {
      const [first, second] = [await mail("twice@a.example"), await mail("twice@a.example")];
      expect((await verify({ code: "123456", challenge_id: first.json.challengeId })).status).toBe(200);
      expect((await verify({ code: "123456", challenge_id: first.json.challengeId })).status).toBe(422);
      expect((await verify({ code: "123456", challenge_id: second.json.challengeId })).status).toBe(200);
    });

    test("case 29: six mails a minute, and the verifies share their counter", async () => {
      const peer = app.peer();
      const send = () => app.send("POST", "/api/auth/email", { body: { email: "flood@a.example" }, peer });
      for (let i = 0; i < 6; i++) expect((await send()).status).toBe(200);
      const over = await send();
      expect([over.status, over.json]).toEqual([
        429,
        { message: "Too Many Attempts.", error: { code: "rate_limited", message: "Too Many Attempts." } },
      ]);
      for (const name of ["retry-after", "x-ratelimit-reset"])
        expect(Number(over.headers.get(name))).toBeGreaterThan(0);
      expect(over.headers.get("x-ratelimit-remaining")).toBe("0");
      const check = () => app.send("POST", "/api/auth/verify", { body: { code: "123456" }, peer });
      for (let i = 0; i < 4; i++) expect((await check()).status).toBe(422);
      expect((await check()).status).toBe(429);
      expect((await mail("other@a.example")).status).toBe(200);
    });

    test("a dead cookie keeps nobody from asking for a code", async () => {
      const sent = await mail("back@a.example", {
        cookie: "oa_access_token=oa_at_00",
        "sec-fetch-site": "same-origin",
      });
      expect(sent.status).toBe(200);
    });

    test("case 23: a refused check is audited with the request's id", async () => {
      await verify({ code: "123456" }, { "x-request-id": "req-verify-1" });
      await verify({}, { "x-request-id": "req-verify-2" });
      const rows = (await app.audit()).filter((row) => row.event === "auth.verify.failed");
      for (const requestId of ["req-verify-1", "req-verify-2"]) {
        expect(rows).toContainEqual({
          event: "auth.verify.failed",
          outcome: "failure",
          requestId,
          attributes: { reason: "invalid_request", field: "code" },
          userId: null,
        });
      }
    });

    test("case 1: guests and signed-in people at the doors", async () => {
      for (const path of ["/register", "/authenticate"]) {
        const answer = await app.send("GET", path);
        expect([answer.status, answer.headers.get("location")]).toEqual([302, "/login"]);
      }
      const { cookie } = await app.signIn("door@a.example");
      const signedIn = await app.send("GET", "/register", { headers: { cookie } });
      expect([signedIn.status, signedIn.headers.get("location")]).toEqual([302, "/"]);
      const posted = await app.send("POST", "/login/email", { headers: { cookie, ...form }, body: "email=a@b.c" });
      expect([posted.status, posted.headers.get("location")]).toEqual([302, "/"]);
    });

    test("case 2, 19: the forms: code sent, verified, signed out", async () => {
      const peer = app.peer();
      const sent = await app.send("POST", "/login/email", { body: "email=form%40a.example", headers: form, peer });
      expect([sent.status, sent.headers.get("location"), sent.text]).toEqual([302, "/login", ""]);
      expect(flashOf(setCookieOf(sent, "oa_flash"))).toEqual({ status: "code-sent" });
      expect(app.analytics.at(-1)?.properties).toEqual({ method: "magic_auth" });
      const challenge = cookiesOf(sent);
      const cookie = `${challenge}; oa_return_to=%2Fl402%3Fpage%3D2`;
      const verified = await app.send("POST", "/login/verify", {
        body: "code=123456",
        headers: { ...form, cookie },
        peer,
      });
      expect([verified.status, verified.headers.get("location")]).toEqual([302, "/l402?page=2"]);
      expect(setCookieOf(verified, "oa_magic_challenge")).toContain("Max-Age=0");
      expect(setCookieOf(verified, "oa_return_to")).toContain("Max-Age=0");
      const signedIn = cookiesOf(verified);
      const out = await app.send("POST", "/logout", { headers: { cookie: signedIn } });
      expect([out.status, out.headers.get("location")]).toEqual([302, "/"]);
      for (const name of ["oa_access_token", "oa_refresh_token", "oa_magic_challenge", "oa_local_test_auth"]) {
        expect(setCookieOf(out, name)).toBe(`${name}=; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=0`);
      }
      expect((await app.send("GET", "/api/me", { headers: { cookie: signedIn } })).status).toBe(401);
      const again = await app.send("POST", "/logout", { headers: { cookie: signedIn } });
      expect([again.status, again.headers.get("location")]).toEqual([302, "/login"]);
    });

    test("case 6: the forms' failures go back with the reason on the field, and JSON callers get the answer itself", async () => {
      const peer = app.peer();
      const bad = await app.send("POST", "/login/email", { body: "email=abc", headers: form, peer });
      expect([bad.status, bad.headers.get("location")]).toEqual([302, "/login"]);
      expect(flashOf(setCookieOf(bad, "oa_flash"))).toEqual({
        errors: { email: "The email field must be a valid email address." },
      });
      const none = await app.send("POST", "/login/verify", { body: "code=123456", headers: form, peer });
      expect(flashOf(setCookieOf(none, "oa_flash"))).toEqual({
        errors: { code: "Your sign-in code expired. Request a new code." },
      });
      const json = await app.send("POST", "/login/verify", {
        body: { code: "123456" },
        headers: { accept: "application/json" },
        peer,
      });
      expect([json.status, json.json.errors.code]).toEqual([422, ["Your sign-in code expired. Request a new code."]]);
    });

    test("a form from another site is refused", async () => {
      const answer = await app.send("POST", "/login/email", {
        body: "email=a%40b.c",
        headers: { ...form, origin: "https://evil.example" },
        peer: app.peer(),
      });
      expect([answer.status, answer.json.error.code]).toEqual([419, "csrf_mismatch"]);
    });

    test("sign-out of a browser whose access cookie has run out ends its session all the same", async () => {
      const { cookie, refresh } = await app.signIn("idle@a.example");
      app.clock.advance(3_601_000);
      const out = await app.send("POST", "/logout", { headers: { cookie } });
      expect(out.headers.get("location")).toBe("/login");
      const refused = await app.send("POST", "/api/auth/refresh", { body: { refresh_token: refresh } });
      expect(refused.status).toBe(401);
      expect(app.analytics.at(-1)).toMatchObject({ id: "idle@a.example", event: "user logged out" });
      expect((await app.audit()).filter(({ event }) => event === "auth.logout.completed")).toHaveLength(2);
    });

    test("2.0: the CSRF cookie", async () => {
      const answer = await app.send("GET", "/sanctum/csrf-cookie");
      expect([answer.status, answer.text]).toEqual([204, ""]);
      expect(setCookieOf(answer, "XSRF-TOKEN")).toMatch(
        /^XSRF-TOKEN=[A-Za-z0-9]{40}; Path=\/; Secure; SameSite=Lax; Max-Age=7200$/,
      );
    });
  });

  describe(`WorkOS on ${engine}`, () => {
    let app: IdentityApp;
    let workos: FakeWorkos;
    beforeAll(async () => {
      workos = fakeWorkos();
      app = await identityApp(engine, {
        env: {
          OA_AUTH_PROVIDER_MODE: "auto",
          WORKOS_CLIENT_ID: "client_1",
          WORKOS_API_KEY: workos.apiKey,
          OA_WORKOS_API_BASE_URL: workos.url,
        },
      });
    });
    afterAll(async () => {
      await app.close();
      await workos.close();
    });

    const mail = (email: string) => app.send("POST", "/api/auth/email", { body: { email }, peer: app.peer() });
    const verify = (challenge_id: string, code: string) =>
      app.send("POST", "/api/auth/verify", {
        body: { challenge_id, code },
        headers: { "user-agent": "Test/1" },
        peer: app.peer(),
      });
    const codeOf = (email: string) => workos.codes.get(email) as string;

    test("case 4: one mail, by e-mail first, with what WorkOS wants to know", async () => {
      workos.calls.length = 0;
      workos.people.set("ana@a.example", {
        id: "user_ana",
        first_name: "Ana",
        last_name: "Dias",
        profile_picture_url: "https://p.example/a.png",
      });
      const sent = await mail("Ana@A.example");
      const code = codeOf("ana@a.example");
      expect(sent.text).not.toContain(code);
      const answer = await verify(sent.json.challengeId, code);
      expect(answer.json.user).toEqual({
        id: expect.any(Number),
        name: "Ana Dias",
        email: "ana@a.example",
        workosId: "user_ana",
      });
      const how = {
        authorization: `Bearer ${workos.apiKey}`,
        userAgent: "OpenAgents",
        contentType: "application/json",
      };
      expect(workos.calls).toEqual([
        {
          method: "POST",
          path: "/user_management/magic_auth",
          body: { email: "Ana@A.example" },
          ...how,
        },
        {
          method: "POST",
          path: "/user_management/authenticate",
          body: {
            client_id: "client_1",
            client_secret: workos.apiKey,
            grant_type: "urn:workos:oauth:grant-type:magic-auth:code",
            email: "ana@a.example",
            code,
            ip_address: expect.stringContaining("198.51."),
            user_agent: "Test/1",
          },
          ...how,
        },
      ]);
      expect(app.log.join("\n")).not.toContain(code);
      const me = await app.send("GET", "/api/me", { as: answer.json.token });
      expect(me.json.data.user.avatar).toBe("https://p.example/a.png");
    });

    test("case 4: the call by e-mail fails, the one by user id decides", async () => {
      const sent = await mail("ben@a.example");
      workos.calls.length = 0;
      workos.fault = { at: "authenticate", kind: "by_email_400" };
      const answer = await verify(sent.json.challengeId, codeOf("ben@a.example"));
      workos.fault = null;
      expect(answer.status).toBe(200);
      expect(workos.calls.map(({ body }) => [body.email, body.user_id])).toEqual([
        ["ben@a.example", undefined],
        [undefined, "user_benaexample"],
      ]);
    });

    test.each([
      ["500", "Unable to send a sign-in code right now. Please try again."],
      ["400", "Unable to send a sign-in code right now. Please try again."],
      ["401", "Unable to send a sign-in code right now. Please try again."],
      ["429", "Unable to send a sign-in code right now. Please try again."],
      ["html", "Unable to send a sign-in code right now. Please try again."],
      ["garbage", "Unable to send a sign-in code right now. Please try again."],
      ["huge", "Unable to send a sign-in code right now. Please try again."],
      ["redirect", "Unable to send a sign-in code right now. Please try again."],
      ["no_user_id", "Sign-in provider response was invalid. Please try again."],
    ] as const)("case 3: magic_auth answers %s", async (kind, message) => {
      workos.fault = { at: "magic_auth", kind };
      const before = workos.calls.length;
      const answer = await mail("fail@a.example");
      workos.fault = null;
      expect([answer.status, answer.json.errors]).toEqual([422, { email: [message] }]);
      expect(workos.calls.length).toBe(before + 1);
      expect(answer.text).not.toContain("secret-in-error");
      expect((await app.audit()).at(-1)).toMatchObject({
        event: "auth.challenge.failed",
        outcome: "failure",
        attributes: { reason: "invalid_request", field: "email" },
      });
    });

    test.each([
      ["500", "That code is invalid or expired. Request a new one.", 1],
      ["html", "That code is invalid or expired. Request a new one.", 1],
      ["garbage", "That code is invalid or expired. Request a new one.", 1],
      ["huge", "That code is invalid or expired. Request a new one.", 1],
      ["401", "That code is invalid or expired. Request a new one.", 2],
      ["429", "That code is invalid or expired. Request a new one.", 2],
      ["redirect", "That code is invalid or expired. Request a new one.", 2],
      ["no_user", "Sign-in provider response was invalid. Please try again.", 1],
      ["no_tokens", "Sign-in provider response was incomplete. Please try again.", 1],
      ["no_email", "Sign-in provider user payload was invalid. Please try again.", 1],
      ["400", "That code is invalid or expired. Request a new one.", 2],
    ] as const)("authenticate answers %s: %s", async (kind, message, calls) => {
      const sent = await mail("odd@a.example");
      const code = codeOf("odd@a.example");
      workos.fault = { at: "authenticate", kind };
      const before = workos.calls.length;
      const answer = await verify(sent.json.challengeId, code);
      workos.fault = null;
      expect([answer.status, answer.json.errors]).toEqual([422, { code: [message] }]);
      expect(workos.calls.length - before).toBe(calls);
    });

    test("case 2: the form keeps the pending address and the provider's id", async () => {
      workos.people.set("pending@a.example", { id: "user_abc123" });
      const body = "email=Pending%40a.example";
      const sent = await app.send("POST", "/login/email", { body, headers: form, peer: app.peer() });
      expect([sent.status, sent.headers.get("location")]).toEqual([302, "/login"]);
      expect(flashOf(setCookieOf(sent, "oa_flash"))).toEqual({ status: "code-sent" });
      const id = /oa_magic_challenge=([^;]+)/.exec(cookiesOf(sent))?.[1] as string;
      const [row] = await app.ctx.db
        .select()
        .from(authChallenges)
        .where(eq(authChallenges.idHash, sha256(id)));
      expect(row).toMatchObject({ email: "pending@a.example", providerUserId: "user_abc123" });
    });

    test("a code that another node has just used is expired, not wrong", async () => {
      const sent = await mail("nodes@a.example");
      workos.fault = { at: "authenticate", kind: "slow" };
      const late = verify(sent.json.challengeId, "000000");
      while (!workos.waiting()) await Bun.sleep(1);
      await app.ctx.db.delete(authChallenges).where(eq(authChallenges.idHash, sha256(sent.json.challengeId)));
      workos.fault = null;
      workos.release();
      expect((await late).json.errors).toEqual({ code: ["Your sign-in code expired. Request a new code."] });
    });

    test("a slow provider holds up its own caller only, and its answer counts", async () => {
      workos.fault = { at: "magic_auth", kind: "slow" };
      const slow = mail("slow@a.example");
      while (!workos.waiting()) await Bun.sleep(1);
      workos.fault = null;
      const quick = await mail("quick@a.example");
      expect((await verify(quick.json.challengeId, codeOf("quick@a.example"))).status).toBe(200);
      workos.release();
      const sent = await slow;
      workos.fault = { at: "authenticate", kind: "slow" };
      const verified = verify(sent.json.challengeId, codeOf("slow@a.example"));
      while (!workos.waiting()) await Bun.sleep(1);
      workos.fault = null;
      workos.release();
      expect((await verified).status).toBe(200);
    });

    test("a provider that is down costs no try", async () => {
      const sent = await mail("down@a.example");
      workos.fault = { at: "authenticate", kind: "500" };
      for (let i = 0; i < 12; i++) await verify(sent.json.challengeId, "000000");
      workos.fault = null;
      expect((await verify(sent.json.challengeId, codeOf("down@a.example"))).status).toBe(200);
    });

    test("a provider's clock decides how long a challenge lives", async () => {
      workos.expiresAt = new Date(app.clock.now().getTime() + 30_000).toISOString();
      const sent = await mail("short@a.example");
      workos.expiresAt = null;
      app.clock.advance(31_000);
      expect((await verify(sent.json.challengeId, codeOf("short@a.example"))).json.errors.code).toEqual([
        "Your sign-in code expired. Request a new code.",
      ]);
    });

    test("case 7: two rows claim one sign-in: the e-mail's row is used and keeps its id", async () => {
      await app.ctx.db.insert(users).values([
        { name: "A", email: "both@a.example", workosId: "legacy_workos_user", avatar: "" },
        { name: "B", email: "other@a.example", workosId: "user_both", avatar: "" },
      ]);
      workos.people.set("both@a.example", { id: "user_both", first_name: "Bo" });
      const sent = await mail("both@a.example");
      const answer = await verify(sent.json.challengeId, codeOf("both@a.example"));
      expect(answer.json.user).toMatchObject({ name: "Bo", email: "both@a.example", workosId: "legacy_workos_user" });
      expect(answer.json.newUser).toBe(false);
    });

    test("3.2: by provider id only, the row's e-mail follows; by e-mail only, its id does", async () => {
      await app.ctx.db.insert(users).values([
        { name: "Moved", email: "old@a.example", workosId: "user_moved", avatar: "" },
        { name: "Known", email: "known@a.example", workosId: "local_x", avatar: "kept.png" },
      ]);
      workos.people.set("new@a.example", { id: "user_moved" });
      const moved = await mail("new@a.example");
      expect((await verify(moved.json.challengeId, codeOf("new@a.example"))).json.user).toMatchObject({
        name: "Moved",
        email: "new@a.example",
        workosId: "user_moved",
      });
      workos.people.set("known@a.example", { id: "user_known" });
      const known = await mail("known@a.example");
      const answer = await verify(known.json.challengeId, codeOf("known@a.example"));
      expect(answer.json.user).toMatchObject({ name: "Known", workosId: "user_known" });
      const me = await app.send("GET", "/api/me", { as: answer.json.token });
      expect(me.json.data.user.avatar).toBe("kept.png");
    });

    test("3.2: a name the user chose survives the next sign-in", async () => {
      workos.people.set("chosen@a.example", { id: "user_chosen", first_name: "Provider" });
      const first = await mail("chosen@a.example");
      const { token } = (await verify(first.json.challengeId, codeOf("chosen@a.example"))).json;
      await app.send("PATCH", "/api/settings/profile", { as: token, body: { name: "Mine" } });
      const second = await mail("chosen@a.example");
      expect((await verify(second.json.challengeId, codeOf("chosen@a.example"))).json.user.name).toBe("Mine");
    });

    test("2.0: the gate: only WorkOS people come in", async () => {
      const person = await app.person("test@a.example");
      await app.ctx.db.update(users).set({ workosId: "test_local_1" }).where(eq(users.id, person.id));
      const refused = await app.send("GET", "/api/me", { as: person });
      expect([refused.status, refused.json.message]).toEqual([401, "WorkOS session required."]);
      await app.withConfig({ OA_AUTH_LOCAL_TEST_LOGIN_ENABLED: true }, async () => {
        expect((await app.send("GET", "/api/me", { as: person })).status).toBe(200);
      });
      await app.ctx.db.update(users).set({ workosId: "  " }).where(eq(users.id, person.id));
      expect((await app.send("GET", "/api/me", { as: person })).status).toBe(401);
    });

    test("case 18: not configured", async () => {
      await app.withConfig({ OA_AUTH_PROVIDER_MODE: "workos", WORKOS_API_KEY: null }, async () => {
        const answer = await mail("nobody@a.example");
        expect([answer.status, answer.json.error.code]).toEqual([503, "service_unavailable"]);
        expect(answer.json.message).toContain("WorkOS identity provider is required");
        expect((await app.audit()).at(-1)?.attributes).toEqual({ reason: "service_unavailable" });
        const formAnswer = await app.send("POST", "/login/email", {
          body: "email=a%40b.c",
          headers: form,
          peer: app.peer(),
        });
        expect([formAnswer.status, formAnswer.headers.get("location")]).toEqual([302, "/login"]);
        expect(flashOf(setCookieOf(formAnswer, "oa_flash")).errors.email).toContain(
          "WorkOS identity provider is required",
        );
      });
    });

    test("a sign-in link is nothing here", async () => {
      expect((await app.send("POST", "/login/link/oa_ll_x", { peer: app.peer() })).status).toBe(404);
      const admin = await app.person("admin@a.example", { isAdmin: true });
      expect((await app.send("POST", "/api/admin/invites", { as: admin, body: { email: "a@b.c" } })).status).toBe(404);
    });
  });
}
