import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { readConfig } from "../../src/config";
import { clientFacts, incompatibility } from "../../src/khala/compatibility";
import { cohortBucket, decide, normalPath } from "../../src/rollout/route-split";
import scenarios from "../fixtures/compatibility-negotiation-v1.json";
import type { Person } from "../support/app";
import { engines } from "../support/database";
import { type WholeApp, wholeApp } from "../support/whole";

const html = { accept: "text/html" };
const legacy = "https://legacy.example";

describe("route split, decided (http-platform 3.12)", () => {
  test.each([
    ["salt", "user:1", 35],
    ["openagents-route-split-v1", "user:route", 85],
    ["openagents-route-split-v1", "anonymous", 80],
    ["openagents-route-split-v1", "user:7", 11],
    ["openagents-route-split-v1", "203.0.113.10", 27],
  ] as const)("bucket of %s and %s", (salt, key, bucket) => {
    expect(cohortBucket(salt, key)).toBe(bucket);
  });

  test.each([
    [" //a//b/ ", "/a/b"],
    ["login", "/login"],
    ["/", "/"],
    ["", "/"],
  ])("path %j is %s", (given, normal) => {
    expect(normalPath(given)).toBe(normal);
  });

  const all = {
    OA_ROUTE_SPLIT_MODE: "legacy",
    OA_ROUTE_SPLIT_FORCE_LEGACY: "true",
    OA_ROUTE_SPLIT_ENABLED: "false",
  };
  const asked = (env: Record<string, string>, path: string, overrides: [string, "legacy" | "rust_shell"][] = []) =>
    decide(readConfig(env), new Map(overrides), { path, key: " user:7 ", isRequest: false });

  test.each([
    ["/api/runtime/codex/workers/w1/events", "rust_shell", "codex_worker_control_rust_authority"],
    ["/api/runtime/codex/workersx", "rust_shell", "api_rust_authority"],
    ["/api", "rust_shell", "api_rust_authority"],
    ["/api/anything", "rust_shell", "api_rust_authority"],
    ["/apix", "legacy", "force_legacy"],
  ] as const)("case 14: with everything set to legacy, %s is %s for %s", (path, target, reason) => {
    const found = asked(all, path, [["global", "legacy"]]);
    expect([found.target, found.reason] as unknown[]).toEqual([target, reason]);
  });

  test.each([
    [{}, "/settings/profile", [], "rust_shell", "mode_rust", "account_settings_admin"],
    [{}, "/feedback", [], "rust_shell", "mode_rust", "unclassified"],
    [{}, "/feed", [["chat_pilot", "legacy"]], "legacy", "domain_override", "chat_pilot"],
    [all, "/login", [["auth_entry", "rust_shell"]], "rust_shell", "domain_override", "auth_entry"],
    [all, "/login", [["global", "rust_shell"]], "legacy", "force_legacy", "auth_entry"],
    [{}, "/x", [["global", "legacy"]], "legacy", "runtime_override", "unclassified"],
    [{ OA_ROUTE_SPLIT_ENABLED: "false" }, "/x", [], "legacy", "route_split_disabled", "unclassified"],
    [{ OA_ROUTE_SPLIT_RUST_ROUTES: "/feed,/login" }, "/x", [], "legacy", "legacy_route_default", "unclassified"],
    [{ OA_ROUTE_SPLIT_RUST_ROUTES: "/feed,/login" }, "/login/x", [], "rust_shell", "mode_rust", "auth_entry"],
    [{ OA_ROUTE_SPLIT_MODE: "odd" }, "/l402/x", [], "legacy", "mode_legacy", "billing_l402"],
  ] as const)("%j %s %j", (env, path, overrides, target, reason, domain) => {
    const found = asked(env as Record<string, string>, path, overrides as never);
    expect([found.target, found.reason, found.route_domain] as unknown[]).toEqual([target, reason, domain]);
    expect(found.cohort_key).toBe("user:7");
    expect(found).not.toHaveProperty("cohort_bucket");
  });

  test("a cohort is cut at its percentage", () => {
    const at = (percentage: string) =>
      asked({ OA_ROUTE_SPLIT_MODE: "cohort", OA_ROUTE_SPLIT_COHORT_PERCENTAGE: percentage }, "/settings");
    expect(at("11")).toMatchObject({ target: "legacy", reason: "mode_cohort", cohort_bucket: 11 });
    expect(at("12")).toMatchObject({ target: "rust_shell", reason: "mode_cohort", cohort_bucket: 11 });
    expect(at("1000")).toMatchObject({ target: "rust_shell" });
  });
});

