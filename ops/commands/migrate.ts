import { migrate, pendingMigrations } from "../../db/migrate";
import type { Call } from "../command";
import { whole } from "../values";

export async function run({ store, options, io, json, executable, quiet }: Call): Promise<void> {
  const { dryRun, contract } = options as { dryRun?: boolean; contract?: boolean };
  const to = options.to === undefined ? undefined : whole("--to", options.to, 1, 9999);
  const which = { contract: contract === true, ...(to === undefined ? {} : { to }) };
  if (dryRun) {
    const pending = await pendingMigrations(store, which);
    if (json) return io.out(`${JSON.stringify({ pending: pending.map(({ name, text }) => ({ name, sql: text })) })}\n`);
    for (const { name, text } of pending) io.out(`-- ${name}\n${text.trimEnd()}\n`);
    if (!pending.length) io.out("Nothing is pending.\n");
    return;
  }
  const applied = await migrate(store, {
    ...which,
    appliedBy: `${executable.version} (ops on ${io.host})`,
    onLine: (line) => quiet || io.err(`${line}\n`),
  });
  if (json) return io.out(`${JSON.stringify({ applied })}\n`);
  io.out(applied.length ? `Applied ${applied.join(", ")}.\n` : "Nothing is pending; nothing was changed.\n");
}
