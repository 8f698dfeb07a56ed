import { describe, expect, test } from "bun:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { Elysia } from "elysia";
import { readConfig } from "../../src/config";
import type { Caller } from "../../src/http/caller";
import { compose } from "../../src/http/compose";
import { createThrottle } from "../../src/http/throttle";
import { unauthorized } from "../../src/refusal";
import { packFiles, unpackFiles } from "../../src/shell/files";
import { createShell } from "../../src/shell/shell";
import { withVariants } from "../../src/shell/variants";
import { createLog } from "../../src/telemetry/log";
import { createMetrics } from "../../src/telemetry/metrics";

const bytes = (text: string) => Buffer.from(text);
const index = `<!doctype html><title>OpenAgents</title><meta name="application-name" content="OpenAgents">${"<p>shell</p>".repeat(60)}`;
const script = `console.log('openagents');${"// some script that is long enough\n".repeat(40)}`;

const built = () => {
  const files = [
    withVariants("/index.html", bytes(index), false),
    withVariants("/assets/app-0a1b2c3d4e5f.js", bytes(script), true),
    withVariants("/assets/tiny-0a1b2c3d4e5f.js", bytes("console.log('openagents');"), true),
    withVariants("/assets/inter-0a1b2c3d4e.woff2", bytes("font".repeat(300)), true),
    withVariants("/sw.js", bytes('const ROLLBACK = ["__OA_ROLLBACK_CACHES__"];'), false),
    withVariants("/robots.txt", bytes("User-agent: *"), false),
  ];
  const facts = {
    buildId: "20261123T210000Z",
    entry: { html: "index.html", js: "assets/app-0a1b2c3d4e5f.js", css: "assets/app.css" } as const,
    pinned: ["/index.html"],
  };
  // Through the blob, as the executable does.
  return unpackFiles(packFiles({ facts, files: new Map(files.map((file) => [file.path, file])) }));
};

const person = (isAdmin: boolean) =>
  ({ user: { id: 7, isAdmin }, credential: "session", sessionId: "s", abilities: ["*"] }) as unknown as Caller;
const people: Record<string, Caller> = { ann: person(false), root: person(true) };

function build(env: Record<string, string> = {}) {
  const config = readConfig({ APP_URL: "http://localhost:8787", ...env });
  const log = createLog({ level: "error", format: "json", write: () => {} });
  const guards = {
    caller(_request: Request, { cookies }: { cookies: Record<string, string> }) {
      const name = cookies.oa_access_token;
      if (!name) return Promise.resolve(null);
      return people[name] ? Promise.resolve(people[name]) : Promise.reject(unauthorized());
    },
  };
  const shell = createShell({ config, guards, web: built() });
  const { fetch } = compose(
    {
      config,
      appUrl: () => "http://localhost:8787",
      now: () => new Date(),
      log,
      metrics: createMetrics(),
      throttle: createThrottle({ kind: "pglite" } as never, Date.now, () => {}),
    },
    { domains: [new Elysia()], guards, loopback: true, fast: shell.asset, before: shell.page, page: shell.errorPage },
  );
  return async (path: string, headers: Record<string, string> = {}, method = "GET") => {
    const request = new Request(`http://localhost:8787${path}`, {
      method,
      headers: { host: "localhost:8787", ...headers },
    });
    const response = (await fetch(request, { requestIP: () => ({ address: "127.0.0.1" }) })) as Response;
    return { status: response.status, headers: response.headers, body: Buffer.from(await response.arrayBuffer()) };
  };
}

const get = build();
const as = (name: string) => ({ cookie: `oa_access_token=${name}` });
const html = { accept: "text/html,application/xhtml+xml" };

