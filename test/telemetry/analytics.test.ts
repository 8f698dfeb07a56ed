import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { readConfig } from "../../src/config";
import { createOutbound } from "../../src/http/outbound";
import { createAnalytics } from "../../src/telemetry/analytics";
import { createLog } from "../../src/telemetry/log";
import { createMetrics } from "../../src/telemetry/metrics";
import { fakePosthog } from "../support/posthog";

const posthog = fakePosthog();
afterAll(() => posthog.close());
beforeEach(() => {
  posthog.fault = null;
  posthog.calls.length = 0;
  posthog.accepted.length = 0;
});

const log = createLog({ level: "error", format: "json", write: () => {} });
const at = new Date("2026-02-19T12:00:00.987Z");

function build(env: Record<string, string> = {}) {
  const metrics = createMetrics();
  const pauses: number[] = [];
  const analytics = createAnalytics({
    config: readConfig({ POSTHOG_API_KEY: posthog.apiKey, POSTHOG_HOST: `${posthog.url}/`, ...env }),
    outbound: createOutbound(log, metrics),
    log,
    metrics,
    now: () => at,
    pause: async (ms) => void pauses.push(ms),
  });
  const dropped = async (reason: string) => {
    const line = (await metrics.registry.metrics())
      .split("\n")
      .find((text) => text.startsWith(`analytics_dropped_total{reason="${reason}"}`));
    return Number(line?.split(" ").at(-1) ?? 0);
  };
  return { analytics, pauses, dropped };
}

describe("the wire (auth 6)", () => {
  test("capture and identify", async () => {
    const { analytics } = build();
    analytics.identify("ann@a.example", { email: "ann@a.example", name: "Ann", handle: "ann", date_joined: null });
    analytics.capture("ann@a.example", "user logged in", { login_method: "magic_auth" });
    await analytics.flush();
    expect(posthog.accepted).toEqual([
      {
        event: "$identify",
        distinct_id: "ann@a.example",
        $set: { email: "ann@a.example", name: "Ann", handle: "ann", date_joined: null },
        timestamp: "2026-02-19T12:00:00+00:00",
      },
      {
        event: "user logged in",
        distinct_id: "ann@a.example",
        properties: { login_method: "magic_auth", $lib: "openagents" },
        timestamp: "2026-02-19T12:00:00+00:00",
      },
    ]);
    expect(posthog.calls[0]?.headers.get("user-agent")).toBe("OpenAgents");
    expect(posthog.calls[0]?.headers.get("traceparent")).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  });
  test("no address and no secret is sent", async () => {
    const { analytics } = build();
    analytics.capture("a@b", "x", {
      $ip: "203.0.113.10",
      $current_url: "https://o.example/cb?code=planted&page=2&email=a%40b.c",
      note: `Bearer planted-too`,
    });
    await analytics.flush();
    expect(posthog.accepted[0]?.properties).toEqual({
      $current_url: "https://o.example/cb?code=***&page=2&email=***",
      note: "Bearer…",
      $lib: "openagents",
    });
  });
  test("at most 100 events and 32 kB a batch, in order", async () => {
    const { analytics } = build();
    for (let i = 0; i < 250; i++) analytics.capture("a@b", `e${i}`);
    for (let i = 250; i < 260; i++) analytics.capture("a@b", `e${i}`, { text: "x".repeat(9_000) });
    await posthog.events(260);
    expect(posthog.accepted.map(({ event }) => event)).toEqual(Array.from({ length: 260 }, (_, i) => `e${i}`));
    expect(posthog.calls.every(({ status }) => status === 200)).toBe(true);
    expect(posthog.calls.length).toBeGreaterThanOrEqual(5);
  });
  test("an event that fits into no batch is dropped alone", async () => {
    const { analytics, dropped } = build();
    analytics.capture("a@b", "big", { text: "x".repeat(40_000) });
    analytics.capture("a@b", "small");
    await analytics.flush();
    expect(posthog.accepted.map(({ event }) => event)).toEqual(["small"]);
    expect(await dropped("too_large")).toBe(1);
  });
});

