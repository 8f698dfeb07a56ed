import { join } from "node:path";
import { type ManifestRow, manifestRows } from "../../src/http/manifest";
import { pageKeys } from "../../ui/shell/routes";
import type { Call } from "../command";
import { withCurrentApp } from "../current-app";
import { Failure } from "../failure";
import { manifestFiles } from "../manifest-files";

export async function run(call: Call): Promise<number> {
  const { options, io, json, quiet, config, commands } = call;
  const given = options.output as string | undefined;
  if (given?.trim() === "") throw new Failure(1, "empty_output", "--output cannot be empty.");
  const at = new Date();
  const rows = await withCurrentApp(call, ({ routes }) => manifestRows(routes, config.OA_HTTP_MAX_BODY_BYTES));
  const { files, index, manifests } = manifestFiles(rows, pageKeys, commands, at);
  const output = given ?? (json ? null : defaultFolder(at));
  if (output !== null) for (const { path, text } of [...files, index]) await io.write(join(output, path), text);
  if (json) io.out(`${JSON.stringify({ output, manifests, routes: rows satisfies ManifestRow[] })}\n`);
  else if (!quiet) io.out(told(output as string, manifests, index.path));
  return 0;
}

/** Where reports go when nobody says (ops-data 2.10). */
const defaultFolder = (at: Date): string =>
  join("parity-reports", `manifest-export-${at.toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`);

const told = (output: string, manifests: { name: string; count: number }[], index: string): string =>
  [
    "Parity manifests exported.",
    `  output: ${output}`,
    ...manifests.map(({ name, count }) => `  ${name.replace("-", " ")}: ${count}`),
    `  index: ${join(output, index)}`,
    "",
  ].join("\n");
