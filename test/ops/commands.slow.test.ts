import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Fresh, freshDatabase } from "../support/database";
import { executable, run, type Server, serve } from "../support/executable";

const key = `base64:${Buffer.alloc(32, 5).toString("base64")}`;
const testLogin = {
  OA_AUTH_LOCAL_TEST_LOGIN_SIGNING_KEY: "local-test-signing-key",
  OA_AUTH_LOCAL_TEST_LOGIN_ENABLED: "true",
  OA_AUTH_LOCAL_TEST_LOGIN_ALLOWED_EMAILS: "tester@openagents.com",
  APP_ENV: "local",
};

interface Line {
  argv: string[];
  code?: number;
  out?: RegExp;
  err?: RegExp | "";
  /** Members of the JSON document that the same command gives with `--json`; null = not asked again. */
  json?: Record<string, unknown> | null;
}

const listed = { data: expect.any(Array), next_cursor: null };

/** In this order on one database: what each says to a person, and with `--json`. */
const lines: Line[] = [
  { argv: ["user:list"], out: /^No users\.\n$/, json: listed },
  {
    argv: ["user:create", "not-an-email"],
    code: 1,
    err: /Invalid email address\./,
    json: { error: { code: "invalid_email" } },
  },
  {
    argv: ["user:create", "Ana@A.example", "--name=Ana Ruiz"],
    out: /^Created user 1 ana@a\.example \(ana\)\.\n$/,
    json: { created: false },
  },
  { argv: ["user:create", "ana@a.example"], out: /exists already; nothing was changed/, json: { created: false } },
  { argv: ["user:create", "ben@a.example", "--quiet"], out: /^2\n$/, json: null },
  {
    argv: ["user:list"],
    out: /id +e-mail +handle[\s\S]*2 +ben@a\.example[\s\S]*1 +ana@a\.example/,
    json: {
      data: [{ id: 2 }, { id: 1, email: "ana@a.example", name: "Ana Ruiz", is_admin: false }],
      next_cursor: null,
    },
  },
  {
    argv: ["user:list", "--limit=1"],
    out: /ben@a\.example/,
    err: /more with --cursor=2/,
    json: { data: [{ id: 2 }], next_cursor: "2" },
  },
  {
    argv: ["user:list", "--limit=1", "--cursor=2"],
    out: /ana@a\.example/,
    json: { data: [{ id: 1 }], next_cursor: null },
  },
  {
    argv: ["user:list", "--limit=0"],
    code: 2,
    err: /--limit must be a whole number from 1 to 1000, not '0'/,
    json: { error: { code: "usage" } },
  },
  {
    argv: ["user:list", "--since=yesterday"],
    code: 2,
    err: /--since must be a time/,
    json: { error: { code: "usage" } },
  },
  { argv: ["user:list", "--nope"], code: 2, err: /unknown option '--nope'/, json: { error: { code: "usage" } } },
  {
    argv: ["user:lst"],
    code: 2,
    err: /^Unknown command `user:lst`\. Did you mean `user:list`\?\n/,
    json: { error: { code: "unknown_command" } },
  },
  { argv: ["user:show"], code: 2, err: /missing required argument 'user'/, json: { error: { code: "usage" } } },
  {
    argv: ["user:show", "zoe"],
    code: 1,
    err: /No user with the id, e-mail or handle: zoe/,
    json: { error: { code: "user_not_found" } },
  },
  {
    argv: ["user:show", "ana"],
    out: /email +ana@a\.example[\s\S]*memberships/,
    json: { user: { id: 1 }, sessions: [], tokens: [], workers: [] },
  },
  {
    argv: ["user:grant-admin", "nobody@a.example"],
    code: 1,
    err: /User not found for email: nobody@a\.example/,
    json: { error: { code: "missing" } },
  },
  {
    argv: ["user:grant-admin", "ana@a.example"],
    out: /^ana@a\.example is now an administrator\.\n$/,
    json: { is_admin: true, changed: false },
  },
  { argv: ["user:list", "--admins"], out: /ana@a\.example/, json: { data: [{ id: 1 }] } },
  {
    argv: ["user:revoke-admin", "ana@a.example"],
    code: 1,
    err: /ana@a\.example is the last administrator\./,
    json: { error: { code: "conflict" } },
  },
  { argv: ["user:grant-admin", "ben@a.example"], out: /now an administrator/, json: null },
  {
    argv: ["user:revoke-admin", "ana@a.example"],
    out: /is now no administrator/,
    json: { is_admin: false, changed: false },
  },
  {
    argv: ["create-api-token", "not-an-email"],
    code: 1,
    err: /^Invalid email address\.\n$/,
    json: { error: { code: "invalid_email" } },
  },
  {
    argv: ["create-api-token", "missing@openagents.com"],
    code: 1,
    err: /^User not found for email: missing@openagents\.com\n$/,
    json: { error: { code: "user_not_found" } },
  },
  {
    argv: ["create-api-token", "ana@a.example", " "],
    code: 1,
    err: /^Token name cannot be empty\.\n$/,
    json: { error: { code: "invalid_name" } },
  },
  {
    argv: ["create-api-token", "ana@a.example", "x".repeat(101)],
    code: 1,
    err: /^Token name must not be greater than 100 characters\.\n$/,
    json: null,
  },
  {
    argv: ["create-api-token", "ana@a.example", "t", "--expires-days=3651"],
    code: 1,
    err: /^--expires-days must be between 1 and 3650 when provided\.\n$/,
    json: null,
  },
  {
    argv: [
      "ops:create-api-token",
      "ana@a.example",
      "command-test-token",
      "--abilities=chat:read,chat:write",
      "--abilities=chat:read",
      "--expires-days=30",
    ],
    out: /^Token created successfully\. Copy now; it will not be shown again:\n1\|[A-Za-z0-9]{40,}\n\nmetadata:\n {2}user_id=1\n {2}email=ana@a\.example\n {2}name=command-test-token\n {2}abilities=chat:read,chat:write\n {2}expires_at=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000000Z\n$/,
    json: {
      token: expect.stringMatching(/^2\|/),
      token_id: 2,
      user_id: 1,
      name: "command-test-token",
      abilities: ["chat:read", "chat:write"],
    },
  },
  { argv: ["create-api-token", "ana@a.example", "--quiet"], out: /^3\|\S+\n$/, json: null },
  {
    argv: ["token:list", "ana@a.example"],
    out: /ops-cli +\*/,
    json: { data: [{ id: 3, abilities: ["*"] }, { id: 2 }, { id: 1 }] },
  },
  {
    argv: ["token:revoke"],
    code: 2,
    err: /give a token's id, or --user=<email> --all/,
    json: { error: { code: "usage" } },
  },
  {
    argv: ["token:revoke", "99"],
    code: 1,
    err: /No token with the id 99/,
    json: { error: { code: "token_not_found" } },
  },
  { argv: ["token:revoke", "1"], out: /^Revoked token 1\.\n$/, json: null },
  { argv: ["token:revoke", "--user=ana@a.example", "--all"], out: /^Revoked 2 tokens\.\n$/, json: { revoked: [] } },
  {
    argv: ["user:sign-out", "ana@a.example"],
    out: /had no session; nothing was changed/,
    json: { sessions_ended: [] },
  },
  {
    argv: ["user:sign-out", "ana@a.example", "--reason=mood"],
    code: 2,
    err: /--reason must be one of/,
    json: { error: { code: "usage" } },
  },
  {
    argv: ["login-link", "--email=ana@a.example", "--minutes=5"],
    out: /^http\S+\/login\/link\/oa_ll_[\w-]{43}\n$/,
    err: /^Signs in ana@a\.example, once, within 5 min\.\n$/,
    json: {
      url: expect.stringContaining("/login/link/oa_ll_"),
      email: "ana@a.example",
      expires_at: expect.stringMatching(/Z$/),
    },
  },
  {
    argv: ["test-login-link", "not-an-email"],
    code: 1,
    err: /^Invalid email address\.\n$/,
    json: { error: { code: "invalid_email" } },
  },
  {
    argv: ["test-login-link", "tester@openagents.com", "--minutes=1441"],
    code: 1,
    err: /^--minutes must be between 1 and 1440\.\n$/,
    json: null,
  },
  {
    argv: ["test-login-link", "tester@openagents.com", "--minutes=abc"],
    code: 1,
    err: /^--minutes must be between 1 and 1440\.\n$/,
    json: null,
  },
  {
    argv: ["test-login-link", "tester@openagents.com", "--minutes=15", "--base-url=https://next.openagents.com/"],
    out: /^Signed maintenance test-login URL:\nhttps:\/\/next\.openagents\.com\/internal\/test-login\?email=tester%40openagents\.com&expires=\d+&signature=[0-9a-f]{64}\n$/,
    json: { email: "tester@openagents.com", enabled: true },
  },
  {
    argv: ["queue:list", "--state=odd"],
    code: 2,
    err: /--state must be one of queued, running, dead, done, not 'odd'/,
    json: { error: { code: "usage" } },
  },
  { argv: ["queue:dead"], out: /^No jobs\.\n$/, json: listed },
  { argv: ["queue:retry"], code: 2, err: /give the ids of dead jobs, or --dead/, json: { error: { code: "usage" } } },
  { argv: ["queue:retry", "--dead"], code: 1, err: /No dead job matches\./, json: { error: { code: "no_dead_job" } } },
  {
    argv: ["queue:forget", "0b6f7c1e-5f7f-4d3c-9a51-6e0b6f1c2d3e"],
    code: 2,
    err: /queue:forget needs --yes when there is no terminal\./,
    json: { error: { code: "usage" } },
  },
  {
    argv: ["queue:forget", "0b6f7c1e-5f7f-4d3c-9a51-6e0b6f1c2d3e", "--yes"],
    code: 1,
    err: /No such job, or it is running\./,
    json: { error: { code: "job_not_found" } },
  },
  {
    argv: ["schedule:run", "no.such.job"],
    code: 1,
    err: /No recurring job no\.such\.job/,
    json: { error: { code: "schedule_not_found" } },
  },
  { argv: ["migrate"], out: /^Nothing is pending; nothing was changed\.\n$/, json: { applied: [] } },
  { argv: ["migrate", "--dry-run"], out: /^Nothing is pending\.\n$/, json: { pending: [] } },
  {
    argv: ["migrate:status", "--check"],
    out: /0001_initial\.expand +expand +applied/,
    json: { pending: [], nodes: expect.any(Array), migrations: [{ number: 1, phase: "expand", state: "applied" }] },
  },
  {
    argv: ["khala:stats", "--topic=nowhere"],
    code: 1,
    err: /No topic nowhere/,
    json: { error: { code: "unknown_topic" } },
  },
  { argv: ["khala:compact"], out: /nothing was changed/, json: { rows: 0, dry_run: false } },
  { argv: ["codex:workers"], out: /^No workers\.\n$/, json: listed },
  { argv: ["codex:requests", "--state=queued"], out: /^No requests\.\n$/, json: listed },
  { argv: ["codex:expire-requests"], out: /nothing was changed/, json: { expired: 0 } },
  {
    argv: ["audit:list", "--event=ops.user.*"],
    out: /ops\.user\.grant-admin[\s\S]*os_user=os:tester/,
    json: { data: expect.arrayContaining([expect.objectContaining({ event_name: "ops.user.create" })]) },
  },
  { argv: ["inspire"], out: /\.\n$/, json: { rule: expect.any(String) } },
];

