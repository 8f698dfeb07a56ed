import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bridge, type BridgeOptions, startBridge } from "../../src/worker/bridge";
import { createServer } from "../../src/worker/server";
import { type Json, PlayedServer, workerId } from "./server";

export const fakeCodex = [process.execPath, join(import.meta.dir, "../support/codex-fake.ts")];

/** A played server, folders of their own, and bridges with the fake Codex between them. */
export interface Place {
  server: PlayedServer;
  root: string;
  home: string;
  workspace: string;
  env: Record<string, string | undefined>;
  said: string[];
  start(over?: Partial<BridgeOptions>, env?: Record<string, string>): Promise<Bridge>;
  /** Waits until the bridge listens on its socket. */
  live(): Promise<void>;
  /** What Codex was called with, in order. */
  calls(method?: string): Json[];
  close(): Promise<void>;
}

export function place(): Place {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "oa-bridge-")));
  const home = join(root, "codex");
  const workspace = join(root, "work");
  mkdirSync(home);
  mkdirSync(workspace);
  const server = new PlayedServer();
  const bridges: Bridge[] = [];
  const said: string[] = [];
  const env = { PATH: process.env.PATH, HOME: root, XDG_STATE_HOME: join(root, "state") };
  return {
    server,
    root,
    home,
    workspace,
    env,
    said,
    async start(over = {}, more = {}) {
      const bridge = startBridge({
        server: createServer(server.url, "1|token", "1.0.0"),
        workerId,
        workspace,
        codex: fakeCodex,
        codexVersion: "0.169.0",
        bridgeVersion: "1.0.0",
        codexHome: home,
        model: null,
        allThreads: false,
        remotePolicy: false,
        keepSandbox: false,
        env: { ...env, ...more },
        screen: { say: (line) => void said.push(line), debug: (line) => void said.push(`  ${line}`) },
        pollMs: 20,
        ...over,
      });
      bridges.push(bridge);
      let ended = false;
      void bridge.ended.then(() => {
        ended = true;
      });
      while (!ended && !said.some((line) => line.startsWith("Connected to"))) await Bun.sleep(5);
      return bridge;
    },
    async live() {
      while (!said.includes("  khala live")) await Bun.sleep(5);
    },
    calls(method) {
      const file = join(home, "calls.jsonl");
      if (!existsSync(file)) return [];
      const all = readFileSync(file, "utf8")
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Json);
      return method ? all.filter((call) => call.method === method) : all;
    },
    async close() {
      server.refuse = () => null;
      await Promise.all(bridges.map((bridge) => bridge.stop()));
      await Promise.all(bridges.map((bridge) => bridge.ended));
      await server.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}
