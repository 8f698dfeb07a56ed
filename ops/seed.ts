/** A stored state into the tables, for tests of either predecessor and for people who try things (ops-data 3.10). */
import { readFile } from "node:fs/promises";
import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../db/database";
import { importThreads } from "../src/codex/import";
import type { Context } from "../src/context";
import { importMemberships, importToken } from "../src/identity/import";
import { defaultOrgOf, type Membership, membershipsOf } from "../src/identity/memberships";
import { isUniqueViolation } from "../src/identity/users";
import { appKeys, seal } from "../src/keys";
import { Failure } from "./failure";

type Row = Record<string, unknown>;
type Rows = Record<string, Row>;

interface SeedState {
  tables: Record<string, Row[]>;
  users: Row[];
  tokens: Row[];
  threads: Row[];
  messages: Row[];
}

/** The order in which tables are filled, each with the columns that tell its rows apart. */
const order: [table: string, key: string[]][] = [
  ["users", ["id"]],
  ["personal_access_tokens", ["id"]],
  ["threads", ["id"]],
  ["messages", ["id"]],
  ["autopilots", ["id"]],
  ["autopilot_profiles", ["autopilot_id"]],
  ["autopilot_policies", ["autopilot_id"]],
  ["autopilot_runtime_bindings", ["id"]],
  ["l402_credentials", ["id"]],
  ["l402_paywalls", ["id"]],
  ["user_spark_wallets", ["id"]],
  ["user_integrations", ["id"]],
  ["user_integration_audits", ["id"]],
  ["comms_webhook_events", ["idempotency_key"]],
  ["comms_delivery_projections", ["user_id", "provider", "integration_id"]],
  ["shouts", ["id"]],
  ["whispers", ["id"]],
];

/** Columns that a fixture holds in clear and the tables sealed. */
const sealed = ["mnemonic", "encrypted_secret", "macaroon", "preimage"];

export interface Seeded {
  /** Rows written, by table, in order. */
  counts: [table: string, rows: number][];
  warnings: string[];
}

const isRow = (value: unknown): value is Row => typeof value === "object" && value !== null && !Array.isArray(value);
const at = (value: unknown, ...path: string[]): unknown =>
  path.reduce<unknown>((inner, name) => (isRow(inner) ? inner[name] : undefined), value);
const rowsAt = (value: unknown, ...path: string[]): Row[] => {
  const found = at(value, ...path);
  return isRow(found) ? Object.values(found as Rows).filter(isRow) : [];
};
const rowList = (value: unknown): Row[] => (Array.isArray(value) ? value.filter(isRow) : []);

const failed = (message: string) => new Failure(1, "fixture", message);

/** Reads a fixture file. Throws the predecessor's failures. */
export async function readFixture(path: string): Promise<unknown> {
  if (!path.trim()) throw failed("Fixture path is required.");
  const text = await readFile(path, "utf8").catch(() => {
    throw failed(`Fixture not found: ${path}`);
  });
  try {
    return JSON.parse(text);
  } catch (error) {
    throw failed(`Fixture JSON decode failed: ${(error as Error).message}`);
  }
}

function stateOf(fixture: unknown): SeedState {
  const tables = at(fixture, "laravel_seed", "tables");
  if (!isRow(tables)) throw failed("Fixture missing laravel_seed.tables object.");
  return {
    tables: Object.fromEntries(Object.entries(tables).map(([name, rows]) => [name, rowList(rows)])),
    users: rowsAt(fixture, "rust_stores", "auth", "users_by_id"),
    tokens: rowsAt(fixture, "rust_stores", "auth", "personal_access_tokens"),
    threads: rowsAt(fixture, "rust_stores", "codex_threads", "threads"),
    messages: Object.values(at(fixture, "rust_stores", "codex_threads", "messages_by_thread") ?? {}).flatMap(rowList),
  };
}

/**
 * Upserts a fixture by its keys, all or nothing. `replace` empties the tables first. Throws a `Failure`: 78 in production,
 * 1 for a fixture that cannot be used or whose rows meet others.
 */
export async function seed(ctx: Context, fixture: unknown, { replace = false } = {}): Promise<Seeded> {
  if (ctx.config.APP_ENV === "production") {
    throw new Failure(78, "production", "a production database is never seeded", "set APP_ENV=local for a trial");
  }
  const state = stateOf(fixture);
  try {
    return await ctx.commit(async ({ db }) => {
      const seeded = await fillTables(ctx, db, state, replace);
      await fillFromStores(db, state);
      await fillThreads(db, state);
      return seeded;
    });
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new Failure(
      1,
      "conflict",
      "the database holds other rows with the same names",
      "use --replace, or an empty data folder",
    );
  }
}

async function fillTables(ctx: Context, db: Database, state: SeedState, replace: boolean): Promise<Seeded> {
  const columns = await columnsOf(db);
  const warnings = Object.keys(state.tables)
    .filter((table) => !columns.has(table) || !order.some(([name]) => name === table))
    .map((table) => `Skipping missing table: ${table}`);
  const known = order.filter(([table]) => columns.has(table));
  if (replace) for (const [table] of known.toReversed()) await db.execute(sql`delete from ${sql.identifier(table)}`);
  const counts: Seeded["counts"] = [];
  for (const [table, key] of known) {
    const given = state.tables[table];
    if (!given) continue;
    const rows = given.filter((row) => key.every((name) => row[name] !== undefined && row[name] !== null));
    if (rows.length < given.length) {
      warnings.push(`Skipping ${given.length - rows.length} rows of ${table} without ${key.join(", ")}`);
    }
    for (const row of rows) await upsert(db, table, key, sealedRow(ctx, row), columns.get(table) as Set<string>);
    await setSequence(db, table, columns.get(table) as Set<string>);
    counts.push([table, rows.length]);
  }
  return { counts, warnings };
}

