import { asExit, type Exit, Exit as ExitError } from "../src/exit";
import type { Io } from "./io";

/** What each exit code is called, in `--help` and as the code of a JSON failure that names none (ops-data 2.2, 2.5). */
export const exitCodes: Record<number, [word: string, meaning: string]> = {
  0: ["ok", "done, or nothing to do"],
  1: ["failed", "the command ran and the answer is no"],
  2: ["usage", "unknown command or option, missing argument, value out of range"],
  3: ["missing_part", "a program or file that must exist does not"],
  4: ["credentials", "a server refused the token"],
  65: ["data", "input is malformed or contradicts what is stored"],
  69: ["unavailable", "database or server cannot be reached"],
  70: ["internal", "a bug"],
  73: ["cannot_create", "output path cannot be made"],
  74: ["io", "reading or writing failed, disk full"],
  75: ["busy", "somebody else holds the lock; try again later"],
  77: ["permission", "file permissions of a secret, key or data folder are wrong"],
  78: ["configuration", "the configuration cannot be used"],
  130: ["interrupted", "stopped by Ctrl-C"],
};

/** A command's refusal with a code of its own for `--json`. */
export class Failure extends ExitError {
  constructor(
    code: number,
    readonly word: string,
    message: string,
    hint?: string,
  ) {
    super(code, message, hint);
  }
}

/** The command cannot be understood: exit 2. */
export const usage = (message: string, hint?: string) => new Failure(2, "usage", message, hint);

const wordOf = (exit: Exit): string => (exit instanceof Failure ? exit.word : (exitCodes[exit.code]?.[0] ?? "failed"));

/**
 * Says why a command ended: two lines on stderr, with `--json` the same as one document on stdout. Returns the exit code.
 * `plain` = without the word `error:`, as the commands carried over print it.
 */
export function tell(io: Io, error: unknown, how: { json: boolean; verbose: boolean; plain?: boolean }): number {
  const exit = asExit(error);
  const { message, hint = null } = exit;
  if (how.json) io.out(`${JSON.stringify({ error: { code: wordOf(exit), message, hint } })}\n`);
  io.err(
    `${(how.plain && exit.code === 1) || wordOf(exit) === "unknown_command" ? "" : "error: "}${message}\n${hint ? `hint: ${hint}\n` : ""}`,
  );
  if (exit.code === 70 && how.verbose && error instanceof Error) io.err(`${error.stack ?? ""}\n`);
  return exit.code;
}
