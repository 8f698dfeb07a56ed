import { openDatabase } from "../../db/open";
import { createApp } from "../../src/app";
import { assemble, likelyUrl } from "../../src/assemble";
import { databaseTemplate, engineFiles, webFiles } from "../../src/executable";
import { makeAppKey } from "../../src/keys";
import { createLog } from "../../src/telemetry/log";
import type { Call } from "../command";
import { differences, sorted } from "../json-compare";

const shownDifferences = 20;

export async function run(call: Call): Promise<number> {
  const { options, io, json, quiet } = call;
  const { output, check } = options as { output?: string; check?: string };
  const document = sorted(JSON.parse(await currentDocument(call)) as unknown);
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

/** The document of the composed routes; they stand on a database in memory, so that nothing needs to be reachable. */
async function currentDocument({ config: given, executable }: Call): Promise<string> {
  const config = { ...given, DATABASE_URL: null, APP_KEY: makeAppKey() };
  const tar = new Blob([new Uint8Array(await Bun.zstdDecompress(await databaseTemplate(executable)))]);
  const store = await openDatabase({ kind: "pglite", folder: null, load: tar, engine: await engineFiles(executable) });
  const log = createLog({ level: "error", format: "json", write: () => {} });
  const { ctx, khala } = await assemble({ config, store, log, appUrl: () => likelyUrl(config) });
  try {
    const check = () => "ok";
    const parts = { web: await webFiles(executable), checks: { database: check, migrations: check } };
    return createApp(ctx, {
      executable,
      khala,
      loopback: true,
      draining: () => false,
      linkUsed: () => {},
      ...parts,
    }).openapi();
  } finally {
    khala.stop();
    await store.close();
  }
}
