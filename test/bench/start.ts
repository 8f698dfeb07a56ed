/** Cold start of the compiled executable to its first 200, beside that of a bare `Bun.serve`. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freshDatabase } from "../support/database";
import { executable } from "../support/executable";
import type { Figure } from "./khala";
import { median } from "./load";

const rounds = 5;

/** Milliseconds from the start of the process to the first 200 of a page. */
async function cold(argv: string[], port: number, env: Record<string, string>): Promise<number> {
  const began = performance.now();
  const child = Bun.spawn(argv, {
    env: { PATH: process.env.PATH ?? "", HOME: tmpdir(), OA_SHUTDOWN_DELAY_MS: "0", ...env },
    stdout: "ignore",
    stderr: "ignore",
  });
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => null);
    if (answer?.status === 200) break;
    await Bun.sleep(1);
  }
  const took = performance.now() - began;
  child.kill("SIGTERM");
  await child.exited;
  return took;
}

/** A port of loopback that nobody has. */
export const freePort = (): number => {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const { port } = server;
  void server.stop(true);
  return port as number;
};

/** Gives each figure as soon as it is measured. */
export async function* benchStart(): AsyncGenerator<Figure> {
  const port = freePort();
  const fresh = await freshDatabase("postgres");
  const home = mkdtempSync(join(tmpdir(), "oa-bench-"));
  const postgres = { DATABASE_URL: fresh.url as string, APP_KEY: `base64:${Buffer.alloc(32, 5).toString("base64")}` };
  const serve = (folder: string) => [executable, "serve", "--port", String(port), "--data-dir", join(home, folder)];
  const bare = [
    process.execPath,
    "-e",
    `Bun.serve({ port: ${port}, hostname: "127.0.0.1", fetch: () => new Response() })`,
  ];
  const figure = async (
    name: string,
    limit: number,
    folder: (round: number) => string,
    env: Record<string, string>,
  ): Promise<Figure> => {
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(await cold(serve(folder(round)), port, env));
      theirs.push(await cold(bare, port, {}));
    }
    return {
      name: `cold start to first 200, ${name}, ms; beside: a bare Bun.serve`,
      ours: median(ours),
      yardstick: median(theirs),
      ratio: median(ours) / median(theirs),
      must: `≤ ${limit}`,
      met: median(ours) <= limit,
    };
  };
  try {
    yield await figure("Postgres", 150, () => "p", postgres);
    yield await figure("empty folder", 1000, (round) => `e${round}`, {});
    yield await figure("embedded, existing data", 800, () => "e0", {});
  } finally {
    await fresh.drop();
    rmSync(home, { recursive: true, force: true });
  }
}
