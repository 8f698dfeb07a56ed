/**
 * The routes that are served against the route table of http-platform 9 (copied to `fixtures/route-table.json`) and the
 * baseline's frozen manifests (http-platform 3.9, "Comparison with the fixtures", rules 1, 2 and 5; case 34 of 7).
 * What is not built yet stands in `gaps.json`, which can only shrink: a gap that is served fails.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { commands } from "../../ops/table";
import { type ManifestRow, manifestRows } from "../../src/http/manifest";
import { pages as servedPages } from "../../src/shell/pages";
import { pageKeys, parse } from "../../ui/shell/routes";
import apiRoutes from "../fixtures/manifests/api-routes.json";
import artisan from "../fixtures/manifests/artisan-commands.json";
import pageEntries from "../fixtures/manifests/page-entries.json";
import webRoutes from "../fixtures/manifests/web-routes.json";
import table from "../fixtures/route-table.json";
import { wholeApp } from "../support/whole";
import known from "./gaps.json";

const whole = await wholeApp("pglite", { OA_AUTH_API_SIGNUP_ENABLED: "true" });
afterAll(() => whole.close());

interface Row {
  section: string;
  method: string;
  path: string;
  auth: string;
  gated?: boolean;
  throttle: string | null;
  answer: string | null;
  cache: string | null;
  owner: string;
  status: number[];
  manifest?: boolean;
  doc?: boolean;
  gone?: boolean;
}

const gaps: Record<"routes" | "pages" | "commands", Record<string, string[]>> = known;

const keyOf = ({ method, path }: { method: string; path: string }) => `${method} ${path}`;
const rows = new Map((table.routes as Row[]).map((row) => [keyOf(row), row]));
const served = new Map(
  manifestRows(whole.app.routes, whole.ctx.config.OA_HTTP_MAX_BODY_BYTES).map((row) => [keyOf(row), row]),
);
const missing = new Set(Object.values(gaps.routes).flat());
const both = [...rows].flatMap(([key, row]): [string, Row, ManifestRow][] => {
  const found = served.get(key);
  return found ? [[key, row, found]] : [];
});

const asset = /\/assets\/[^"]+/.exec((await whole.send("GET", "/index.html")).text)?.[0] as string;

/** A path that fits a template. */
const concrete = (path: string) => path.replace(/\{[^}]+\}/g, "1");

describe("known gaps", () => {
  test("are printed", () => {
    for (const [kind, domains] of Object.entries(gaps)) {
      for (const [domain, entries] of Object.entries(domains)) {
        console.log(`not built: ${kind} of ${domain} (${entries.length}): ${entries.join(", ")}`);
      }
    }
  });

  test("each is named once, exists in the table and is not served", () => {
    const all = Object.values(gaps.routes).flat();
    expect(all.filter((key, at) => all.indexOf(key) !== at)).toEqual([]);
    expect(all.filter((key) => !rows.has(key) || rows.get(key)?.gone)).toEqual([]);
    expect(all.filter((key) => served.has(key))).toEqual([]);
    const pages = Object.values(gaps.pages).flat();
    const known = new Set(table.pages.map(({ entry }) => entry));
    expect(pages.filter((entry) => !known.has(entry))).toEqual([]);
    const names = new Set(commands.map(({ name }) => name));
    expect(
      Object.values(gaps.commands)
        .flat()
        .filter((name) => names.has(name)),
    ).toEqual([]);
  });
});

