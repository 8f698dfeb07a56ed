import { resolve } from "node:path";
import type { Context } from "./context";
import { ownerOf } from "./identity/operator";
import { type BridgeToken, mintBridgeToken } from "./identity/pairing";
import { type Bridge, startBridge } from "./worker/bridge";
import { type Found, findCodex } from "./worker/find-codex";
import { createServer } from "./worker/server";

export interface BesideOptions {
  /** Where the server of this process listens. */
  url: string;
  version: string;
  /** The server's data folder: the journal is kept there. */
  folder: string;
  workspace: string;
  /** Leaves Codex's own sandbox setting as it is, `danger-full-access` included. */
  fullAccess: boolean;
  env: Record<string, string | undefined>;
}

const ownerPollMs = 1000;
const workerId = "desktopw:shared";

/**
 * A bridge beside the server for its owner (`serve --worker`, remote-control 2): the token lives in memory and is revoked on
 * stop. Waits until an owner exists. Without Codex the server runs on, with one line that says so. Codex runs as the server's
 * own user, so the sandbox is never off unless that was asked for.
 */
export function runWorkerBeside(ctx: Context, options: BesideOptions): { stop(): Promise<void> } {
  const { log } = ctx;
  let stopped = false;
  let bridge: Bridge | null = null;
  let token: BridgeToken | null = null;
  const say = (line: string, facts: Record<string, unknown> = {}) => log.info("oa.worker", line, facts);

  const begin = async () => {
    let codex: Found;
    try {
      codex = await findCodex(ctx.config.OA_CODEX_BIN, options.env);
    } catch (error) {
      return log.warn("oa.worker", error instanceof Error ? error.message : String(error));
    }
    if (options.fullAccess)
      log.warn(
        "oa.worker",
        "Codex may use the sandbox 'danger-full-access': it could then read this server's keys and database",
      );
    let owner = await ownerOf(ctx);
    while (owner === null && !stopped) {
      await Bun.sleep(ownerPollMs);
      owner = await ownerOf(ctx);
    }
    if (owner === null || stopped) return;
    token = await mintBridgeToken(ctx, owner, workerId);
    bridge = startBridge({
      server: createServer(options.url, token.token, options.version),
      workerId,
      workspace: resolve(options.workspace),
      codex: codex.command,
      codexVersion: codex.version,
      bridgeVersion: options.version,
      codexHome: options.env.CODEX_HOME ?? null,
      model: null,
      allThreads: false,
      remotePolicy: false,
      keepSandbox: !options.fullAccess,
      env: codexEnvironment(options.env),
      stateFolder: options.folder,
      screen: { say, debug: (line) => log.debug("oa.worker", line) },
    });
    await bridge.ended;
  };
  const running = begin().catch((error: unknown) => {
    if (!stopped)
      log.error("oa.worker", "the worker ended", {
        error_message: error instanceof Error ? error.message : String(error),
      });
  });
  return {
    async stop() {
      stopped = true;
      await bridge?.stop();
      await running;
      await token?.revoke();
    },
  };
}

/** The server's environment without its secrets: Codex and what it runs must not find them there. */
function codexEnvironment(env: Record<string, string | undefined>): Record<string, string | undefined> {
  const secret =
    /^(APP_KEY|APP_PREVIOUS_KEYS|DATABASE_URL|WORKOS_|OA_|RUNTIME_|POSTHOG_|SYNC_TOKEN_|KHALA_TOKEN_|SANCTUM_)/;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !secret.test(name)));
}