const places = {
  "inside the server that holds the folder": async (folder: string) => {
    const server = await serve(["--data-dir", join(folder, "data")], { env: testLogin });
    return { env: { ...testLogin, OA_DATA_DIR: join(folder, "data") }, server, fresh: null, lines };
  },
  "on a folder that nobody holds": async (folder: string) => ({
    env: { ...testLogin, OA_DATA_DIR: join(folder, "data") },
    server: null,
    fresh: null,
    // Each of them opens the database anew.
    lines: lines.slice(0, 6),
  }),
  "on Postgres": async () => {
    const fresh = await freshDatabase("postgres");
    return { env: { ...testLogin, DATABASE_URL: fresh.url as string, APP_KEY: key }, server: null, fresh, lines };
  },
};

for (const [place, enter] of Object.entries(places)) {
  describe(place, () => {
    const folder = mkdtempSync(join(tmpdir(), "oa-ops-"));
    let at: { env: Record<string, string>; server: Server | null; fresh: Fresh | null; lines: Line[] };
    beforeAll(async () => {
      at = await enter(folder);
    }, 60_000);
    afterAll(async () => {
      at.server?.signal("SIGKILL");
      await at.server?.ended;
      await at.fresh?.drop();
      rmSync(folder, { recursive: true, force: true });
    });
    test("every command, in turn", async () => {
      for (const { argv, code = 0, out, err, json } of at.lines) {
        const said = await run(["ops", ...argv], { env: at.env });
        expect({ argv, code: said.code, err: code ? "" : said.err && err === undefined ? said.err : "" }).toEqual({
          argv,
          code,
          err: "",
        });
        if (out) expect(said.out).toMatch(out);
        if (code) expect(said.out).toBe("");
        if (err instanceof RegExp) expect(said.err).toMatch(err);
        if (json === null || json === undefined) continue;
        const machine = await run(["ops", ...argv, "--json"], { env: at.env });
        expect([argv, machine.out.endsWith("\n"), machine.out.split("\n").length]).toEqual([argv, true, 2]);
        expect(JSON.parse(machine.out)).toMatchObject(json);
        expect([argv, machine.code]).toEqual([argv, code]);
      }
    }, 300_000);
  });
}

