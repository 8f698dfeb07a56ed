import { expect, test } from "bun:test";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { freshDatabase } from "../support/database";

/** The product's tables so far, by their owner (ops-data 4.2). */
const tables = {
  identity: [
    "app_secrets",
    "auth_challenges",
    "auth_login_links",
    "auth_refresh_tokens",
    "auth_sessions",
    "org_memberships",
    "pairing_codes",
    "personal_access_tokens",
    "users",
  ],
  codex: [
    "codex_control_requests",
    "codex_items",
    "codex_server_requests",
    "codex_thread_messages",
    "codex_threads",
    "codex_turns",
    "codex_worker_events",
    "codex_workers",
  ],
  khala: ["khala_events", "khala_meta", "khala_streams"],
  platform: [
    "audit_events",
    "http_throttles",
    "maintenance_state",
    "route_split_overrides",
    "schema_migrations",
    "schema_state",
    "server_nodes",
    "web_assets",
  ],
};

test("the initial migration is what the schema says", async () => {
  const check = Bun.spawn([process.execPath, "db/generate.ts", "--check"], {
    cwd: join(import.meta.dir, "../.."),
    stderr: "pipe",
  });
  expect(await new Response(check.stderr).text()).toBe("");
  expect(await check.exited).toBe(0);
}, 30_000);

test("a migrated database has the tables of the contract and no others", async () => {
  const fresh = await freshDatabase("postgres");
  const rows = await fresh.store.rows<{ name: string }>(
    sql`select tablename as name from pg_tables where schemaname = 'public' order by 1`,
  );
  expect(rows.map(({ name }) => name)).toEqual(Object.values(tables).flat().sort());
  await fresh.drop();
});

test("what Drizzle cannot say is there", async () => {
  const fresh = await freshDatabase("postgres");
  const rows =
    await fresh.store.rows(sql`select relname as name, relpersistence as kept, reloptions as options from pg_class
    where relname in ('http_throttles', 'khala_streams', 'khala_events') order by 1`);
  expect(rows).toEqual([
    { name: "http_throttles", kept: "u", options: null },
    {
      name: "khala_events",
      kept: "p",
      options: ["autovacuum_vacuum_scale_factor=0.02", "autovacuum_vacuum_insert_scale_factor=0.05"],
    },
    { name: "khala_streams", kept: "p", options: ["fillfactor=50"] },
  ]);
  await fresh.drop();
});

test("the template holds no row of a node", async () => {
  const fresh = await freshDatabase("postgres");
  expect(await fresh.store.rows(sql`select count(*) as n from khala_meta`)).toEqual([{ n: 0 }]);
  expect(await fresh.store.rows(sql`select min_schema_version as min from schema_state`)).toEqual([{ min: 1 }]);
  await fresh.drop();
});
