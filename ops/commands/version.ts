import { migrations } from "../../db/migrations";
import type { Call } from "../command";

export async function run({ io, json, executable }: Call): Promise<void> {
  const { version, buildId, commit, target } = executable;
  if (!json) return io.out(`openagents ${version}\n`);
  const newest = Math.max(...migrations.map(({ name }) => Number(name.slice(0, 4))));
  const oldest = Math.max(1, ...migrations.map(({ text }) => Number(/^-- requires: (\d{4})$/m.exec(text)?.[1] ?? 0)));
  const facts = {
    version,
    build_id: buildId,
    commit,
    bun: Bun.version,
    target,
    schema_version: newest,
    schema_min_compatible: oldest,
    protocols: ["openagents.control.v1", "khala.ws.v1"],
  };
  io.out(`${JSON.stringify(facts)}\n`);
}
