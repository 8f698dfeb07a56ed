import { chmodSync, existsSync, mkdirSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { StoreError } from "../../db/failure";
import { type Broken, brokenInvariants } from "../../db/invariants";
import { folderHolder } from "../../db/lock";
import { migrationStatus, shown } from "../../db/migrate";
import { recentCodexInvariants } from "../../src/codex/invariants";
import { dataFolder, loadConfiguration } from "../../src/configuration";
import { asExit } from "../../src/exit";
import { unreadableSecrets } from "../../src/identity/app-secrets";
import { identityInvariants } from "../../src/identity/invariants";
import { providerOf } from "../../src/identity/providers";
import { jobInvariants, queueHealth } from "../../src/jobs/operator";
import { appKeys, readAppKey } from "../../src/keys";
import { gappedStreams } from "../../src/khala/operator";
import { findCodex } from "../../src/worker/find-codex";
import type { Call } from "../command";
import { configProblems } from "../config-problems";
import { type Check, checkServer } from "../doctor-server";
import type { Place } from "../perform";

const ok = (id: string, text: string): Check => ({ id, status: "ok", text, hint: null });
const warn = (id: string, text: string, hint: string | null = null): Check => ({ id, status: "warn", text, hint });
const fail = (id: string, text: string, hint: string | null = null): Check => ({ id, status: "fail", text, hint });

interface Flags {
  config?: string;
  dataDir?: string;
  base?: string;
  outbound?: boolean;
  fix?: boolean;
}

export async function run(call: Call): Promise<number> {
  const { options, io, json } = call;
  const flags = options as Flags;
  const checks: Check[] = [];
  const add = (...found: Check[]) => {
    checks.push(...found);
    if (!json)
      for (const { status, id, text, hint } of found)
        io.out(
          `${status === "fail" ? "FAIL" : status.padEnd(4)}  ${id.padEnd(15)} ${text}${hint ? `\n${" ".repeat(22)}${hint}` : ""}\n`,
        );
  };
  add(...configured(flags));
  if (!checks.some(({ id, status }) => id === "config" && status === "fail")) {
    const { config } = loadConfiguration({
      file: flags.config,
      flags: flags.dataDir ? { OA_DATA_DIR: flags.dataDir } : {},
    });
    const folder = dataFolder(config);
    if (!config.DATABASE_URL) add(...folderChecks(folder, flags.fix === true));
    add(...keyChecks(config, folder));
    const holder = config.DATABASE_URL ? null : folderHolder(folder);
    if (holder !== null)
      add(warn("db.connect", `process ${holder} serves this folder; its database is checked by 'doctor --base'`));
    else if (!config.DATABASE_URL && !existsSync(join(folder, "pg")))
      add(warn("db.connect", "there is no database yet; the first 'serve' makes it"));
    else add(...(await databaseChecks(call, config, folder)));
    add(...(await outboundChecks(config, flags.outbound === true)));
  }
  add(await codexCheck());
  const base = flags.base ?? process.env.OA_SERVER_URL;
  if (base) add(...(await checkServer(base)));
  const status = checks.some((check) => check.status === "fail")
    ? "fail"
    : checks.some((check) => check.status === "warn")
      ? "warn"
      : "ok";
  if (json) io.out(`${JSON.stringify({ status, checks })}\n`);
  return status === "fail" ? 1 : 0;
}

function configured({ config: file, dataDir }: Flags): Check[] {
  const problems = configProblems({ file, dataDir });
  const wrong = problems.filter(({ level }) => level === "error");
  const open = problems.filter(({ text }) => text.includes("can be read by other users"));
  return [
    wrong.length
      ? fail("config", wrong.map(({ text }) => text).join("; "), "correct it; 'config check' says more")
      : ok("config", "in order"),
    open.length
      ? warn("config.secrets", open.map(({ text }) => text).join("; "))
      : ok("config.secrets", "readable by this user only"),
    ...problems
      .filter((problem) => problem.level === "warning" && !open.includes(problem))
      .map(({ text }) => warn("config", text)),
  ];
}

function folderChecks(folder: string, fix: boolean): Check[] {
  if (!existsSync(folder)) {
    if (!fix) return [warn("data.folder", `${folder} is not there yet`, "the first 'serve' makes it, or --fix does")];
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }
  const checks: Check[] = [];
  const { mode } = statSync(folder);
  if (mode & 0o077 && fix) chmodSync(folder, 0o700);
  if (mode & 0o077 && !fix) checks.push(warn("data.folder", `${folder} is open to other users`, "chmod 700, or --fix"));
  else checks.push(ok("data.folder", folder));
  const holder = folderHolder(folder);
  checks.push(ok("data.lock", holder === null ? "free" : `held by process ${holder}`));
  const { bavail, bsize, blocks } = statfsSync(folder);
  const free = bavail * bsize;
  const enough = free >= 2 ** 30 || bavail / blocks >= 0.1;
  const size = `${(free / 1e9).toFixed(1)} GB free`;
  checks.push(
    enough ? ok("data.space", size) : fail("data.space", size, "make room: at least 1 GiB or a tenth of the disk"),
  );
  return checks;
}

function keyChecks(config: Parameters<typeof providerOf>[0], folder: string): Check[] {
  if (config.APP_KEY) {
    return [
      readAppKey(config.APP_KEY)
        ? ok("keys.app_key", "32 bytes, from the environment")
        : fail("keys.app_key", "APP_KEY is not 32 bytes"),
    ];
  }
  const file = join(folder, "keys/app_key");
  if (config.DATABASE_URL)
    return [fail("keys.app_key", "APP_KEY is not set", "with DATABASE_URL every node needs the same one")];
  if (!existsSync(file)) return [warn("keys.app_key", "not made yet; the first 'serve' makes it")];
  const isOpen = (statSync(file).mode & 0o077) !== 0;
  return [
    isOpen ? fail("keys.app_key", `${file} can be read by other users`, "chmod 600 it") : ok("keys.app_key", file),
  ];
}

async function databaseChecks(call: Call, config: Parameters<typeof providerOf>[0], folder: string): Promise<Check[]> {
  const { openPlace } = await import("../open");
  let place: Place;
  const started = performance.now();
  try {
    place = await openPlace({ executable: call.executable, config, folder, migrated: false, io: call.io, waitMs: 0 });
  } catch (error) {
    const exit = asExit(error);
    return [
      fail(
        error instanceof StoreError && error.exitCode === 78 ? "db.version" : "db.connect",
        exit.message,
        exit.hint ?? null,
      ),
    ];
  }
  try {
    const took = performance.now() - started;
    return [ok("db.connect", `reached in ${Math.round(took)} ms`), ...(await inside(place, place.config ?? config))];
  } finally {
    await place.close?.();
  }
}

async function inside({ store }: Place, config: Parameters<typeof providerOf>[0]): Promise<Check[]> {
  if (!store) return [];
  const [facts] = await store.rows<{ version: string; encoding: string; now: Date }>(
    sql`select current_setting('server_version') as version, current_setting('server_encoding') as encoding, clock_timestamp() as now`,
  );
  const drift = Math.abs(Date.now() - (facts?.now.getTime() ?? 0)) / 1000;
  const status = await migrationStatus(store).catch((error: unknown) => asExit(error));
  const checks = [
    ok("db.version", `PostgreSQL ${facts?.version}`),
    drift <= 2 ? ok("db.clock", "in step") : fail("db.clock", `${drift.toFixed(1)} s apart`, "set both clocks by NTP"),
    facts?.encoding === "UTF8"
      ? ok("db.encoding", "UTF8")
      : fail("db.encoding", `${facts?.encoding}`, "make a database with encoding UTF8"),
  ];
  if (status instanceof Error) return [...checks, fail("db.migrations", status.message)];
  const pending = status.migrations.filter(({ state }) => state === "pending");
  if (pending.length)
    return [
      ...checks,
      fail("db.migrations", `${pending.length} pending`, "run 'openagents ops migrate', or start 'serve'"),
    ];
  const { lagSeconds, dead } = await queueHealth(store);
  const gaps = await gappedStreams(store, 1000, 10);
  const broken = await brokenInvariants(store, [...identityInvariants, ...recentCodexInvariants, ...jobInvariants]);
  const unreadable = await unreadableSecrets(store, appKeys(config)).catch(() => ["app_secrets"]);
  return [
    ...checks,
    ok("db.migrations", `schema ${shown(status.databaseVersion)}`),
    broken.length
      ? fail(
          "db.invariants",
          broken.map(sentence).join("; "),
          "report this; the newest backup may have these rows whole",
        )
      : ok("db.invariants", "hold"),
    unreadable.length
      ? fail("keys.rows", `cannot be opened: ${unreadable.join(", ")}`, "put the old key into APP_PREVIOUS_KEYS")
      : ok("keys.rows", "sealed values open"),
    lagSeconds < 60
      ? ok("jobs.lag", `${Math.round(lagSeconds)} s`)
      : warn("jobs.lag", `the oldest due job waits ${Math.round(lagSeconds)} s`, "does a server run?"),
    dead ? warn("jobs.dead", `${dead} dead jobs`, "'openagents ops queue:dead' shows them") : ok("jobs.dead", "none"),
    gaps.length
      ? fail("khala.log", `numbers are missing in ${gaps.join(", ")}`, "restore the newest backup")
      : ok("khala.log", "no gap"),
  ];
}

const sentence = ({ id, violations, sample }: Broken) =>
  `${id} is broken by ${violations} row${violations === 1 ? "" : "s"} (${sample.join(", ")}${violations > sample.length ? ", …" : ""})`;

async function outboundChecks(config: Parameters<typeof providerOf>[0], reach: boolean): Promise<Check[]> {
  const services: [id: string, isOn: boolean, url: string][] = [
    ["outbound.workos", providerOf(config) === "workos", config.OA_WORKOS_API_BASE_URL],
    ["outbound.posthog", config.POSTHOG_API_KEY !== null && config.POSTHOG_DISABLED !== true, config.POSTHOG_HOST],
  ];
  return Promise.all(
    services.map(async ([id, isOn, url]) => {
      if (!isOn) return ok(id, "off");
      if (!reach) return ok(id, `configured, ${new URL(url).host}`);
      const answered = await fetch(url, {
        method: "HEAD",
        redirect: "manual",
        signal: AbortSignal.timeout(5000),
      }).catch(() => null);
      return answered ? ok(id, `${new URL(url).host} answers`) : fail(id, `${new URL(url).host} cannot be reached`);
    }),
  );
}

async function codexCheck(): Promise<Check> {
  try {
    const { version } = await findCodex(process.env.OA_CODEX_BIN ?? null, process.env);
    return ok("codex.binary", `Codex ${version}`);
  } catch (error) {
    return warn("codex.binary", (error as Error).message, "only 'worker' needs it");
  }
}
