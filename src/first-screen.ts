import { schemaVersion, shown } from "../db/migrate";
import type { Config } from "./config";
import type { Executable } from "./executable";
import { providerOf } from "./identity/providers";
import type { OwnerLink } from "./owner-link";
import { qrCode } from "./worker/pair";

export interface ScreenFacts {
  config: Config;
  executable: Executable;
  folder: string;
  url: string;
  owner: OwnerLink;
  notes: string[];
  readyMs: number;
}

/** What is configured off or half, one line each (ops-data 2.3). */
export function notesOf(config: Config, worker: { workspace: string | null; fullAccess: boolean }): string[] {
  const notes: string[] = [];
  if (worker.workspace !== null) notes.push(`worker: Codex works in ${worker.workspace}`);
  if (worker.workspace !== null && worker.fullAccess) {
    notes.push("worker: --worker-full-access is on, Codex may read the keys and the database of this server");
  }
  if (config.OA_MAIL_URL && !config.OA_MAIL_FROM) notes.push("mail: OA_MAIL_FROM is not set, no sign-in code is sent");
  if (config.APP_ENV === "production" && providerOf(config) === "mock")
    notes.push("sign-in: the mock provider is refused in production");
  if (!config.DATABASE_URL && !config.OA_EMBEDDED_SYNC)
    notes.push("embedded database: OA_EMBEDDED_SYNC is off, a power cut may lose the last seconds");
  return notes;
}

function signIn(config: Config): string {
  switch (providerOf(config)) {
    case "workos":
      return config.WORKOS_CLIENT_ID && config.WORKOS_API_KEY
        ? "WorkOS e-mail codes"
        : "WorkOS, not configured: nobody can sign in";
    case "mock":
      return `mock provider, code ${config.OA_AUTH_MOCK_MAGIC_CODE}`;
    default:
      return config.OA_MAIL_URL && config.OA_MAIL_FROM
        ? "local provider, e-mail codes and links"
        : "local provider, no mail: links only";
  }
}

const isLoopbackUrl = (url: string): boolean => /^(localhost|127\.|\[::1\])/.test(new URL(url).hostname);

/** The first screen of `serve` on a terminal (ops-data 2.3). */
export function firstScreen({ config, executable, folder, url, owner, notes, readyMs }: ScreenFacts): string {
  const schema = shown(schemaVersion());
  const data = config.DATABASE_URL ? `Postgres (schema ${schema})` : `${folder} (embedded Postgres, schema ${schema})`;
  const rows = [
    ["data", data],
    ["sign-in", signIn(config)],
    ...notes.map((note, i) => [i ? "" : "notes", note]),
    ["open", url],
  ];
  const lines = [
    `OpenAgents ${executable.version} · bun ${Bun.version} · ${process.platform} ${process.arch}`,
    ...rows.map(([name = "", text = ""]) => `  ${name.padEnd(10)} ${text}`),
  ];
  if (owner && "url" in owner) {
    lines.push(`Open this link to sign in as owner: ${owner.url}`);
    if (config.APP_URL && !isLoopbackUrl(config.APP_URL)) lines.push(qrCode(owner.url));
  }
  if (owner && "file" in owner) lines.push(`The link to sign in as owner is in ${owner.file}`);
  if (owner && "command" in owner) lines.push(`To sign in as owner: ${owner.command}`);
  lines.push(`Ready in ${(readyMs / 1000).toFixed(1)} s. Ctrl-C stops.`);
  return `${lines.join("\n")}\n`;
}
