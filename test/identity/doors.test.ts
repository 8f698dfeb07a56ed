import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { authSessions, orgMemberships } from "../../db/schema/identity";
import type { Config } from "../../src/config";
import { signInGuide } from "../../src/identity/guide";
import { Client } from "../khala/live";
import { engines } from "../support/database";
import { type WholeApp, wholeApp } from "../support/whole";
import { cookiesOf, peers, setCookieOf, signInThrough } from "./app";

const page = { accept: "text/html", "sec-fetch-dest": "document" };
const peer = peers();

for (const engine of engines) {
  describe(`the whole product's doors on ${engine}`, () => {
    let app: WholeApp;
    let url: string;
    beforeAll(async () => {
      app = await wholeApp(engine, { OA_AUTH_PROVIDER_MODE: "mock", ADMIN_EMAILS: "chris@openagents.com" });
      url = app.listen();
    });
    afterAll(() => app.close());

    const signIn = (email: string, device?: string) => signInThrough(app.send, email, peer(), device ? { device } : {});
    const open = (path: string, cookie = "") => app.send("GET", path, { headers: { ...page, cookie } });

    test("case 1: GET /login is a guest's page; /register and /authenticate lead to it; signed in, all lead home", async () => {
      expect((await open("/login")).status).toBe(200);
      const { cookie } = await signIn("door@a.example");
      for (const path of ["/register", "/authenticate"]) {
        const guest = await open(path);
        expect([guest.status, guest.headers.get("location")]).toEqual([302, "/login"]);
      }
      for (const path of ["/login", "/register", "/authenticate"]) {
        const member = await open(path, cookie);
        expect([member.status, member.headers.get("location")]).toEqual([302, "/"]);
      }
      const sent = await app.send("POST", "/login/email", { headers: { cookie }, body: { email: "x@y.z" } });
      expect([sent.status, sent.headers.get("location")]).toEqual([302, "/"]);
    });

    test("case 8: POST /logout leads to the site's root, and its browser is a guest's", async () => {
      const { cookie } = await signIn("leaving@a.example");
      const out = await app.send("POST", "/logout", { headers: { cookie } });
      expect([out.status, out.headers.get("location"), out.text]).toEqual([302, "/", ""]);
      for (const name of ["oa_access_token", "oa_refresh_token", "oa_magic_challenge", "oa_local_test_auth"])
        expect(setCookieOf(out, name)).toBe(`${name}=; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=0`);
      expect(cookiesOf(out)).toMatch(/^oa_flash=/);
      expect((await app.send("GET", "/api/me", { headers: { cookie } })).status).toBe(401);
      expect((await open("/login", cookie)).status).toBe(200);
      const gated = await open("/pair", cookie);
      expect([gated.status, gated.headers.get("location")]).toEqual([302, "/login"]);
    });

    test("2.12: a guest who wanted a page lands there after the forms; nothing on the way is kept by a cache", async () => {
      const from = peer();
      const wanted = await open("/pair?code=WDJB-MJHT");
      expect(wanted.headers.get("location")).toBe("/login");
      const way = cookiesOf(wanted);
      const sent = await app.send("POST", "/login/email", {
        headers: { ...page, cookie: way },
        body: { email: "way@a.example" },
        peer: from,
      });
      expect([sent.status, sent.headers.get("location")]).toEqual([302, "/login"]);
      const cookie = `${way}; ${cookiesOf(sent)}`;
      const back = await app.send("POST", "/login/verify", {
        headers: { ...page, cookie },
        body: { code: "123456" },
        peer: from,
      });
      expect([back.status, back.headers.get("location")]).toEqual([302, "/pair?code=WDJB-MJHT"]);
      expect(setCookieOf(back, "oa_return_to")).toContain("Max-Age=0");
      for (const answer of [wanted, sent, back]) expect(answer.headers.get("cache-control")).toContain("no-store");
      expect((await open("/pair?code=WDJB-MJHT", cookiesOf(back))).status).toBe(200);
    });

    test("3.5: a page whose access cookie has run out is rotated in place and served; an API call is not", async () => {
      const { cookie, sessionId } = await signIn("rotated@a.example");
      await app.ctx.db
        .update(authSessions)
        .set({ accessExpiresAt: new Date(Date.now() - 5000) })
        .where(eq(authSessions.id, sessionId));
      expect((await app.send("GET", "/api/me", { headers: { cookie } })).status).toBe(401);
      const served = await open("/pair", cookie);
      expect(served.status).toBe(200);
      expect(served.headers.getSetCookie().map((line) => line.split("=")[0])).toEqual([
        "oa_access_token",
        "oa_refresh_token",
      ]);
      expect((await app.send("GET", "/api/me", { headers: { cookie: cookiesOf(served) } })).status).toBe(200);
      const withoutAccess = cookiesOf(served).replace(/oa_access_token=[^;]+; /, "");
      expect((await open("/pair", withoutAccess)).status).toBe(200);
      const dead = await open("/pair", "oa_refresh_token=oa_rt_0; XSRF-TOKEN=x");
      expect([dead.status, dead.headers.get("location")]).toEqual([302, "/login"]);
      expect(setCookieOf(dead, "oa_refresh_token")).toContain("Max-Age=0");
    });

    test("case 17: /admin: a guest to /login, others 403, a listed address 200 whatever its letters", async () => {
      const guest = await open("/admin");
      expect([guest.status, guest.headers.get("location")]).toEqual([302, "/login"]);
      expect((await open("/admin", (await signIn("other@a.example")).cookie)).status).toBe(403);
      expect((await open("/admin", (await signIn("CHRIS@openagents.com")).cookie)).status).toBe(200);
    });

    test("case 27: a preflight of the profile is answered without a credential", async () => {
      const answer = await app.send("OPTIONS", "/api/settings/profile", {
        headers: { origin: "https://app.example", "access-control-request-method": "PATCH" },
      });
      expect([answer.status, answer.text]).toEqual([204, ""]);
      expect(answer.headers.get("access-control-allow-origin")).toBe("https://app.example");
      const methods = answer.headers.get("access-control-allow-methods")?.split(/, ?/);
      for (const method of ["PATCH", "OPTIONS"]) expect(methods).toContain(method);
      expect(answer.headers.get("cache-control")).toContain("no-store");
    });

    test("the reference page says how each provider is configured", async () => {
      const { info } = (await app.send("GET", "/openapi.json")).json;
      expect(info.description).toContain(signInGuide);
    });

    test("2.10: a guest's profile form leads to /login", async () => {
      const answer = await app.send("PATCH", "/settings/profile", { headers: page, body: { name: "x" } });
      expect([answer.status, answer.headers.get("location")]).toEqual([302, "/login"]);
    });

    test("3.16: the page of a sign-in link is there for the local provider only, and opening it changes nothing", async () => {
      const config = app.ctx.config as { -readonly [N in keyof Config]: Config[N] };
      for (const [mode, status] of [
        ["local", 200],
        ["workos", 404],
        ["mock", 404],
      ] as const) {
        config.OA_AUTH_PROVIDER_MODE = mode;
        expect([mode, (await open("/login/link/oa_ll_x")).status]).toEqual([mode, status]);
      }
    });

    test("3.9: where no membership is the default, the first becomes it", async () => {
      const { db } = app.ctx;
      const { id, token } = await signIn("orgs@openagents.com");
      await db.update(orgMemberships).set({ defaultOrg: false }).where(eq(orgMemberships.userId, id));
      const { data } = (await app.send("GET", "/api/orgs/memberships", { as: token })).json;
      expect(data.memberships.map((item: { default_org: boolean }) => item.default_org)).toEqual([true, false]);
      const pat = (await app.send("POST", "/api/tokens", { as: token, body: { name: "x" } })).json.data.token;
      const asToken = await app.send("GET", "/api/orgs/memberships", { as: pat });
      expect(asToken.json.data.activeOrgId).toBe("org:openagents");
    });

    test("3.2: nobody is the baseline's guest", async () => {
      const from = peer();
      const sent = await app.send("POST", "/api/auth/email", {
        body: { email: "guest@openagents.internal" },
        peer: from,
      });
      const body = { code: "123456", challenge_id: sent.json.challengeId };
      const answer = await app.send("POST", "/api/auth/verify", { body, peer: from });
      expect([answer.status, answer.json.errors]).toEqual([
        422,
        { code: ["Unable to complete sign-in because this account is already linked. Please try again."] },
      ]);
    });

    const socketOf = async (as: string): Promise<Client> => {
      const { data } = (await app.send("POST", "/api/sync/token", { as })).json;
      const socket = new WebSocket(`${url.replace("http", "ws")}/sync/socket/websocket?token=${data.token}`);
      const client = new Client(socket);
      await new Promise<void>((resolve, reject) => {
        socket.onopen = () => resolve();
        socket.onerror = () => reject(new Error("no socket"));
      });
      expect((await client.join()).status).toBe("ok");
      return client;
    };

    const ends: [
      name: string,
      reason: string,
      work: (person: Awaited<ReturnType<typeof signIn>>) => Promise<unknown>,
    ][] = [
      ["sign-out", "user_requested", ({ token }) => app.send("POST", "/api/auth/logout", { as: token })],
      [
        "a replayed refresh token",
        "token_replay",
        async ({ refresh }) => {
          for (let i = 0; i < 2; i++) await app.send("POST", "/api/auth/refresh", { body: { refresh_token: refresh } });
        },
      ],
      ["a new sign-in on the device", "device_replaced", ({ email }) => signIn(email, "ios:1")],
      [
        "the account's deletion",
        "user_requested",
        ({ token, email }) => app.send("DELETE", "/api/settings/profile", { as: token, body: { email } }),
      ],
    ];
    for (const [name, reason, work] of ends) {
      test(`case 32: ${name} closes the session's socket within 500 ms; a new sign-in on the device joins at once`, async () => {
        const email = `${reason}.${name.length}@socket.example`;
        const person = await signIn(email, "ios:1");
        const client = await socketOf(person.token);
        await work(person);
        const ended = performance.now();
        await client.closing();
        expect(performance.now() - ended).toBeLessThan(500);
        expect(client.pushes("sync:error")).toEqual([
          {
            code: "reauth_required",
            message: "session access was revoked; sign in again",
            reauth_required: true,
            reason,
          },
        ]);
        const again = await socketOf((await signIn(email, "ios:1")).token);
        again.close();
      });
    }

    test("case 32: the deletion of a personal access token closes the sockets minted through it", async () => {
      const person = await app.person("pat@socket.example");
      const client = await socketOf(person.token);
      await app.send("DELETE", "/api/tokens/current", { as: person });
      const ended = performance.now();
      await client.closing();
      expect(performance.now() - ended).toBeLessThan(500);
      expect(client.pushes("sync:error")).toMatchObject([{ code: "reauth_required", reason: "user_requested" }]);
    });
  });
}