test.each(scenarios.scenarios)("compatibility: $name (fixture)", ({ request, result }) => {
  const { window } = scenarios;
  const found = incompatibility(clientFacts(request, {}, {}), {
    enforced: true,
    protocol: window.protocol_version,
    minBuildId: window.min_client_build_id,
    maxBuildId: window.max_client_build_id,
    minSchema: window.min_schema_version,
    maxSchema: window.max_schema_version,
  });
  expect(found === null).toBe(result.accepted);
  expect(found?.code).toBe("code" in result ? result.code : undefined);
});

for (const engine of engines) {
  describe(`control endpoints, on ${engine}`, () => {
    let app: WholeApp;
    let admin: Person;
    let ann: Person;
    beforeAll(async () => {
      app = await wholeApp(engine, { OA_ROUTE_SPLIT_LEGACY_BASE_URL: `${legacy}/`, OA_SMOKE_SECRET: "smoke-secret" });
      admin = await app.person("chief@openagents.com", { isAdmin: true });
      ann = await app.person("ann@a.example");
    });
    afterAll(() => app.close());
    const override = (body: unknown, as = admin) =>
      app.send("POST", "/api/v1/control/route-split/override", { as, body });
    const page = (path: string, headers = {}) => app.send("GET", path, { headers: { ...html, ...headers } });

    test("case 5: only an admin may override", async () => {
      const { status, json } = await override({ target: "legacy" }, ann);
      expect(status).toBe(403);
      expect(json.error.code).toBe("forbidden");
      expect((await app.send("POST", "/api/v1/control/route-split/override", { body: {} })).status).toBe(401);
    });

    test.each([
      [{}, "target", "Target must be one of: legacy, rust, rollback, clear."],
      [{ target: "htmx_full" }, "target", "Target must be one of: legacy, rust, rollback, clear."],
      [{ target: 1 }, "target", "Target must be one of: legacy, rust, rollback, clear."],
      [{ target: "constructor" }, "target", "Target must be one of: legacy, rust, rollback, clear."],
      [{ target: "rust", domain: "Nope-x" }, "domain", "Unknown route domain 'Nope-x'."],
      [{ target: "rollback", domain: "nope" }, "domain", "Unknown route domain."],
    ])("override %j is 422", async (body, field, message) => {
      const { status, json } = await override(body);
      expect(status).toBe(422);
      expect(json.errors[field]).toEqual([message]);
    });

    test("case 12: a chat page's decision is in the audit trail, with the request's id", async () => {
      await page("/chat/thread-1", { "x-request-id": "req-route-split" });
      let rows: { attributes: Record<string, string> }[] = [];
      while (!rows.length) {
        // the embedded database answers without a turn of the event loop: the trail's timer needs one
        await Bun.sleep(5);
        rows = await app.ctx.store.rows(
          sql`select attributes from audit_events where event_name = 'route.split.decision' and request_id = 'req-route-split'`,
        );
      }
      expect(rows[0]?.attributes).toMatchObject({
        path: "/chat/thread-1",
        target: "rust_shell",
        reason: "pilot_route_rust_only",
        route_domain: "chat_pilot",
        cohort_key: "127.0.0.1",
      });
    });

    test("case 13: all to legacy leaves the pilot pages, files and machine endpoints here", async () => {
      expect((await override({ target: " Legacy " })).json.data.override_target).toBe("legacy");
      expect((await page("/")).status).toBe(200);
      expect((await page("/chat/thread-1")).headers.get("location")).toBe("/login");
      const away = await page("/workspace/session-1?a=1&b=%2F");
      expect(away.status).toBe(307);
      expect(away.headers.get("location")).toBe(`${legacy}/workspace/session-1?a=1&b=%2F`);
      for (const path of ["/healthz", "/manifest.json", "/robots.txt", "/index.html", "/assets/main-0a1b2c3d.js"])
        expect((await app.send("GET", path)).status).toBe(200);
      expect((await app.send("POST", "/workspace/session-1")).status).toBe(404);
      expect((await override({ target: "clear" })).json.data.override_target).toBeNull();
      expect((await page("/workspace/session-1")).status).toBe(404);
    });

    test("cases 13, 15: one group goes back alone; the status shows it with the whole matrix", async () => {
      const { json } = await override({ target: "rollback", domain: "billing-l402" });
      expect(json.data.domain_overrides).toEqual({ billing_l402: "legacy" });
      expect((await page("/l402/paywalls")).headers.get("location")).toBe(`${legacy}/l402/paywalls`);
      expect((await page("/settings/profile")).headers.get("location")).toBe("/login");
      const shown = await app.send("GET", "/api/v1/control/route-split/status", { as: ann });
      expect(shown.json.data.rollback_matrix).toEqual({
        auth_entry: "legacy",
        account_settings_admin: "legacy",
        billing_l402: "legacy",
        chat_pilot: "rust_shell",
      });
      expect(shown.json.data.route_groups[2]).toEqual({
        domain: "billing_l402",
        route_prefixes: ["/billing", "/l402"],
        rollback_target: "legacy",
        override_target: "legacy",
      });
      await override({ target: "default", domain: "billing_l402" });
    });

    test("evaluate answers for any path, and needs one", async () => {
      const evaluate = (body: unknown) =>
        app.send("POST", "/api/v1/control/route-split/evaluate", { as: ann, body, headers: { "x-device-id": "d-1" } });
      expect((await evaluate({})).json.errors).toEqual({ path: ["Path is required."] });
      expect((await evaluate({ path: "/settings/profile" })).json.data).toEqual({
        path: "/settings/profile",
        target: "rust_shell",
        reason: "mode_rust",
        route_domain: "account_settings_admin",
        rollback_target: "legacy",
        cohort_key: "d-1",
      });
      expect((await evaluate({ path: "/", cohort_key: "user:7" })).json.data).toMatchObject({
        reason: "mode_rust",
        cohort_key: "user:7",
      });
      const text = await app.send("POST", "/api/v1/control/route-split/evaluate", { as: ann, body: "{" });
      expect(text.status).toBe(400);
    });

    test("status tells a caller where the service stands", async () => {
      const { status, json } = await app.send("GET", "/api/v1/control/status", { as: admin });
      expect(status).toBe(200);
      expect(json.data).toMatchObject({
        service: "openagents-control-service",
        authProvider: "local",
        activeOrgId: `user:${admin.id}`,
        compatibility: { protocolVersion: "openagents.control.v1", maxClientBuildId: null, minSchemaVersion: 1 },
        routeSplit: { enabled: true, mode: "rust", legacy_base_url: `${legacy}/` },
        buildId: "20261123T210000Z",
        maintenance: { enabled: false },
      });
      expect(json.data.memberships.map(({ org_id }: { org_id: string }) => org_id)).toContain(`user:${admin.id}`);
      const owned = json.data.runtimeRouteOwnership.map(
        ({ method, path, owner }: Record<string, string>) => `${method} ${path} ${owner}`,
      );
      expect(owned).toContain("POST /api/runtime/codex/workers/{workerId}/events control_service");
    });

    test("system shows nodes, queues and recent errors to an admin", async () => {
      const failing = new Error("planted");
      const { handler } = breakOnce(app, failing);
      expect((await app.send("GET", "/api/settings/profile", { as: ann })).status).toBe(500);
      handler.restore();
      const { json } = await app.send("GET", "/api/v1/control/system", { as: admin });
      expect(json.data).toMatchObject({
        buildId: "20261123T210000Z",
        version: "1.0.0",
        database: { kind: engine },
      });
      expect(json.data.nodes).toHaveLength(1);
      expect(json.data.errors[0]).toMatchObject({
        route: "/api/settings/profile",
        status: 500,
        code: "internal_error",
      });
      expect((await app.send("GET", "/api/v1/control/system", { as: ann })).status).toBe(403);
    });

    test("the audit trail is read in pages, by event and by person", async () => {
      for (let i = 0; i < 3; i++) await app.send("GET", "/api/settings/profile", { as: ann });
      const read = async (query: string) =>
        (await app.send("GET", `/api/v1/control/audit?${query}`, { as: admin })).json;
      const first = await read(`event=profile.*&user_id=${ann.id}&limit=2`);
      expect(first.data).toHaveLength(2);
      expect(first.data[0]).toMatchObject({ event_name: "profile.read", outcome: "success", user_id: ann.id });
      expect(first.meta.nextCursor).toBe(first.data[1].id);
      const second = await read(`event=profile.*&user_id=${ann.id}&limit=2&before=${first.meta.nextCursor}`);
      expect(second.data).toHaveLength(1);
      expect(second.meta.nextCursor).toBeNull();
      expect((await read("event=profile_read")).data).toEqual([]);
      expect((await read("limit=201")).errors.limit).toEqual(["The limit field must not be greater than 200."]);
    });

    test("case 11: the smoke stream needs its secret", async () => {
      const ask = (secret?: string) =>
        app.send("GET", "/api/smoke/stream", secret === undefined ? {} : { headers: { "x-oa-smoke-secret": secret } });
      expect((await ask()).status).toBe(401);
      expect((await ask("wrong")).json.message).toBe("Unauthenticated.");
      const { status, headers, json } = await ask("smoke-secret");
      expect(status).toBe(200);
      expect(headers.get("x-oa-smoke")).toBe("1");
      expect(headers.get("cache-control")).toBe("no-store");
      expect(json.data.delivery.sseEnabled).toBe(false);
    });
  });

  describe(`client compatibility enforced, on ${engine} (auth 7, case 26)`, () => {
    let app: WholeApp;
    beforeAll(async () => {
      app = await wholeApp(engine, {
        OA_AUTH_PROVIDER_MODE: "mock",
        OA_COMPAT_CONTROL_ENFORCED: "true",
        OA_COMPAT_CONTROL_MIN_CLIENT_BUILD_ID: "20260221T120000Z",
        OA_COMPAT_CONTROL_MAX_CLIENT_BUILD_ID: "20260221T180000Z",
        OA_MAINTENANCE_MODE_ENABLED: "true",
        OA_MAINTENANCE_ALLOWED_PATHS: "/api/*",
      });
    });
    afterAll(() => app.close());
    const good = {
      "x-oa-client-build-id": "20260221T130000Z",
      "x-oa-protocol-version": "openagents.control.v1",
      "x-oa-schema-version": "1",
    };

    test.each([
      [{}, "invalid_client_build", "client_build_id is required"],
      [{ ...good, "x-oa-client-build-id": "20260221T110000Z" }, "upgrade_required", "older than minimum"],
      [{ ...good, "x-oa-client-build-id": "20260221T190000Z" }, "unsupported_client_build", "newer than supported"],
      [{ ...good, "x-oa-protocol-version": "v0" }, "unsupported_protocol_version", "protocol version 'v0'"],
      [{ ...good, "x-oa-schema-version": "99" }, "unsupported_schema_version", "schema_version 99 is outside"],
      [{ ...good, "x-oa-schema-version": "one" }, "unsupported_schema_version", "schema_version 0 is outside"],
    ])("%j is 426 %s", async (headers, code, message) => {
      const { status, headers: out, json } = await app.send("GET", "/api/v1/control/status", { headers });
      expect(status).toBe(426);
      expect(json.error.code).toBe(code);
      expect(json.message).toContain(message);
      expect(json.compatibility).toMatchObject({
        code,
        retryable: false,
        upgrade_required: true,
        surface: "control_api",
        max_client_build_id: "20260221T180000Z",
      });
      expect(out.get("x-oa-compatibility-code")).toBe(code);
      expect(out.get("x-oa-compatibility-max-client-build-id")).toBe("20260221T180000Z");
      expect(out.get("cache-control")).toBe("no-store");
      expect(out.get("access-control-allow-origin")).toBe("*");
    });

    test("a supported client meets the usual guard; other paths ask nothing", async () => {
      expect((await app.send("GET", "/api/v1/control/status", { headers: good })).status).toBe(401);
      expect((await app.send("POST", "/api/auth/email", { body: { email: "ann@a.example" } })).status).toBe(200);
      expect((await app.send("POST", "/api/sync/token")).status).toBe(401);
      expect((await app.send("GET", "/api/v1/auth/session")).status).toBe(401);
      expect((await app.send("POST", "/api/v1/sync/token")).status).toBe(426);
      expect((await app.send("POST", "/api/v1/sync/token", { headers: good })).status).toBe(401);
    });

    test("a rejection is audited and counted", async () => {
      await app.send("GET", "/api/v1/control/status", { headers: { "x-request-id": "old-client", "x-client": "cli" } });
      const rows = await app.ctx.store.rows(
        sql`select outcome, attributes from audit_events where event_name = 'compatibility.rejected' and request_id = 'old-client'`,
      );
      expect(rows).toEqual([
        {
          outcome: "rejected",
          attributes: {
            surface: "control_api",
            path: "/api/v1/control/status",
            client: "cli",
            client_build_id: "missing",
            code: "invalid_client_build",
            protocol_version: "missing",
          },
        },
      ]);
      const metrics = await app.ctx.metrics.registry.metrics();
      expect(metrics).toContain('oa_events_total{event="compatibility.rejected.control.invalid_client_build"}');
      expect(metrics).toContain('compatibility_rejections_total{surface="control_api",code="invalid_client_build"}');
    });
  });
}

