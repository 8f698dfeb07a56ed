import { lockFolder } from "../db/lock";
import { migrate } from "../db/migrate";
import { createApp } from "../src/app";
import { withAppKey } from "../src/app-key";
import { assemble, likelyUrl } from "../src/assemble";
import type { Config } from "../src/config";
import { type Executable, webFiles } from "../src/executable";
import { openStore } from "../src/open-store";
import { createLog } from "../src/telemetry/log";
import type { Io } from "./io";
import type { Place } from "./perform";

interface Wanted {
  executable: Executable;
  config: Config;
  folder: string;
  /** Whether the command needs the product's tables. */
  migrated: boolean;
  io: Io;
  /** How long a Postgres that is not there is waited for. */
  waitMs?: number;
}

/**
 * The database for a command where no server of ours holds it: Postgres directly, the embedded one under the folder's lock.
 * The domains stand on it as in a server, but nothing listens and no job runs.
 */
export async function openPlace({ executable, config: given, folder, migrated, io, waitMs }: Wanted): Promise<Place> {
  const lock = given.DATABASE_URL ? null : lockFolder(folder);
  const undo: (() => unknown)[] = [];
  if (lock) undo.push(() => lock.release());
  const close = async () => {
    for (const step of undo.reverse()) await step();
  };
  try {
    const config = withAppKey(given, folder);
    const onFault = (fault: Error) => io.err(`error: ${fault.message}\n`);
    const store = await openStore({ config, folder, executable, onFault, ...(waitMs === undefined ? {} : { waitMs }) });
    undo.push(() => store.close());
    if (!migrated) return { executable, config, folder, store, close };
    await migrate(store, { appliedBy: `${executable.version} ops`, ...(lock ? {} : { only: "check" as const }) });

    const log = createLog({ level: "warn", format: "json", write: (lines) => io.err(lines) });
    undo.push(() => log.flush());
    const { ctx, khala } = await assemble({ config, store, log, appUrl: () => likelyUrl(config) });
    undo.push(() => khala.stop());
    const check = () => "ok";
    const checks = { database: check, migrations: check };
    // Declares the kinds of jobs; its routes answer nobody here.
    createApp(ctx, {
      executable,
      web: await webFiles(executable),
      khala,
      loopback: true,
      checks,
      draining: () => false,
      linkUsed: () => {},
    });
    await ctx.jobs.start({ run: false });
    undo.push(() => ctx.jobs.stop(0));
    undo.push(() => ctx.analytics.flush());
    undo.push(() => ctx.spans?.flush() ?? Promise.resolve());
    return { executable, config, folder, store, ctx, khala, close };
  } catch (error) {
    await close();
    throw error;
  }
}
