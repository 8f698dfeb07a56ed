import { type Codex, type CodexMessage, startCodex } from "./rpc";
import { backoff } from "./server";

export interface Exit {
  code: number | null;
  signal: string | null;
}

interface KeepOptions {
  /** Command of `codex app-server` with its arguments. */
  command: string[];
  workspace: string;
  env: Record<string, string | undefined>;
  bridgeVersion: string;
  started(pid: number): void;
  /** The next line is read when this resolves. */
  message(codex: Codex, message: CodexMessage): Promise<void>;
  garbage(line: string): void;
  debug(line: string): void;
  /** It ended by itself and is started again after `waitMs`. */
  exited(exit: Exit, waitMs: number): void;
  restarted(): Promise<void>;
}

export interface CodexProcess {
  current(): Codex | null;
  /** Starts it for the first time. Throws with what it printed when it cannot. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** A process that lived this long did not fail at its start. */
const steadyMs = 60_000;
const stopMs = 5000;

/** Runs `codex app-server` and starts it again when it ends (codex-chat 3.10 steps 2, 3 and 11). */
export function keepCodex(options: KeepOptions): CodexProcess {
  let codex: Codex | null = null;
  let stopping = false;
  let steady = false;
  let failures = 0;
  let timer: Timer | undefined;
  let printed: string[] = [];

  const later = (): number => {
    const wait = backoff(failures);
    clearTimeout(timer);
    timer = setTimeout(() => void again(), wait);
    return wait;
  };

  const launch = async (): Promise<void> => {
    printed = [];
    const began = performance.now();
    const own: Codex = startCodex(
      options.command,
      { cwd: options.workspace, env: options.env },
      {
        message: (message) => options.message(own, message),
        garbage: options.garbage,
        stderr(text) {
          printed = [...printed, ...text.split("\n").filter((line) => line.trim())].slice(-5);
          options.debug(`codex: ${text.trimEnd()}`);
        },
        exited(exit) {
          if (codex === own) codex = null;
          if (stopping || !steady) return;
          failures = performance.now() - began > steadyMs ? 1 : failures + 1;
          options.exited(exit, later());
        },
      },
    );
    codex = own;
    options.started(own.pid);
    try {
      await own.call("initialize", {
        clientInfo: { name: "openagents_worker", title: "OpenAgents worker", version: options.bridgeVersion },
        capabilities: { experimentalApi: false, requestAttestation: false },
      });
      own.notify("initialized");
    } catch (error) {
      // One that is there but does not speak is ended; its end brings the next try.
      own.kill();
      await own.exited;
      throw error;
    }
  };

  const again = async (): Promise<void> => {
    if (stopping) return;
    try {
      await launch();
      await options.restarted();
    } catch (error) {
      options.debug(`codex did not start: ${error instanceof Error ? error.message : String(error)}`);
      if (!codex) {
        failures++;
        later();
      }
    }
  };

  return {
    current: () => codex,
    async start() {
      try {
        await launch();
        steady = true;
      } catch (error) {
        const said = printed.at(-1);
        throw said ? new Error(said) : error;
      }
    },
    async stop() {
      stopping = true;
      clearTimeout(timer);
      await codex?.stop(stopMs);
    },
  };
}