describe("off", () => {
  const rows: Record<string, string>[] = [
    { POSTHOG_API_KEY: "" },
    { POSTHOG_DISABLED: "true" },
    ...["local", "development", "dev", "testing", "staging"].map((name) => ({ APP_ENV: name })),
  ];
  for (const env of rows) {
    test(JSON.stringify(env), async () => {
      const { analytics } = build(env);
      expect(analytics.on).toBe(false);
      analytics.capture("a@b", "x");
      await analytics.flush();
      expect(posthog.calls).toEqual([]);
    });
  }
  test("but on by name", () => expect(build({ APP_ENV: "local", POSTHOG_DISABLED: "false" }).analytics.on).toBe(true));
});

describe("the queue", () => {
  test("the 100th event is sent at once, one alone within two seconds", async () => {
    const { analytics } = build();
    for (let i = 0; i < 100; i++) analytics.capture("a@b", "x");
    const began = performance.now();
    await posthog.events(100);
    expect(performance.now() - began).toBeLessThan(1_900);
    analytics.capture("a@b", "alone");
    await posthog.events(101);
  });
});

describe("faults", () => {
  for (const fault of ["500", "429"] as const) {
    test(`${fault} is tried again with doubling delay, then dropped`, async () => {
      posthog.fault = fault;
      const { analytics, pauses, dropped } = build();
      analytics.capture("a@b", "x");
      await analytics.flush();
      expect(pauses).toEqual([100, 200, 400, 800, 1600, 3200, 6400]);
      expect(posthog.calls).toHaveLength(8);
      expect(await dropped("unreachable")).toBe(1);
      posthog.fault = null;
      analytics.capture("a@b", "after");
      await analytics.flush();
      expect(posthog.accepted.map(({ event }) => event)).toEqual(["after"]);
    });
  }
  test("400 is not tried again", async () => {
    posthog.fault = "400";
    const { analytics, pauses, dropped } = build();
    analytics.capture("a@b", "x");
    await analytics.flush();
    expect([pauses, await dropped("refused")]).toEqual([[], 1]);
  });
  test("a page instead of JSON counts by its status", async () => {
    posthog.fault = "html";
    const { analytics, pauses } = build();
    analytics.capture("a@b", "x");
    await analytics.flush();
    expect(pauses).toEqual([]);
    expect(posthog.accepted).toHaveLength(1);
  });
  test("nobody listens: dropped after the last try", async () => {
    const { analytics, pauses, dropped } = build({ POSTHOG_HOST: "http://127.0.0.1:1" });
    analytics.capture("a@b", "x");
    await analytics.flush();
    expect([pauses.length, await dropped("unreachable")]).toEqual([7, 1]);
  });
  test("while PostHog hangs nothing waits for it, and the oldest of more than 1,000 events go", async () => {
    posthog.fault = "hang";
    const { analytics, dropped } = build();
    for (let i = 0; i < 100; i++) analytics.capture("a@b", "first");
    await posthog.called(1);
    const began = performance.now();
    for (let i = 0; i < 1_500; i++) analytics.capture("a@b", `e${i}`);
    expect(performance.now() - began).toBeLessThan(1_000);
    expect(await dropped("full")).toBe(500);
    posthog.fault = null;
    posthog.release();
    await posthog.events(1_100);
    expect(posthog.accepted.slice(0, 100).every(({ event }) => event === "first")).toBe(true);
    expect(posthog.accepted[100]?.event).toBe("e500");
    expect(posthog.accepted.at(-1)?.event).toBe("e1499");
  });
  test("a flush gives a slow PostHog its time, a hanging one two seconds", async () => {
    posthog.fault = "slow";
    const { analytics } = build();
    analytics.capture("a@b", "slow");
    const flushed = analytics.flush();
    await posthog.called(1);
    posthog.release();
    await flushed;
    expect(posthog.accepted).toHaveLength(1);
    posthog.fault = "hang";
    analytics.capture("a@b", "hang");
    const began = performance.now();
    await analytics.flush();
    expect(performance.now() - began).toBeGreaterThan(1_900);
    expect(performance.now() - began).toBeLessThan(4_000);
  });
});
