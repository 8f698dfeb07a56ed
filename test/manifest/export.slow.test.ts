/** `ops manifest:export` of the executable (ops-data 2.10): five files from the running code. */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import table from "../fixtures/route-table.json";
import { run } from "../support/executable";
import gaps from "./gaps.json";

const folder = mkdtempSync(join(tmpdir(), "oa-manifest-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const names = ["api-routes", "web-routes", "page-entries", "artisan-commands"] as const;
const read = (path: string) => readFileSync(join(folder, path), "utf8");

interface Entry {
  method: string;
  uri: string;
}

describe("manifest:export", () => {
  test("writes the four manifests and their index, as the baseline wrote them", async () => {
    const { code, out, err } = await run(["ops", "manifest:export", "--output=deep/er"], { cwd: folder });
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(
      /^Parity manifests exported\.\n {2}output: deep\/er\n {2}api routes: \d+\n {2}web routes: \d+\n {2}page entries: \d+\n {2}artisan commands: \d+\n {2}index: deep\/er\/manifest-index\.json\n$/,
    );
    const files = ["manifest-index", ...names].map((name) => `${name}.json`);
    expect(readdirSync(join(folder, "deep/er")).toSorted()).toEqual(files.toSorted());
    for (const file of files) {
      const text = read(join("deep/er", file));
      const content = JSON.parse(text) as { generated_at: string };
      expect(text).toBe(`${JSON.stringify(content, null, 4)}\n`);
      expect(content.generated_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
      expect(text).not.toContain("\\/");
    }
    const index = JSON.parse(read("deep/er/manifest-index.json")) as { manifests: { name: string; count: number }[] };
    expect(index.manifests.map(({ name }) => name)).toEqual([...names]);
    for (const { name, count } of index.manifests) {
      const { count: own, ...rest } = JSON.parse(read(`deep/er/${name}.json`)) as { count: number };
      const list = Object.values(rest).find(Array.isArray) as unknown[];
      expect([name, own, list.length]).toEqual([name, count, count]);
    }
  });

  test("routes are the table's without the known gaps, sorted, in the baseline's shape", () => {
    const all = ["api-routes", "web-routes"].map((name) => {
      const { routes } = JSON.parse(read(`deep/er/${name}.json`)) as { routes: Entry[] };
      const keys = routes.map(({ method, uri }) => `${method} ${uri}`);
      expect(keys).toEqual(keys.toSorted((a, b) => (a < b ? -1 : 1)));
      for (const route of routes) {
        expect(Object.keys(route)).toEqual(["method", "uri", "name", "action", "middleware"]);
        expect(["HEAD", "OPTIONS"]).not.toContain(route.method);
      }
      return keys;
    });
    const missing = new Set(Object.values(gaps.routes as Record<string, string[]>).flat());
    const wanted = table.routes.filter(({ gone }) => !gone).map(({ method, path }) => `${method} ${path}`);
    const found = all.flat().filter((key) => !/^GET \/[a-z0-9-]+\.(svg|png)$/.test(key));
    expect(found.toSorted()).toEqual(wanted.filter((key) => !missing.has(key)).toSorted());
    expect(all[0]?.every((key) => key.includes(" /api/"))).toBe(true);
  });

  test("pages and commands are named by their files", () => {
    const { entries } = JSON.parse(read("deep/er/page-entries.json")) as { entries: string[] };
    expect(entries).toEqual(entries.toSorted());
    expect(entries).toContain("ui/pages/home");
    const { commands } = JSON.parse(read("deep/er/artisan-commands.json")) as {
      commands: { name: string; description: string; hidden: boolean; class: string }[];
    };
    for (const command of commands) {
      expect(Object.keys(command)).toEqual(["name", "description", "hidden", "class"]);
      expect([command.class, existsSync(join(import.meta.dir, "../..", command.class))]).toEqual([command.class, true]);
    }
    expect(commands.find(({ name }) => name === "inspire")?.hidden).toBe(true);
  });

  test("--json prints who may call each route and how often, and writes nothing", async () => {
    const { code, out } = await run(["ops", "manifest:export", "--json"], { cwd: folder });
    const { output, manifests, routes } = JSON.parse(out) as {
      output: null;
      manifests: unknown[];
      routes: Record<string, unknown>[];
    };
    expect([code, output, manifests.length, readdirSync(folder)]).toEqual([0, null, 4, ["deep"]]);
    expect(routes.find(({ method, path }) => method === "POST" && path === "/api/auth/email")).toEqual({
      method: "POST",
      path: "/api/auth/email",
      auth: "public",
      throttle: { limiter: "laravel", limit: 6, seconds: 60 },
      family: "lenient",
      limit: 65_536,
      envelope: "plain",
      statuses: [200],
      cache: "no-store",
      owner: "auth.md 2.1",
      domain: "identity",
      operationId: "authEmail",
    });
  });

  test("the baseline's name, the usual folder, and no folder at all", async () => {
    const alias = await run(["ops", "export-parity-manifests"], { cwd: folder });
    expect(alias.out).toMatch(
      /^Parity manifests exported\.\n {2}output: parity-reports\/manifest-export-\d{8}T\d{6}Z\n/,
    );
    const [made = ""] = readdirSync(join(folder, "parity-reports"));
    expect(readdirSync(join(folder, "parity-reports", made)).length).toBe(5);
    for (const blank of ["--output=", "--output= "]) {
      const { code, err } = await run(["ops", "manifest:export", blank], { cwd: folder });
      expect([code, err]).toEqual([1, expect.stringMatching(/--output cannot be empty\.\n/)]);
    }
  });
});
