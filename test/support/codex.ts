/** The real `codex app-server` 0.169.0 for slow tests, pointed at a scripted model. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The binary that `npm test` installs. */
export const codexBinary = join(import.meta.dir, "../../.tools/codex/node_modules/.bin/codex");

export interface CodexPlace {
  home: string;
  workspace: string;
  remove(): void;
}

/** A CODEX_HOME and an empty workspace of its own. */
export function codexPlace(modelUrl: string, more = ""): CodexPlace {
  const root = mkdtempSync(join(tmpdir(), "oa-codex-"));
  const home = join(root, "home");
  const workspace = join(root, "workspace");
  mkdirSync(home);
  mkdirSync(workspace);
  writeFileSync(
    join(home, "config.toml"),
    `model = "scripted"
model_provider = "scripted"
approval_policy = "on-request"
sandbox_mode = "workspace-write"
${more}
[model_providers.scripted]
name = "scripted"
base_url = "${modelUrl}"
wire_api = "responses"
requires_openai_auth = false
request_max_retries = 0
stream_max_retries = 0
`,
  );
  return { home, workspace, remove: () => rmSync(root, { recursive: true, force: true }) };
}
