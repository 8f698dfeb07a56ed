import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, type Server, serve, withFolder } from "../support/executable";

/** Starts on a folder, uses it, and ends it whatever happens. */
const withServer = <T>(
  use: (server: Server, folder: string) => Promise<T>,
  argv: string[] = [],
  env: Record<string, string> = {},
) =>
  withFolder(async (folder) => {
    const data = join(folder, "data");
    const server = await serve(["--data-dir", data, ...argv], { env, cwd: folder });
    try {
      return await use(server, data);
    } finally {
      server.signal("SIGKILL");
      await server.ended;
    }
  });

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

describe("first start", () => {
  test("on a terminal the first screen shows the owner link", () =>
    withFolder(async (folder) => {
      const server = await serve(["--data-dir", join(folder, "data")], { terminal: true, cwd: folder });
      const screen = server.text().replaceAll("\r", "");
      expect(screen).toMatch(
        /^OpenAgents 1\.0\.0 · bun \S+ · linux \S+\n {2}data {7}\S+ \(embedded Postgres, schema \d{4}\)\n {2}sign-in {4}local provider, no mail: links only\n/,
      );
      const [, link] =
        /sign in as owner: (http:\/\/127\.0\.0\.1:\d+\/login\/link\/oa_ll_[\w-]{43})\n/.exec(screen) ?? [];
      expect(screen).toMatch(/\nReady in \d+\.\d s\. Ctrl-C stops\.\n/);
      const page = await fetch(link as string);
      expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
      expect(existsSync(join(folder, "data/owner-link"))).toBe(false);
      server.signal("SIGTERM");
      await server.ended;
    }));

  test("without a terminal the link is in a 0600 file, the log names it, stdout stays empty", () =>
    withServer(async (server, data) => {
      const file = join(data, "owner-link");
      expect([mode(file), mode(data), mode(join(data, "keys/app_key")), mode(join(data, "ops.sock"))]).toEqual([
        "600",
        "700",
        "600",
        "600",
      ]);
      expect(readFileSync(file, "utf8")).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/login\/link\/oa_ll_[\w-]{43}\n$/);
      const started = server
        .text()
        .split("\n")
        .map((line) => (line ? JSON.parse(line) : null))
        .find((line) => line?.message === "server started");
      expect(started).toMatchObject({
        version: "1.0.0",
        database: "pglite",
        schema_version: 1,
        owner_link_file: file,
        notes: [],
      });
      expect(server.text()).not.toContain("oa_ll_");
    }));

  test("the link signs the owner in once, then its file is gone", () =>
    withServer(async (server, data) => {
      const link = readFileSync(join(data, "owner-link"), "utf8").trim();
      const post = () => fetch(link, { method: "POST", redirect: "manual", headers: { origin: server.url } });
      expect([(await post()).headers.get("location"), (await post()).headers.get("location")]).toEqual(["/", "/login"]);
      expect(existsSync(join(data, "owner-link"))).toBe(false);
    }));

  test("a restart before use voids the old link", () =>
    withFolder(async (folder) => {
      const data = join(folder, "data");
      const links: string[] = [];
      for (let i = 0; i < 2; i++) {
        const server = await serve(["--data-dir", data], { cwd: folder, env: { OA_SHUTDOWN_DELAY_MS: "0" } });
        links.push(readFileSync(join(data, "owner-link"), "utf8").trim());
        if (i === 1) {
          const old = new URL(links[0] as string).pathname;
          const answer = await fetch(server.url + old, { method: "POST", redirect: "manual" });
          expect([answer.status, answer.headers.get("location")]).toEqual([303, "/login"]);
        }
        server.signal("SIGTERM");
        expect(await server.ended).toBe(0);
      }
      expect(links[0]).not.toBe(links[1]);
    }));
});

describe("alone in the world", () => {
  test("runs from an empty directory on a read-only root with one writable folder", () =>
    withFolder(async (folder) => {
      const [data, empty] = [join(folder, "data"), join(folder, "empty")];
      mkdirSync(data);
      mkdirSync(empty);
      const inner = `mount --bind ${data} ${data} && mount -o remount,ro,bind / && cd ${empty} && exec ${join(import.meta.dir, "../../dist/openagents")} serve --port 0 --data-dir ${data}`;
      const child = Bun.spawn(["unshare", "-m", "sh", "-c", inner], {
        env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent" },
        stdout: "pipe",
        stderr: "pipe",
      });
      let text = "";
      for await (const chunk of child.stderr) {
        text += new TextDecoder().decode(chunk);
        if (/"bind":"/.test(text)) break;
      }
      const url = /"bind":"([^"]+)"/.exec(text)?.[1] as string;
      const page = await (await fetch(`${url}/`)).text();
      const [, script] = /<script type="module" src="([^"]+)"/.exec(page) ?? [];
      const answers = await Promise.all(
        ["/readyz", script as string, "/manifest.json", "/openapi.json", "/sw.js"].map((path) =>
          fetch(url + path).then(({ status }) => status),
        ),
      );
      expect(answers).toEqual([200, 200, 200, 200, 200]);
      expect(readdirSync(empty)).toEqual([]);
      child.kill("SIGKILL");
      await child.exited;
    }));
});

