import { migrationStatus } from "../../db/migrate";
import { SHOWN_SECONDS, seenNodes } from "../../src/khala/heartbeat";
import type { Call } from "../command";
import { table, time } from "../print";

export async function run({ store, options, io, json }: Call): Promise<number> {
  const status = await migrationStatus(store);
  const seen = status.databaseVersion ? await seenNodes(store, SHOWN_SECONDS) : [];
  const pending = status.migrations.filter(({ state }) => state === "pending").map(({ name }) => name);
  const code = options.check && pending.length ? 1 : 0;
  if (json) {
    const shown = {
      schema_version: status.schemaVersion,
      database_version: status.databaseVersion,
      min_schema_version: status.minSchemaVersion,
      pending,
      nodes: seen.map(({ id, version, schema_version, seen_at }) => ({
        node_id: id,
        version,
        schema_version,
        last_seen: time(seen_at),
      })),
      migrations: status.migrations.map(({ number, name, phase, state, appliedAt, appliedBy }) => ({
        number,
        name,
        phase,
        state,
        applied_at: time(appliedAt),
        applied_by: appliedBy,
      })),
    };
    io.out(`${JSON.stringify(shown)}\n`);
    return code;
  }
  const lines = status.migrations.map((one) => [
    one.number,
    one.name,
    one.phase,
    one.state,
    time(one.appliedAt),
    one.appliedBy,
  ]);
  io.out(table(["number", "name", "phase", "state", "when", "by"], lines, io.columns));
  for (const { id, version, schema_version, seen_at } of seen)
    io.out(`node ${id}  ${version}  schema ${schema_version}  seen ${time(seen_at)}\n`);
  return code;
}
