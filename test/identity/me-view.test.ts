import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomUUID } from "node:crypto";
import { codexThreads, codexWorkers } from "../../db/schema/codex";
import { chatThreads, codexAccess } from "../../src/codex";
import { codexViewColumn, readCodexView } from "../../src/codex/view";
import { identityApi } from "../../src/identity";
import { createGuards } from "../../src/identity/guard";
import type { MeView } from "../../src/identity/neighbours";
import { type TestApp, testApp } from "../support/app";
import { engines } from "../support/database";

for (const engine of engines) {
  describe(`GET /api/me in one statement on ${engine}`, () => {
    let app: TestApp;
    let statements = 0;
    beforeAll(async () => {
      let view: MeView;
      app = await testApp(engine, {
        domains: (ctx) => {
          view = { column: codexViewColumn, read: (stored, limit) => readCodexView(ctx, stored, limit) };
          const count =
            <A extends unknown[], R>(work: (...args: A) => R) =>
            (...args: A): R => {
              statements++;
              return work(...args);
            };
          return [
            identityApi(ctx, {
              chatThreads: count((userId, limit) => chatThreads(ctx, userId, limit)),
              codexAccess: count((userId) => codexAccess(ctx, userId)),
              meView: view,
            }),
          ];
        },
        guards: (ctx) => createGuards(ctx, view),
      });
    });
    afterAll(() => app.close());

    const at = (minutes: number) => new Date(Date.UTC(2026, 1, 19, 12, minutes, 0, 120));
    const thread = (userId: number, id: string, over: object) => ({
      threadId: id,
      userId,
      orgId: `user:${userId}`,
      createdAt: at(0),
      updatedAt: at(0),
      ...over,
    });

    test("case 12: the same as the two readers of the Codex domain, without asking them", async () => {
      const ann = await app.person("ann@a.example");
      const ben = await app.person("ben@a.example");
      await app.ctx.db.insert(codexThreads).values([
        thread(ann.id, "old-empty", { createdAt: at(1), updatedAt: at(90) }),
        thread(ann.id, "with-messages", {
          createdAt: at(2),
          updatedAt: at(5),
          messageCount: 2,
          title: " \t",
          preview: " How it began\nand went on",
        }),
        thread(ann.id, "earlier", {
          createdAt: at(1),
          updatedAt: at(4),
          messageCount: 1,
          title: 'A "title"',
          preview: "x",
        }),
        thread(ann.id, "newest-empty", { createdAt: at(6), updatedAt: at(6) }),
        thread(ann.id, "archived", { createdAt: at(7), updatedAt: at(7), messageCount: 1, archivedAt: at(8) }),
        thread(ben.id, "someone-else", { createdAt: at(9), updatedAt: at(9), messageCount: 1 }),
      ]);
      const worker = (workerId: string, over: object) => ({
        id: randomUUID(),
        workerId,
        ownerUserId: ann.id,
        orgId: `user:${ann.id}`,
        status: "running" as const,
        createdAt: at(0),
        updatedAt: at(0),
        ...over,
      });
      await app.ctx.db.insert(codexWorkers).values([
        worker("codexw_1", { startedAt: at(1), latestSeq: 7 }),
        worker("codexw_2", {
          metadata: { source: "autopilot-desktop", big: "x".repeat(1000) },
          lastHeartbeatAt: app.ctx.now(),
          authState: {
            auth_mode: "chatgpt",
            plan_type: "plus",
            requires_openai_auth: true,
            observed_at: "2026-02-19T12:00:00Z",
          },
        }),
        worker("codexw_3", { status: "stopped" as const, lastHeartbeatAt: at(3) }),
      ]);
      for (const limit of [50, 3, 1]) {
        statements = 0;
        const { json } = await app.send("GET", `/api/me?chat_limit=${limit}`, { as: ann });
        expect(json.data.chatThreads).toEqual(await chatThreads(app.ctx, ann.id, limit));
        expect(json.data.codexAccess).toEqual(await codexAccess(app.ctx, ann.id));
        expect(statements).toBe(0);
        if (limit === 50) {
          expect(json.data.chatThreads.map(({ id }: { id: string }) => id)).toEqual([
            "newest-empty",
            "with-messages",
            "earlier",
          ]);
          expect(json.data.chatThreads.map(({ title }: { title: string }) => title)).toEqual([
            "New conversation",
            "How it began",
            'A "title"',
          ]);
          expect(json.data.codexAccess).toMatchObject({ workerId: "codexw_2", status: "ready", chatgptLinked: true });
        }
      }
      const guest = await app.send("GET", "/api/me");
      expect(guest.status).toBe(401);
      const other = await app.send("GET", "/api/me", { as: ben });
      expect(other.json.data).toMatchObject({
        chatThreads: [{ id: "someone-else" }],
        codexAccess: { status: "no_worker" },
      });
    });
  });
}
