import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { run, type Server, serve, withFolder } from "../support/executable";

const quick = { OA_SHUTDOWN_DELAY_MS: "0" };

const withServer = <T>(env: Record<string, string>, use: (server: Server, data: string) => Promise<T>) =>
  withFolder(async (folder) => {
    const data = join(folder, "data");
    const server = await serve(["--data-dir", data], { env, cwd: folder });
    try {
      return await use(server, data);
    } finally {
      server.signal("SIGKILL");
      await server.ended;
    }
  });

describe("graceful stop", () => {
  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("%s ends with 0, lock and ops.sock gone", (signal) =>
    withServer(quick, async (server, data) => {
      server.signal(signal);
      expect(await server.ended).toBe(0);
      expect(readdirSync(data).toSorted()).toEqual(["keys", "owner-link", "pg"]);
    }),
  );

  test("while it looks away /readyz says draining and requests are still served", () =>
    withServer({ OA_SHUTDOWN_DELAY_MS: "60000", OA_SHUTDOWN_TIMEOUT_MS: "60000" }, async (server) => {
      server.signal("SIGTERM");
      await server.seen(/"message":"stopping"/);
      const ready = await fetch(`${server.url}/readyz`);
      expect([ready.status, (await ready.json()).status]).toEqual([503, "draining"]);
      expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
      server.signal("SIGTERM");
      expect(await server.ended).toBe(143);
    }));

  test("a request in flight finishes", () =>
    withServer(quick, async (server) => {
      let push: ((text: string) => void) | undefined;
      let end: (() => void) | undefined;
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          push = (text) => controller.enqueue(new TextEncoder().encode(text));
          end = () => controller.close();
        },
      });
      push?.('{"email":');
      const answer = fetch(`${server.url}/api/auth/email`, {
        method: "POST",
        body,
        headers: { "content-type": "application/json" },
      });
      await waitFor(async () => /requests_in_flight":[1-9]/.test((await state(server)).at(-1) ?? ""));
      server.signal("SIGTERM");
      await server.seen(/"message":"stopping"/);
      push?.('"nobody"}');
      end?.();
      expect((await answer).status).toBe(422);
      expect(await server.ended).toBe(0);
    }));

  test("at the limit it says what was still open and ends with 1", () =>
    withServer({ OA_SHUTDOWN_DELAY_MS: "60000", OA_SHUTDOWN_TIMEOUT_MS: "300" }, async (server) => {
      server.signal("SIGTERM");
      expect(await server.ended).toBe(1);
      expect(server.text()).toContain("still open when the time was up: look-away delay");
    }));
});

/** Lines of SIGUSR2, after asking for one more. */
async function state(server: Server): Promise<string[]> {
  const lines = () =>
    server
      .text()
      .split("\n")
      .filter((line) => line.includes('"logger":"oa.state"'));
  const before = lines().length;
  server.signal("SIGUSR2");
  await waitFor(async () => lines().length > before);
  return lines();
}

async function waitFor(check: () => Promise<boolean>): Promise<void> {
  const limit = performance.now() + 10_000;
  while (!(await check())) {
    if (performance.now() > limit) throw new Error("the condition did not come true");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test("SIGUSR2 writes one line of state", () =>
  withServer(quick, async (server) => {
    const [line] = await state(server);
    expect(JSON.parse(line as string)).toMatchObject({
      sockets: 0,
      requests_in_flight: 0,
      jobs_queued: expect.any(Number),
      database: "pglite",
      event_loop_delay_ms: expect.any(Number),
    });
  }));

test(
  "kill -9 leaves a folder that starts, with everything that was acknowledged",
  () =>
    withFolder(async (folder) => {
      const data = join(folder, "data");
      const made: string[] = [];
      for (let round = 0; round < 3; round++) {
        const server = await serve(["--data-dir", data], { cwd: folder });
        const listed = await run(["ops", "user:list", "--json", "--data-dir", data]);
        expect(
          JSON.parse(listed.out)
            .data.map(({ email }: { email: string }) => email)
            .toSorted(),
        ).toEqual(made.toSorted());
        const email = `round${round}@a.example`;
        const created = await run(["ops", "user:create", email, "--data-dir", data]);
        expect([created.code, created.err]).toEqual([0, ""]);
        made.push(email);
        server.signal("SIGKILL");
        await server.ended;
        expect(existsSync(join(data, "lock"))).toBe(true);
      }
      const after = await run(["ops", "user:show", "round2@a.example", "--data-dir", data]);
      expect(after.code).toBe(0);
    }),
  120_000,
);
