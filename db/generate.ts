/**
 * Writes `db/migrations/0001_initial.expand.sql` from the Drizzle schema and `db/extra.sql`, and the list of all migrations
 * that the executable embeds: `npx bun db/generate.ts`. Nobody writes that SQL by hand. `--check` only compares.
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

/** The statements of `extra.sql`, without its heading. */
const extra = (): string[] => readFileSync(join(here, "extra.sql"), "utf8").split("\n\n").slice(1);

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
    "  // oldest first",
    ...entries,
    "];",
    "",
  ].join("\n");
}

/** The initial migration as the schema asks for it now; read inside the lock, so that the newest schema wins. */
async function initial(): Promise<string> {
  const schema = await import("./schema");
  const now = generateDrizzleJson(schema, undefined, ["public"], "snake_case");
  const before = generateDrizzleJson({}, undefined, ["public"], "snake_case");
  const statements = await generateMigration(before, now);
  return `${[...statements, ...extra()].map((statement) => statement.trim()).join("\n\n")}\n`;
}

const file = join(migrations, "0001_initial.expand.sql");

const differs = await locked(async () => {
  const text = await initial();
  if (process.argv.includes("--check")) return text !== readFileSync(file, "utf8");
  replace(file, text);
  const names = readdirSync(migrations).filter((name) => /^\d{4}_.+\.(expand|contract)\.sql$/.test(name));
  replace(join(migrations, "index.ts"), list(names.sort()));
  return false;
});
if (differs) console.error("0001_initial.expand.sql is not what the schema says: run 'npx bun db/generate.ts'");
process.exit(differs ? 1 : 0);
