import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { api, hooks, path } from "../../ui/api";
import { csrfLost, maintenance, reach, upgradeRequired } from "../../ui/status";
import { world } from "../../ui/world";

interface Call {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string | null;
}
let calls: Call[] = [];
let expired = 0;
let waited: number[] = [];
const real = { ...world };
const realDocument = globalThis.document;

type Step = Response | Error | (() => Response);
/** Answers by `METHOD path`, in order; the last one repeats. */
function serve(script: Record<string, Step[]>) {
  world.fetch = async (input, init = {}) => {
    if (init.signal?.aborted) throw new DOMException("aborted", "AbortError");
    const method = init.method ?? "GET";
    calls.push({
      method,
      url: input,
      headers: { ...(init.headers as Record<string, string>) },
      body: (init.body as string) ?? null,
    });
    const steps = script[`${method} ${input.split("?")[0]}`] ?? [];
    const step = steps.length > 1 ? steps.shift() : steps[0];
    if (!step) throw new TypeError(`no answer for ${method} ${input}`);
    if (step instanceof Error) throw step;
    return typeof step === "function" ? step() : step.clone();
  };
}
const json = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status, headers });
const seen = () => calls.map(({ method, url }) => `${method} ${url}`);

beforeEach(() => {
  calls = [];
  expired = 0;
  waited = [];
  hooks.expired = () => expired++;
  world.wait = () => new Promise(() => {});
  Object.assign(globalThis, { document: { cookie: "a=1; XSRF-TOKEN=to%20ken" } });
});
afterEach(() => {
  Object.assign(world, real);
  Object.assign(globalThis, { document: realDocument });
  reach.value = "ok";
  csrfLost.value = false;
  maintenance.value = null;
  upgradeRequired.value = null;
});

test("a read: query, headers, no token", async () => {
  serve({ "GET /api/x": [json(200, { data: 1 })] });
  expect(await api.get("/api/x", { query: { a: "ä b", n: 0, no: null, un: undefined } })).toEqual({
    data: { data: 1 },
    status: 200,
  });
  expect(calls[0]?.url).toBe("/api/x?a=%C3%A4+b&n=0");
  expect(calls[0]?.headers).toMatchObject({ accept: "application/json", "x-client": "openagents-web" });
  expect(calls[0]?.headers["x-xsrf-token"]).toBeUndefined();
});

test("a write carries the XSRF token and JSON", async () => {
  serve({ "POST /api/x": [json(201, {})] });
  await api.post("/api/x", { a: 1 });
  expect(calls[0]).toMatchObject({
    body: '{"a":1}',
    headers: { "x-xsrf-token": "to%20ken", "content-type": "application/json" },
  });
});

test("a path encodes every value", () => expect(path`/api/${"a/b?c"}/x/${"d:e"}`).toBe("/api/a%2Fb%3Fc/x/d%3Ae"));

describe("401", () => {
  test("one refresh, one retry", async () => {
    serve({ "GET /api/x": [json(401, {}), json(200, { data: 2 })], "POST /api/auth/refresh": [json(200, {})] });
    expect((await api.get<{ data: number }>("/api/x")).data).toEqual({ data: 2 });
    expect(seen()).toEqual(["GET /api/x", "POST /api/auth/refresh", "GET /api/x"]);
    expect(expired).toBe(0);
  });
  test("five at once share one refresh", async () => {
    let renewed = false;
    serve({
      "GET /api/x": [() => json(renewed ? 200 : 401, {})],
      "POST /api/auth/refresh": [
        () => {
          renewed = true;
          return json(200, {});
        },
      ],
    });
    await Promise.all(Array.from({ length: 5 }, () => api.get("/api/x")));
    expect(seen().filter((line) => line.includes("refresh"))).toHaveLength(1);
  });
  test("a refused refresh ends the session", async () => {
    serve({ "GET /api/x": [json(401, {})], "POST /api/auth/refresh": [json(401, {})] });
    expect((await api.get("/api/x")).failure?.kind).toBe("unauthorized");
    expect(expired).toBe(1);
  });
  test("a refresh without answer ends nothing", async () => {
    serve({ "GET /api/x": [json(401, {})], "POST /api/auth/refresh": [new TypeError("down")] });
    await api.get("/api/x");
    expect(expired).toBe(0);
  });
  test("a guest's 401 is an answer", async () => {
    serve({ "GET /api/me": [json(401, {})] });
    await api.get("/api/me", { guest: true });
    expect(seen()).toEqual(["GET /api/me"]);
  });
});

describe("419", () => {
  test("a new token and one retry", async () => {
    serve({
      "POST /api/x": [json(419, {}), json(200, {})],
      "GET /sanctum/csrf-cookie": [new Response(null, { status: 204 })],
    });
    expect((await api.post("/api/x", {})).failure).toBeUndefined();
    expect(csrfLost.value).toBe(false);
  });
  test("a second one asks for a reload", async () => {
    serve({ "POST /api/x": [json(419, {})], "GET /sanctum/csrf-cookie": [new Response(null, { status: 204 })] });
    expect((await api.post("/api/x", {})).failure?.kind).toBe("csrf");
    expect(csrfLost.value).toBe(true);
    expect(calls).toHaveLength(3);
  });
});

test("a read is repeated once after a second on 500, 502, 504; a write and a 503 never", async () => {
  serve({
    "GET /api/x": [json(502, {}), json(200, { data: 1 })],
    "GET /api/y": [json(503, {})],
    "POST /api/x": [json(500, {})],
  });
  world.wait = async (ms) => void waited.push(ms);
  expect((await api.get("/api/x")).status).toBe(200);
  expect(waited).toEqual([1000]);
  await api.get("/api/y");
  await api.post("/api/x", {});
  expect(seen().slice(2)).toEqual(["GET /api/y", "POST /api/x"]);
});

test("no answer is a network failure and shows; the next answer takes it away", async () => {
  serve({ "GET /api/x": [new TypeError("down"), json(200, {})], "GET /manifest.json": [new TypeError("down")] });
  expect((await api.get("/api/x")).failure?.kind).toBe("network");
  expect(reach.value).toBe("unreachable");
  await api.get("/api/x");
  expect(reach.value).toBe("ok");
});

test("a page that was left hears nothing", async () => {
  serve({ "GET /api/x": [json(200, {})] });
  const gone = new AbortController();
  gone.abort();
  expect((await api.get("/api/x", { signal: gone.signal })).failure?.kind).toBe("aborted");
  expect(reach.value).toBe("ok");
});

test("maintenance and 426 reach the frame", async () => {
  serve({
    "GET /api/x": [json(503, {}, { "x-oa-maintenance": "1" })],
    "GET /api/y": [json(426, { message: "m", error: { code: "below_min_client", message: "m" } })],
  });
  await api.get("/api/x");
  expect(maintenance.value).toContain("temporarily unavailable");
  await api.get("/api/y");
  expect(upgradeRequired.value).toBe("m");
});

test("a redirect of a form is success", async () => {
  world.fetch = async () =>
    ({ type: "opaqueredirect", status: 0, headers: new Headers(), text: async () => "" }) as unknown as Response;
  expect(await api.post("/logout")).toEqual({ data: {}, status: 302 });
});
