import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { seenNodes } from "../../src/khala/heartbeat";
import type { Session } from "../identity/app";
import { E, range } from "../khala/live";
import { addPerson } from "../support/app";
import { type Node, type Nodes, startNodes, until } from "./pair";

const note = (text: string, id?: string) => ({
  event: { event_type: "worker.note", payload: { text }, ...(id ? { event_id: id } : {}) },
});
const events = (worker: string) => `/api/runtime/codex/workers/${worker}/events`;

describe("two nodes of one database", () => {
  let nodes: Nodes;
  let a: Node;
  let b: Node;
  let people = 0;
  const signIn = (how?: { device?: string }) => nodes.signIn(a, `p${++people}@a.example`, how);
  beforeAll(async () => {
    nodes = await startNodes(["a", "b"]);
    [a, b] = [nodes.node("a"), nodes.node("b")];
  });
  afterAll(() => nodes.close());

  /** The value of a counter, all labels together. */
  const total = async (node: Node, name: string) =>
    (await node.send("GET", "/metrics")).text
      .split("\n")
      .filter((line) => line.startsWith(name))
      .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);

  test("each sees the other, and the operator sees both", async () => {
    expect((await seenNodes(nodes.fresh.store, 15)).map(({ id }) => id)).toEqual(["a", "b"]);
    const { out } = await nodes.ops("migrate:status", "--json");
    expect(JSON.parse(out).nodes).toMatchObject([{ node_id: "a" }, { node_id: "b" }]);
    const stats = JSON.parse((await nodes.ops("khala:stats", "--json")).out);
    expect(stats.nodes).toMatchObject([
      { node_id: "a", sockets: 0 },
      { node_id: "b", sockets: 0 },
    ]);
    const admin = await addPerson(nodes.fresh.store, "admin@a.example", { isAdmin: true });
    const { data } = (await b.send("GET", "/api/admin/khala", { as: admin.token })).json;
    expect(data.nodes.map(({ node }: { node: string }) => node).toSorted()).toEqual(["a", "b"]);
    expect(data.wake).toMatchObject({ mode: "postgres", connected: true });
  });

  test("SIGUSR2: the line of state shows the pool", async () => {
    a.server.signal("SIGUSR2");
    const [line] = await a.server.seen(/\{[^\n]*"logger":"oa\.state"[^\n]*/);
    expect(JSON.parse(line)).toMatchObject({
      database: "postgres",
      pool_size: 10,
      pool_open: expect.any(Number),
      pool_in_use: expect.any(Number),
      jobs_queued: expect.any(Number),
    });
  });

  describe("limits are shared", () => {
    test("200 parallel requests of one caller pass exactly `limit` times", async () => {
      const ann = await signIn();
      const path = "/api/runtime/threads/01a2081b-aa27-7571-987d-0df41cd32858/messages";
      const answers = await Promise.all(
        range(0, 200).map((i) => (i % 2 ? a : b).send("POST", path, { as: ann.token, body: { text: "x" } })),
      );
      const passed = answers.filter(({ status }) => status !== 429);
      expect(passed).toHaveLength(60);
      expect(new Set(passed.map(({ headers }) => headers.get("x-ratelimit-remaining"))).size).toBe(60);
      expect(answers.every(({ headers }) => headers.get("x-ratelimit-limit") === "60")).toBe(true);
    });

    test("29 seven sign-in mails through two nodes: the seventh is 429 on either", async () => {
      const mail = (node: Node) =>
        node.send("POST", "/api/auth/email", { body: { email: "seven@a.example" }, peer: "203.0.113.77" });
      const statuses: number[] = [];
      for (let i = 0; i < 6; i++) statuses.push((await mail(i % 2 ? a : b)).status);
      expect(statuses).toEqual([200, 200, 200, 200, 200, 200]);
      expect([(await mail(a)).status, (await mail(b)).status]).toEqual([429, 429]);
    });
  });

  test("a challenge or refresh token that is used on both nodes at once works on one of them", async () => {
    for (let round = 0; round < 10; round++) {
      const email = `race${round}@a.example`;
      const peer = `203.0.113.${100 + round}`;
      const { challengeId } = (await a.send("POST", "/api/auth/email", { body: { email }, peer })).json;
      const verify = (node: Node) =>
        node.send("POST", "/api/auth/verify", { body: { code: "123456", challenge_id: challengeId }, peer });
      const answers = await Promise.all([verify(a), verify(b)]);
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 422]);
      const { refreshToken } = answers.find(({ status }) => status === 200)?.json ?? {};
      const refresh = (node: Node) =>
        node.send("POST", "/api/auth/refresh", { body: { refresh_token: refreshToken }, peer });
      const again = await Promise.all([refresh(a), refresh(b)]);
      expect(again.filter(({ status }) => status === 200)).toHaveLength(1);
    }
  });

  describe("live events", () => {
    test("an event posted to one node is on a socket of the other without waiting for the sweep", async () => {
      const ann = await signIn();
      const socket = await b.socket(ann.token, [E]);
      const repairs = await total(b, "khala_wake_repairs_total");
      const delays: number[] = [];
      for (let i = 1; i <= 20; i++) {
        const sent = performance.now();
        expect((await a.send("POST", events("w:live"), { as: ann.token, body: note(`${i}`) })).status).toBe(202);
        await socket.reach(E, i);
        delays.push(performance.now() - sent);
      }
      expect(socket.marks(E)).toEqual(range(0, 20));
      expect(delays.toSorted((x, y) => x - y)[10]).toBeLessThan(150);
      expect(await total(b, "khala_wake_repairs_total")).toBe(repairs);
      socket.close();
    });

    test("both nodes append to one stream at once: every socket has 1, 2, 3, … on either", async () => {
      const ann = await signIn();
      const sockets = await Promise.all([a.socket(ann.token, [E]), b.socket(ann.token, [E])]);
      await Promise.all(
        range(0, 100).map((i) =>
          (i % 2 ? a : b).send("POST", events(`w:${i % 5}`), { as: ann.token, body: note("x") }),
        ),
      );
      for (const socket of sockets) {
        await socket.reach(E, 100);
        expect(socket.marks(E)).toEqual(range(0, 100));
        socket.close();
      }
    });

    test("the listening connection is killed: events go on by sweeps, and it heals by itself", async () => {
      const ann = await signIn();
      const socket = await b.socket(ann.token, [E]);
      const connected = async (node: Node) => (await total(node, "khala_wake_connected")) === 1;
      const [killed] = await nodes.fresh.store.rows<{ n: number }>(
        sql`select count(pg_terminate_backend(pid)) as n from pg_stat_activity
            where datname = current_database() and application_name like ${`%:${b.server.pid} wake`}`,
      );
      expect(killed?.n).toBe(1);
      expect((await a.send("POST", events("w:cut"), { as: ann.token, body: note("1") })).status).toBe(202);
      await socket.reach(E, 1, 3000);
      await until(() => connected(b), "the connection is back");
      const repairs = await total(b, "khala_wake_repairs_total");
      await a.send("POST", events("w:cut"), { as: ann.token, body: note("2") });
      await socket.reach(E, 2);
      expect([socket.marks(E), await total(b, "khala_wake_repairs_total")]).toEqual([[1, 2], repairs]);
      expect((await b.send("GET", "/readyz")).json.checks.khala).toBe("ok");
      socket.close();
    });

    test("all connections of both nodes are killed at once under load: nothing is lost", async () => {
      const ann = await signIn();
      const sockets = await Promise.all([a.socket(ann.token, [E]), b.socket(ann.token, [E])]);
      let acknowledged = 0;
      const write = async (node: Node, worker: string) => {
        for (let i = 0; i < 40; i++) {
          const body = note("x", `${worker}-${i}`);
          // what failed is sent again under its id, as a bridge does
          while ((await node.send("POST", events(worker), { as: ann.token, body })).status !== 202) await Bun.sleep(20);
          acknowledged++;
        }
      };
      const writing = Promise.all([write(a, "w:ka"), write(b, "w:kb")]);
      await until(() => acknowledged >= 10, "writing");
      await nodes.fresh.store.rows(
        sql`select count(pg_terminate_backend(pid)) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid() and application_name like 'openagents %'
              and application_name not like ${`%:${process.pid}%`}`,
      );
      await writing;
      for (const socket of sockets) {
        await socket.reach(E, 80);
        expect(socket.marks(E)).toEqual(range(0, 80));
        socket.close();
      }
    });

    test("server_nodes says what a node carries", async () => {
      const ann = await signIn();
      const sockets = await Promise.all([b.socket(ann.token, [E]), b.socket(ann.token, [E])]);
      await nodes.fresh.store.notify("khala_wake", "hello");
      const row = async () => (await seenNodes(nodes.fresh.store, 15)).find(({ id }) => id === "b");
      await until(async () => (await row())?.sockets === 2, "two sockets");
      expect(await row()).toMatchObject({ sockets: 2, live: 2, behind: 0 });
      for (const socket of sockets) socket.close();
    });
  });

  describe("what ends on one node ends sockets of the other within 500 ms", () => {
    const ends: [name: string, reason: string, by: "session" | "pat", end: (who: Session, pat: string) => unknown][] = [
      ["logout", "user_requested", "session", ({ token }) => a.send("POST", "/api/auth/logout", { as: token })],
      [
        "revocation of all sessions",
        "security_policy",
        "session",
        ({ token }) =>
          a.send("POST", "/api/auth/sessions/revoke", {
            as: token,
            body: { revoke_all_sessions: true, include_current: true, reason: "security_policy" },
          }),
      ],
      [
        "replay of a refresh token",
        "token_replay",
        "session",
        async ({ refresh }) => {
          for (let i = 0; i < 2; i++) await a.send("POST", "/api/auth/refresh", { body: { refresh_token: refresh } });
        },
      ],
      [
        "a new sign-in on the device",
        "device_replaced",
        "session",
        ({ email }) => nodes.signIn(a, email, { device: "ios:1" }),
      ],
      [
        "deletion of the token",
        "user_requested",
        "pat",
        ({ token }, pat) => a.send("DELETE", `/api/tokens/${pat.split("|")[0]}`, { as: token }),
      ],
      [
        "deletion of the token by itself",
        "user_requested",
        "pat",
        (_, pat) => a.send("DELETE", "/api/tokens/current", { as: pat }),
      ],
      [
        "deletion of the account",
        "user_requested",
        "session",
        ({ token, email }) => a.send("DELETE", "/api/settings/profile", { as: token, body: { email } }),
      ],
      ["ops user:sign-out", "admin_revoked", "session", ({ email }) => nodes.ops("user:sign-out", email)],
    ];
    test.each(ends)("%s", async (_name, reason, by, end) => {
      const who = await signIn({ device: "ios:1" });
      const made = await a.send("POST", "/api/tokens", { as: who.token, body: { name: "laptop" } });
      const pat = made.json.data.token as string;
      const token = by === "pat" ? pat : who.token;
      const sockets = await Promise.all([a.socket(token, [E]), b.socket(token, [E])]);
      const bystander = await b.socket((await signIn()).token, [E]);
      const ended = Promise.resolve(end(who, pat));
      const [here, there] = await Promise.all(
        sockets.map(async (socket) => {
          const { code } = await socket.closing();
          return { code, at: performance.now() };
        }),
      );
      await ended;
      expect([here?.code, there?.code]).toEqual([4401, 4401]);
      expect(there?.at ?? 0).toBeLessThan((here?.at ?? 0) + 500);
      for (const socket of sockets)
        expect(socket.pushes("sync:error")).toMatchObject([{ code: "reauth_required", reason }]);
      expect((await bystander.ask("sync:heartbeat")).status).toBe("ok");
      bystander.close();
    });
  });
});