describe("what cannot start says why, in one line, and leaves the data alone", () => {
  const refused: [name: string, env: Record<string, string>, argv: string[], code: number, error: RegExp][] = [
    [
      "a bad number",
      { OA_DATABASE_POOL_SIZE: "many" },
      [],
      78,
      /^error: OA_DATABASE_POOL_SIZE must be a whole number, not 'many'\nhint: /,
    ],
    [
      "a bad boolean",
      { OA_EMBEDDED_SYNC: "perhaps" },
      [],
      78,
      /^error: OA_EMBEDDED_SYNC must be true or false, not 'perhaps'\n/,
    ],
    [
      "no APP_URL on an open address",
      {},
      ["--host", "0.0.0.0"],
      78,
      /^error: APP_URL is not set, and 0\.0\.0\.0 can be reached by others\n/,
    ],
    ["the mock provider in production", { OA_AUTH_PROVIDER_MODE: "mock" }, [], 78, /^error: .*mock.*production/],
    [
      "no APP_KEY with Postgres",
      { DATABASE_URL: "postgres://app@127.0.0.1:1/x" },
      [],
      78,
      /^error: APP_KEY is not set\n/,
    ],
    [
      "another database",
      { DATABASE_URL: "mysql://app@h/x", APP_KEY: "k".repeat(32) },
      [],
      78,
      /^error: DATABASE_URL must start with postgres:\/\//,
    ],
    ["a bad app key", { APP_KEY: "short" }, [], 78, /^error: APP_KEY must be 'base64:' and 32 bytes/],
    [
      "both APP_KEY and its file",
      { APP_KEY: "k".repeat(32), APP_KEY_FILE: "/etc/hostname" },
      [],
      78,
      /^error: APP_KEY and APP_KEY_FILE are both set/,
    ],
    [
      "a configuration file that is not there",
      {},
      ["--config", "/nonexistent/x.env"],
      78,
      /^error: the configuration file \/nonexistent\/x\.env does not exist\n/,
    ],
    ["an unknown option", {}, ["--prot", "1"], 2, /^error: unknown option '--prot'/],
    ["a bad port", {}, ["--port", "99999"], 2, /^error: --port must be a number from 0 to 65535, not '99999'\n/],
  ];
  test.each(refused)("%s", (_name, env, argv, code, error) =>
    withFolder(async (folder) => {
      const ended = await run(["serve", "--port", "0", "--data-dir", join(folder, "data"), ...argv], { env });
      expect(ended.err).toMatch(error);
      expect([ended.code, ended.out, existsSync(join(folder, "data/pg"))]).toEqual([code, "", false]);
    }),
  );

  test("a Postgres that is not there: 69 after waiting, no password shown", async () => {
    const env = { DATABASE_URL: "postgres://app:hunter2@127.0.0.1:1/openagents", APP_KEY: "k".repeat(32) };
    const started = performance.now();
    const { code, err } = await run(["serve", "--port", "0"], { env });
    expect([code, performance.now() - started > 25_000]).toEqual([69, true]);
    expect(err).toMatch(/error: cannot reach the database at 127\.0\.0\.1:1 \(.*\)\nhint: check DATABASE_URL/);
    expect(err).not.toContain("hunter2");
  }, 60_000);

  test("a foreign data folder: 65, untouched", () =>
    withFolder(async (folder) => {
      mkdirSync(join(folder, "pg"));
      writeFileSync(join(folder, "pg/PG_VERSION"), "12\n");
      const { code, err } = await run(["serve", "--port", "0", "--data-dir", folder]);
      expect([code, readdirSync(join(folder, "pg"))]).toEqual([65, ["PG_VERSION"]]);
      expect(err).toMatch(
        /^error: the database in \S+ is damaged or was made by another program \(PostgreSQL 12, this build reads 18\)\nhint: /,
      );
    }));

  test("a damaged data folder: 65 naming it", () =>
    withFolder(async (folder) => {
      const first = await serve(["--data-dir", folder], { env: { OA_SHUTDOWN_DELAY_MS: "0" } });
      first.signal("SIGTERM");
      await first.ended;
      writeFileSync(join(folder, "pg/global/pg_control"), Buffer.alloc(8192, 7));
      const { code, err } = await run(["serve", "--port", "0", "--data-dir", folder]);
      expect(code).toBe(65);
      expect(err).toMatch(/^error: the database in \S+ is damaged/m);
    }));

  test("a read-only data folder: 77", async () => {
    const { code, err } = await run(["serve", "--port", "0", "--data-dir", "/proc/oa"]);
    expect([code, err.split("\n").length]).toEqual([77, 3]);
    expect(err).toMatch(/^error: data folder \/proc\/oa cannot be written/);
  });

  test("a port that is taken: 69, with how to find who has it", () =>
    withServer(async (server) => {
      const { port } = new URL(server.url);
      await withFolder(async (folder) => {
        const { code, err } = await run(["serve", "--port", port, "--data-dir", join(folder, "data")]);
        expect(code).toBe(69);
        expect(err).toContain(
          `error: 127.0.0.1:${port} is in use by another program\nhint: stop that program ('ss -ltnp sport = :${port}' names it)`,
        );
        expect(existsSync(join(folder, "data/lock"))).toBe(false);
      });
    }));

  test("a folder in use: 75 naming the process", () =>
    withServer(async (server, data) => {
      const { code, err } = await run(["serve", "--port", "0", "--data-dir", data]);
      expect(code).toBe(75);
      expect(err).toContain(`error: data folder is in use by process ${server.pid}\n`);
    }));

  test("a secret file that others can read warns; in production it is 77", () =>
    withFolder(async (folder) => {
      const file = join(folder, "key");
      writeFileSync(file, "k".repeat(32));
      chmodSync(file, 0o644);
      const env = { APP_KEY_FILE: file, OA_SHUTDOWN_DELAY_MS: "0" };
      const { code, err } = await run(["serve", "--port", "0", "--data-dir", join(folder, "data")], { env });
      expect([code, /can be read by other users/.test(err)]).toEqual([77, true]);
      const server = await serve(["--data-dir", join(folder, "data")], { env: { ...env, APP_ENV: "local" } });
      expect(server.text()).toMatch(/can be read by other users/);
      server.signal("SIGTERM");
      await server.ended;
    }));
});