describe("documents (web-ui 2.1)", () => {
  const rows: [path: string, guest: string, member: string][] = [
    ["/", "200", "200"],
    ["/login", "200", "302 /"],
    ["/register", "302 /login", "302 /"],
    ["/authenticate", "302 /login", "302 /"],
    ["/chat", "302 /", "302 /"],
    ["/chat/thread-1", "302 /login", "200"],
    ["/chat/a%2Fb", "302 /login", "200"],
    ["/pair?code=ABCD", "302 /login", "200"],
    ["/login/link/oa_ll_x", "200", "302 /"],
    ["/settings", "302 /login", "302 /settings/profile"],
    ["/settings/profile", "302 /login", "200"],
    ["/settings/sessions", "302 /login", "200"],
    ["/settings/tokens", "302 /login", "200"],
    ["/settings/nothing", "404", "404"],
    ["/admin", "302 /login", "403"],
    ["/aui", "404", "404"],
    ["/aui/x", "404", "404"],
    ["/nowhere", "404", "404"],
    ["/missing-module.wasm", "404", "404"],
    ["/login/", "301 /login", "301 /login"],
    ["/pair/?a=1", "301 /pair?a=1", "301 /pair?a=1"],
  ];
  const said = ({ status, headers }: Awaited<ReturnType<typeof get>>) =>
    [status, headers.get("location")].filter(Boolean).join(" ");
  for (const [path, guest, member] of rows) {
    test(path, async () => {
      expect(said(await get(path, html))).toBe(guest);
      expect(said(await get(path, { ...html, ...as("ann") }))).toBe(member);
    });
  }

  test("the bytes are the same for every path and person, also with an error's status", async () => {
    const pages = [
      await get("/", html),
      await get("/login", html),
      await get("/nowhere", html),
      await get("/chat/x", { ...html, ...as("ann") }),
      await get("/", { ...html, ...as("root") }),
      await get("/index.html"),
    ];
    expect(new Set(pages.map(({ body }) => body.toString())).size).toBe(1);
    for (const { headers } of pages) {
      expect(headers.get("content-type")).toBe("text/html; charset=utf-8");
      expect(headers.get("cache-control")).toBe("no-cache, no-store, must-revalidate");
      expect(headers.get("content-security-policy")).not.toContain("unsafe-inline");
      expect(headers.get("x-frame-options")).toBe("DENY");
      expect(headers.get("x-oa-shell")).toBe("20261123T210000Z");
    }
  });

  test("a gate remembers the way back, and only pages", async () => {
    const { headers } = await get("/pair?code=WDJB-MJHT", html);
    expect(
      headers.getSetCookie().some((line) => line.startsWith("oa_return_to=%2Fpair%3Fcode%3DWDJB-MJHT; Path=/;")),
    ).toBe(true);
  });

  test("/settings redirects whatever the method, and leads a guest on to the profile (http-platform 9.3)", async () => {
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) {
      const { status, headers } = await get("/settings", { ...html, ...as("ann") }, method);
      expect([method, status, headers.get("location")]).toEqual([method, 302, "/settings/profile"]);
      const guest = await get("/settings", html, method);
      expect([guest.status, guest.headers.get("location")]).toEqual([302, "/login"]);
      expect(guest.headers.getSetCookie().some((line) => line.startsWith("oa_return_to=%2Fsettings%2Fprofile;"))).toBe(
        true,
      );
    }
  });

  test("/admin is the shell with 403 for a member and with 200 for an administrator", async () => {
    const member = await get("/admin", { ...html, ...as("ann") });
    const admin = await get("/admin", { ...html, ...as("root") });
    expect([member.status, admin.status]).toEqual([403, 200]);
    expect(member.body.toString()).toBe(admin.body.toString());
  });

  test("a dead cookie is a guest", async () => {
    expect((await get("/", { ...html, ...as("nobody") })).status).toBe(200);
    expect((await get("/pair", { ...html, ...as("nobody") })).headers.get("location")).toBe("/login");
  });

  test("scripts get JSON where no page is", async () => {
    for (const [path, message] of [
      ["/aui", "Route '/aui' was not found."],
      ["/missing-module.wasm", "Asset 'missing-module.wasm' was not found."],
    ] as const) {
      const { status, body } = await get(path, { accept: "application/json" });
      expect([status, JSON.parse(body.toString())]).toEqual([404, { message, error: { code: "not_found", message } }]);
    }
  });

  test("XSRF-TOKEN is set once, also on 304", async () => {
    const first = await get("/", html);
    const [cookie] = first.headers.getSetCookie();
    expect(cookie).toMatch(/^XSRF-TOKEN=[A-Za-z0-9]{40}; Path=\/; Secure; SameSite=Lax; Max-Age=7200$/);
    expect((await get("/", { ...html, cookie: "XSRF-TOKEN=x" })).headers.getSetCookie()).toEqual([]);
    const again = await get("/", { ...html, "if-none-match": first.headers.get("etag") as string });
    expect([again.status, again.headers.getSetCookie().length, again.body.length]).toEqual([304, 1, 0]);
  });

  test("the app's name is put in once", async () => {
    const named = await build({ APP_NAME: 'Ann & "Ben"' })("/", html);
    expect(named.body.toString()).toContain("<title>Ann &#38; &#34;Ben&#34;</title>");
  });
});

