import { expect, test } from "bun:test";
import { join } from "node:path";
import { addPerson, testKey } from "../support/app";
import { freshDatabase } from "../support/database";
import { serve, withFolder } from "../support/executable";
import { pipeTo } from "../support/pipe";

const until = async (met: () => Promise<boolean>) => {
  while (!(await met())) await Bun.sleep(20);
};

test("http-platform 7, case 31: while the database is away requests are 503, and then they are answered again", async () => {
  const fresh = await freshDatabase("postgres");
  const real = new URL(fresh.url as string);
  const pipe = await pipeTo(real.hostname, Number(real.port));
  const ann = await addPerson(fresh.store, "ann@a.example");
  const through = new URL(real);
  through.host = `127.0.0.1:${pipe.port}`;
  try {
    await withFolder(async (folder) => {
      const env = {
        DATABASE_URL: through.href,
        APP_KEY: testKey,
        OA_SHUTDOWN_DELAY_MS: "0",
        OA_DATABASE_CONNECT_TIMEOUT_MS: "1000",
      };
      const server = await serve(["--data-dir", join(folder, "data")], { env, cwd: folder });
      const ask = (path: string) => fetch(server.url + path, { headers: { authorization: `Bearer ${ann.token}` } });
      try {
        expect((await ask("/api/me")).status).toBe(200);
        await pipe.down();
        const down = await ask("/api/me");
        const message = "The database is not reachable. Please try again.";
        expect([down.status, await down.json(), down.headers.get("retry-after")]).toEqual([
          503,
          { message, error: { code: "database_unavailable", message } },
          "5",
        ]);
        expect(down.headers.get("cache-control")).toBe("no-store");
        expect((await ask("/healthz")).status).toBe(200);
        const readiness = async () => {
          const ready = await ask("/readyz");
          const { status, checks } = (await ready.json()) as { status: string; checks: { database: string } };
          return [ready.status, status, checks.database];
        };
        // The word of the database is kept for a second.
        await until(async () => (await readiness())[2] === "failed");
        expect(await readiness()).toEqual([503, "not_ready", "failed"]);
        const page = await fetch(`${server.url}/`, { headers: { accept: "text/html" } });
        expect(page.status).toBe(200);
        await pipe.up();
        await until(async () => (await ask("/api/me")).status === 200);
        await until(async () => (await ask("/readyz")).status === 200);
      } finally {
        server.signal("SIGKILL");
        await server.ended;
      }
    });
  } finally {
    await pipe.down();
    await fresh.drop();
  }
}, 60_000);