describe("without any database", () => {
  const folder = mkdtempSync(join(tmpdir(), "oa-ops-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("version, its facts, and help", async () => {
    expect((await run(["version"])).out).toBe("openagents 1.0.0\n");
    expect(JSON.parse((await run(["version", "--json"])).out)).toMatchObject({
      version: "1.0.0",
      build_id: expect.stringMatching(/^\d{8}T\d{6}Z$/),
      bun: Bun.version,
      protocols: ["openagents.control.v1", "khala.ws.v1"],
    });
    expect((await run([])).out).toContain("Commands\n  serve ");
    expect(await run(["srve"])).toMatchObject({
      code: 2,
      out: "",
      err: "Unknown command `srve`. Did you mean `serve`?\nhint: 'openagents' alone lists the commands\n",
    });
  });

  test("config check and show: sources, suggestions, no secret", async () => {
    const file = join(folder, "x.env");
    writeFileSync(
      file,
      "# ours\nexport APP_NAME='My House'\nOA_AUTH_ACESS_TTL_SECONDS=60\nOA_MAIL_URL=smtp://user:hunter2@mail\nOA_MAIL_FROM=\"a@b.example\"\n",
    );
    const env = { OA_DATABASE_POOL_SIZE: "7" };
    const check = await run(["config", "check", "--config", file], { env });
    expect([check.code, check.out]).toEqual([
      0,
      expect.stringMatching(
        /^warning {2}.*x\.env:3: OA_AUTH_ACESS_TTL_SECONDS is not known; did you mean OA_AUTH_ACCESS_TTL_SECONDS\?\n$/,
      ),
    ]);
    const { values } = JSON.parse((await run(["config", "show", "--json", "--config", file], { env })).out);
    expect(values).toContainEqual({ name: "APP_NAME", value: "My House", source: "file:2", secret: false });
    expect(values).toContainEqual({ name: "OA_MAIL_URL", value: null, source: "file:4", secret: true });
    expect(values).toContainEqual({ name: "OA_DATABASE_POOL_SIZE", value: "7", source: "env", secret: false });
    const shown = await run(["config", "show", "--config", file], { env });
    expect(shown.out).toMatch(/OA_MAIL_URL +set \(24 characters\) +file:4/);
    expect(shown.out).not.toContain("hunter2");
    const bad = await run(["config", "check", "--json"], { env: { PORT: "x", OA_EMBEDDED_SYNC: "y" } });
    expect([bad.code, JSON.parse(bad.out).problems.length]).toEqual([78, 2]);
  });

  test("openapi:export writes sorted JSON and compares", async () => {
    const file = join(folder, "openapi.json");
    expect((await run(["ops", "openapi:export", `--output=${file}`])).code).toBe(0);
    const text = readFileSync(file, "utf8");
    const document = JSON.parse(text);
    expect([text.endsWith("}\n"), Object.keys(document)[0], document.openapi]).toEqual([true, "components", "3.0.2"]);
    expect(await run(["ops", "openapi:export", `--check=${file}`])).toMatchObject({ code: 0, out: "Equal.\n" });
    document.info.title = "Other";
    document.paths["/api/a~b"] = {};
    writeFileSync(file, JSON.stringify(document));
    const differs = await run(["ops", "openapi:export", `--check=${file}`]);
    expect([differs.code, differs.out]).toEqual([
      1,
      '/info/title "Other" → "OpenAgents API"\n/paths/~1api~1a~0b removed\n2 differences.\n',
    ]);
  }, 60_000);

  test("systemd:unit and proxy:config", async () => {
    expect((await run(["ops", "systemd:unit"])).out).toContain(
      `\nExecStart=${executable.replace(/\/test\/support\/\.\.\/\.\./, "")} serve --log-format json\n`,
    );
    const env = { APP_URL: "https://openagents.example" };
    expect((await run(["ops", "proxy:config", "caddy"], { env })).out).toBe(
      "openagents.example {\n  reverse_proxy 127.0.0.1:8787 {\n    health_uri /readyz\n    health_interval 2s\n  }\n}\n",
    );
    expect((await run(["ops", "proxy:config", "nginx"], { env })).out).toContain("server_name openagents.example;");
    expect((await run(["ops", "proxy:config", "apache"], { env })).code).toBe(2);
    expect((await run(["ops", "proxy:config", "caddy"])).code).toBe(78);
  });

  test("doctor on an empty machine, with a folder, and with a server", async () => {
    const data = join(folder, "data");
    const env = { OA_DATA_DIR: data };
    const first = JSON.parse((await run(["doctor", "--json"], { env })).out);
    expect([first.status, first.checks.find(({ id }: { id: string }) => id === "data.folder").status]).toEqual([
      "warn",
      "warn",
    ]);
    await run(["ops", "user:list"], { env });
    const second = JSON.parse((await run(["doctor", "--json"], { env })).out);
    const ids = new Map(second.checks.map((check: { id: string; status: string }) => [check.id, check.status]));
    for (const id of [
      "config",
      "data.folder",
      "data.lock",
      "data.space",
      "db.connect",
      "db.version",
      "db.migrations",
      "db.clock",
      "db.encoding",
      "db.invariants",
      "keys.app_key",
      "keys.rows",
      "jobs.lag",
      "jobs.dead",
      "khala.log",
    ]) {
      expect([id, ids.get(id)]).toEqual([id, "ok"]);
    }
    const server = await serve(["--data-dir", data]);
    const third = await run(["doctor", "--base", server.url], { env });
    for (const id of ["http.ready", "http.assets", "http.ws"])
      expect(third.out).toMatch(new RegExp(`^ok +${id.replace(".", "\\.")} `, "m"));
    server.signal("SIGKILL");
    await server.ended;
    const gone = await run(["doctor", "--base", server.url], { env });
    expect([gone.code, /^FAIL +http\.ready/m.test(gone.out)]).toEqual([1, true]);
  }, 120_000);

  test("parity:seed fills a trial's database and never production's; serve --dev --seed brings people", async () => {
    const trial = { OA_DATA_DIR: join(folder, "seeded"), APP_ENV: "local" };
    const seeded = await run(["ops", "parity:seed"], { env: trial });
    expect([seeded.code, seeded.out]).toEqual([
      0,
      expect.stringMatching(
        /^Parity fixture seed completed\.\n {2}fixture: shared-seed-state\.json \(embedded\)\n {2}users: {27}2\n {2}personal_access_tokens: {10}1\n/,
      ),
    ]);
    const again = await run(["ops", "seed-parity-fixtures", "--json"], { env: trial });
    expect(JSON.parse(again.out)).toMatchObject({ replaced: false, tables: { users: 2, personal_access_tokens: 1 } });
    const unsaid = await run(["ops", "parity:seed", "--replace"], { env: trial });
    expect([unsaid.code, unsaid.err]).toEqual([2, expect.stringContaining("needs --yes")]);
    const refused = await run(["ops", "parity:seed", "--yes"], { env: { OA_DATA_DIR: trial.OA_DATA_DIR } });
    expect(refused.code).toBe(78);
    const missing = await run(["ops", "parity:seed", "--fixture=/nowhere.json"], { env: trial });
    expect([missing.code, missing.err]).toEqual([1, "Fixture not found: /nowhere.json\n"]);

    const server = await serve(["--dev", "--seed", "--data-dir", join(folder, "people")]);
    const post = (path: string, body: object) =>
      fetch(server.url + path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      }).then((answer) => answer.json() as Promise<Record<string, string>>);
    const { challengeId } = await post("/api/auth/email", { email: "test@example.com" });
    const { token } = await post("/api/auth/verify", { code: "123456", challenge_id: challengeId });
    const me = await fetch(`${server.url}/api/me`, { headers: { authorization: `Bearer ${token}` } });
    const { data } = (await me.json()) as { data: { user: { name: string }; chatThreads: { title: string }[] } };
    expect([data.user.name, data.chatThreads.map(({ title }) => title)]).toEqual([
      "Test User",
      ["Why is the build slow?"],
    ]);
    server.signal("SIGKILL");
    await server.ended;
    expect((await run(["serve", "--seed", "--data-dir", join(folder, "people")])).code).toBe(2);
  }, 120_000);

  test("auth 3.16: login-link under WorkOS is exit 2 with the reason", async () => {
    const env = {
      OA_DATA_DIR: join(folder, "workos"),
      WORKOS_CLIENT_ID: "client_1",
      WORKOS_API_KEY: "sk_test",
    };
    const refused = await run(["ops", "login-link", "--email=ana@a.example"], { env });
    expect([refused.code, refused.out]).toEqual([2, ""]);
    expect(refused.err).toContain("sign-in links are for the local provider; this server's is workos");
  }, 60_000);

  test("a reader that leaves early is no failure", async () => {
    const shell = Bun.spawn(["bash", "-c", `set -o pipefail; ${executable} ops | head -1`], {
      stdout: "pipe",
      stderr: "pipe",
    });
    expect([
      await new Response(shell.stdout).text(),
      await new Response(shell.stderr).text(),
      await shell.exited,
    ]).toEqual(["openagents ops <command>: operator commands\n", "", 0]);
  });
});

