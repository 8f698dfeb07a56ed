import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { count, eq, like, sql } from "drizzle-orm";
import { authSessions, users } from "../../db/schema/identity";
import { mintLoginLink } from "../../src/identity/login-links";
import { pollPairing, startPairing } from "../../src/identity/pairing";
import { engines } from "../support/database";
import { type WholeApp, wholeApp } from "../support/whole";
import { cookiesOf, type IdentityApp, identityApp, peers, signInThrough } from "./app";
import { connectSocket } from "./socket";

const rounds = 100;

/** The rounds in a few lanes side by side: a round waits for the database most of the time. */
async function raced(round: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < rounds) await round(next++);
  };
  await Promise.all([1, 2, 3, 4].map(lane));
}

const sorted = (numbers: number[]) => [...numbers].sort((a, b) => a - b);

for (const engine of engines) {
  describe(`raced ${rounds} times on ${engine}`, () => {
    let app: IdentityApp;
    beforeAll(async () => {
      app = await identityApp(engine);
    });
    afterAll(() => app.close());

    const statuses = async (...requests: Promise<{ status: number }>[]) =>
      sorted((await Promise.all(requests)).map(({ status }) => status));

    test("case 21: two refreshes with one token: one 200, one 401, and the winner's session is dead", async () => {
      await raced(async (i) => {
        const { refresh, sessionId } = await app.signIn(`refresh${i % 4}@race.example`, { device: `d:${i}` });
        const send = () => app.send("POST", "/api/auth/refresh", { body: { refresh_token: refresh } });
        const answers = await Promise.all([send(), send()]);
        expect(sorted(answers.map(({ status }) => status))).toEqual([200, 401]);
        const winner = answers.find(({ status }) => status === 200);
        expect((await app.send("GET", "/api/me", { as: winner?.json.token })).status).toBe(401);
        const [row] = await app.ctx.db.select().from(authSessions).where(eq(authSessions.id, sessionId));
        expect(row?.revokedReason).toBe("token_replay");
      });
    }, 60_000);

    test("3.5: two tabs refreshing by cookie: both 200, one rotation", async () => {
      await raced(async (i) => {
        const { cookie } = await app.signIn(`tabs${i % 4}@race.example`, { device: `d:${i}` });
        const send = () => app.send("POST", "/api/auth/refresh", { headers: { cookie } });
        const answers = await Promise.all([send(), send()]);
        expect(answers.map(({ status }) => status)).toEqual([200, 200]);
        const rotated = answers.filter((answer) => answer.headers.getSetCookie().length > 0);
        expect(rotated).toHaveLength(1);
        const fresh = cookiesOf(rotated[0] as (typeof rotated)[0]);
        expect((await app.send("GET", "/api/me", { headers: { cookie: fresh } })).status).toBe(200);
      });
    }, 60_000);

    test("2.2: one code verified twice at once: one 200, the other learns that it has expired", async () => {
      await raced(async (i) => {
        const peer = app.peer();
        const sent = await app.send("POST", "/api/auth/email", {
          body: { email: `verify${i % 4}@race.example` },
          peer,
        });
        const body = { code: "123456", challenge_id: sent.json.challengeId };
        const answers = await Promise.all([1, 2].map(() => app.send("POST", "/api/auth/verify", { body, peer })));
        expect(sorted(answers.map(({ status }) => status))).toEqual([200, 422]);
        const loser = answers.find(({ status }) => status === 422);
        expect(loser?.json.message).toBe("Your sign-in code expired. Request a new code.");
      });
    }, 60_000);

    test("case 36: two first sign-ins of one address: one row", async () => {
      await raced(async (i) => {
        const email = `first${i}@race.example`;
        const [a, b] = await Promise.all([app.signIn(email, { device: "d:1" }), app.signIn(email, { device: "d:2" })]);
        expect(a.id).toBe(b.id);
        expect([a.answer.json.newUser, b.answer.json.newUser].sort()).toEqual([false, true]);
      });
    }, 60_000);

    test("case 36: first sign-ins with equal local parts never share a handle", async () => {
      await Promise.all(Array.from({ length: 20 }, (_, i) => app.signIn(`same@h${i}.example`)));
      const rows = await app.ctx.db.select({ handle: users.handle }).from(users).where(like(users.handle, "same%"));
      expect(rows.map(({ handle }) => handle).sort()).toEqual(
        ["same", ...Array.from({ length: 19 }, (_, i) => `same-${i + 1}`)].sort(),
      );
    }, 60_000);

    test("3.5: two sign-ins on one device at once leave one active session", async () => {
      await raced(async (i) => {
        const email = `device${i}@race.example`;
        const [a, b] = await Promise.all([app.signIn(email, { device: "d:1" }), app.signIn(email, { device: "d:1" })]);
        const alive = await statuses(
          app.send("GET", "/api/me", { as: a.token }),
          app.send("GET", "/api/me", { as: b.token }),
        );
        expect(alive).toEqual([200, 401]);
      });
    }, 60_000);

    test("3.16: two POSTs of one sign-in link: one is signed in", async () => {
      await app.withConfig({ OA_AUTH_PROVIDER_MODE: "local" }, async () => {
        await raced(async (i) => {
          const link = await mintLoginLink(app.ctx, {
            email: `link${i}@race.example`,
            name: null,
            isAdmin: false,
            minutes: 15,
            requestId: "test",
          });
          const path = new URL(link.url).pathname;
          const answers = await Promise.all([1, 2].map(() => app.send("POST", path, { peer: app.peer() })));
          expect(answers.map((answer) => answer.headers.get("location")).sort()).toEqual(["/", "/login"]);
        });
      });
    }, 60_000);

    test("remote-control 2: a device code polled twice at once gives one token", async () => {
      await raced(async (i) => {
        const started = await startPairing(app.ctx, {
          name: "m",
          hostname: `h${i}`,
          platform: "linux",
          codexVersion: "1",
          bridgeVersion: "1",
          workerId: null,
          ipAddress: "::1",
        });
        const owner = await app.signIn(`pair${i}@race.example`);
        const approval = { as: owner.token, body: {} };
        const path = `/api/pair/${started.userCode}`;
        const decided = await statuses(
          app.send("POST", `${path}/approve`, approval),
          app.send("POST", `${path}/deny`, approval),
        );
        expect(decided).toEqual([200, 409]);
        const visit = { requestId: "r", ip: "::1", userAgent: "" };
        const polls = await Promise.all([1, 2].map(() => pollPairing(app.ctx, started.deviceCode, visit)));
        const tokens = polls.filter((poll) => "accessToken" in poll);
        const errors = polls.flatMap((poll) => ("error" in poll ? [poll.error] : []));
        if (tokens.length) expect([tokens.length, errors]).toEqual([1, ["expired_token"]]);
        else expect(errors).toEqual(["access_denied", "access_denied"]);
      });
    }, 60_000);

    test("3.4: a token deleted in mid-request: the request is answered or refused, never a fault", async () => {
      await raced(async (i) => {
        const person = await app.person(`gone${i}@race.example`);
        const [gone, made, ...others] = await Promise.all([
          app.send("DELETE", "/api/tokens/current", { as: person }),
          app.send("POST", "/api/tokens", { as: person, body: { name: "late" } }),
          app.send("GET", "/api/tokens", { as: person }),
          app.send("GET", "/api/me", { as: person }),
          app.send("POST", "/api/sync/token", { as: person }),
          app.send("PATCH", "/api/settings/profile", { as: person, body: { name: "Late" } }),
        ]);
        expect(gone?.status).toBe(200);
        expect([201, 401]).toContain(made?.status as number);
        for (const { status } of others) expect([200, 401]).toContain(status);
        expect((await app.send("GET", "/api/me", { as: person })).status).toBe(401);
      });
    }, 60_000);

    test("sign-ins, refreshes and revocations of one person at once never deadlock", async () => {
      const email = "storm@race.example";
      const first = await app.signIn(email, { device: "d:0" });
      const bodies = Array.from({ length: 40 }, (_, i) => i);
      const answers = await Promise.all(
        bodies.map(async (i) => {
          const { token, refresh } = await app.signIn(email, { device: `d:${i % 4}` });
          const refreshed = app.send("POST", "/api/auth/refresh", { body: { refresh_token: refresh } });
          const body = { revoke_all_sessions: true, include_current: true };
          const revoked = app.send("POST", "/api/auth/sessions/revoke", { as: token, body });
          return statuses(refreshed, revoked);
        }),
      );
      for (const pair of answers) for (const status of pair) expect([200, 401]).toContain(status);
      const [row] = await app.ctx.db
        .select({ n: count() })
        .from(authSessions)
        .where(sql`${authSessions.userId} = ${first.id} and ${authSessions.status} = 'active'`);
      expect(row?.n).toBeLessThanOrEqual(4);
    }, 60_000);
  });

  describe(`sockets raced ${rounds} times on ${engine}`, () => {
    let app: WholeApp;
    let url: string;
    const peer = peers();
    beforeAll(async () => {
      app = await wholeApp(engine, { OA_AUTH_PROVIDER_MODE: "mock" });
      url = app.listen();
    });
    afterAll(() => app.close());

    const signIn = (i: number) => signInThrough(app.send, `socket${i}@race.example`, peer(), { device: "d:1" });
    const mint = async (as: string) => (await app.send("POST", "/api/sync/token", { as })).json.data.token as string;

    test("case 32: revoked while its socket connects: the socket is refused or closed, and never lives on", async () => {
      await raced(async (i) => {
        const person = await signIn(i);
        const token = await mint(person.token);
        const revoke = () => app.send("POST", "/api/auth/logout", { as: person.token });
        const connect = () => connectSocket(url, token);
        const [client, out] =
          i % 2 ? await Promise.all([connect(), revoke()]) : (await Promise.all([revoke(), connect()])).toReversed();
        expect((out as { status: number }).status).toBe(200);
        const socket = client as Awaited<ReturnType<typeof connect>>;
        const began = performance.now();
        await socket.closing(2000);
        expect(performance.now() - began).toBeLessThan(500);
        const [told] = [...socket.pushes("sync:error"), ...socket.frames.map((frame) => frame[4]?.response)].filter(
          (payload) => payload?.code === "reauth_required",
        );
        expect(told?.reason).toBe("user_requested");
      });
    }, 60_000);
  });
}
