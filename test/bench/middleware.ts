/** What the treatment of requests costs: the same handler on bare Elysia and behind all of it, in turn. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freshDatabase } from "../support/database";
import type { Figure } from "./khala";
import { compare, load } from "./load";

async function server(folder: string, argv: string[]) {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "stack-server.ts"), ...argv], {
    stdout: "pipe",
    stderr: Bun.file(join(folder, "log")),
  });
  const { value } = await child.stdout.getReader().read();
  return { url: new TextDecoder().decode(value).trim(), stop: () => child.kill() };
}

export async function* benchMiddleware(): AsyncGenerator<Figure> {
  const folder = mkdtempSync(join(tmpdir(), "oa-bench-"));
  const fresh = await freshDatabase("postgres");
  try {
    for (const [work, must] of [
      ["query", 0.9],
      ["empty", 0.65],
    ] as const) {
      const [ours, bare] = await Promise.all(
        ["stack", "bare"].map((kind) => server(folder, [kind, work, fresh.url as string])),
      );
      if (!ours || !bare) throw new Error("a server did not start");
      const rates = await compare(
        () => load(ours.url),
        () => load(bare.url),
      );
      const name = work === "query" ? "a handler with one prepared query" : "an empty handler";
      yield {
        name: `${name}, whole stack ÷ bare Elysia, requests/s`,
        ours: rates.ours,
        yardstick: rates.yardstick,
        ratio: rates.ratio,
        must: `≥ ${must}`,
        met: rates.ratio >= must,
      };
      ours.stop();
      bare.stop();
    }
  } finally {
    await fresh.drop();
    rmSync(folder, { recursive: true, force: true });
  }
}
