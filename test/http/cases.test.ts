/**
 * The numbered cases of http-platform 7 on both engines, as the product answers them. Elsewhere: 5, 7, 11-15 and 33 in
 * test/rollout, 29, 30 and 36 in test/nodes, 32 in test/telemetry/batch.test.ts, 34 in test/manifest; 35 holds for every test
 * by test/support/treated.ts.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { signInThrough } from "../identity/app";
import type { Person } from "../support/app";
import { engines } from "../support/database";
import { fakePosthog } from "../support/posthog";
import { type WholeApp, wholeApp } from "../support/whole";
import { wire } from "../support/wire";

const console_ = "https://console.openagents.com";
const posthog = fakePosthog();
afterAll(() => posthog.close());

for (const engine of engines) {
  describe(`http-platform 7, ${engine}`, () => {
    let app: WholeApp;
    let ann: Person;
    let url: string;
    let address = 0;
    const newAddress = () => `198.51.100.${++address}`;
    beforeAll(async () => {
      app = await wholeApp(engine, {
        OA_AUTH_PROVIDER_MODE: "mock",
        POSTHOG_API_KEY: posthog.apiKey,
        POSTHOG_HOST: posthog.url,
        POSTHOG_DISABLED: "false",
      });
      ann = await app.person("ann@a.example");
      url = app.listen();
    });
    afterAll(() => app.close());

    const askForCode = (from: string, headers: Record<string, string> = {}, peer?: string) =>
      app.send("POST", "/api/auth/email", {
        body: { email: "guest@a.example" },
        headers: { "x-forwarded-for": from, ...headers },
        ...(peer ? { peer } : {}),
      });

    test("case 1: a preflight needs no credentials", async () => {
      const { status, headers, text } = await app.send("OPTIONS", "/api/settings/profile", {
        headers: {
          origin: console_,
          "access-control-request-method": "PATCH",
          "access-control-request-headers": "authorization,content-type",
        },
      });
      expect([status, text]).toEqual([204, ""]);
      expect(headers.get("access-control-allow-origin")).toBe(console_);
      const methods = headers.get("access-control-allow-methods")?.split(",");
      expect(methods).toContain("PATCH");
      expect(methods).toContain("OPTIONS");
      expect(headers.get("cache-control")).toBe("no-store");
      for (const path of ["/api/nope", "/api/me"]) {
        const preflight = await app.send("OPTIONS", path, { headers: { origin: console_ } });
        expect([preflight.status, preflight.headers.get("access-control-max-age")]).toEqual([204, "600"]);
      }
    });

    test("case 2: a GET across origins", async () => {
      const { status, headers } = await app.send("GET", "/api/me", { as: ann, headers: { origin: console_ } });
      expect([status, headers.get("cache-control"), headers.get("access-control-allow-origin")]).toEqual([
        200,
        "no-store",
        console_,
      ]);
      expect(headers.get("vary")).toContain("Origin");
    });

    test("case 3: one address over its limit leaves another alone", async () => {
      for (let i = 0; i < 6; i++) expect((await askForCode("203.0.113.10")).status).toBe(200);
      const { status, json, headers } = await askForCode("203.0.113.10");
      expect([status, json.error.code, json.message]).toEqual([429, "rate_limited", "Too Many Attempts."]);
      expect(headers.get("x-ratelimit-limit")).toBe("6");
      expect(headers.get("x-ratelimit-remaining")).toBe("0");
      expect(Number(headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
      expect(Number(headers.get("x-ratelimit-reset"))).toBeGreaterThan(Date.now() / 1000 - 1);
      expect((await askForCode("203.0.113.11")).status).toBe(200);
    });

    test("case 4: the 61st message or worker request of a minute is 429", async () => {
      const bob = await app.person("bob@a.example");
      const message = () => app.send("POST", "/api/runtime/threads/t-limit/messages", { as: bob, body: {} });
      const request = () => app.send("POST", "/api/runtime/codex/workers/none/requests", { as: bob, body: {} });
      for (const send of [message, request]) {
        for (let i = 0; i < 60; i++) expect((await send()).status).not.toBe(429);
        const { status, json, headers } = await send();
        expect([status, json.message]).toEqual([429, `Too many requests. Retry in ${headers.get("retry-after")}s.`]);
      }
      expect((await app.send("POST", "/api/runtime/threads/t-limit/messages", { as: ann, body: {} })).status).toBe(422);
    });

    test("case 6: health, and a static folder that is missing", async () => {
      const { status, json, headers } = await app.send("GET", "/healthz");
      expect([status, json.status, json.service]).toEqual([200, "ok", "openagents-control-service"]);
      expect(Object.keys(json)).toEqual([
        "status",
        "service",
        "version",
        "uptime_seconds",
        "auth_provider",
        "build_id",
      ]);
      expect(headers.get("cache-control")).toBe("no-store");
      expect((await app.send("GET", "/up")).json.service).toBe("openagents-control-service");
      const broken = await wholeApp(engine, { OA_CONTROL_STATIC_DIR: "/nowhere/at/all" });
      try {
        const ready = await broken.send("GET", "/readyz");
        expect([ready.status, ready.json.status, ready.json.static_dir, ready.json.checks.assets]).toEqual([
          503,
          "not_ready",
          "/nowhere/at/all",
          "failed",
        ]);
      } finally {
        await broken.close();
      }
    });

    test("case 8: a hashed file", async () => {
      const path = "/assets/main-0a1b2c3d.js";
      const plain = await app.send("GET", path);
      expect([plain.status, plain.headers.get("cache-control")]).toEqual([200, "public, max-age=31536000, immutable"]);
      expect(plain.headers.get("content-type")).toStartWith("text/javascript");
      for (const [accepted, encoding] of [
        ["br, gzip", "br"],
        ["gzip", "gzip"],
      ]) {
        const { headers } = await app.send("GET", path, { headers: { "accept-encoding": accepted as string } });
        expect([headers.get("content-encoding"), headers.get("vary")]).toEqual([encoding as string, "Accept-Encoding"]);
        expect(headers.get("etag")).not.toBe(plain.headers.get("etag"));
      }
      const again = await app.send("GET", path, { headers: { "if-none-match": plain.headers.get("etag") as string } });
      expect([again.status, again.text, again.headers.get("etag"), again.headers.get("cache-control")]).toEqual([
        304,
        "",
        plain.headers.get("etag"),
        plain.headers.get("cache-control"),
      ]);
    });

    test("case 9: what must always be asked for", async () => {
      for (const path of ["/manifest.json", "/sw.js", "/openapi.json"]) {
        const { status, headers } = await app.send("GET", path);
        expect([status, headers.get("cache-control")]).toEqual([200, "no-cache, no-store, must-revalidate"]);
        const tagged = await app.send("GET", path, { headers: { "if-none-match": headers.get("etag") as string } });
        expect([tagged.status, tagged.text]).toEqual([304, ""]);
      }
      const { text } = await app.send("GET", "/openapi.json");
      expect(text).toStartWith('{"openapi":"3.0.2"');
      expect(text).not.toContain("\n");
      for (const word of ["/api/auth/email", "bearerAuth"]) expect(text).toContain(word);
    });

    test("case 10: no way out of the files", async () => {
      const { status, json } = await app.send("GET", "/assets/..%2fmanifest.json");
      expect([status, json.error.code]).toEqual([404, "not_found"]);
      expect(json.message).toBe("Asset '../manifest.json' was not found.");
    });

    test("case 16: what is gone is never a shell with 200, and an unknown API path never HTML", async () => {
      const page = await app.send("GET", "/aui", { headers: { accept: "text/html" } });
      expect([page.status, page.headers.get("content-type")]).toEqual([404, "text/html; charset=utf-8"]);
      expect((await app.send("GET", "/aui/x", { as: ann })).status).toBe(404);
      const api = await app.send("GET", "/api/nope?x=1", { headers: { accept: "text/html" } });
      expect([api.status, api.json.message]).toEqual([404, "Route '/api/nope' was not found."]);
    });

    test("case 17: the document", async () => {
      const { json } = await app.send("GET", "/openapi.json");
      for (const path of ["/api/auth/email", "/api/me", "/api/tokens", "/api/chats", "/api/settings/profile"])
        expect(json.paths[path]).toBeDefined();
      for (const path of ["/api/chat", "/api/v1/me", "/api/admin/status"]) expect(json.paths[path]).toBeUndefined();
      expect(json.components.securitySchemes.SanctumToken).toMatchObject({ type: "http", scheme: "bearer" });
      const { post } = json.paths["/api/auth/email"];
      expect(Object.keys(post.requestBody.content["application/json"])).toContain("example");
      expect(post.responses["200"].content["application/json"].example).toBeDefined();
      expect(json.paths["/api/chats"].get).toMatchObject({ deprecated: true });
      expect(json.paths["/api/chats"].get["x-deprecated-reason"]).toBeString();
    });

    test("case 18: one page view of a signed-in GET, none else", async () => {
      await app.ctx.analytics.flush();
      posthog.accepted.length = 0;
      const html = { accept: "text/html" };
      await app.send("GET", "/", { headers: html });
      await app.send("GET", "/pair", { headers: html });
      await app.send("GET", "/api/me", { as: ann, headers: html });
      await app.send("HEAD", "/", { as: ann, headers: html });
      await app.send("GET", "/aui", { as: ann, headers: html });
      await app.send("GET", "/admin", { as: ann, headers: html });
      await app.send("GET", "/login", { as: ann, headers: html });
      await app.send("GET", "/assets/main-0a1b2c3d.js", { as: ann });
      await app.send("GET", "/manifest.json", { as: ann });
      const page = await app.send("GET", "/chat/t1?code=planted&a=1", { as: ann, headers: html });
      expect(page.status).toBe(200);
      await app.ctx.analytics.flush();
      expect(
        posthog.accepted.map(({ event, distinct_id, properties }) => ({ event, distinct_id, properties })),
      ).toEqual([
        {
          event: "$pageview",
          distinct_id: "ann@a.example",
          properties: {
            $current_url: "http://localhost:8787/chat/t1?code=***&a=1",
            $pathname: "/chat/t1",
            host: "localhost",
            source: "laravel_web_middleware",
            auth_state: "authenticated",
            $lib: "openagents",
          },
        },
      ]);
    });

    test("case 19: another method, and HEAD", async () => {
      const { status, headers, json } = await app.send("PUT", "/api/me");
      expect([status, headers.get("allow")]).toEqual([405, "GET, HEAD"]);
      const message = "The PUT method is not supported for route api/me. Supported methods: GET, HEAD.";
      expect(json).toEqual({ message, error: { code: "method_not_allowed", message } });
      const get = await app.send("GET", "/api/tokens", { as: ann });
      const head = await app.send("HEAD", "/api/tokens", { as: ann });
      expect([head.status, head.text, head.headers.get("content-length")]).toEqual([
        200,
        "",
        String(Buffer.byteLength(get.text)),
      ]);
      const passing = ["x-request-id", "content-length"];
      for (const [name, value] of get.headers) if (!passing.includes(name)) expect(head.headers.get(name)).toBe(value);
    });

    test("case 20: trailing slashes", async () => {
      expect((await app.send("GET", "/api/me/", { as: ann })).json).toEqual(
        (await app.send("GET", "/api/me", { as: ann })).json,
      );
      const page = await app.send("GET", "/settings/profile/?a=1", { as: ann });
      expect([page.status, page.headers.get("location")]).toEqual([301, "/settings/profile?a=1"]);
      expect((await app.send("GET", "/api//me", { as: ann })).status).toBe(404);
    });

    test("case 21: percent signs in paths", async () => {
      for (const path of ["/api/%zz", "/api/%ff", "/%zz", "/assets/%ff"]) {
        const { status, json } = await app.send("GET", path);
        expect([path, status, json.message, json.error.code]).toEqual([path, 400, "Malformed URL.", "invalid_request"]);
      }
      await app.send("POST", "/api/runtime/codex/workers", { as: ann, body: { worker_id: "a/b" } });
      const { json } = await app.send("GET", "/api/runtime/codex/workers/a%2Fb", { as: ann });
      expect(json.data.worker_id).toBe("a/b");
    });

    test("case 22: a body over its limit is not read on, a stranger's not at all", async () => {
      const chunk = Buffer.alloc(65_536, 97);
      const framed = Buffer.concat([Buffer.from("10000\r\n"), chunk, Buffer.from("\r\n")]);
      const limit = app.ctx.config.OA_HTTP_MAX_BODY_BYTES;
      const open = async (token: string | null) => {
        const line = wire(url);
        await line.send(
          `PATCH /api/settings/profile HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${
            token ? `Authorization: Bearer ${token}\r\n` : ""
          }Transfer-Encoding: chunked\r\n\r\n`,
        );
        return line;
      };
      const known = await open(ann.token);
      for (let sent = 0; sent < limit; sent += chunk.length) await known.send(framed);
      await known.send("1\r\na\r\n");
      const refused = await known.head();
      expect(refused.status).toBe(413);
      expect(refused.text).toContain("The POST data is too large.");
      expect(refused.text.toLowerCase()).toContain("connection: close");
      await known.closed;
      const stranger = await open(null);
      expect((await stranger.head()).status).toBe(401);
      expect(stranger.sent()).toBeLessThan(500);
      stranger.end();
    });

    test("case 23: malformed JSON by family", async () => {
      const headers = { "content-type": "application/json" };
      const lenient = await app.send("POST", "/api/tokens", { as: ann, body: "{bad", headers });
      expect([lenient.status, lenient.json.message]).toEqual([422, "The name field is required."]);
      const strict = await app.send("POST", "/api/runtime/threads/t/messages", { as: ann, body: "{bad", headers });
      expect([strict.status, strict.json.message]).toEqual([400, "The request body is not valid JSON."]);
    });

    test("case 24: prototypes are dropped, depth is malformed", async () => {
      const headers = { "content-type": "application/json" };
      const body = '{"name":"own","__proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}}}';
      const taken = await app.send("POST", "/api/tokens", { as: ann, body, headers });
      expect([taken.status, taken.json.data.name, taken.json.data.isAdmin]).toEqual([201, "own", undefined]);
      expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
      const deep = `{"text":${"[".repeat(10_000)}${"]".repeat(10_000)}}`;
      const tries: number[] = [];
      for (let i = 0; i < 5; i++) {
        const began = performance.now();
        const { status } = await app.send("POST", "/api/runtime/threads/t/messages", { as: ann, body: deep, headers });
        tries.push(performance.now() - began);
        expect(status).toBe(400);
      }
      expect(Math.min(...tries)).toBeLessThan(50);
    });

    test("case 25: odd origins", async () => {
      const preflight = (origin: string) => app.send("OPTIONS", "/api/me", { headers: { origin } });
      expect((await preflight("null")).headers.get("access-control-allow-origin")).toBe("null");
      for (const origin of ["https://a.example\tx", `https://${"a".repeat(300)}.example`]) {
        const { status, headers } = await preflight(origin);
        expect(status).toBe(204);
        for (const [name] of headers) expect(name).not.toStartWith("access-control-");
      }
      const { cookie } = await signInThrough(app.send, "cookie@a.example", newAddress());
      const post = await app.send("POST", "/api/tokens", { body: { name: "x" }, headers: { cookie, origin: "null" } });
      expect([post.status, post.json.error.code]).toEqual([419, "csrf_mismatch"]);
    });

    test("case 26: encodings that are refused", async () => {
      const path = "/assets/main-0a1b2c3d.js";
      const star = await app.send("GET", path, { headers: { "accept-encoding": "br;q=0, *" } });
      expect(star.headers.get("content-encoding")).toBe("gzip");
      const identity = await app.send("GET", path, { headers: { "accept-encoding": "identity" } });
      expect([identity.headers.get("content-encoding"), identity.headers.get("vary")]).toEqual([
        null,
        "Accept-Encoding",
      ]);
      const long = await app.send("GET", "/openapi.json", { headers: { "accept-encoding": "identity" } });
      expect([long.headers.get("content-encoding"), long.headers.get("vary")?.includes("Accept-Encoding")]).toEqual([
        null,
        true,
      ]);
    });

    test("case 27: what an untrusted peer says of itself changes nothing", async () => {
      const peer = "203.0.113.77";
      const lies = { "x-forwarded-proto": "https", "x-forwarded-host": "evil.example" };
      const answers = [];
      for (let i = 0; i < 7; i++) answers.push(await askForCode(newAddress(), lies, peer));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200, 429]);
      const { headers } = answers[0] as (typeof answers)[0];
      expect(headers.get("strict-transport-security")).toBeNull();
      const local = await askForCode(newAddress(), { "x-forwarded-proto": "https", host: "app.localhost" });
      expect(local.headers.getSetCookie().every((cookie) => cookie.includes("Secure"))).toBe(true);
      const outside = await app.send("GET", "/api/me", { peer, headers: { host: "evil.example" } });
      expect(outside.status).toBe(421);
      const host = await app.send("GET", "/api/me", { as: ann, peer, headers: { "x-forwarded-host": "evil.example" } });
      expect(host.status).toBe(200);
    });

    test("case 28: a foreign host on a loopback bind", async () => {
      const headers = { host: "evil.example" };
      const { status, json } = await app.send("GET", "/", { headers });
      expect([status, json.error.code, json.message]).toEqual([
        421,
        "misdirected_request",
        "Host 'evil.example' is not served here. Set APP_URL or OA_ALLOWED_HOSTS.",
      ]);
      expect((await app.send("GET", "/healthz", { headers })).status).toBe(200);
    });

    test("forms stand for other methods on web routes only (2.2)", async () => {
      const { cookie } = await signInThrough(app.send, "form@a.example", newAddress());
      const type = { "content-type": "application/x-www-form-urlencoded" };
      const origin = { origin: "http://localhost:8787", "sec-fetch-site": "same-origin" };
      const web = await app.send("POST", "/settings/profile", {
        body: "_method=patch&name=Form+Name",
        headers: { ...type, ...origin, cookie, accept: "text/html" },
      });
      expect([web.status, web.headers.get("location")]).toEqual([303, "/settings/profile"]);
      expect((await app.send("GET", "/api/me", { headers: { cookie } })).json.data.user.name).toBe("Form Name");
      const plain = await app.send("POST", "/settings/profile", { body: "name=x", headers: { ...type, cookie } });
      expect([plain.status, plain.headers.get("allow")]).toEqual([405, "GET, HEAD, PATCH, DELETE"]);
      const header = await app.send("POST", "/settings/profile", {
        body: "name=x",
        headers: { ...type, cookie, "x-http-method-override": "PATCH" },
      });
      expect(header.status).toBe(405);
      const api = await app.send("POST", "/api/settings/profile", {
        as: ann,
        body: "_method=PATCH&name=x",
        headers: type,
      });
      expect(api.status).toBe(405);
      const json = await app.send("POST", "/settings/profile", {
        body: { _method: "PATCH", name: "x" },
        headers: { cookie },
      });
      expect(json.status).toBe(405);
      const foreign = await app.send("POST", "/settings/profile", {
        body: "_method=DELETE",
        headers: { ...type, cookie, origin: "https://evil.example" },
      });
      expect(foreign.status).toBe(419);
    });

    test("X-Inertia changes nothing where no page data is promised (9.3)", async () => {
      for (const path of ["/", "/login", "/aui"]) {
        const headers = { accept: "text/html" };
        const with_ = await app.send("GET", path, { headers: { ...headers, "x-inertia": "true" } });
        const without = await app.send("GET", path, { headers });
        expect([with_.status, with_.text]).toEqual([without.status, without.text]);
      }
    });

    test("the server layer's own refusals have no body and close (2.1)", async () => {
      const rows: [name: string, request: string, status: number][] = [
        ["no host", "GET /healthz HTTP/1.1\r\n\r\n", 400],
        ["two lengths", "POST /api/tokens HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", 400],
        [
          "both lengths",
          "POST /api/tokens HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          400,
        ],
        ["long headers", `GET /healthz HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(17_000)}\r\n\r\n`, 431],
        ["no HTTP", "hello\r\n\r\n", 400],
      ];
      for (const [name, request, status] of rows) {
        const line = wire(url);
        await line.send(request);
        const answer = await line.head();
        expect([name, answer.status]).toEqual([name, status]);
        expect(answer.text.toLowerCase()).toContain("connection: close");
        await line.closed;
      }
    });
  });
}