describe("runtime:tools:invoke-api", () => {
  const seen: { url: string; auth: string | null; body: Record<string, never> }[] = [];
  let status = 200;
  const fake = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      seen.push({
        url: `${request.method} ${new URL(request.url).pathname}`,
        auth: request.headers.get("authorization"),
        body: (await request.json()) as Record<string, never>,
      });
      return Response.json({ decision: "allowed", path: "a/b" }, { status });
    },
  });
  afterAll(() => fake.stop(true));
  const call = (argv: string[], env: Record<string, string> = {}) =>
    run(["ops", "runtime:tools:invoke-api", `--api-base=http://127.0.0.1:${fake.port}`, ...argv], { env });

  test("sends what the contract says and shows the answer", async () => {
    const said = await call(["--issue-number=1747"], { OA_API_TOKEN: "pat_test_123" });
    expect(said).toEqual({
      code: 0,
      err: "",
      out: 'Runtime tools API status: 200\n{\n    "decision": "allowed",\n    "path": "a/b"\n}\n',
    });
    const { url, auth, body } = seen.at(-1)!;
    expect([url, auth]).toEqual(["POST /api/runtime/tools/execute", "Bearer pat_test_123"]);
    expect(body).toMatchObject({
      tool_pack: "coding.v1",
      mode: "replay",
      run_id: "run_cli_tools",
      request: { operation: "get_issue", issue_number: 1747 },
      policy: { write_approved: false },
    });
  });

  test.each([
    [
      ["--operation=get_pull_request", "--pull-number=0", "--run-id= "],
      { run_id: null, request: { pull_number: 1, run_id: "" } },
    ],
    [
      ["--operation=add_issue_comment", "--comment-body= hi ", "--write-approved"],
      { request: { body: "hi", issue_number: 1 }, policy: { write_approved: true } },
    ],
    [["--write-approved=2"], { policy: { write_approved: false } }],
  ])("%p", async (argv, body) => {
    expect((await call(argv, { OA_API_TOKEN: "t" })).code).toBe(0);
    expect(seen.at(-1)?.body).toMatchObject(body);
  });

  test.each([
    [[], {}, 1, "--token is required\n"],
    [["--api-base=ftp://x"], { OA_API_TOKEN: "t" }, 1, "--api-base must be a valid URL\n"],
    [["--operation=add_issue_comment"], { OA_API_TOKEN: "t" }, 1, "--comment-body is required for add_issue_comment\n"],
  ] as [string[], Record<string, string>, number, string][])(
    "%p is refused before anything is sent",
    async (argv, env, code, err) => {
      const before = seen.length;
      expect(await call(argv, env)).toEqual({ code, out: "", err });
      expect(seen.length).toBe(before);
    },
  );

  test("401 is 4, 500 is 1, nobody there is 69", async () => {
    status = 401;
    expect((await call([], { OA_API_TOKEN: "t" })).code).toBe(4);
    status = 500;
    expect((await call([], { OA_API_TOKEN: "t" })).code).toBe(1);
    expect(
      (await run(["ops", "runtime:tools:invoke-api", "--api-base=http://127.0.0.1:1"], { env: { OA_API_TOKEN: "t" } }))
        .code,
    ).toBe(69);
  });
});
