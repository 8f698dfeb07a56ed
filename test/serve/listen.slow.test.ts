import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { testKey } from "../support/app";
import { freshDatabase } from "../support/database";
import { executable, run, type Server, serve, withFolder } from "../support/executable";
import { oldPostgres } from "../support/old-postgres";

const quick = { OA_SHUTDOWN_DELAY_MS: "0" };

async function withServers<T>(servers: Server[], use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } finally {
    for (const server of servers) server.signal("SIGKILL");
    for (const server of servers) await server.ended;
  }
}

describe("--socket", () => {
  test("serves on a Unix socket, whose file goes with it; a socket in use is 69, another file 73, a left one is replaced", () =>
    withFolder(async (folder) => {
      const path = join(folder, "web.sock");
      const argv = (name: string) => ["--data-dir", join(folder, name), "--socket", path];
      writeFileSync(path, "mine");
      const refused = await run(["serve", ...argv("a")], { env: quick });
      expect([refused.code, refused.err, readFileSync(path, "utf8")]).toEqual([
        73,
        `error: ${path} is there already and is no socket\nhint: choose another path with --socket\n`,
        "mine",
      ]);
      rmSync(path);

      const first = await serve(argv("a"), { env: quick, cwd: folder });
      const servers = [first];
      await withServers(servers, async () => {
        expect([first.url, statSync(path).isSocket()]).toEqual([`unix:${path}`, true]);
        const answer = await fetch("http://localhost/healthz", { unix: path });
        expect([answer.status, (await answer.json()).status]).toEqual([200, "ok"]);
        const second = await run(["serve", ...argv("b")], { env: quick });
        expect([second.code, second.err.split("\n")[0]]).toEqual([69, `error: ${path} is in use by another program`]);
        expect((await fetch("http://localhost/healthz", { unix: path })).status).toBe(200);

        first.signal("SIGKILL");
        await first.ended;
        expect(existsSync(path)).toBe(true);
        const again = await serve(argv("a"), { env: quick, cwd: folder });
        servers.push(again);
        expect((await fetch("http://localhost/readyz", { unix: path })).status).toBe(200);
        again.signal("SIGTERM");
        expect([await again.ended, existsSync(path)]).toEqual([0, false]);
      });
    }));
});

describe("--reuse-port", () => {
  test("two processes share a port and one Postgres; when one goes the other answers everything", async () => {
    const fresh = await freshDatabase("postgres");
    const free = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
    const port = String(free.port);
    await free.stop(true);
    await withFolder(async (folder) => {
      const env = { ...quick, DATABASE_URL: fresh.url as string, APP_KEY: testKey };
      const argv = ["--data-dir", folder, "--port", port, "--reuse-port"];
      const servers = [await serve(argv, { env, cwd: folder }), await serve(argv, { env, cwd: folder })];
      await withServers(servers, async () => {
        const url = `http://127.0.0.1:${port}`;
        const ask = async () =>
          (await fetch(`${url}/api/nope`, { headers: { connection: "close" }, keepalive: false })).status;
        const saw = ({ text }: Server) => text().includes('"path":"/api/nope"');
        for (let i = 0; i < 500 && !servers.every(saw); i++) expect(await ask()).toBe(404);
        expect(servers.map(saw)).toEqual([true, true]);
        const alone = await run(["serve", "--data-dir", folder, "--port", port], { env });
        expect([alone.code, alone.err.split("\n")[0]]).toEqual([
          69,
          `error: 127.0.0.1:${port} is in use by another program`,
        ]);
        servers[0]?.signal("SIGTERM");
        expect(await servers[0]?.ended).toBe(0);
        for (let i = 0; i < 20; i++) expect(await ask()).toBe(404);
      });
    });
    await fresh.drop();
  });
});

describe("a database that cannot serve", () => {
  test.each([
    [90_600, 9],
    [130_014, 13],
  ])("PostgreSQL %i is too old: 78, at once, no password shown", async (version, major) => {
    const old = await oldPostgres(version);
    const env = { DATABASE_URL: old.url, APP_KEY: testKey };
    for (const argv of [
      ["serve", "--port", "0"],
      ["ops", "user:list"],
    ]) {
      const { code, err, out } = await run(argv, { env });
      expect([code, out]).toEqual([78, ""]);
      expect(err).toMatch(
        new RegExp(
          `^error: the database at 127\\.0\\.0\\.1:\\d+ is PostgreSQL ${major}\nhint: use PostgreSQL 14 or newer\n$`,
        ),
      );
    }
    const { out } = await run(["doctor", "--json"], { env });
    expect(JSON.parse(out).checks).toContainEqual(
      expect.objectContaining({ id: "db.version", status: "fail", hint: "use PostgreSQL 14 or newer" }),
    );
    await old.close();
  });
});

describe("operator commands beside a server", () => {
  test("without ops.sock 69 and what it means; as another user 77", () =>
    withFolder(async (folder) => {
      const data = join(folder, "data");
      const server = await serve(["--data-dir", data], { env: quick, cwd: folder });
      await withServers([server], async () => {
        const argv = ["ops", "user:list", "--data-dir", data];
        chmodSync(folder, 0o755);
        const stranger = Bun.spawn(["setpriv", "--reuid=65534", "--clear-groups", executable, ...argv], {
          cwd: "/",
          env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent" },
          stdout: "pipe",
          stderr: "pipe",
        });
        const said = await new Response(stranger.stderr).text();
        expect([await stranger.exited, said.split("\n").length]).toEqual([77, 3]);
        expect(said).toStartWith("error: ");

        rmSync(join(data, "ops.sock"));
        const { code, err } = await run(argv);
        expect([code, err]).toEqual([
          69,
          `error: the server that holds the data folder does not answer on ${join(data, "ops.sock")} (ENOENT)\nhint: it may be starting or stopping; try again in a moment\n`,
        ]);
      });
    }));
});
