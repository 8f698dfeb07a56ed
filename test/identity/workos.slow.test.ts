import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type FakeWorkos, fakeWorkos } from "../support/workos";
import { type IdentityApp, identityApp } from "./app";

describe("WorkOS that never answers (auth 6)", () => {
  let app: IdentityApp;
  let workos: FakeWorkos;
  beforeAll(async () => {
    workos = fakeWorkos();
    app = await identityApp("pglite", {
      env: {
        OA_AUTH_PROVIDER_MODE: "workos",
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

  const mail = () => app.send("POST", "/api/auth/email", { body: { email: "a@b.c" }, peer: app.peer() });

  test("case 3: no code within ten seconds: 422, one call", async () => {
    workos.fault = { at: "magic_auth", kind: "hang" };
    const answer = await mail();
    workos.fault = null;
    expect([answer.status, answer.json.errors]).toEqual([
      422,
      { email: ["Unable to send a sign-in code right now. Please try again."] },
    ]);
    expect(workos.calls).toHaveLength(1);
  }, 30_000);

  test("no second call by user id after a timeout: one slow provider costs ten seconds, not twenty", async () => {
    const sent = await mail();
    workos.calls.length = 0;
    workos.fault = { at: "authenticate", kind: "hang" };
    const body = { code: workos.codes.get("a@b.c"), challenge_id: sent.json.challengeId };
    const answer = await app.send("POST", "/api/auth/verify", { body, peer: app.peer() });
    workos.fault = null;
    expect([answer.status, answer.json.errors]).toEqual([
      422,
      { code: ["That code is invalid or expired. Request a new one."] },
    ]);
    expect(workos.calls).toHaveLength(1);
    const again = await app.send("POST", "/api/auth/verify", { body, peer: app.peer() });
    expect(again.status).toBe(200);
  }, 30_000);

  test("a server that is not there", async () => {
    await app.withConfig({ OA_WORKOS_API_BASE_URL: "http://127.0.0.1:1" }, async () => {
      expect((await mail()).json.errors.email).toEqual(["Unable to send a sign-in code right now. Please try again."]);
    });
  });
});
