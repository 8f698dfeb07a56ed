import { openDatabase } from "../db/open";
import { type App, createApp } from "../src/app";
import { assemble, likelyUrl } from "../src/assemble";
import { databaseTemplate, engineFiles, webFiles } from "../src/executable";
import { makeAppKey } from "../src/keys";
import { createLog } from "../src/telemetry/log";
import type { Call } from "./command";

/** The composed surface, for what is made from its routes. It stands on a database in memory: nothing needs to be reachable. */
export async function withCurrentApp<T>(
  { config: given, executable }: Pick<Call, "config" | "executable">,
  work: (app: App) => T,
): Promise<T> {
  const config = { ...given, DATABASE_URL: null, APP_KEY: makeAppKey() };
  const tar = new Blob([new Uint8Array(await Bun.zstdDecompress(await databaseTemplate(executable)))]);
  const store = await openDatabase({ kind: "pglite", folder: null, load: tar, engine: await engineFiles(executable) });
  const log = createLog({ level: "error", format: "json", write: () => {} });
  const { ctx, khala } = await assemble({ config, store, log, appUrl: () => likelyUrl(config) });
  try {
    const check = () => "ok";
    return work(
      createApp(ctx, {
        executable,
        web: await webFiles(executable),
        khala,
        loopback: true,
        checks: { database: check, migrations: check },
        draining: () => false,
        linkUsed: () => {},
      }),
    );
  } finally {
    await khala.stop();
    await store.close();
  }
}
