import type { Call } from "./command";
import { Failure, usage } from "./failure";

/** Asks before something that cannot be undone. Throws when the answer is no, or when nobody can be asked (ops-data 2.1). */
export async function confirm({ io, yes, command }: Call, question: string): Promise<void> {
  if (yes) return;
  if (!io.terminal) throw usage(`${command.name} needs --yes when there is no terminal.`);
  io.err(`${question} [y/N] `);
  const answer = (await io.line())?.trim().toLowerCase();
  if (answer !== "y" && answer !== "yes") throw new Failure(1, "declined", "Nothing was changed.");
}
