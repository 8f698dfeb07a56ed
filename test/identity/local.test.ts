import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { authChallenges, authLoginLinks, users } from "../../db/schema/identity";
import { sha256 } from "../../src/identity/credentials";
import { mintLoginLink, mintOwnerLink } from "../../src/identity/login-links";
import { engines } from "../support/database";
import { type FakeSmtp, fakeSmtp } from "../support/smtp";
import { cookiesOf, type IdentityApp, identityApp, setCookieOf } from "./app";

const pathOf = (url: string | undefined) => new URL(url as string).pathname;
const flashOf = (line: string | undefined) =>
  JSON.parse(Buffer.from((line ?? "").split(";")[0]?.slice("oa_flash=".length) ?? "", "base64url").toString());

for (const engine of engines) {
  describe(`the owner link on ${engine}`, () => {
    let app: IdentityApp;
    let used = 0;
    beforeAll(async () => {
      app = await identityApp(engine, { env: { OA_AUTH_PROVIDER_MODE: "auto" }, linkUsed: () => void used++ });
    });
    afterAll(() => app.close());

    test("3.16: one link while there are no users; the next start voids it; it makes the owner, once", async () => {
      const first = await mintOwnerLink(app.ctx);
      const second = await mintOwnerLink(app.ctx);
      expect(second?.url).toMatch(/^http:\/\/localhost:8787\/login\/link\/oa_ll_[A-Za-z0-9_-]{43}$/);
      expect(await app.ctx.db.select().from(authLoginLinks)).toHaveLength(1);
      const stored = JSON.stringify(await app.ctx.db.select().from(authLoginLinks));
      expect(stored).not.toContain("oa_ll_");
      const post = (url: string | undefined) => app.send("POST", pathOf(url), { peer: app.peer() });

      const old = await post(first?.url);
      expect([old.status, old.headers.get("location")]).toEqual([303, "/login"]);
      expect(flashOf(setCookieOf(old, "oa_flash"))).toEqual({
        errors: { email: "This sign-in link has expired. Ask for a new one." },
      });
      expect(used).toBe(0);

      const signedIn = await post(second?.url);
      expect([signedIn.status, signedIn.headers.get("location"), used]).toEqual([303, "/", 1]);
      const me = await app.send("GET", "/api/me", { headers: { cookie: cookiesOf(signedIn) } });
      expect(me.json.data.isAdmin).toBe(true);
      expect(me.json.data.user.email).toMatch(/^[a-z0-9._-]+@localhost$/);
      expect(me.json.data.user.workosId).toMatch(/^local_[0-9a-f]{32}$/);
      expect((await app.audit()).at(-1)).toMatchObject({
        event: "auth.web.verify.completed",
        attributes: { provider: "local", new_user: "true" },
      });

      expect((await post(second?.url)).headers.get("location")).toBe("/login");
      expect(await mintOwnerLink(app.ctx)).toBeNull();
    });

    test("a link lives 15 minutes", async () => {
      const link = await mintLoginLink(app.ctx, {
        email: "a@b.c",
        name: null,
        isAdmin: false,
        minutes: 15,
        requestId: "t",
      });
      app.clock.advance(901_000);
      const answer = await app.send("POST", pathOf(link.url), { peer: app.peer() });
      expect(answer.headers.get("location")).toBe("/login");
      expect(await app.ctx.db.select().from(users).where(eq(users.email, "a@b.c"))).toEqual([]);
    });

    test("ops: a link for somebody known keeps his row; --admin raises him", async () => {
      const person = await app.person("known@a.example");
      const mint = (isAdmin: boolean) =>
        mintLoginLink(app.ctx, { email: " Known@A.example ", name: "Other", isAdmin, minutes: 15, requestId: "t" });
      for (const isAdmin of [false, true]) {
        const answer = await app.send("POST", pathOf((await mint(isAdmin)).url), { peer: app.peer() });
        const me = await app.send("GET", "/api/me", { headers: { cookie: cookiesOf(answer) } });
        expect([me.json.data.user.id, me.json.data.user.name, me.json.data.isAdmin]).toEqual([
          person.id,
          "known@a.example",
          isAdmin,
        ]);
      }
    });

    test("ops: without an address the link is the first administrator's", async () => {
      const link = await mintLoginLink(app.ctx, {
        email: null,
        name: null,
        isAdmin: false,
        minutes: 15,
        requestId: "t",
      });
      const answer = await app.send("POST", pathOf(link.url), { peer: app.peer() });
      const me = await app.send("GET", "/api/me", { headers: { cookie: cookiesOf(answer) } });
      expect([me.json.data.isAdmin, me.json.data.user.email]).toEqual([true, link.email]);
      const [owner] = await app.ctx.db.select().from(users).orderBy(users.id).limit(1);
      expect(me.json.data.user.id).toBe(owner?.id);
    });

    test("a link posted from a foreign page is refused and stays good", async () => {
      const link = await mintLoginLink(app.ctx, {
        email: "x@a.example",
        name: "Xi",
        isAdmin: false,
        minutes: 15,
        requestId: "t",
      });
      const foreign = await app.send("POST", pathOf(link.url), {
        headers: { "sec-fetch-site": "cross-site" },
        peer: app.peer(),
      });
      expect(foreign.status).toBe(419);
      const own = await app.send("POST", pathOf(link.url), { peer: app.peer() });
      const me = await app.send("GET", "/api/me", { headers: { cookie: cookiesOf(own) } });
      expect(me.json.data.user.name).toBe("Xi");
    });

    test("ten tries a minute from one address", async () => {
      const peer = app.peer();
      for (let i = 0; i < 10; i++) expect((await app.send("POST", "/login/link/oa_ll_x", { peer })).status).toBe(303);
      expect((await app.send("POST", "/login/link/oa_ll_x", { peer })).status).toBe(429);
    });

    test("without mail: 503 with the text that the login page shows", async () => {
      const answer = await app.send("POST", "/api/auth/email", {
        body: { email: "known@a.example" },
        peer: app.peer(),
      });
      expect([answer.status, answer.json.error]).toEqual([
        503,
        {
          code: "service_unavailable",
          message:
            "E-mail sign-in is not set up on this server. Ask its operator for a sign-in link (openagents ops login-link).",
        },
      ]);
    });

    test("invites are an administrator's; without mail the link is the answer's alone", async () => {
      const admin = await app.person("boss@a.example", { isAdmin: true });
      const person = await app.person("no-admin@a.example");
      const send = (as: typeof admin | null, body: object) => app.send("POST", "/api/admin/invites", { as, body });
      expect((await send(null, { email: "new@a.example" })).status).toBe(401);
      const refused = await send(person, { email: "new@a.example" });
      expect([refused.status, refused.json.message]).toEqual([403, "Forbidden"]);
      expect((await send(admin, { email: "nonsense" })).json.errors).toEqual({
        email: ["The email field must be a valid email address."],
      });
      const invited = await send(admin, { email: "New@A.example", name: "Noa", admin: true });
      expect([invited.status, Object.keys(invited.json.data)]).toEqual([201, ["url", "expiresAt"]]);
      expect(Date.parse(invited.json.data.expiresAt) - app.clock.now().getTime()).toBeGreaterThan(
        7 * 86_400_000 - 5000,
      );
      expect(app.jobs).toEqual([]);
      const answer = await app.send("POST", pathOf(invited.json.data.url), { peer: app.peer() });
      const me = await app.send("GET", "/api/me", { headers: { cookie: cookiesOf(answer) } });
      expect(me.json.data).toMatchObject({ isAdmin: true, user: { name: "Noa", email: "new@a.example" } });
    });
  });

  describe(`codes by mail on ${engine}`, () => {
    let app: IdentityApp;
    let smtp: FakeSmtp;
    beforeAll(async () => {
      smtp = await fakeSmtp();
      app = await identityApp(engine, {
        env: {
          OA_AUTH_PROVIDER_MODE: "local",
          OA_MAIL_URL: smtp.url,
          OA_MAIL_FROM: "OpenAgents <hello@openagents.test>",
          OA_AUTH_LOCAL_SIGNUP_DOMAINS: "open.example",
        },
      });
    });
    afterAll(async () => {
      await app.close();
      await smtp.close();
    });
    beforeEach(() => {
      smtp.mails.length = 0;
      smtp.connections = 0;
      smtp.fault = null;
    });

    const mail = (email: string) => app.send("POST", "/api/auth/email", { body: { email }, peer: app.peer() });
    const verify = (challenge_id: string, code: string) =>
      app.send("POST", "/api/auth/verify", { body: { challenge_id, code }, peer: app.peer() });

    test("a known person gets a six-digit code in text and HTML, and signs in with it", async () => {
      const person = await app.person("ana@a.example");
      const sent = await mail("Ana@A.example");
      expect(sent.json.status).toBe("code-sent");
      await app.runJobs("identity.mail");
      const got = await smtp.mail();
      const code = /^(\d{6}) is your OpenAgents code$/.exec(got.subject)?.[1] as string;
      expect(got).toMatchObject({ from: "hello@openagents.test", to: ["Ana@a.example"] });
      expect(got.text).toContain(code);
      expect(got.html).toContain(code);
      expect(smtp.auth).toBe("mailer secret");
      expect((await verify(sent.json.challengeId, code === "000000" ? "111111" : "000000")).status).toBe(422);
      const answer = await verify(sent.json.challengeId, code);
      expect([answer.json.user.id, answer.json.newUser]).toEqual([person.id, false]);
      expect(app.log.join("\n")).not.toContain(code);
    });

    test("neither the code nor the address of a mail is stored in clear", async () => {
      await app.person("clear@a.example");
      const sent = await mail("clear@a.example");
      const [job] = app.jobs;
      expect(JSON.stringify(job)).not.toContain("clear@a.example");
      const [row] = await app.ctx.db
        .select()
        .from(authChallenges)
        .where(eq(authChallenges.idHash, sha256(sent.json.challengeId)));
      expect(row?.codeHmac).toMatch(/^[0-9a-f]{64}$/);
      await app.runJobs("identity.mail");
      const code = /\d{6}/.exec((await smtp.mail()).subject)?.[0] as string;
      expect(row?.codeHmac).not.toBe(sha256(code));
    });

    test("an unknown address gets the same answer, the same work, and no mail; no guess ever fits", async () => {
      const [known, unknown] = [await mail("ana@a.example"), await mail("nobody@a.example")];
      expect(Object.keys(unknown.json)).toEqual(Object.keys(known.json));
      expect(app.jobs.map((job) => job.kind)).toEqual(["identity.mail", "identity.mail"]);
      await app.runJobs("identity.mail");
      expect([smtp.mails.length, smtp.connections]).toEqual([1, 1]);
      expect((await verify(unknown.json.challengeId, "123456")).json.errors.code).toEqual([
        "That code is invalid or expired. Request a new one.",
      ]);
      expect(await app.ctx.db.select().from(users).where(eq(users.email, "nobody@a.example"))).toEqual([]);
    });

    test("an open domain makes a user", async () => {
      const sent = await mail("new@open.example");
      await app.runJobs("identity.mail");
      const code = /\d{6}/.exec((await smtp.mail()).subject)?.[0] as string;
      const answer = await verify(sent.json.challengeId, code);
      expect(answer.json).toMatchObject({
        newUser: true,
        user: { name: "new@open.example", workosId: expect.stringMatching(/^local_[0-9a-f]{32}$/) },
      });
    });

    test("an invited address is mailed its link, may use a code instead, and gets what the invite says", async () => {
      const admin = await app.person("boss@a.example", { isAdmin: true, name: "The <Boss>" });
      await app.send("POST", "/api/admin/invites", {
        as: admin,
        body: { email: "guest@a.example", name: "Gus", admin: true },
      });
      await app.runJobs("identity.mail");
      const invite = await smtp.mail();
      expect(invite.to).toEqual(["guest@a.example"]);
      expect(invite.text).toMatch(/http:\/\/localhost:8787\/login\/link\/oa_ll_[A-Za-z0-9_-]{43}/);
      expect(invite.html).not.toContain("<Boss>");
      const sent = await mail("guest@a.example");
      await app.runJobs("identity.mail");
      const code = /\d{6}/.exec((await smtp.mail(1)).subject)?.[0] as string;
      const answer = await verify(sent.json.challengeId, code);
      expect(answer.json).toMatchObject({ newUser: true, user: { name: "Gus" } });
      expect((await app.send("GET", "/api/me", { as: answer.json.token })).json.data.isAdmin).toBe(true);
      const path = /\/login\/link\/oa_ll_[A-Za-z0-9_-]{43}/.exec(invite.text)?.[0] as string;
      expect((await app.send("POST", path, { peer: app.peer() })).headers.get("location")).toBe("/login");
    });

    test.each(["reject", "busy", "drop"] as const)(
      "a mail server that answers %p fails the job without telling secrets",
      async (fault) => {
        smtp.fault = fault;
        await mail("ana@a.example");
        const error = (await app.runJobs("identity.mail").catch((caught: unknown) => caught)) as Error;
        expect(error).toBeInstanceOf(Error);
        expect(error.message).toStartWith("mail was not sent: ");
        expect(error.message).not.toMatch(/ana@a|secret|\d{6}/);
        expect(smtp.mails).toEqual([]);
      },
    );

    test("a code is good for ten minutes", async () => {
      const sent = await mail("ana@a.example");
      await app.runJobs("identity.mail");
      const code = /\d{6}/.exec((await smtp.mail()).subject)?.[0] as string;
      app.clock.advance(601_000);
      expect((await verify(sent.json.challengeId, code)).json.errors.code).toEqual([
        "Your sign-in code expired. Request a new code.",
      ]);
    });

    test("by Resend: its key, its body, and its refusal", async () => {
      const seen: { authorization: string | null; body: unknown }[] = [];
      let status = 200;
      const resend = Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        async fetch(request) {
          seen.push({ authorization: request.headers.get("authorization"), body: await request.json() });
          return Response.json({ id: "1" }, { status });
        },
      });
      await app.withConfig({ OA_MAIL_URL: "resend://re_key", RESEND_API_BASE_URL: resend.url.origin }, async () => {
        await mail("ana@a.example");
        await app.runJobs("identity.mail");
        expect(seen).toMatchObject([
          {
            authorization: "Bearer re_key",
            body: { from: "OpenAgents <hello@openagents.test>", to: ["ana@a.example"] },
          },
        ]);
        status = 422;
        await mail("ana@a.example");
        expect(app.runJobs("identity.mail")).rejects.toThrow("mail was not sent: Resend answered 422");
      });
      await resend.stop(true);
    });
  });
}
