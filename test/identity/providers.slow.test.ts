import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { users } from "../../db/schema/identity";
import { type FakeSmtp, fakeSmtp } from "../support/smtp";
import { type FakeWorkos, fakeWorkos } from "../support/workos";
import { type IdentityApp, identityApp } from "./app";

const key = { WORKOS_CLIENT_ID: "client_1" };

describe("providers that never answer (auth 6, 3.16)", () => {
  let workos: FakeWorkos;
  let smtp: FakeSmtp;
  let app: IdentityApp;
  let mailing: IdentityApp;
  beforeAll(async () => {
    workos = fakeWorkos();
    smtp = await fakeSmtp();
    app = await identityApp("pglite", {
      env: {
        ...key,
        OA_AUTH_PROVIDER_MODE: "workos",
        WORKOS_API_KEY: workos.apiKey,
        OA_WORKOS_API_BASE_URL: workos.url,
      },
    });
    mailing = await identityApp("pglite", {
      env: { OA_AUTH_PROVIDER_MODE: "local", OA_MAIL_URL: smtp.url, OA_MAIL_FROM: "hello@openagents.test" },
    });
  });
  afterAll(async () => {
    await app.close();
    await mailing.close();
    await workos.close();
    await smtp.close();
  });

  const mail = (email: string) => app.send("POST", "/api/auth/email", { body: { email }, peer: app.peer() });
  const verify = (challenge_id: string, email: string) =>
    app.send("POST", "/api/auth/verify", {
      body: { challenge_id, code: workos.codes.get(email) },
      peer: app.peer(),
    });
  const callsAt = (path: string) => workos.calls.filter((call) => call.path === `/user_management/${path}`);
  const reached = async (path: string) => {
    while (!callsAt(path).length) await Bun.sleep(1);
  };

  /** All at once, because each takes its whole ten seconds. */
  test("each call ends after ten seconds, in its own way, and none is made twice", async () => {
    const signedIn = await mail("leaving@a.example");
    const person = (await verify(signedIn.json.challengeId, "leaving@a.example")).json;
    await app.send("DELETE", "/api/settings/profile", { as: person.token, body: { email: "leaving@a.example" } });
    const sent = await mail("verifying@a.example");
    await mailing.person("ana@a.example");
    await mailing.send("POST", "/api/auth/email", { body: { email: "ana@a.example" }, peer: mailing.peer() });
    workos.calls.length = 0;
    const began = performance.now();

    workos.fault = { at: "magic_auth", kind: "hang" };
    const mailed = mail("waiting@a.example");
    await reached("magic_auth");
    workos.fault = { at: "authenticate", kind: "hang" };
    const verified = verify(sent.json.challengeId, "verifying@a.example");
    await reached("authenticate");
    workos.fault = { at: "users", kind: "hang" };
    const deleted = app.runJobs("workos.user.delete").catch((error: Error) => error);
    smtp.fault = "hang";
    const delivered = mailing.runJobs("identity.mail").catch((error: Error) => error);

    expect((await mailed).json.errors).toEqual({
      email: ["Unable to send a sign-in code right now. Please try again."],
    });
    const refused = await verified;
    expect([refused.status, refused.json.errors]).toEqual([
      422,
      { code: ["That code is invalid or expired. Request a new one."] },
    ]);
    expect(await deleted).toBeInstanceOf(Error);
    const failure = (await delivered) as Error;
    expect(failure.message).toStartWith("mail was not sent: ");
    expect(failure.message).not.toMatch(/ana@a|secret|\d{6}/);

    const took = performance.now() - began;
    expect(took).toBeGreaterThan(9000);
    expect(took).toBeLessThan(19_000);
    expect(callsAt("magic_auth")).toHaveLength(1);
    expect(callsAt("authenticate")).toHaveLength(1);

    workos.fault = null;
    expect((await verify(sent.json.challengeId, "verifying@a.example")).status).toBe(200);
    expect(await app.ctx.db.select().from(users).where(eq(users.email, "leaving@a.example"))).toEqual([]);
  }, 40_000);

  test("case 3: servers that are not there", async () => {
    await app.withConfig({ OA_WORKOS_API_BASE_URL: "http://127.0.0.1:1" }, async () => {
      expect((await mail("a@b.c")).json.errors.email).toEqual([
        "Unable to send a sign-in code right now. Please try again.",
      ]);
    });
    await mailing.withConfig({ OA_MAIL_URL: "smtp://127.0.0.1:1" }, async () => {
      await mailing.person("ben@a.example");
      const sent = await mailing.send("POST", "/api/auth/email", {
        body: { email: "ben@a.example" },
        peer: mailing.peer(),
      });
      expect(sent.status).toBe(200);
      await expect(mailing.runJobs("identity.mail")).rejects.toThrow("mail was not sent: ");
    });
  });
});
