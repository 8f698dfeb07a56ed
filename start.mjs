// `npm start`: installs and builds what is missing or older than the source, then runs the product on its embedded database.
// Plain JavaScript, because Node runs it before anything is installed.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL(".", import.meta.url));
const bun = join(root, "node_modules/.bin/bun");
const binary = join(root, "dist/openagents");

function must(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  if (error || status !== 0) process.exit(status || 1);
}

const newest = (path) =>
  statSync(path).isDirectory()
    ? Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))))
    : statSync(path).mtimeMs;
const source = () =>
  Math.max(...["build.ts", "package-lock.json", "src", "db", "ops", "ui"].map((name) => newest(join(root, name))));

if (!existsSync(bun)) must("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
if (!existsSync(binary) || statSync(binary).mtimeMs < source()) must(bun, ["build.ts"]);

const server = spawn(binary, ["serve", ...process.argv.slice(2)], { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => server.kill(signal));
server.on("close", (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