describe("the route table of http-platform 9", () => {
  test("every row is served or a known gap; what is gone is not served", () => {
    const absent = [...rows].filter(([key, { gone }]) => !gone && !served.has(key) && !missing.has(key));
    expect(absent.map(([key]) => key)).toEqual([]);
    expect([...rows].filter(([key, { gone }]) => gone && served.has(key)).map(([key]) => key)).toEqual([]);
  });

  test("every route that is served is in it", () => {
    const icon = /^GET \/[a-z0-9-]+\.(svg|png|ico)$/;
    expect([...served.keys()].filter((key) => !rows.has(key) && !icon.test(key))).toEqual([]);
  });

  test("every route that is served says which domain answers", () => {
    expect([...served.values()].filter(({ domain }) => !domain).map(keyOf)).toEqual([]);
  });

  test.each(both)("%s: who may call it", (_key, row, found) => {
    const wanted = row.auth === "session cookie" && found.auth === "session" ? "session" : row.auth;
    expect(found.auth).toBe(wanted);
  });

  // Section 9.4 states no throttles.
  test.each(both.filter(([, { section }]) => section !== "9.4"))("%s: how often", (_key, row, found) => {
    const { throttle } = found;
    const word = throttle?.limiter === "laravel" ? `laravel ${throttle.limit}` : (throttle?.limiter ?? null);
    expect(word).toBe(row.throttle);
  });

  test.each(both.filter(([, { cache }]) => cache !== null))("%s: how it is cached", (_key, row, found) => {
    expect(found.cache).toBe(row.cache as string);
  });

  const stated = both.filter(([, { path, status }, { statuses }]) => statuses.length && status[0] !== 410 && path);
  test.each(stated)("%s: statuses and envelope of a success", (_key, row, found) => {
    expect(found.statuses).toEqual(row.status);
    if (row.answer?.startsWith("data")) expect(found.envelope).toBe("data");
    else expect(found.envelope).toBe("plain");
  });

  const files: Record<string, string> = {
    A: "auth.md",
    C: "codex-chat.md",
    P: "l402-payments.md",
    S: "social-integrations.md",
    R: "autopilot-runtime.md",
    W: "web-ui.md",
    K: "khala.md",
    RC: "remote-control.md",
    H: "http-platform.md",
  };
  test.each(both)("%s: whose it is", (_key, row, found) => {
    const [, letter, section] = /^([A-Z]+)(?: ([\d.]+))?/.exec(row.owner) as RegExpExecArray;
    expect(found.owner).toBe([files[letter as string], section].filter(Boolean).join(" "));
  });
});

