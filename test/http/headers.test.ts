/** Headers of every kind of answer (http-platform 2.4-2.6, 3.4). */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type WholeApp, wholeApp } from "../support/whole";

const origin = "https://console.openagents.com";
const https = { "x-forwarded-proto": "https", host: "app.openagents.com" };
const html = { accept: "text/html" };

const corsOf = (headers: Headers) => [...headers.keys()].filter((name) => name.startsWith("access-control-"));

describe("headers", () => {
  let app: WholeApp;
  let listed: WholeApp;
  beforeAll(async () => {
    app = await wholeApp("pglite", { APP_URL: "https://app.openagents.com" });
    listed = await wholeApp("pglite", {
      OA_CORS_ALLOWED_ORIGINS: `https://Console.OpenAgents.com,https://other.example`,
      OA_HSTS_MAX_AGE: "0",
      OA_ALLOWED_HOSTS: "app.openagents.com,*.preview.example",
    });
  });
  afterAll(() => Promise.all([app.close(), listed.close()]));

  test("transport security: https on a host that is not this machine", async () => {
    const hsts = async (on: WholeApp, headers: Record<string, string>, path = "/api/me") =>
      (await on.send("GET", path, { headers })).headers.get("strict-transport-security");
    for (const path of ["/api/me", "/", "/nope", "/manifest.json", "/healthz", "/openapi.json"])
      expect([path, await hsts(app, https, path)]).toEqual([path, "max-age=31536000"]);
    expect(await hsts(app, { host: https.host })).toBeNull();
    expect(await hsts(app, { ...https, host: "localhost" })).toBeNull();
    expect(await hsts(listed, https)).toBeNull();
  });

  test("documents have a policy of their own, all else may do nothing", async () => {
    const nothing = "default-src 'none'; frame-ancestors 'none'";
    for (const path of ["/", "/login", "/aui", "/api/docs"]) {
      const { headers } = await app.send("GET", path, { headers: html });
      const policy = headers.get("content-security-policy") as string;
      expect(policy).toStartWith("default-src 'self'");
      expect(policy).not.toContain("unsafe-inline");
      expect(headers.get("x-frame-options")).toBe("DENY");
      expect(headers.get("permissions-policy")).toBe("camera=(), microphone=(), geolocation=()");
      expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
      expect(headers.get("cross-origin-resource-policy")).toBe("same-origin");
      expect(headers.get("referrer-policy")).toBe("strict-origin-when-cross-origin");
    }
    for (const path of [
      "/api/me",
      "/healthz",
      "/openapi.json",
      "/robots.txt",
      "/assets/main-0a1b2c3d.js",
      "/assets/no.js",
    ]) {
      const { headers } = await app.send("GET", path);
      expect([path, headers.get("content-security-policy")]).toEqual([path, nothing]);
      expect(headers.get("referrer-policy")).toBe("strict-origin-when-cross-origin");
    }
  });

  test("other origins may read the API and three documents, and nothing else", async () => {
    const rows: [path: string, crosses: boolean][] = [
      ["/api/me", true],
      ["/api/nope", true],
      ["/openapi.json", true],
      ["/manifest.json", true],
      ["/sanctum/csrf-cookie", true],
      ["/api/internal/anything", false],
      ["/api/webhooks/resend", false],
      ["/", false],
      ["/login", false],
      ["/healthz", false],
      ["/robots.txt", false],
    ];
    for (const [path, crosses] of rows) {
      const { headers } = await app.send("GET", path, { headers: { origin } });
      expect([path, corsOf(headers).length > 0]).toEqual([path, crosses]);
      if (!crosses) continue;
      expect(headers.get("access-control-allow-origin")).toBe(origin);
      expect(headers.get("access-control-allow-methods")).toBe("GET,POST,PATCH,DELETE,OPTIONS");
      expect(headers.get("access-control-expose-headers")).toContain("x-request-id,retry-after");
      expect(headers.get("access-control-max-age")).toBe("600");
      for (const name of ["Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"])
        expect(headers.get("vary")).toContain(name);
    }
    expect((await app.send("GET", "/api/me")).headers.get("access-control-allow-origin")).toBe("*");
  });

  test("with a list of origins only those", async () => {
    const headers = (from?: string) =>
      listed.send("GET", "/api/me", { headers: { host: https.host, ...(from ? { origin: from } : {}) } });
    expect((await headers(origin)).headers.get("access-control-allow-origin")).toBe(origin);
    for (const from of [
      "https://evil.example",
      "https://console.openagents.com:8443",
      "http://console.openagents.com",
      "null",
    ])
      expect([from, corsOf((await headers(from)).headers)]).toEqual([from, []]);
    expect(corsOf((await headers()).headers)).toEqual([]);
  });

  test("hosts: the list, its stars, and what is no name", async () => {
    const rows: [host: string, served: boolean][] = [
      ["app.openagents.com", true],
      ["APP.openagents.com:443", true],
      ["a.preview.example", true],
      ["preview.example", false],
      ["evil.example", false],
      ["app.openagents.com.evil.example", false],
      ["a b", false],
    ];
    for (const [host, served] of rows) {
      const { status } = await listed.send("GET", "/api/me", { headers: { host } });
      expect([host, status]).toEqual([host, served ? 401 : 421]);
    }
  });

  test("a request id is kept when it has the form, and replaced when it has not", async () => {
    const idOf = async (given: string) =>
      (await app.send("GET", "/api/me", { headers: { host: https.host, "x-request-id": given } })).headers.get(
        "x-request-id",
      );
    for (const good of ["req-1", "a".repeat(160), "A.b_c:d/e+f=g@h-1"]) expect(await idOf(good)).toBe(good);
    for (const bad of ["a".repeat(161), "two words", "<script>", "a\tb", '"'])
      expect(await idOf(bad)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test("OPTIONS elsewhere tells the methods", async () => {
    const { status, headers, text } = await app.send("OPTIONS", "/settings/profile");
    expect([status, headers.get("allow"), text]).toEqual([204, "GET, HEAD, PATCH, DELETE, OPTIONS", ""]);
  });
});
