import { StoreError } from "../db/failure";
import { ConfigError } from "./settings";

/** Why a command ends: what happened, what to do, and the exit code of ops-data 2.2. */
export class Exit extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly hint?: string,
  ) {
    super(message);
    this.name = "Exit";
  }
}

/** Anything that ended a command, as an `Exit`; what nobody foresaw is 70, a bug. */
export function asExit(error: unknown): Exit {
  if (error instanceof Exit) return error;
  if (error instanceof ConfigError) {
    return new Exit(
      78,
      error.problems.join("\nerror: "),
      "correct the environment or the configuration file; 'openagents config check' lists every problem",
    );
  }
  if (error instanceof StoreError) return new Exit(error.exitCode, error.message, error.hint);
  const text = error instanceof Error ? error.message : String(error);
  return new Exit(70, `unexpected: ${text}`, "this is a bug; please report it (run with --verbose for the stack)");
}

/** Two lines on stderr: what happened, what to do (ops-data 2.2). */
export function printExit({ message, hint }: Exit): void {
  process.stderr.write(`error: ${message}\n${hint ? `hint: ${hint}\n` : ""}`);
}
