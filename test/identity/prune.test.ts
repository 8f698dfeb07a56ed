import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  authChallenges,
  authLoginLinks,
  authRefreshTokens,
  authSessions,
  pairingCodes,
  personalAccessTokens,
} from "../../db/schema/identity";
import { startPairing } from "../../src/identity/pairing";
import { engines } from "../support/database";
import { type IdentityApp, identityApp } from "./app";

const day = 86_400_000;

for (const engine of engines) {
  describe(engine, () => {
    let app: IdentityApp;
    beforeAll(async () => {
      app = await identityApp(engine);
    });
    afterAll(() => app.close());

    const prune = async (kind: string) => {
      const run = app.kinds.get(kind)?.run as (payload: unknown, job: unknown) => Promise<void>;
      await run({}, { id: "1", try: 1, signal: new AbortController().signal });
    };
    const sizes = async () => {
      const tables = [authChallenges, authSessions, authRefreshTokens, personalAccessTokens, authLoginLinks];
      const counts = await Promise.all(tables.map(async (table) => (await app.ctx.db.select().from(table)).length));
      return Object.fromEntries(
        ["challenges", "sessions", "refresh", "tokens", "links"].map((name, i) => [name, counts[i]]),
      );
    };

    test("auth 4: what is past its time goes, and not a day earlier", async () => {
      const living = await app.signIn("living@a.example", { device: "d:1" });
      const ended = await app.signIn("ended@a.example", { device: "d:1" });
      await app.send("POST", "/api/auth/refresh", { body: { refresh_token: ended.refresh } });
      await app.send("POST", "/api/auth/email", { body: { email: "living@a.example" }, peer: app.peer() });
      await app.send("POST", "/api/tokens", { as: living.token, body: { name: "dead", expires_at: "2020-01-01" } });
      await app.send("POST", "/api/tokens", { as: living.token, body: { name: "forever" } });
      expect(await sizes()).toEqual({ challenges: 1, sessions: 2, refresh: 3, tokens: 2, links: 0 });

      await prune("auth.prune");
      expect(await sizes()).toEqual({ challenges: 1, sessions: 2, refresh: 3, tokens: 1, links: 0 });
      app.clock.advance(day + 601_000);
      await prune("auth.prune");
      expect(await sizes()).toEqual({ challenges: 0, sessions: 2, refresh: 3, tokens: 1, links: 0 });
      app.clock.advance(29 * day);
      await prune("auth.prune");
      expect(await sizes()).toEqual({ challenges: 0, sessions: 2, refresh: 2, tokens: 1, links: 0 });
      app.clock.advance(88 * day);
      await prune("auth.prune");
      expect((await sizes()).sessions).toBe(2);
      app.clock.advance(3 * day);
      await prune("auth.prune");
      expect(await sizes()).toEqual({ challenges: 0, sessions: 0, refresh: 0, tokens: 1, links: 0 });
    });

    test("more rows than one batch", async () => {
      const old = new Date(app.clock.now().getTime() - 3 * day);
      const rows = Array.from({ length: 1200 }, (_, i) => ({
        idHash: String(i).padStart(64, "0"),
        email: "x@y.z",
        providerUserId: "p",
        expiresAt: old,
        createdAt: old,
      }));
      await app.ctx.db.insert(authChallenges).values(rows);
      await prune("auth.prune");
      expect((await sizes()).challenges).toBe(0);
    }, 30_000);

    test("a pairing code goes a day after it expired, unless its token lives", async () => {
      const machine = {
        name: "m",
        hostname: "h",
        platform: "linux",
        codexVersion: "1",
        bridgeVersion: "1",
        workerId: null,
        ipAddress: "::1",
      };
      await startPairing(app.ctx, machine);
      const used = await startPairing(app.ctx, machine);
      const { token } = await app.signIn("pair@a.example");
      await app.send("POST", `/api/pair/${used.userCode}/approve`, { as: token, body: {} });
      const body = { device_code: used.deviceCode, grant_type: "urn:ietf:params:oauth:grant-type:device_code" };
      const { json } = await app.send("POST", "/api/pair/token", { body });
      const left = async () => (await app.ctx.db.select().from(pairingCodes)).length;
      await prune("pairing.prune");
      expect(await left()).toBe(2);
      app.clock.advance(day + 601_000);
      await prune("pairing.prune");
      expect(await left()).toBe(1);
      await app.send("DELETE", "/api/tokens/current", { as: json.access_token });
      await prune("pairing.prune");
      expect(await left()).toBe(0);
    });
  });
}
