import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** What pairing with a server gave this machine. */
export interface Credential {
  token: string;
  worker_id: string;
  user: string;
}

type Env = Record<string, string | undefined>;

/** `$XDG_CONFIG_HOME/openagents/credentials.json` (remote-control 2). */
export const credentialsPath = (env: Env = process.env): string =>
  join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), ".config"), "openagents/credentials.json");

function readAll(path: string): Record<string, Credential> {
  try {
    const value = JSON.parse(readFileSync(path, "utf8")) as Record<string, Credential>;
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

export const readCredential = (server: string, env?: Env): Credential | null =>
  readAll(credentialsPath(env))[server] ?? null;

/** Servers that this machine is paired with. */
export const pairedServers = (env?: Env): string[] => Object.keys(readAll(credentialsPath(env)));

/** Keeps or forgets a credential; the file is 0600 and replaced whole. */
export function writeCredential(server: string, credential: Credential | null, env?: Env): void {
  const path = credentialsPath(env);
  const all = readAll(path);
  if (credential) all[server] = credential;
  else delete all[server];
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.part`, `${JSON.stringify(all, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.part`, path);
}
