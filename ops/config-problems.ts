import { bindOf } from "../src/bind";
import { type Configuration, loadConfiguration } from "../src/configuration";
import { Exit } from "../src/exit";
import { providerProblems } from "../src/identity/providers";
import { readAppKey } from "../src/keys";
import { ConfigError } from "../src/settings";
import { spansProblems } from "../src/telemetry/spans";

export interface Problem {
  level: "error" | "warning";
  text: string;
}

const laravel = ["DB_CONNECTION", "DB_HOST", "DB_PORT", "DB_DATABASE", "DB_USERNAME", "DB_PASSWORD"];

/** Everything that would stop `serve` or deserves a look, without opening anything (ops-data 2.4). */
export function configProblems(
  { file, dataDir }: { file?: string | undefined; dataDir?: string | undefined },
  env: Record<string, string | undefined> = process.env,
): Problem[] {
  const error = (text: string): Problem => ({ level: "error", text });
  let read: Configuration;
  try {
    read = loadConfiguration({ file, env, flags: dataDir ? { OA_DATA_DIR: dataDir } : {} });
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown.problems.map(error);
    if (thrown instanceof Exit) return thrown.message.split("\nerror: ").map(error);
    throw thrown;
  }
  const { config, warnings } = read;
  const problems = warnings.map((text): Problem => ({ level: "warning", text }));
  if (config.APP_KEY && !readAppKey(config.APP_KEY)) {
    problems.push(error("APP_KEY must be 'base64:' and 32 bytes, or 32 characters"));
  }
  if (config.DATABASE_URL) {
    if (!/^postgres(ql)?:\/\//.test(config.DATABASE_URL))
      problems.push(error("DATABASE_URL must start with postgres://"));
    if (!config.APP_KEY) problems.push(error("APP_KEY is not set; with DATABASE_URL every node needs the same one"));
  } else if (laravel.some((name) => env[name])) problems.push({ level: "warning", text: laravelHint(env) });
  if (config.APP_URL && !URL.canParse(config.APP_URL)) problems.push(error(`APP_URL is not a URL: ${config.APP_URL}`));
  try {
    bindOf(config, {});
  } catch (thrown) {
    if (!(thrown instanceof Exit)) throw thrown;
    problems.push(error(thrown.message));
  }
  return [...problems, ...[...providerProblems(config), ...spansProblems(config)].map(error)];
}

function laravelHint(env: Record<string, string | undefined>): string {
  const {
    DB_CONNECTION: kind,
    DB_HOST: host = "127.0.0.1",
    DB_PORT: port = "5432",
    DB_DATABASE: name = "",
    DB_USERNAME: user = "",
  } = env;
  if (kind && kind !== "pgsql")
    return `DB_CONNECTION=${kind} is not read; OpenAgents runs on Postgres (DATABASE_URL) or its embedded database`;
  return `DB_* variables are not read; they amount to DATABASE_URL=postgres://${user}:…@${host}:${port}/${name}`;
}
