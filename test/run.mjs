// `npm test`: makes a bare machine (Node and npm) ready, then runs every check and every test.
// Plain JavaScript, because Node runs it before anything is installed.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
process.chdir(root);
const bun = join(root, "node_modules/.bin/bun");
const codexVersion = "0.169.0";

const say = (text) => console.log(`\n── ${text}`);

function must(title, command, args, options = {}) {
  say(title);
  const { status, error } = spawnSync(command, args, { stdio: "inherit", ...options });
  if (error || status !== 0) {
    console.error(`${title} failed: ${error?.message ?? `exit ${status}`}`);
    process.exit(1);
  }
}

let listed = false;
function debian(title, packages) {
  if (process.getuid?.() !== 0) {
    console.error(`${title} needs root: apt-get install ${packages.join(" ")}`);
    process.exit(1);
  }
  if (!listed) must("package lists", "apt-get", ["update", "-qq"]);
  listed = true;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  must(title, "apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], { env });
}

const hasPostgres = () =>
  existsSync("/usr/lib/postgresql") &&
  readdirSync("/usr/lib/postgresql").some((v) => existsSync(`/usr/lib/postgresql/${v}/bin/initdb`));
const hasChromium = () => ["/usr/bin/chromium", "/usr/bin/chromium-browser"].some((path) => existsSync(path));
const codexFolder = join(root, ".tools/codex");

if (!existsSync(bun)) must("dependencies", "npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
if (!hasPostgres()) debian("PostgreSQL", ["postgresql-15"]);
if (!hasChromium()) debian("Chromium", ["chromium"]);
if (!existsSync(join(codexFolder, "node_modules/.bin/codex"))) {
  must("codex", "npm", [
    "install",
    "--no-save",
    "--no-audit",
    "--no-fund",
    "--prefix",
    codexFolder,
    `@openai/codex@${codexVersion}`,
  ]);
}
must("build", bun, ["build.ts"]);

const only = process.argv.slice(2);
const tests = (folder) =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.test\.tsx?$/.test(entry.name))
    .map((entry) => `./${relative(root, join(entry.parentPath ?? entry.path, entry.name))}`)
    .filter((path) => !only.length || only.some((word) => path.includes(word)))
    .sort();
const all = tests(join(root, "test"));
const slow = all.filter((path) => path.includes(".slow.test."));
const fast = all.filter((path) => !path.includes(".slow.test."));

let passed = 0;
let failed = 0;

/** Runs a command, passes its output on (at its end when `quiet`), and gives it back with the exit code. */
const run = (command, args, quiet = false) =>
  new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, FORCE_COLOR: "0" },
    });
    let text = "";
    const take = (chunk) => {
      text += chunk;
      if (!quiet) process.stdout.write(chunk);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("close", (code) => resolve({ code: code ?? 1, text }));
  });

async function check(title, args) {
  say(title);
  const { code } = await run(bun, ["run", ...args]);
  if (code === 0) passed++;
  else failed++;
}

/** Tests of one run are counted by its summary; a run that dies without one counts as failed. */
async function suite(title, files, args, beside = false) {
  if (!files.length) return;
  if (!beside) say(title);
  const started = Date.now();
  const { code, text } = await run(bun, ["test", ...args, ...files], beside);
  if (beside) say(`${title}\n${text}`);
  const count = (word) => Number([...text.matchAll(new RegExp(`^\\s*(\\d+) ${word}$`, "gm"))].at(-1)?.[1] ?? 0);
  const [good, bad] = [count("pass"), count("fail")];
  passed += good;
  failed += bad || (code === 0 && good > 0 ? 0 : 1);
  console.log(`${title}: ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

/** Slow files wait more than they work: those with a browser and those without run beside each other. What measures comes first, alone. */
async function slowSuites() {
  const args = ["--timeout=120000", "--retry=1"];
  const measures = (file) => file.includes("figures");
  const browses = (file) => file.includes("/browser/") || file.includes("/journey/");
  for (const file of slow.filter(measures)) await suite(file, [file], args);
  const waiting = slow.filter((file) => !measures(file));
  const lane = async (files) => {
    for (const file of files) await suite(file, [file], args, true);
  };
  await Promise.all([lane(waiting.filter(browses)), lane(waiting.filter((file) => !browses(file)))]);
}

const started = Date.now();
if (!only.length) {
  for (const name of ["lint", "types", "knip", "floors"]) await check(name, [name]);
}
await suite("fast tests", fast, ["--parallel=3", "--timeout=30000", "--retry=1"]);
await slowSuites();

console.log(`\nall in ${((Date.now() - started) / 1000).toFixed(0)} s`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
