import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { bypassValue, isBypass } from "../../src/rollout/maintenance";
import { maintenancePage } from "../../src/rollout/maintenance-page";
import { engines } from "../support/database";
import { type WholeApp, wholeApp } from "../support/whole";

const token = "maintenance-token";
const html = { accept: "text/html,application/xhtml+xml" };
const browser = { ...html, host: "openagents.example", "x-forwarded-proto": "https" };
const cookieOf = (headers: Headers) => headers.getSetCookie().find((text) => text.startsWith("oa_maintenance_bypass="));

test("the bypass cookie is signed as the vector says (http-platform 3.8)", () => {
  const value = "1771502700.U4zZm8siN-_2MX9ntSkwDfMwU_2eoZQKKidfVIpvZY4";
  expect(bypassValue(token, 1771502700)).toBe(value);
  expect(isBypass(value, token, 1771502699)).toBe(true);
  for (const [text, now] of [
    [value, 1771502700],
    ["1771502701.U4zZm8siN-_2MX9ntSkwDfMwU_2eoZQKKidfVIpvZY4", 1],
    ["1771502700", 1],
    ["1771502700.", 1],
    ["", 1],
    [`${value}.x`, 1],
    ["99999999999999999999.x", 1],
  ] as const)
    expect(isBypass(text, token, now)).toBe(false);
});

test("the page is small, and a message in it is text", () => {
  const page = maintenancePage(`<script>"'&`.padEnd(500, "x"));
  expect(page.length).toBeLessThan(4096);
  expect(page).toContain("&#60;script&#62;&#34;&#39;&#38;");
  expect(page).not.toContain("<script");
});

