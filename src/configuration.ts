import { existsSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { type Config, readConfig, settings } from "./config";
import { configFiles } from "./config-files";
import { Exit } from "./exit";
import { ConfigError, type Setting } from "./settings";

/** Where a value came from: `flag`, `env`, `file:12`, `X_FILE`, `default`. */
export type Source = string;

export interface Configuration {
  config: Config;
  sources: Record<string, Source>;
  /** Lines worth a person's attention that stop nothing. */
  warnings: string[];
}

export interface Given {
  /** Settings that command-line options stand for. */
  flags?: Record<string, string>;
  env?: Record<string, string | undefined>;
  /** `--config FILE`. */
  file?: string | undefined;
  cwd?: string;
}

const biggestSecret = 64 * 1024;
const all = settings as Record<string, Setting<unknown>>;
const names = Object.keys(all);
const secrets = names.filter((name) => all[name]?.secret);

/**
 * Everything that configures this process: flag > environment > file > default (ops-data 2.4). Throws `ConfigError` with
 * every problem at once, `Exit` 77 for secrets that others can read in production.
 */
export function loadConfiguration({
  flags = {},
  env = process.env,
  file,
  cwd = process.cwd(),
}: Given = {}): Configuration {
  const warnings: string[] = [];
  const problems: string[] = [];
  const open: string[] = [];
  const values: Record<string, string | undefined> = {};
  const sources: Record<string, Source> = {};
  const known = new Set([
    ...names,
    ...secrets.map((name) => `${name}_FILE`),
    ...names.flatMap((name) => all[name]?.also ?? []),
  ]);

  const path = configFile(file ?? env.OA_CONFIG_FILE, cwd, problems);
  const filed = path ? readConfigFile(path, problems) : [];
  for (const { name, value, line } of filed) {
    if (!known.has(name)) {
      if (name.startsWith("OA_")) warnings.push(`${path}:${line}: ${name} is not known${suggestion(name, known)}`);
      continue;
    }
    values[name] = value;
    sources[name] = `file:${line}`;
  }
  for (const name of known) {
    if (env[name] === undefined) continue;
    values[name] = env[name];
    sources[name] = "env";
  }
  for (const name of secrets) readSecretFile(name, values, sources, problems, open);
  for (const [name, value] of Object.entries(flags)) {
    values[name] = value;
    sources[name] = "flag";
  }
  let config: Config | null = null;
  try {
    config = readConfig(values);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
  }
  if (!config || problems.length) throw new ConfigError(problems);
  if (open.length && config.APP_ENV === "production") {
    throw new Exit(
      77,
      open.join("\nerror: "),
      "make them readable by this user only, or set APP_ENV where secrets are none",
    );
  }
  return { config, sources, warnings: [...warnings, ...open] };
}

/** The first configuration file there is; a named one must exist. */
function configFile(named: string | undefined, cwd: string, problems: string[]): string | null {
  if (named) {
    const path = resolve(cwd, named);
    if (!existsSync(path)) problems.push(`the configuration file ${path} does not exist`);
    return existsSync(path) ? path : null;
  }
  return configFiles(cwd).find((path) => existsSync(path)) ?? null;
}

interface Line {
  name: string;
  value: string;
  line: number;
}

/** `NAME=value`, `#` comments, optional `export `; no expansion, no substitution (ops-data 2.4). */
export function readConfigFile(path: string, problems: string[]): Line[] {
  const lines: Line[] = [];
  readFileSync(path, "utf8")
    .split(/\r?\n/)
    .forEach((raw, i) => {
      const text = raw.trim();
      if (!text || text.startsWith("#")) return;
      const match = /^(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)$/.exec(text);
      if (!match) problems.push(`${path}:${i + 1}: not NAME=value`);
      else lines.push({ name: match[1] as string, value: unquoted(match[2] as string), line: i + 1 });
    });
  return lines;
}

const escapes: Record<string, string> = { n: "\n", '"': '"', "\\": "\\", $: "$" };

function unquoted(value: string): string {
  const single = /^'([^']*)'\s*(?:#.*)?$/.exec(value);
  if (single) return single[1] as string;
  const double = /^"((?:[^"\\]|\\.)*)"\s*(?:#.*)?$/.exec(value);
  if (double) return (double[1] as string).replace(/\\(.)/g, (whole, c: string) => escapes[c] ?? whole);
  return value.replace(/\s+#.*$/, "");
}

function readSecretFile(
  name: string,
  values: Record<string, string | undefined>,
  sources: Record<string, Source>,
  problems: string[],
  open: string[],
): void {
  const from = `${name}_FILE`;
  const path = values[from];
  if (path === undefined || path === "") return;
  if (values[name] !== undefined) return void problems.push(`${name} and ${from} are both set; keep one`);
  try {
    const { size, mode } = statSync(path);
    if (size > biggestSecret) return void problems.push(`${from}: ${path} is larger than 64 KiB`);
    const value = readFileSync(path, "utf8").replace(/\r?\n$/, "");
    if (!value) return void problems.push(`${from}: ${path} is empty`);
    if (mode & 0o044) open.push(`${from}: ${path} can be read by other users (chmod 600)`);
    values[name] = value;
    sources[name] = from;
  } catch {
    problems.push(`${from}: ${path} cannot be read`);
  }
}

/** Number of single-character edits between two names. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      next[j] = Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, (row[j - 1] as number) + same);
    }
    row = next;
  }
  return row[b.length] as number;
}

function suggestion(name: string, known: Set<string>): string {
  const near = [...known].filter((other) => editDistance(name, other) <= 2);
  return near.length ? `; did you mean ${near.slice(0, 3).join(", ")}?` : "";
}

/** The data folder (ops-data 2.4): flag, `OA_DATA_DIR`, systemd's, XDG's, home. */
export function dataFolder(config: Config, env: Record<string, string | undefined> = process.env): string {
  const state = env.STATE_DIRECTORY?.split(":")[0];
  const xdg = env.XDG_DATA_HOME ? join(env.XDG_DATA_HOME, "openagents") : null;
  return resolve(config.OA_DATA_DIR ?? state ?? xdg ?? join(homedir(), ".local/share/openagents"));
}
