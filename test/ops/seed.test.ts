import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eq } from "drizzle-orm";
import { personalAccessTokens, users } from "../../db/schema/identity";
import { readFixture, seed } from "../../ops/seed";
import development from "../../ops/seeds/development.json";
import shared from "../../ops/seeds/shared-seed-state.json";
import { chatThreads, codexAccess, codexApi } from "../../src/codex";
import type { Config } from "../../src/config";
import { identityApi } from "../../src/identity";
import { type TestApp, testApp } from "../support/app";
import { engines } from "../support/database";

const clone = () => structuredClone(shared) as unknown as { laravel_seed: { tables: Record<string, object[]> } };

for (const engine of engines) {
  describe(`parity:seed on ${engine} (ops-data 3.10)`, () => {
    let app: TestApp;
    beforeAll(async () => {
      app = await testApp(engine, {
        env: { APP_ENV: "testing" },
        domains: (ctx) => [
          identityApi(ctx, {
            chatThreads: (userId, limit) => chatThreads(ctx, userId, limit),
            codexAccess: (userId) => codexAccess(ctx, userId),
          }),
          codexApi(ctx),
        ],
      });
    });
    afterAll(() => app.close());

    test("fills what there are tables for, twice the same, and says what it skipped", async () => {
      const first = await seed(app.ctx, shared);
      expect(await seed(app.ctx, shared)).toEqual(first);
      expect(first.counts.slice(0, 2)).toEqual([
        ["users", 2],
        ["personal_access_tokens", 1],
      ]);
      for (const warning of first.warnings) expect(warning).toMatch(/^Skipping missing table: \w+$/);
      const told = first.counts.length + first.warnings.length;
      expect(told).toBe(Object.keys(shared.laravel_seed.tables).length);
      expect(await app.ctx.db.select().from(users)).toHaveLength(2);
      expect(await app.ctx.db.select().from(personalAccessTokens)).toHaveLength(2);
    });

    test("the clear token of the second predecessor opens its user, organisation and both kinds of threads", async () => {
      const as = "oa_pat_seed_token_alpha";
      const me = (await app.send("GET", "/api/me", { as })).json.data;
      expect(me.user).toMatchObject({
        id: 1001,
        name: "Parity Alpha",
        email: "parity.alpha@openagents.test",
        handle: "parity-alpha",
        workosId: "workos_parity_alpha",
        createdAt: "2026-02-22T00:00:00.000000Z",
      });
      expect(me.chatThreads).toEqual([
        {
          id: "00000000-0000-7000-8000-000000000001",
          title: "Seed Thread",
          updatedAt: "2026-02-22T00:06:00.000000Z",
        },
        { id: "thread_seed_1", title: "Seed question", updatedAt: "2026-02-22T00:06:00.000000Z" },
      ]);
      const memberships = (await app.send("GET", "/api/orgs/memberships", { as })).json.data;
      expect(memberships).toEqual({
        activeOrgId: "org:openagents",
        memberships: [
          { org_id: "org:openagents", org_slug: "openagents", role: "owner", role_scopes: ["*"], default_org: true },
        ],
      });
      const { json } = await app.send("GET", "/api/runtime/threads/thread_seed_1/messages", { as });
      const messages = json.data.messages as { role: string; text: string }[];
      expect(messages.map(({ role, text }) => [role, text])).toEqual([
        ["user", "Seed question"],
        ["assistant", "Seed answer"],
      ]);
    });

    test("a change of the fixture changes the row; new ids go on after the seeded ones", async () => {
      const changed = clone();
      Object.assign(changed.laravel_seed.tables.users?.[0] as object, { name: "Renamed" });
      await seed(app.ctx, changed);
      const [alpha] = await app.ctx.db.select().from(users).where(eq(users.id, 1001));
      expect(alpha?.name).toBe("Renamed");
      expect((await app.person("later@a.example")).id).toBe(1003);
    });

    test("a row without its key is left out; an address that is somebody else's undoes everything", async () => {
      const { counts, warnings } = await seed(app.ctx, {
        laravel_seed: { tables: { users: [{ name: "No id", email: "no@id.example", workos_id: "n" }] } },
      });
      expect([counts, warnings]).toEqual([[["users", 0]], ["Skipping 1 rows of users without id"]]);
      const taken = clone();
      taken.laravel_seed.tables.users = [
        { id: 5000, name: "New", email: "new@a.example", workos_id: "w_5000", avatar: "" },
        { id: 5001, name: "Taken", email: "later@a.example", workos_id: "w_5001", avatar: "" },
      ];
      await expect(seed(app.ctx, taken)).rejects.toMatchObject({ code: 1, word: "conflict" });
      expect(await app.ctx.db.select().from(users).where(eq(users.id, 5000))).toEqual([]);
    });

    test("--replace empties first", async () => {
      await seed(app.ctx, development, { replace: true });
      const people = await app.ctx.db.select().from(users).orderBy(users.id);
      expect(people.map(({ email }) => email)).toEqual(["test@example.com", "ana@example.com", "ben@example.com"]);
      expect(await app.ctx.db.select().from(personalAccessTokens)).toEqual([]);
      expect((await chatThreads(app.ctx, 2001, 10)).map(({ title }) => title)).toEqual(["Why is the build slow?"]);
    });

    test("never in production; what is no fixture is refused in the predecessor's words", async () => {
      const config = app.ctx.config as { -readonly [N in keyof Config]: Config[N] };
      config.APP_ENV = "production";
      await expect(seed(app.ctx, shared, { replace: true })).rejects.toMatchObject({ code: 78 });
      config.APP_ENV = "testing";
      expect(await app.ctx.db.select().from(users)).toHaveLength(3);
      await expect(seed(app.ctx, { laravel_seed: {} })).rejects.toThrow("Fixture missing laravel_seed.tables object.");
      const folder = mkdtempSync(join(tmpdir(), "oa-seed-"));
      try {
        await Bun.write(join(folder, "bad.json"), "{");
        await expect(readFixture(join(folder, "bad.json"))).rejects.toThrow("Fixture JSON decode failed: ");
        await expect(readFixture(join(folder, "none.json"))).rejects.toThrow("Fixture not found: ");
        await expect(readFixture(" ")).rejects.toThrow("Fixture path is required.");
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  });
}