for (const engine of engines) {
  describe(`maintenance forced by the environment, on ${engine} (http-platform 7, case 7)`, () => {
    let app: WholeApp;
    beforeAll(async () => {
      app = await wholeApp(engine, {
        OA_MAINTENANCE_MODE_ENABLED: "true",
        OA_MAINTENANCE_BYPASS_TOKEN: token,
        OA_MAINTENANCE_ALLOWED_PATHS: "/healthz,/readyz,/api/v1/control/status,/feed*,*",
        OA_ALLOWED_HOSTS: "localhost,openagents.example",
      });
    });
    afterAll(() => app.close());

    test("a page is the maintenance document", async () => {
      const { status, headers, text } = await app.send("GET", "/", { headers: html });
      expect(status).toBe(503);
      expect(headers.get("cache-control")).toBe("no-store, no-cache, must-revalidate");
      expect(headers.get("retry-after")).toBe("60");
      expect(headers.get("x-oa-maintenance")).toBe("1");
      expect(headers.get("content-type")).toBe("text/html; charset=utf-8");
      expect(headers.get("content-security-policy")).toMatch(/style-src 'sha256-[A-Za-z0-9+/]{43}='/);
      expect(text).toContain("Maintenance in progress");
      expect(text).toContain("We'll be right back.");
      const style = /<style>(.*)<\/style>/.exec(text)?.[1] as string;
      const hash = new Bun.CryptoHasher("sha256").update(style).digest("base64");
      expect(headers.get("content-security-policy")).toContain(`'sha256-${hash}'`);
      expect((await app.send("HEAD", "/", { headers: html })).text).toBe("");
    });

    test.each(["/healthz", "/readyz", "/up", "/metrics"])("%s goes on", async (path) => {
      expect((await app.send("GET", path)).status).toBe(200);
    });

    test("an allowed path goes on to its guard, a prefix with a star too; a star alone is none", async () => {
      expect((await app.send("GET", "/api/v1/control/status")).status).toBe(401);
      expect((await app.send("GET", "/api/v1/control/maintenance")).status).toBe(401);
      expect((await app.send("GET", "/feed/x")).status).toBe(404);
      expect((await app.send("GET", "/api/me")).status).toBe(503);
    });

    test.each(["/api/me", "/api/nope", "/manifest.json", "/openapi.json", "/sw.js", "/assets/main-0a1b2c3d.js"])(
      "%s is JSON for a program",
      async (path) => {
        const { status, headers, json } = await app.send("GET", path);
        expect(status).toBe(503);
        expect(json.error.code).toBe("maintenance_mode");
        expect(json.message).toStartWith("OpenAgents is temporarily unavailable while");
        expect(headers.get("cache-control")).toBe("no-store, no-cache, must-revalidate");
        if (path.startsWith("/api")) expect(headers.get("access-control-allow-origin")).toBe("*");
      },
    );

    test("an API path that a browser navigates to is the document", async () => {
      const { status, text } = await app.send("GET", "/api/docs", { headers: html });
      expect(status).toBe(503);
      expect(text).toStartWith("<!doctype html>");
    });

    test("the right token sets the cookie and leads on without it", async () => {
      const { status, headers } = await app.send("GET", `/workspace?maintenance_bypass=${token}`, { headers: browser });
      expect(status).toBe(307);
      expect(headers.get("location")).toBe("/workspace");
      const cookie = cookieOf(headers) as string;
      expect(cookie).toMatch(
        /^oa_maintenance_bypass=\d+\.[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=Lax; Max-Age=900$/,
      );
      expect(cookie).not.toContain(token);
      const pair = cookie.split(";")[0] as string;
      expect((await app.send("GET", "/", { headers: { ...browser, cookie: pair } })).status).toBe(200);
      expect((await app.send("GET", "/api/me", { headers: { cookie: pair } })).status).toBe(401);
      const asset = await app.send("GET", "/assets/main-0a1b2c3d.js", { headers: { cookie: pair } });
      expect(asset.status).toBe(200);
    });

    test("the rest of the query keeps its order; the way leads nowhere else", async () => {
      const rest = await app.send("GET", `/chat?b=2&maintenance_bypass=${token}&a=%2F&b=1`, { headers: browser });
      expect(rest.headers.get("location")).toBe("/chat?b=2&a=%2F&b=1");
      const root = await app.send("GET", `/?maintenance_bypass=${token}`, { headers: browser });
      expect(root.headers.get("location")).toBe("/");
      const away = await app.send("GET", `//evil.example/?maintenance_bypass=${token}`, { headers: browser });
      expect(away.headers.get("location")).toBe("/evil.example/");
    });

    test("a wrong token, and a cookie that is expired, unsigned or malformed, change nothing", async () => {
      const wrong = await app.send("GET", "/?maintenance_bypass=nope", { headers: html, peer: "203.0.113.50" });
      expect(wrong.status).toBe(503);
      expect(wrong.headers.getSetCookie()).toEqual([]);
      for (const value of [bypassValue(token, 1), bypassValue("other", 4102444800), "4102444800", "x"]) {
        const cookie = `oa_maintenance_bypass=${value}`;
        expect((await app.send("GET", "/", { headers: { ...html, cookie } })).status).toBe(503);
      }
      const post = await app.send("POST", `/login/email?maintenance_bypass=${token}`, { headers: html });
      expect(post.status).toBe(503);
    });

    test("nobody goes on guessing: 30 wrong tokens in a minute are enough", async () => {
      const guess = (given: string) =>
        app.send("GET", `/?maintenance_bypass=${given}`, { headers: html, peer: "203.0.113.60" });
      for (let i = 0; i < 30; i++) expect((await guess(`wrong-${i}`)).status).toBe(503);
      expect((await guess("once-more")).status).toBe(429);
      expect((await guess(token)).status).toBe(429);
      expect(app.log.join("\n")).not.toContain(token);
    });

    test("what the environment forces cannot be switched off", async () => {
      const admin = await app.person("chief@a.example", { isAdmin: true });
      const { status, json } = await app.send("POST", "/api/v1/control/maintenance", {
        as: admin,
        body: { enabled: false },
      });
      expect(status).toBe(409);
      expect(json.message).toBe("Maintenance mode is forced by OA_MAINTENANCE_MODE_ENABLED.");
      const shown = await app.send("GET", "/api/v1/control/maintenance", { as: admin });
      expect(shown.json.data).toMatchObject({ enabled: true, source: "env", bypassConfigured: true, reason: null });
    });
  });

  describe(`maintenance switched by an operator, on ${engine}`, () => {
    let app: WholeApp;
    beforeAll(async () => {
      app = await wholeApp(engine);
    });
    afterAll(() => app.close());

    test("on, with its own words and paths, and off again; everybody sees it, only admins do it", async () => {
      const admin = await app.person("chief@a.example", { isAdmin: true });
      const ann = await app.person("ann@a.example");
      const change = (body: unknown, as = admin) => app.send("POST", "/api/v1/control/maintenance", { as, body });
      expect((await change({ enabled: true }, ann)).status).toBe(403);
      expect((await change({})).json.errors.enabled).toEqual(["The enabled field is required."]);
      expect((await change({ enabled: true, reason: "x".repeat(256) })).status).toBe(422);
      expect((await change({ enabled: true, allowed_paths: Array(21).fill("/x") })).status).toBe(422);
      const off = (await app.send("GET", "/api/v1/control/maintenance", { as: admin })).json.data;
      expect(off).toEqual({
        enabled: false,
        source: "off",
        since: null,
        reason: null,
        by: null,
        bypassConfigured: false,
        allowedPaths: ["/healthz", "/readyz"],
      });

      const on = await change({
        enabled: true,
        reason: "move",
        message: "Back at <noon>.",
        allowed_paths: ["/api/me"],
      });
      expect(on.status).toBe(200);
      expect(on.json.data).toMatchObject({ enabled: true, source: "stored", reason: "move", by: admin.id });
      expect(on.json.data.allowedPaths).toEqual(["/healthz", "/readyz", "/api/me"]);
      expect((await app.send("GET", "/api/tokens", { as: ann })).json.message).toBe("Back at <noon>.");
      expect((await app.send("GET", "/", { headers: html })).text).toContain("Back at &#60;noon&#62;.");
      expect((await app.send("GET", "/api/me", { as: ann })).status).toBe(200);
      expect((await app.send("GET", "/assets/main-0a1b2c3d.js")).status).toBe(503);
      expect(await gauge(app)).toBe(1);

      expect((await change({ enabled: false })).json.data).toMatchObject({ enabled: false, source: "off" });
      expect((await app.send("GET", "/", { headers: html })).status).toBe(200);
      expect((await app.send("GET", "/assets/main-0a1b2c3d.js")).status).toBe(200);
      expect(await gauge(app)).toBe(0);
      const rows = await app.ctx.store.rows<{ attributes: unknown; user_id: number }>(
        sql`select attributes, user_id from audit_events where event_name = 'maintenance.updated' order by id`,
      );
      expect(rows).toEqual([
        { attributes: { enabled: "true", reason: "move" }, user_id: admin.id },
        { attributes: { enabled: "false" }, user_id: admin.id },
      ]);
    });
  });
}

const gauge = async (app: WholeApp) =>
  (await app.ctx.metrics.registry.getSingleMetric("maintenance_enabled")?.get())?.values[0]?.value;

test("another node follows within 2 s, and a restarted one begins with it", async () => {
  const here = await wholeApp("postgres");
  const there = await wholeApp("postgres", {}, { url: here.url });
  try {
    const admin = await here.person("chief@a.example", { isAdmin: true });
    const until = async (status: number) => {
      const began = performance.now();
      while ((await there.send("GET", "/", { headers: html })).status !== status) {
        if (performance.now() - began > 2000) throw new Error(`no ${status} within 2 s`);
        await Bun.sleep(5);
      }
    };
    await here.send("POST", "/api/v1/control/maintenance", { as: admin, body: { enabled: true } });
    await until(503);
    const restarted = await wholeApp("postgres", {}, { url: here.url });
    expect((await restarted.send("GET", "/", { headers: html })).status).toBe(503);
    await restarted.close();
    await here.send("POST", "/api/v1/control/maintenance", { as: admin, body: { enabled: false } });
    await until(200);
  } finally {
    await there.close();
    await here.close();
  }
});
