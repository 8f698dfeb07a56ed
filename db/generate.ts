/**
 * Writes `db/migrations/0001_initial.expand.sql` from the Drizzle schema and `db/extra.sql`, and the list of all migrations
 * that the executable embeds: `npx bun db/generate.ts`. Nobody writes that SQL by hand.
 *
 * Before the first release there is one migration, made anew each time. Several people may run this at once: a lock file
 * makes them take turns.
 */
import { closeSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { generateDrizzleJson, generateMigration } from "drizzle-kit/api";
import { isAlive } from "./lock";

const here = import.meta.dir;
const lockFile = join(here, ".generate.lock");
const migrations = join(here, "migrations");

async function locked<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      const handle = openSync(lockFile, "wx");
      writeSync(handle, String(process.pid));
      closeSync(handle);
      break;
    } catch {
      const holder = Number(
        await Bun.file(lockFile)
          .text()
          .catch(() => ""),
      );
      if (holder > 0 && !isAlive(holder)) rmSync(lockFile, { force: true });
      await Bun.sleep(50);
    }
  }
  try {
    return await work();
  } finally {
    rmSync(lockFile, { force: true });
  }
}

/** Everything that the schema files export, in the order of their names. */
async function schema(): Promise<Record<string, unknown>> {
  const files = readdirSync(join(here, "schema")).filter((name) => name.endsWith(".ts") && name !== "index.ts");
  const all: Record<string, unknown> = {};
  for (const file of files.sort()) Object.assign(all, await import(join(here, "schema", file)));
  return all;
}

/** The blocks of `extra.sql`; one whose table does not exist is left out and named. */
function extra(tables: string[]): string[] {
  const blocks = readFileSync(join(here, "extra.sql"), "utf8").split("\n\n").slice(1);
  return blocks.filter((block) => {
    const table = /alter table (\w+)/.exec(block)?.[1] ?? "";
    const known = tables.includes(`public.${table}`);
    if (!known) console.error(`extra.sql: no table ${table}, left out`);
    return known;
  });
}

/** Readers see the old file or the new one, never half of it. */
function replace(file: string, text: string): void {
  writeFileSync(`${file}.${process.pid}`, text);
  renameSync(`${file}.${process.pid}`, file);
}

function list(names: string[]): string {
  const imports = names.map((name, i) => `import m${i + 1} from "./${name}" with { type: "text" };`);
  const entries = names.map((name, i) => `  { name: "${name.replace(/\.sql$/, "")}", text: m${i + 1} },`);
  return [
    "// Written by db/generate.ts: every migration, in order, embedded in the executable.",
    ...imports,
    "",
    "/** Name without `.sql`, and the SQL as it stands in the file. */",
    "export const migrations: { name: string; text: string }[] = [",
    ...entries,
    "];",
    "",
  ].join("\n");
}

await locked(async () => {
  const now = generateDrizzleJson(await schema(), undefined, ["public"], "snake_case");
  const before = generateDrizzleJson({}, undefined, ["public"], "snake_case");
  const statements = await generateMigration(before, now);
  const text = `${[...statements, ...extra(Object.keys(now.tables))].map((statement) => statement.trim()).join("\n\n")}\n`;
  replace(join(migrations, "0001_initial.expand.sql"), text);
  const names = readdirSync(migrations).filter((name) => /^\d{4}_.+\.(expand|contract)\.sql$/.test(name));
  replace(join(migrations, "index.ts"), list(names.sort()));
  console.log(`0001_initial.expand.sql: ${statements.length} statements, ${Object.keys(now.tables).length} tables`);
});
process.exit(0);
