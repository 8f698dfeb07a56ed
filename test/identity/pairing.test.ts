import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { pairingCodes, personalAccessTokens } from "../../db/schema/identity";
import { sha256 } from "../../src/identity/credentials";
import { mintBridgeToken } from "../../src/identity/pairing";
import { engines } from "../support/database";
import { type IdentityApp, identityApp } from "./app";

const machine = {
  name: "MacBook",
  hostname: "Ana's MacBook.local",
  platform: "darwin arm64",
  codex_version: "0.169.0",
  bridge_version: "1.0.0",
};
const grant_type = "urn:ietf:params:oauth:grant-type:device_code";
const unknown = "This code is not valid. Check it, or start again on the machine.";

for (const engine of engines) {
  describe(engine, () => {
    let app: IdentityApp;
    beforeAll(async () => {
      app = await identityApp(engine, { foreignWorker: async (_db, _user, workerId) => workerId === "desktopw:taken" });
    });
    afterAll(() => app.close());

    const start = async (over: object = {}) => {
      const answer = await app.send("POST", "/api/pair/device", { body: { ...machine, ...over }, peer: app.peer() });
      expect(answer.status).toBe(200);
      return answer.json as { device_code: string; user_code: string; verification_uri: string; interval: number };
    };
    const poll = (device_code: unknown, over: object = {}) =>
      app.send("POST", "/api/pair/token", { body: { device_code, grant_type, ...over }, peer: app.peer() });
    const approve = (token: string, code: string, body: object = {}) =>
      app.send("POST", `/api/pair/${code}/approve`, { as: token, body });
    let people = 0;
    const somebody = () => app.signIn(`person${people++}@pair.example`);
    const paired = async (token: string, over: object = {}) => {
      const { device_code, user_code } = await start(over);
      const approved = await approve(token, user_code);
      const answer = await poll(device_code);
      return { approved, answer, worker: answer.json.access_token as string };
    };

    test("the whole way: asked, shown, approved, handed out once", async () => {
      const { token, id } = await somebody();
      const started = await start();
      expect(started).toEqual({
        device_code: expect.stringMatching(/^oa_dc_[A-Za-z0-9_-]{43}$/),
        user_code: expect.stringMatching(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/),
        verification_uri: "http://localhost:8787/pair",
        verification_uri_complete: `http://localhost:8787/pair?code=${started.user_code}`,
        expires_in: 600,
        interval: 2,
      } as never);
      const [row] = await app.ctx.db
        .select()
        .from(pairingCodes)
        .where(eq(pairingCodes.deviceCodeHash, sha256(started.device_code)));
      expect(row?.userCodeHash).toBe(sha256(started.user_code.replace("-", "")));

      const pending = await poll(started.device_code);
      expect([pending.status, pending.json]).toEqual([
        400,
        {
          error: "authorization_pending",
          error_description: "The code has not been allowed yet.",
          message: "The code has not been allowed yet.",
        },
      ]);

      const typed = started.user_code.toLowerCase().replace("-", "%20");
      const shown = await app.send("GET", `/api/pair/${typed}`, { as: token });
      expect(shown.json.data).toEqual({
        user_code: started.user_code,
        name: "MacBook",
        hostname: "Ana's MacBook.local",
        platform: "darwin arm64",
        codex_version: "0.169.0",
        ip_address: expect.stringMatching(/^198\.51\./),
        requested_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        expires_at: expect.stringMatching(/Z$/),
        worker_id: "desktopw:ana-s-macbook-local",
      });

      const approved = await approve(token, started.user_code, { name: "Desk" });
      expect(approved.json).toEqual({ data: { status: "approved", worker_id: "desktopw:ana-s-macbook-local" } });
      const again = await approve(token, started.user_code);
      expect([again.status, again.json.error.code]).toEqual([409, "conflict"]);

      const done = await poll(started.device_code);
      expect([done.status, done.json]).toEqual([
        200,
        {
          access_token: expect.stringMatching(/^\d+\|[A-Za-z0-9]{48}$/),
          token_type: "Bearer",
          worker_id: "desktopw:ana-s-macbook-local",
          user: { id, name: expect.any(String) },
        },
      ]);
      const used = await poll(started.device_code);
      expect([used.status, used.json.error]).toEqual([400, "expired_token"]);

      const [pat] = await app.ctx.db
        .select()
        .from(personalAccessTokens)
        .where(eq(personalAccessTokens.id, Number(done.json.access_token.split("|")[0])));
      expect(pat).toMatchObject({
        name: "worker:Desk",
        abilities: '["codex:worker"]',
        workerId: "desktopw:ana-s-macbook-local",
        expiresAt: null,
      });
    });

    test("what a worker token opens, and nothing else", async () => {
      const { token } = await somebody();
      const { worker } = await paired(token);
      expect((await app.send("GET", "/api/me", { as: worker })).status).toBe(200);
      const sync = await app.send("POST", "/api/sync/token", {
        as: worker,
        body: { scopes: ["runtime.codex_worker_events", "runtime.codex_worker_summaries"] },
      });
      expect(sync.status).toBe(200);
      const wide = await app.send("POST", "/api/sync/token", {
        as: worker,
        body: { scopes: ["runtime.run_summaries"] },
      });
      expect([wide.status, wide.json.error.code]).toEqual([422, "invalid_scope"]);
      for (const [method, path] of [
        ["GET", "/api/tokens"],
        ["POST", "/api/tokens"],
        ["DELETE", "/api/tokens"],
        ["DELETE", "/api/tokens/1"],
        ["GET", "/api/settings/profile"],
        ["DELETE", "/api/settings/profile"],
        ["POST", "/api/khala/token"],
        ["POST", "/api/v1/sync/token"],
        ["GET", "/api/orgs/memberships"],
        ["POST", "/api/policy/authorize"],
        ["POST", "/api/admin/invites"],
      ] as const) {
        const answer = await app.send(method, path, { as: worker, body: method === "POST" ? {} : undefined });
        expect([path, answer.status, answer.json.message]).toEqual([path, 403, "This token may only run a worker."]);
      }
      for (const path of ["/api/auth/session", "/api/pair/WDJB-MJHT"]) {
        expect((await app.send("GET", path, { as: worker })).status).toBe(401);
      }
      expect((await app.send("DELETE", "/api/tokens/current", { as: worker })).json.data.deleted).toBe(true);
      expect((await app.send("GET", "/api/me", { as: worker })).status).toBe(401);
      expect(app.events.at(-1)).toMatchObject({
        stream: "sys.revocations",
        payload: { session_ids: [`pat:${worker.split("|")[0]}`], reason: "user_requested" },
      });
    });

    test("a PAT may not approve", async () => {
      const person = await app.person("pat@pair.example");
      const { user_code } = await start();
      expect((await approve(person.token, user_code)).status).toBe(401);
    });

    test("approval by cookie needs its own page", async () => {
      const { cookie } = await somebody();
      const { user_code } = await start();
      const path = `/api/pair/${user_code}/approve`;
      const foreign = await app.send("POST", path, { headers: { cookie, "sec-fetch-site": "cross-site" }, body: {} });
      expect(foreign.status).toBe(419);
      expect(
        (await app.send("POST", path, { headers: { cookie, "sec-fetch-site": "same-origin" }, body: {} })).status,
      ).toBe(200);
    });

    test("a code that A has decided is nothing to B", async () => {
      const [a, b] = [await somebody(), await somebody()];
      const { user_code } = await start();
      await approve(a.token, user_code);
      const seen = await app.send("GET", `/api/pair/${user_code}`, { as: b.token });
      expect([seen.status, seen.json.message]).toEqual([404, unknown]);
      expect((await approve(b.token, user_code)).status).toBe(404);
      expect((await app.send("GET", `/api/pair/${user_code}`, { as: a.token })).status).toBe(200);
    });

    test("denied: the machine learns it", async () => {
      const { token } = await somebody();
      const { device_code, user_code } = await start();
      const denied = await app.send("POST", `/api/pair/${user_code}/deny`, { as: token });
      expect(denied.json).toEqual({ data: { status: "denied" } });
      expect((await poll(device_code)).json.error).toBe("access_denied");
      expect((await approve(token, user_code)).status).toBe(409);
    });

    test("expired: nobody can use it", async () => {
      const { device_code, user_code } = await start();
      app.clock.advance(601_000);
      const { token } = await somebody();
      expect((await approve(token, user_code)).json.message).toBe(unknown);
      expect((await poll(device_code)).json.error).toBe("expired_token");
    });

    test("polled too fast: slower by five seconds", async () => {
      const { device_code } = await start();
      const error = async () => (await poll(device_code)).json.error;
      expect(await error()).toBe("authorization_pending");
      app.clock.advance(500);
      expect(await error()).toBe("slow_down");
      app.clock.advance(3000);
      expect(await error()).toBe("slow_down");
      app.clock.advance(12_500);
      expect(await error()).toBe("authorization_pending");
    });

    test("the RFC's other errors, and a form", async () => {
      const { device_code } = await start();
      expect((await poll("oa_dc_unknown")).json.error).toBe("expired_token");
      expect((await poll(undefined)).json.error).toBe("invalid_request");
      expect((await poll(5)).json.error).toBe("invalid_request");
      expect((await poll(device_code, { grant_type: "password" })).json.error).toBe("unsupported_grant_type");
      const byForm = await app.send("POST", "/api/pair/token", {
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({ device_code, grant_type }).toString(),
        peer: app.peer(),
      });
      expect([byForm.status, byForm.json.error]).toEqual([400, "authorization_pending"]);
    });

    test("what a machine may not say", async () => {
      const answer = await app.send("POST", "/api/pair/device", {
        body: { ...machine, name: "x".repeat(81), hostname: undefined },
        peer: app.peer(),
      });
      expect(answer.json.errors).toEqual({
        name: ["The name field must not be greater than 80 characters."],
        hostname: ["The hostname field is required."],
      });
    });

    test("five wrong codes of one person: 429, even for a right one; another person is unaffected", async () => {
      const { token } = await somebody();
      const { user_code } = await start();
      for (let i = 0; i < 5; i++) {
        expect((await app.send("GET", "/api/pair/BBBB-BBBB", { as: token })).status).toBe(404);
      }
      const answer = await app.send("GET", `/api/pair/${user_code}`, { as: token });
      expect(answer.status).toBe(429);
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
      const other = await somebody();
      expect((await app.send("GET", `/api/pair/${user_code}`, { as: other.token })).status).toBe(200);
    });

    test("many requests of one address: 429 and bounded rows", async () => {
      const peer = app.peer();
      const before = (await app.ctx.db.select().from(pairingCodes)).length;
      const statuses: number[] = [];
      for (let i = 0; i < 60; i++)
        statuses.push((await app.send("POST", "/api/pair/device", { body: machine, peer })).status);
      expect(statuses.filter((status) => status === 200)).toHaveLength(10);
      expect(statuses.filter((status) => status === 429)).toHaveLength(50);
      expect((await app.ctx.db.select().from(pairingCodes)).length - before).toBe(10);
    });

    test("worker ids: a second machine of one host name gets -2; a machine that asks for its own gets it again", async () => {
      const { token } = await somebody();
      const ids = [];
      for (let i = 0; i < 3; i++) ids.push((await paired(token, { hostname: "box" })).answer.json.worker_id);
      expect(ids).toEqual(["desktopw:box", "desktopw:box-2", "desktopw:box-3"]);
      const again = await paired(token, { hostname: "box", worker_id: "desktopw:box-2" });
      expect(again.answer.json.worker_id).toBe("desktopw:box-2");
      const thief = await paired(token, { hostname: "other", worker_id: "desktopw:box-2" });
      expect(thief.answer.json.worker_id).toBe("desktopw:box-2-2");
    });

    test("worker ids: somebody else's is never given", async () => {
      const [a, b] = [await somebody(), await somebody()];
      await paired(a.token, { hostname: "shared-name" });
      expect((await paired(b.token, { hostname: "shared-name" })).answer.json.worker_id).toBe("desktopw:shared-name-2");
      expect((await paired(b.token, { hostname: "taken" })).answer.json.worker_id).toBe("desktopw:taken-2");
      const [x, y] = [
        await paired(a.token, { worker_id: "desktopw:shared" }),
        await paired(b.token, { worker_id: "desktopw:shared" }),
      ];
      expect([x.answer.json.worker_id, y.answer.json.worker_id]).toEqual(["desktopw:shared", "desktopw:shared"]);
    });

    test("a host name of nothing usable", async () => {
      const { token } = await somebody();
      expect((await paired(token, { hostname: "💻" })).answer.json.worker_id).toBe("desktopw:machine");
    });

    test("the bridge beside the server: one token at a time, gone when it ends", async () => {
      const { id } = await somebody();
      const first = await mintBridgeToken(app.ctx, id, "desktopw:server");
      const second = await mintBridgeToken(app.ctx, id, "desktopw:server");
      expect((await app.send("GET", "/api/me", { as: first.token })).status).toBe(401);
      expect((await app.send("GET", "/api/me", { as: second.token })).status).toBe(200);
      expect((await app.send("GET", "/api/tokens", { as: second.token })).status).toBe(403);
      await second.revoke();
      expect((await app.send("GET", "/api/me", { as: second.token })).status).toBe(401);
    });
  });
}
