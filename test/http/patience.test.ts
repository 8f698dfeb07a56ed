import { describe, expect, test } from "bun:test";
import { Elysia } from "elysia";
import { readConfig } from "../../src/config";
import { readBytes } from "../../src/http/body";
import { compose } from "../../src/http/compose";
import { platform } from "../../src/http/platform";
import { Refusal } from "../../src/refusal";
import { createLog } from "../../src/telemetry/log";
import { createMetrics } from "../../src/telemetry/metrics";
import { sender } from "../support/app";
import { treated } from "../support/treated";

/** Routes that wait until they are let go, under a limit of `limitMs`. No database. */
function build(limitMs: number) {
  const held: (() => void)[] = [];
  const done: string[] = [];
  const wait = () => new Promise<void>((go) => void held.push(go));
  const routes = new Elysia()
    .use(platform)
    .get("/api/held", async () => {
      await wait();
      done.push("held");
      return { data: {} };
    })
    .get("/api/fails", async () => {
      await wait();
      done.push("fails");
      throw new Error("too late to matter");
    })
    .get(
      "/api/patient",
      async () => {
        await wait();
        return { data: { waited: true } };
      },
      { patient: true },
    )
    .post("/api/body", ({ body }) => ({ data: body }));
  const composed = compose(
    {
      config: readConfig({ APP_URL: "http://localhost:8787", OA_HTTP_HANDLER_TIMEOUT_MS: String(limitMs) }),
      appUrl: () => "http://localhost:8787",
      now: () => new Date(),
      log: createLog({ level: "error", format: "json", write: () => {} }),
      metrics: createMetrics(),
      throttle: { hit: () => Promise.reject(new Error("no limits here")) },
    },
    { domains: [routes], loopback: true, guards: { caller: () => Promise.resolve(null) } },
  );
  const app = { composed, send: sender(treated(composed.fetch)) };
  const release = () => {
    for (const go of held.splice(0)) go();
  };
  return { app, release, done, held };
}

const until = async (met: () => boolean) => {
  while (!met()) await Bun.sleep(1);
};

describe("a handler's time (http-platform 5)", () => {
  test("over it: 504, and the work goes on and is waited for at the end", async () => {
    const { app, release, done } = build(40);
    for (const path of ["/api/held", "/api/fails"]) {
      const { status, json, headers } = await app.send("GET", path);
      expect([status, json]).toEqual([
        504,
        { message: "The request took too long.", error: { code: "timeout", message: "The request took too long." } },
      ]);
      expect(headers.get("cache-control")).toBe("no-store");
    }
    expect(done).toEqual([]);
    expect(app.composed.inFlight()).toBe(2);
    release();
    await until(() => app.composed.inFlight() === 0);
    expect(done.sort()).toEqual(["fails", "held"]);
  });

  test("a HEAD is cut as its GET is", async () => {
    const { app, release } = build(40);
    expect((await app.send("HEAD", "/api/held")).status).toBe(504);
    release();
  });

  test("patient routes are waited for, and without a limit all are", async () => {
    const patient = build(20);
    const one = patient.app.send("GET", "/api/patient");
    await until(() => patient.held.length === 1);
    await Bun.sleep(80);
    patient.release();
    expect((await one).json).toEqual({ data: { waited: true } });
    const limitless = build(0);
    const other = limitless.app.send("GET", "/api/held");
    await until(() => limitless.held.length === 1);
    limitless.release();
    expect((await other).status).toBe(200);
  });

  test("the server layer is told to keep the connection of one that takes long", async () => {
    const { app, release, held } = build(20);
    const told: number[] = [];
    const answered = app.composed.fetch(
      new Request("http://localhost:8787/api/patient", { headers: { host: "localhost" } }),
      {
        requestIP: () => ({ address: "127.0.0.1" }),
        timeout: (_request, seconds) => void told.push(seconds),
      },
    ) as Promise<Response>;
    await until(() => held.length === 1 && told.length > 0);
    release();
    expect([(await answered).status, told]).toEqual([200, [0]]);
  });

  test("the time in which a body arrives does not count", async () => {
    const { app } = build(60);
    let piece = 0;
    const body = new ReadableStream<Uint8Array>({
      async pull(stream) {
        await Bun.sleep(50);
        if (piece < 4) stream.enqueue(Buffer.from(['{"a"', ":", '"b"', "}"][piece++] as string));
        else stream.close();
      },
    });
    const { status, json } = await app.send("POST", "/api/body", {
      body,
      headers: { "content-type": "application/json" },
    });
    expect([status, json]).toEqual([200, { data: { a: "b" } }]);
  });
});

describe("a body's time and size (http-platform 2.3)", () => {
  const refusalOf = async (work: Promise<unknown>): Promise<Refusal> => {
    const error = await work.then(
      () => null,
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof Refusal)) throw new Error(`no refusal: ${String(error)}`);
    return error;
  };
  const post = (body: ReadableStream<Uint8Array>, headers: Record<string, string> = {}) =>
    new Request("http://localhost/", { method: "POST", body, headers });

  for (const headers of [{}, { "content-length": "100" }, { "content-length": "20000" }] as Record<string, string>[]) {
    test(`one that stops is 408 (${JSON.stringify(headers)})`, async () => {
      const body = new ReadableStream<Uint8Array>({ start: (stream) => stream.enqueue(Buffer.from("{")) });
      const refusal = await refusalOf(readBytes(post(body, headers), 1_000_000, 30));
      expect([refusal.kind, refusal.message, refusal.detail.headers]).toEqual([
        "stalled",
        "Request Timeout",
        { connection: "close" },
      ]);
    });
  }

  test("one that comes slowly but steadily is read", async () => {
    let pieces = 0;
    const body = new ReadableStream<Uint8Array>({
      async pull(stream) {
        await Bun.sleep(20);
        if (pieces++ < 6) stream.enqueue(new Uint8Array(5_000));
        else stream.close();
      },
    });
    expect((await readBytes(post(body, { "content-length": "30000" }), 1_000_000, 80)).byteLength).toBe(30_000);
  });

  test("one that is too large is not read on", async () => {
    let pulled = 0;
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>({
      pull(stream) {
        pulled++;
        stream.enqueue(new Uint8Array(1_000));
      },
      cancel() {
        cancelled = true;
      },
    });
    expect((await refusalOf(readBytes(post(body), 10_000))).kind).toBe("too_large");
    expect(pulled).toBeLessThan(20);
    await until(() => cancelled);
  });

  test("one that declares too much is not read at all", async () => {
    let pulled = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        pull(stream) {
          pulled++;
          stream.enqueue(new Uint8Array(1_000));
        },
      },
      { highWaterMark: 0 },
    );
    expect((await refusalOf(readBytes(post(body, { "content-length": "10001" }), 10_000))).kind).toBe("too_large");
    expect(pulled).toBe(0);
  });
});
