import { sql } from "drizzle-orm";
import { migrationStatus } from "../../db/migrate";
import type { Call } from "../command";
import { table, time } from "../print";

interface Node extends Record<string, unknown> {
  node_id: string;
  version: string;
  schema_version: number;
  last_seen: Date;
}

export async function run({ store, options, io, json }: Call): Promise<number> {
  const status = await migrationStatus(store);
  const nodes = status.databaseVersion
    ? await store.rows<Node>(sql`select id as node_id, version, schema_version, seen_at as last_seen from server_nodes
        where seen_at > now() - interval '60 seconds' order by id`)
    : [];
  const pending = status.migrations.filter(({ state }) => state === "pending").map(({ name }) => name);
  const code = options.check && pending.length ? 1 : 0;
  if (json) {
    const shown = {
      schema_version: status.schemaVersion,
      database_version: status.databaseVersion,
      min_schema_version: status.minSchemaVersion,
      pending,
      nodes: nodes.map((node) => ({ ...node, last_seen: time(node.last_seen) })),
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
  for (const node of nodes)
    io.out(`node ${node.node_id}  ${node.version}  schema ${node.schema_version}  seen ${time(node.last_seen)}\n`);
  return code;
}
