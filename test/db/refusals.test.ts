import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StoreError } from "../../db/failure";
import { openDatabase, type StoreOptions } from "../../db/open";
import { masked, refuseOld } from "../../db/postgres";
import { unpackTemplate } from "../../db/template";
import { emptyDatabase, engineFiles, packedTemplate } from "../support/database";

/** What opening is refused with. */
async function refusal(options: StoreOptions): Promise<StoreError> {
  try {
    await (await openDatabase(options)).close();
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
  throw new Error("it opened");
}

/** Every file that holds data, with its hash; the lock file of a server is none. */
function contents(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.endsWith("postmaster.pid"));
  const hash = (path: string) => new Bun.CryptoHasher("sha1").update(readFileSync(path)).digest("hex");
  return Object.fromEntries(paths.map((path) => [path.slice(folder.length), hash(path)]));
}

describe("a data folder that cannot be used", () => {
  let home: string;
  let folder: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "openagents-refused-"));
    folder = join(home, "pg");
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  const open = () => refusal({ kind: "pglite", folder, engine: engineFiles });

  const cases: { name: string; make(): unknown; says: string }[] = [
    {
      name: "files of somebody else",
      make: () => {
        mkdirSync(folder);
        writeFileSync(join(folder, "thesis.txt"), "42");
      },
      says: "no PG_VERSION",
    },
    {
      name: "another version of PostgreSQL",
      make: () => {
        mkdirSync(folder);
        writeFileSync(join(folder, "PG_VERSION"), "15\n");
      },
      says: "PostgreSQL 15, this build reads 18",
    },
    {
      name: "no control file",
      make: () => {
        mkdirSync(folder);
        writeFileSync(join(folder, "PG_VERSION"), "18\n");
      },
      says: "no global/pg_control",
    },
    {
      name: "a control file of zeros",
      make: async () => {
        await unpackTemplate(folder, await packedTemplate());
        writeFileSync(join(folder, "global/pg_control"), new Uint8Array(8192));
      },
      says: "",
    },
    {
      name: "a lost write-ahead log",
      make: async () => {
        await unpackTemplate(folder, await packedTemplate());
        for (const name of readdirSync(join(folder, "pg_wal"))) {
          if (/^[0-9A-F]{24}$/.test(name)) rmSync(join(folder, "pg_wal", name));
        }
      },
      says: "",
    },
  ];
  for (const { name, make, says } of cases) {
    test(`${name}: 65, and not a byte of it changes`, async () => {
      await make();
      const before = join(home, "before");
      cpSync(folder, before, { recursive: true });
      const error = await open();
      expect(error.exitCode).toBe(65);
      expect(error.message).toStartWith(`the database in ${folder} is damaged or was made by another program (`);
      expect(error.message).toContain(says);
      expect(error.message).not.toContain("\n");
      expect(error.hint).not.toBe("");
      expect(contents(folder)).toEqual(contents(before));
    }, 30_000);
  }
});

describe("a Postgres that cannot be used", () => {
  test("nobody listens: 69 after the wait, with host and reason, without the password", async () => {
    const retries: string[] = [];
    const url = "postgres://app:sesame@127.0.0.1:1/openagents";
    const error = await refusal({ kind: "postgres", url, waitMs: 400, onRetry: (reason) => retries.push(reason) });
    expect(error.exitCode).toBe(69);
    expect(error.message).toStartWith("cannot reach the database at 127.0.0.1:1 (");
    expect(error.message + error.hint + retries.join()).not.toContain("sesame");
    expect(retries.length).toBeGreaterThan(0);
  });

  test("it appears while we wait", async () => {
    const database = await emptyDatabase();
    const target = new URL(database.url);
    const idle = createServer().listen(0, "127.0.0.1");
    await new Promise((done) => idle.once("listening", done));
    const { port } = idle.address() as { port: number };
    await new Promise((done) => idle.close(done));
    let proxy: ReturnType<typeof relay> | null = null;
    const url = database.url.replace(target.port, String(port));
    const opening = openDatabase({
      kind: "postgres",
      url,
      waitMs: 20_000,
      onRetry: () => (proxy ??= relay(port, Number(target.port))),
    });
    const store = await opening;
    expect(proxy).not.toBeNull();
    await store.close();
    proxy!.stop(true);
    await database.drop();
  });

  test("a silent server: 69 within the connect limit", async () => {
    const server = createServer(() => {}).listen(0, "127.0.0.1");
    await new Promise((done) => server.once("listening", done));
    const { port } = server.address() as { port: number };
    const error = await refusal({
      kind: "postgres",
      url: `postgres://a@127.0.0.1:${port}/b`,
      connectTimeoutMs: 200,
      waitMs: 0,
    });
    expect(error.exitCode).toBe(69);
    server.close();
  });

  test("a database that does not exist is not waited for", async () => {
    const database = await emptyDatabase();
    const start = performance.now();
    const error = await refusal({ kind: "postgres", url: database.url.replace(/\/[^/]*$/, "/nothing_here") });
    expect(error.exitCode).toBe(69);
    expect(error.message).toContain("nothing_here");
    expect(performance.now() - start).toBeLessThan(4000);
    await database.drop();
  });

  const urls: [string, string][] = [
    ["mysql://a:b@c/d", "DATABASE_URL must start with postgres://, not mysql://"],
    ["not a url", "DATABASE_URL is not a URL"],
  ];
  for (const [url, message] of urls) {
    test(`${url}: 78`, async () => {
      const error = await refusal({ kind: "postgres", url });
      expect([error.exitCode, error.message]).toEqual([78, message]);
    });
  }

  test("older than 14: 78", () => {
    expect(() => refuseOld(130_011, "postgres://a@h:5/b")).toThrow("the database at h:5 is PostgreSQL 13");
    refuseOld(140_000, "postgres://a@h:5/b");
  });

  test("a URL is shown without its password", () => {
    expect(masked("postgres://app:se%20same@db.internal/openagents")).toBe("postgres://app:***@db.internal/openagents");
    expect(masked("postgres://db/x?user=a&password=sesame&sslmode=require")).toBe(
      "postgres://db/x?user=a&password=***&sslmode=require",
    );
    expect(masked("postgres://db/x")).toBe("postgres://db/x");
  });
});

/** Passes bytes from one port to another. */
function relay(from: number, to: number) {
  return Bun.listen<{ out: Promise<Bun.Socket> }>({
    hostname: "127.0.0.1",
    port: from,
    socket: {
      open(socket) {
        const back = {
          data: (_: Bun.Socket, bytes: Uint8Array) => void socket.write(bytes),
          close: () => void socket.end(),
        };
        socket.data = { out: Bun.connect({ hostname: "127.0.0.1", port: to, socket: back }) };
      },
      async data(socket, bytes) {
        const copy = bytes.slice();
        (await socket.data.out).write(copy);
      },
      async close(socket) {
        (await socket.data.out).end();
      },
    },
  });
}