async function columnsOf(db: Database): Promise<Map<string, Set<string>>> {
  const found = await raw<{ table_name: string; column_name: string }>(
    db,
    sql`select table_name, column_name from information_schema.columns where table_schema = current_schema()`,
  );
  const columns = new Map<string, Set<string>>();
  for (const { table_name: table, column_name: column } of found) {
    columns.set(table, (columns.get(table) ?? new Set()).add(column));
  }
  return columns;
}

/** Rows of a raw statement inside a transaction; the drivers wrap them differently. */
async function raw<T>(db: Database, statement: SQL): Promise<T[]> {
  const answer: unknown = await db.execute(statement);
  return (Array.isArray(answer) ? answer : (answer as { rows: T[] }).rows) as T[];
}

function sealedRow(ctx: Context, row: Row): Row {
  const secrets = sealed.filter((name) => typeof row[name] === "string");
  const key = appKeys(ctx.config)[0] as Buffer;
  return { ...row, ...Object.fromEntries(secrets.map((name) => [name, seal(row[name] as string, key)])) };
}

/** `jsonb_populate_record` brings each member into its column's type. */
async function upsert(db: Database, table: string, key: string[], row: Row, columns: Set<string>): Promise<void> {
  const names = Object.keys(row).filter((name) => columns.has(name));
  const list = (items: string[], one: (name: string) => SQL) => sql.join(items.map(one), sql`, `);
  const name = (column: string) => sql`${sql.identifier(column)}`;
  const changed = names.filter((column) => !key.includes(column));
  await db.execute(sql`insert into ${sql.identifier(table)} (${list(names, name)})
    select ${list(names, name)} from jsonb_populate_record(null::${sql.identifier(table)}, ${JSON.stringify(row)}::text::jsonb)
    on conflict (${list(key, name)}) do update set ${list(changed, (column) => sql`${name(column)} = excluded.${name(column)}`)}`);
}

async function setSequence(db: Database, table: string, columns: Set<string>): Promise<void> {
  if (!columns.has("id")) return;
  const [found] = await raw<{ sequence: string | null }>(
    db,
    sql`select pg_get_serial_sequence(${table}::text, 'id') as sequence`,
  );
  if (found?.sequence) {
    await db.execute(
      sql`select setval(${found.sequence}::text::regclass, greatest(1, (select max(id) from ${sql.identifier(table)})))`,
    );
  }
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const time = (value: unknown): Date | null => (typeof value === "string" ? new Date(value) : null);
const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];

/** Memberships and tokens as the second predecessor kept them, for the users that are there. */
async function fillFromStores(db: Database, { users, tokens, tables }: SeedState): Promise<void> {
  const known = new Set((tables.users ?? []).map(({ id }) => String(id)));
  for (const user of users.filter(({ id }) => known.has(String(id)))) {
    const memberships = rowList(user.memberships).map((row) => ({
      orgId: text(row.org_id),
      orgSlug: text(row.org_slug),
      role: text(row.role) as Membership["role"],
      roleScopes: texts(row.role_scopes),
      defaultOrg: row.default_org === true,
    }));
    await importMemberships(db, Number(user.id), memberships);
  }
  for (const token of tokens.filter((row) => known.has(String(row.user_id)) && !row.revoked_at)) {
    await importToken(db, {
      userId: Number(token.user_id),
      name: text(token.name),
      secret: text(token.token),
      abilities: texts(token.scopes),
      createdAt: time(token.created_at),
      expiresAt: time(token.expires_at),
    });
  }
}

/** The Codex read-model: the first predecessor's threads in their user's default organisation, the second's as they are. */
async function fillThreads(db: Database, state: SeedState): Promise<void> {
  const { tables, threads, messages } = state;
  const people = new Map<number, string>();
  for (const { id, email } of (tables.users ?? []).filter(({ id }) => Number.isSafeInteger(id))) {
    const memberships = await membershipsOf(db, Number(id), text(email));
    people.set(Number(id), defaultOrgOf(memberships, Number(id)));
  }
  const threadOf = (row: Row, id: unknown) => ({
    id: String(id),
    userId: Number(row.user_id),
    orgId: text(row.org_id) || (people.get(Number(row.user_id)) as string),
    title: text(row.title) || null,
    autopilotId: text(row.autopilot_id) || null,
    createdAt: time(row.created_at) ?? new Date(0),
    updatedAt: time(row.updated_at) ?? new Date(0),
  });
  const messageOf = (row: Row, id: unknown, content: unknown) => ({
    id: String(id),
    threadId: text(row.thread_id),
    role: text(row.role),
    text: text(content),
    createdAt: time(row.created_at) ?? new Date(0),
  });
  const owned = (row: Row) => people.has(Number(row.user_id));
  await importThreads(
    db,
    "legacy_import",
    (tables.threads ?? []).filter(owned).map((row) => threadOf(row, row.id)),
    (tables.messages ?? []).map((row) => messageOf(row, row.id, row.content)),
  );
  await importThreads(
    db,
    "rust_import",
    threads.filter(owned).map((row) => threadOf(row, row.thread_id)),
    messages.map((row) => messageOf(row, row.message_id, row.text)),
  );
}
