/**
 * Keeps one PostgreSQL for all test processes of this machine's user: `bun postgres-keeper.ts FOLDER`. Started by
 * `database.ts`; ends by itself a few seconds after its last user. Without fsync: its data is worth nothing.
 */
import { chownSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { isAlive } from "../../db/lock";
import { takeTurn } from "./turn";

const folder = process.argv[2]!;
const data = join(folder, `data-${process.pid}`);
const bin = ["/usr/lib/postgresql/15/bin", ...(process.env.PATH ?? "").split(":")].find((path) =>
  existsSync(join(path, "initdb")),
);
if (!bin) throw new Error("PostgreSQL is not installed: apt-get install postgresql-15");

/** PostgreSQL refuses to run as root. */
const asPostgres = process.getuid?.() === 0 ? ["runuser", "-u", "postgres", "--"] : [];

async function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => done(port));
    });
  });
}

mkdirSync(data, { recursive: true, mode: 0o700 });
if (asPostgres.length) {
  const id = async (flag: string) => Number(await Bun.$`id ${flag} postgres`.text());
  chownSync(data, await id("-u"), await id("-g"));
}
const quiet = { stdout: "ignore", stderr: "ignore", cwd: "/" } as const;
const init = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
await Bun.spawn([...asPostgres, join(bin, "initdb"), ...init], quiet).exited;

const port = await freePort();
const settings = [
  `port=${port}`,
  "listen_addresses=127.0.0.1",
  "unix_socket_directories=",
  "fsync=off",
  "synchronous_commit=off",
  "full_page_writes=off",
  "max_connections=300",
  "shared_buffers=64MB",
  "autovacuum=off",
].flatMap((setting) => ["-c", setting]);
const server = Bun.spawn([...asPostgres, join(bin, "postgres"), "-D", data, ...settings], quiet);
const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
for (;;) {
  const ready = await Bun.spawn([join(bin, "pg_isready"), "-h", "127.0.0.1", "-p", String(port)], quiet).exited;
  if (ready === 0) break;
  if (server.exitCode !== null) throw new Error("PostgreSQL did not start");
  await Bun.sleep(30);
}
writeFileSync(join(folder, "server.new"), JSON.stringify({ url, keeper: process.pid }));
renameSync(join(folder, "server.new"), join(folder, "server.json"));

/** Processes that still use the server; those that died are forgotten. */
function users(): string[] {
  const [alive, dead] = [[] as string[], [] as string[]];
  for (const name of readdirSync(join(folder, "users"))) (isAlive(Number(name)) ? alive : dead).push(name);
  for (const name of dead) rmSync(join(folder, "users", name), { force: true });
  return alive;
}

for (let idle = 0; ; ) {
  await Bun.sleep(500);
  idle = users().length ? 0 : idle + 1;
  const gone = server.exitCode !== null;
  if (idle < 10 && !gone) continue;
  const left = await takeTurn(join(folder, "turn"), async () => {
    if (!gone && users().length) return false;
    rmSync(join(folder, "server.json"), { force: true });
    return true;
  });
  if (left) break;
}
// Immediate shutdown: the folder goes anyway. Through the wrapper the signal would end only the wrapper.
await Bun.spawn([...asPostgres, join(bin, "pg_ctl"), "-D", data, "-m", "immediate", "stop"], quiet).exited;
await server.exited;
rmSync(data, { recursive: true, force: true });
process.exit(0);