describe("files (http-platform 3.6, 3.7)", () => {
  const path = "/assets/app-0a1b2c3d4e5f.js";
  test("a hashed file is immutable, and br beats gzip", async () => {
    const br = await get(path, { "accept-encoding": "br, gzip" });
    expect(br.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(br.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
    expect(br.headers.get("content-encoding")).toBe("br");
    expect(brotliDecompressSync(br.body).toString()).toBe(script);
    const gzip = await get(path, { "accept-encoding": "gzip" });
    expect(gunzipSync(gzip.body).toString()).toBe(script);
    expect(gzip.headers.get("etag")).not.toBe(br.headers.get("etag"));
  });
  test("q=0 beats the star; plain answers vary too", async () => {
    expect((await get(path, { "accept-encoding": "br;q=0, *" })).headers.get("content-encoding")).toBe("gzip");
    const plain = await get(path, { "accept-encoding": "identity" });
    expect([plain.headers.get("content-encoding"), plain.headers.get("vary")]).toEqual([null, "Accept-Encoding"]);
  });
  test("its own tag answers 304 with the caching headers and no body", async () => {
    const first = await get(path, { "accept-encoding": "br" });
    const again = await get(path, { "accept-encoding": "br", "if-none-match": `"x", W/${first.headers.get("etag")}` });
    expect([again.status, again.body.length, again.headers.get("etag"), again.headers.get("cache-control")]).toEqual([
      304,
      0,
      first.headers.get("etag"),
      first.headers.get("cache-control"),
    ]);
    expect(again.headers.get("content-encoding")).toBeNull();
  });
  test("the tag of the contract's 26 bytes", async () => {
    expect((await get("/assets/tiny-0a1b2c3d4e5f.js")).headers.get("etag")).toBe(
      '"5d6a56ef32190bdc391001c3bceb8fea7df99e59b43e68e826809531a99b9ad8"',
    );
  });
  test("fonts are not compressed", async () => {
    expect(
      (await get("/assets/inter-0a1b2c3d4e.woff2", { "accept-encoding": "br" })).headers.get("content-encoding"),
    ).toBeNull();
  });
  test("HEAD has the length and no body", async () => {
    const { headers, body } = await get(path, {}, "HEAD");
    expect([headers.get("content-length"), body.length]).toEqual([String(script.length), 0]);
  });
  test("an escape out of the folder is not found", async () => {
    for (const bad of ["/assets/..%2fmanifest.json", "/assets/", "/assets/nope.js"]) {
      const { status, body } = await get(bad);
      expect([status, JSON.parse(body.toString()).error.code]).toEqual([404, "not_found"]);
    }
  });
  test("manifest and worker: never stored, rollback caches from the environment", async () => {
    const rolled = build({ OA_ROLLBACK_BUILD_IDS: "20261124T000000Z", OA_MIN_CLIENT_BUILD_ID: "20261101T000000Z" });
    const { headers, body } = await rolled("/manifest.json");
    expect(headers.get("cache-control")).toBe("no-cache, no-store, must-revalidate");
    expect(headers.get("access-control-allow-origin")).toBe("*");
    const manifest = JSON.parse(body.toString());
    expect(manifest.compatibility.minClientBuildId).toBe("20261101T000000Z");
    expect(manifest.serviceWorker.rollbackCaches).toEqual(["openagents-web-shell::20261124T000000Z"]);
    expect((await rolled("/sw.js")).body.toString()).toBe(
      'const ROLLBACK = ["openagents-web-shell::20261124T000000Z"];',
    );
    expect(JSON.parse((await get("/manifest.json")).body.toString())).toMatchObject({
      manifestVersion: "openagents.webshell.v2",
      buildId: "20261123T210000Z",
      compatibility: { minClientBuildId: "20261123T210000Z", maxClientBuildId: null },
      khala: { url: "/sync/socket/websocket" },
    });
  });
  test("every answer has a request id and nosniff", async () => {
    for (const one of [path, "/", "/robots.txt", "/sw.js", "/nope.js"]) {
      const { headers } = await get(one, { "x-request-id": "req-7" });
      expect([headers.get("x-request-id"), headers.get("x-content-type-options")]).toEqual(["req-7", "nosniff"]);
    }
  });
});
