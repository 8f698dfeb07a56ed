/**
 * PostHog's batch route on loopback (auth.md 6):
 *
 * ```ts
 * const posthog = fakePosthog();
 * // POSTHOG_API_KEY: posthog.apiKey, POSTHOG_HOST: posthog.url
 * posthog.fault = "500";
 * await posthog.events(1);       // waits for that many accepted events
 * posthog.calls                  // every call with its status, size and headers
 * await posthog.close();
 * ```
 */
export interface PosthogEvent {
  event: string;
  distinct_id: string;
  properties?: Record<string, unknown>;
  $set?: Record<string, unknown>;
  timestamp: string;
}

interface Call {
  status: number;
  bytes: number;
  headers: Headers;
  batch: PosthogEvent[];
}

/** `html`: 200 with a page instead of JSON; `slow`: answers when `release` is called; `hang`: never. */
type Fault = "500" | "429" | "400" | "html" | "hang" | "slow";

export interface FakePosthog {
  url: string;
  apiKey: string;
  fault: Fault | null;
  calls: Call[];
  /** Accepted events, in order. */
  accepted: PosthogEvent[];
  /** Resolves when `count` events have been accepted. */
  events(count: number): Promise<PosthogEvent[]>;
  /** Resolves when `count` calls have come in. */
  called(count: number): Promise<void>;
  release(): void;
  close(): Promise<void>;
}

const isEvent = (value: unknown): value is PosthogEvent => {
  const event = value as PosthogEvent | null;
  return (
    typeof event?.event === "string" &&
    event.event !== "" &&
    typeof event.distinct_id === "string" &&
    event.distinct_id !== "" &&
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/.test(event.timestamp)
  );
};

export function fakePosthog(): FakePosthog {
  const held: (() => void)[] = [];
  const waiting: { met(): boolean; go(): void }[] = [];
  const wake = () => {
    for (const one of waiting.splice(0)) one.met() ? one.go() : waiting.push(one);
  };
  const until = (met: () => boolean) =>
    met() ? Promise.resolve() : new Promise<void>((go) => void waiting.push({ met, go }));

  const refusal = (request: Request, text: string): { status: number; batch: PosthogEvent[] } => {
    if (request.method !== "POST" || new URL(request.url).pathname !== "/batch/") return { status: 404, batch: [] };
    if (!request.headers.get("content-type")?.startsWith("application/json")) return { status: 400, batch: [] };
    if (Buffer.byteLength(text) >= 32_000) return { status: 413, batch: [] };
    let body: { api_key?: unknown; batch?: unknown };
    try {
      body = JSON.parse(text);
    } catch {
      return { status: 400, batch: [] };
    }
    if (body.api_key !== fake.apiKey) return { status: 401, batch: [] };
    const batch = Array.isArray(body.batch) ? body.batch : [];
    const good = batch.length > 0 && batch.length <= 100 && batch.every(isEvent);
    return { status: good ? 200 : 400, batch: batch as PosthogEvent[] };
  };

  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 60,
    async fetch(request) {
      const text = await request.text();
      const { fault } = fake;
      const found = refusal(request, text);
      const faulty = fault === "500" || fault === "429" || fault === "400" ? Number(fault) : null;
      const status = faulty ?? found.status;
      fake.calls.push({ status, bytes: Buffer.byteLength(text), headers: request.headers, batch: found.batch });
      wake();
      if (fault === "hang" || fault === "slow") {
        await new Promise<void>((done) => held.push(done));
        if (fault === "hang") return new Response(null, { status: 504 });
      }
      if (status === 200) fake.accepted.push(...found.batch);
      wake();
      if (fault === "html") return new Response("<html>busy</html>", { headers: { "content-type": "text/html" } });
      return Response.json(status === 200 ? { status: "Ok" } : { type: "error", detail: "no" }, { status });
    },
  });

  const fake: FakePosthog = {
    url: `http://127.0.0.1:${server.port}`,
    apiKey: "phc_test",
    fault: null,
    calls: [],
    accepted: [],
    async events(count) {
      await until(() => fake.accepted.length >= count);
      return fake.accepted;
    },
    called: (count) => until(() => fake.calls.length >= count),
    release() {
      for (const done of held.splice(0)) done();
    },
    async close() {
      fake.release();
      await server.stop(true);
    },
  };
  return fake;
}
