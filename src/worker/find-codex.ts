import { statSync } from "node:fs";

export interface Found {
  command: string[];
  version: string;
}

/** No Codex that can be used: exit 3. */
export class NoCodex extends Error {}

/** The release whose protocol this bridge speaks. */
const oldest = [0, 169, 0];
const howTo = "install it with 'npm install -g @openai/codex', or name it with --codex-bin";

function isOlder(version: string): boolean {
  const parts = version.split(/[.-]/).slice(0, 3).map(Number);
  for (let i = 0; i < 3; i++) {
    const difference = (parts[i] || 0) - (oldest[i] as number);
    if (difference) return difference < 0;
  }
  return false;
}

/** `--codex-bin`, else `OA_CODEX_BIN`, else `codex` on PATH (codex-chat 3.10 step 1). Throws `NoCodex` with how to install. */
export async function findCodex(named: string | null, env: Record<string, string | undefined>): Promise<Found> {
  const path = named ?? Bun.which("codex", { PATH: env.PATH ?? "" });
  if (!path || (named && !isFile(named) && !Bun.which(named, { PATH: env.PATH ?? "" }))) {
    throw new NoCodex(`Codex was not found${named ? ` at ${named}` : " on PATH"}; ${howTo}`);
  }
  const child = Bun.spawn([path, "--version"], {
    env,
    stdout: "pipe",
    stderr: "ignore",
    stdin: "ignore",
    timeout: 10_000,
  });
  const text = await new Response(child.stdout).text();
  const version = /codex-cli (\S+)/.exec(text)?.[1];
  if (!version) throw new NoCodex(`${path} does not answer as Codex does; ${howTo}`);
  if (isOlder(version))
    throw new NoCodex(`Codex ${version} is too old (${oldest.join(".")} or newer is needed); ${howTo}`);
  return { command: [path], version };
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
