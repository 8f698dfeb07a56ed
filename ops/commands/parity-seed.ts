import { auditOps, requestIdOf } from "../audit";
import type { Call } from "../command";
import { confirm } from "../confirm";
import { readFixture, seed } from "../seed";
import shared from "../seeds/shared-seed-state.json";

const embedded = "shared-seed-state.json (embedded)";

export async function run(call: Call): Promise<void> {
  const { ctx, options, io, json, quiet } = call;
  const { fixture: path, replace = false } = options as { fixture?: string; replace?: boolean };
  const fixture: unknown = path === undefined ? shared : await readFixture(path);
  if (replace && ctx.config.APP_ENV !== "production") {
    await confirm(call, "Empty the seeded tables first, users and their threads included?");
  }
  const { counts, warnings } = await seed(ctx, fixture, { replace });
  await ctx.commit(async (unit) => auditOps(unit, call, requestIdOf(), { replace: String(replace) }));
  for (const warning of warnings) io.err(`${warning}\n`);
  const name = path ?? embedded;
  if (json) {
    io.out(`${JSON.stringify({ fixture: name, replaced: replace, tables: Object.fromEntries(counts), warnings })}\n`);
    return;
  }
  if (quiet) return;
  io.out(`Parity fixture seed completed.\n  fixture: ${name}\n`);
  for (const [table, rows] of counts) io.out(`  ${`${table}:`.padEnd(32)} ${rows}\n`);
}
