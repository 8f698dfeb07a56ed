/** Exit codes of ops-data 2.2 that a database can end a command with. */
export type StoreExit = 1 | 65 | 69 | 74 | 75 | 77 | 78;

/**
 * The database cannot be used: one line that says what happened, one that says what to do, and the exit code of
 * ops-data 2.2. Never holds a password.
 */
export class StoreError extends Error {
  constructor(
    readonly exitCode: StoreExit,
    message: string,
    readonly hint: string,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "StoreError";
  }
}

/** The text of anything that was thrown, in one line. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length) return reasonOf(error.errors[0]);
  const text =
    error instanceof Error ? error.message || (error as NodeJS.ErrnoException).code || error.name : String(error);
  return text.split("\n")[0]?.trim() ?? "";
}