test("without a legacy host, legacy cannot be chosen, and a page that is there already is 503", async () => {
  const app = await wholeApp("pglite", { OA_ROUTE_SPLIT_MODE: "legacy" });
  try {
    const admin = await app.person("chief@a.example", { isAdmin: true });
    const { status, json } = await app.send("POST", "/api/v1/control/route-split/override", {
      as: admin,
      body: { target: "legacy" },
    });
    expect(status).toBe(422);
    expect(json.errors.target).toEqual(["Legacy route target is not configured."]);
    const page = await app.send("GET", "/settings/profile", { headers: html });
    expect(page.status).toBe(503);
    expect(page.headers.get("content-type")).toStartWith("text/html");
    const script = await app.send("GET", "/settings/profile", { headers: { accept: "application/json" } });
    expect(script.json.error.code).toBe("legacy_route_unavailable");
  } finally {
    await app.close();
  }
});

test("case 33: another node has an override within 2 s, and a restarted one begins with it", async () => {
  const env = { OA_ROUTE_SPLIT_LEGACY_BASE_URL: legacy };
  const here = await wholeApp("postgres", env);
  const there = await wholeApp("postgres", env, { url: here.url });
  try {
    const admin = await here.person("chief@a.example", { isAdmin: true });
    await here.send("POST", "/api/v1/control/route-split/override", {
      as: admin,
      body: { target: "legacy", domain: "billing_l402" },
    });
    const began = performance.now();
    const statusOf = async (app: WholeApp) => (await app.send("GET", "/l402", { headers: html })).status;
    while ((await statusOf(there)) !== 307) {
      if (performance.now() - began > 2000) throw new Error("the other node did not follow within 2 s");
      await Bun.sleep(5);
    }
    const restarted = await wholeApp("postgres", env, { url: here.url });
    expect(await statusOf(restarted)).toBe(307);
    await restarted.close();
  } finally {
    await there.close();
    await here.close();
  }
});

/** Makes the next commit of the app fail. */
function breakOnce(app: WholeApp, error: Error) {
  const { commit } = app.ctx;
  app.ctx.commit = () => Promise.reject(error);
  return {
    handler: {
      restore: () => {
        app.ctx.commit = commit;
      },
    },
  };
}
