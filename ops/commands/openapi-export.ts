import type { Call } from "../command";
import { withCurrentApp } from "../current-app";
import { differences, sorted } from "../json-compare";

const shownDifferences = 20;

export async function run(call: Call): Promise<number> {
  const { options, io, json, quiet } = call;
  const { output, check } = options as { output?: string; check?: string };
  const document = sorted(JSON.parse(await withCurrentApp(call, (app) => app.openapi())) as unknown);
  const text = `${JSON.stringify(document, null, 2)}\n`;
  if (check === undefined) {
    if (output === undefined) io.out(json ? `${JSON.stringify(document)}\n` : text);
    else {
      await io.write(output, text);
      if (json) io.out(`${JSON.stringify({ output, bytes: Buffer.byteLength(text) })}\n`);
      else if (!quiet) io.out(`Wrote ${output}.\n`);
    }
    return 0;
  }
  const found = differences(JSON.parse(await io.read(check)) as unknown, document);
  if (json) io.out(`${JSON.stringify({ equal: !found.length, differences: found.slice(0, shownDifferences) })}\n`);
  else if (found.length) io.out(`${found.slice(0, shownDifferences).join("\n")}\n${found.length} differences.\n`);
  else if (!quiet) io.out("Equal.\n");
  return found.length ? 1 : 0;
}