describe("the baseline's frozen manifests", () => {
  const frozen = [...apiRoutes.routes, ...webRoutes.routes];
  const frozenKeys = new Set(frozen.map(({ method, uri }) => `${method} ${uri}`));

  test("77 API routes and 39 web routes are rows of the table, and no other row claims to be one", () => {
    expect([apiRoutes.count, apiRoutes.routes.length, webRoutes.count, webRoutes.routes.length]).toEqual([
      77, 77, 39, 39,
    ]);
    expect([...frozenKeys].filter((key) => !rows.get(key)?.manifest)).toEqual([]);
    expect([...rows].filter(([key, { manifest }]) => manifest && !frozenKeys.has(key)).map(([key]) => key)).toEqual([]);
  });

  /** Who may call a route that the baseline guarded so. */
  const guards: [string, RegExp][] = [
    ["admin", /^(admin|page, admin)$/],
    ["signed", /^signed URL$/],
    ["runtime.internal", /^HMAC$/],
    ["guest", /^guest$/],
    ["auth", /^(user|user, worker|session|session cookie|page|page, owner|PAT:\S+)$/],
    ["auth:sanctum", /^(user|user, worker|session|session cookie|PAT:\S+)$/],
    ["", /^public$/],
  ];
  /** Where the contracts guard otherwise than the baseline did, each with its reason. */
  const otherwise: Record<string, string> = {
    "POST /api/auth/email": "public", // clients without a page of ours to be sent to
    "POST /api/auth/verify": "public",
    "GET /api/chat/guest-session": "user", // guests cannot chat any more
    "POST /api/chat": "user",
    "GET /api/smoke/stream": "secret",
    "POST /api/internal/lightning-ops/control-plane/query": "secret", // checked inside its controller
    "POST /api/internal/lightning-ops/control-plane/mutation": "secret",
    "POST /api/webhooks/resend": "svix",
  };

  test.each(frozen.filter(({ method, uri }) => !rows.get(`${method} ${uri}`)?.gone))(
    "$method $uri: as guarded and throttled as it was",
    ({ method, uri, middleware }) => {
      const key = `${method} ${uri}`;
      const row = rows.get(key) as Row;
      const limit = middleware.find((name) => name.startsWith("throttle:"))?.match(/\d+/)?.[0];
      const now = served.get(key);
      if (limit && now) expect(String(now.throttle?.limit)).toBe(limit);
      if (otherwise[key]) return expect(row.auth).toBe(otherwise[key] as string);
      const [, wanted] = guards.find(([name]) => name === "" || middleware.includes(name)) as [string, RegExp];
      expect(row.auth).toMatch(wanted);
    },
  );

  const answered = frozen.filter(({ method, uri }) => !missing.has(`${method} ${uri}`));
  test.each(answered)("$method $uri is answered, unless it is gone", async ({ method, uri }) => {
    const { gone } = rows.get(`${method} ${uri}`) as Row;
    const { status, json } = await whole.send(method, concrete(uri), { headers: { accept: "application/json" } });
    const unknown = status === 404 && /^Route '/.test(json?.message ?? "");
    expect({ unknown: unknown || status === 405, status }).toEqual({
      unknown: gone === true,
      status: gone ? 404 : status,
    });
  });

  test("18 page files: each has its page, is a known gap, or was left behind on purpose", () => {
    const entry = (file: string) => file.replace(/^resources\/js\/pages\//, "").replace(/\.tsx$/, "");
    const stated = new Map(table.pages.map((page) => [page.entry, page]));
    expect(pageEntries.entries.map(entry).toSorted()).toEqual([...stated.keys()].toSorted());
    const absent = new Set(Object.values(gaps.pages).flat());
    const paths = new Set(Object.keys(servedPages).map((path) => path.replace(/:(\w+)/g, "{$1}")));
    for (const { entry: name, path, state } of stated.values()) {
      const isServed = path !== null && paths.has(path);
      expect([name, isServed]).toEqual([name, state === "page" && !absent.has(name)]);
    }
  });

  test("8 commands: each is in the command table or a known gap", () => {
    const names = new Set([...commands.map(({ name }) => name), ...Object.values(gaps.commands).flat()]);
    expect(artisan.commands.map(({ name }) => name).filter((name) => !names.has(name))).toEqual([]);
  });
});

test("every page of the server is one of the web app, and the other way round", () => {
  const shown = Object.entries(servedPages).filter(([, { kind }]) => kind !== "redirect");
  const ofApp = shown.map(([template]) => parse(template.replace(/:\w+/g, "1")).page);
  expect(ofApp.toSorted()).toEqual([...pageKeys].toSorted());
});

test("log and metrics call every route by its template", async () => {
  const asked = [...whole.app.routes.values()].filter(
    ({ method, path }) => method === "GET" && !/websocket$/.test(path),
  );
  for (const { path } of asked) {
    const id = `template-${asked.findIndex((one) => one.path === path)}`;
    const sent = path === "/assets/:path" ? asset : path.replace(/:\w+/g, "1");
    await whole.send("GET", sent, { headers: { "x-request-id": id } });
    await whole.ctx.log.flush();
    const line = whole.log
      .join("")
      .split("\n")
      .find((one) => one.includes(`"${id}"`) && one.includes('"oa.access"'));
    // Hashed files are answered before anything is logged.
    if (path !== "/assets/:path") expect([path, JSON.parse(line ?? "{}").route]).toEqual([path, path]);
  }
});

describe("what a browser gets where no page is", () => {
  const wrong: [method: string, path: string, status: number, allow: string | null][] = [
    ["POST", "/login", 405, "GET, HEAD"],
    ["GET", "/login/email", 405, "POST"],
    ["PUT", "/settings/profile", 405, "GET, HEAD, PATCH, DELETE"],
    ["POST", "/nowhere", 404, null],
    ["GET", "/nowhere", 404, null],
  ];
  test.each(wrong)("%s %s: the app with status %i, a script the error", async (method, path, status, allow) => {
    const page = await whole.send(method, path, { headers: { accept: "text/html,*/*;q=0.8" } });
    const script = await whole.send(method, path, { headers: { accept: "application/json" } });
    const shown = [page, script].map(({ headers, ...answer }) => [answer.status, headers.get("allow")]);
    expect(shown).toEqual([
      [status, allow],
      [status, allow],
    ]);
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(script.json.error.code).toBe(status === 404 ? "not_found" : "method_not_allowed");
  });

  test.each(["/api/nowhere", "/internal/nowhere", "/assets/nowhere.js"])("%s is never the app", async (path) => {
    const { status, json } = await whole.send("GET", path, { headers: { accept: "text/html" } });
    expect([status, json?.error.code]).toEqual([404, "not_found"]);
  });
});

describe("without credentials", () => {
  const open = /^(public|public or user|guest)$/;
  /** From the machine itself, who needs no secret. */
  const local = new Set(["GET /metrics"]);
  const asked = both.filter(([, { path }]) => !/socket\/websocket$/.test(path));
  test.each(asked)("%s lets in whoever may come in", async (key, row) => {
    const path = row.path === "/assets/{path}" ? asset : concrete(row.path);
    const { status, headers } = await whole.send(row.method, path, {
      peer: local.has(key) ? "203.0.113.9" : "127.0.0.1",
    });
    const away = status === 302 && (headers.get("location") === "/login" || !row.status.includes(302));
    const refused = [401, 403, 404].includes(status) || (away && row.auth !== "guest");
    expect([status, refused]).toEqual([status, !open.test(row.auth)]);
  });
});
