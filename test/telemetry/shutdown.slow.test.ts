import { afterAll, beforeEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { serve, withFolder } from "../support/executable";
import { fakePosthog } from "../support/posthog";

const posthog = fakePosthog();
afterAll(() => posthog.close());
beforeEach(() => {
  posthog.fault = null;
  posthog.calls.length = 0;
  posthog.accepted.length = 0;
});

/** Signs the owner in, who looks at a page, and stops the server at once. Milliseconds that the stop took. */
const lookAndStop = () =>
  withFolder(async (folder) => {
    const data = join(folder, "data");
    const env = { POSTHOG_API_KEY: posthog.apiKey, POSTHOG_HOST: posthog.url, OA_SHUTDOWN_DELAY_MS: "0" };
    const server = await serve(["--data-dir", data], { env, cwd: folder });
    try {
      const link = /https?:\S+/.exec(readFileSync(join(data, "owner-link"), "utf8"))?.[0] as string;
      const { pathname } = new URL(link);
      const signedIn = await fetch(server.url + pathname, { method: "POST", redirect: "manual" });
      expect(signedIn.status).toBe(303);
      const cookie = signedIn.headers
        .getSetCookie()
        .map((line) => line.split(";")[0])
        .join("; ");
      expect((await fetch(`${server.url}/`, { headers: { cookie, accept: "text/html" } })).status).toBe(200);
      const began = performance.now();
      server.signal("SIGTERM");
      expect(await server.ended).toBe(0);
      return performance.now() - began;
    } finally {
      server.signal("SIGKILL");
      await server.ended;
    }
  });

test("what waits goes out before the end (http-platform 3.11)", async () => {
  await lookAndStop();
  const names = posthog.accepted.map(({ event }) => event);
  expect(names.filter((name) => name === "$pageview")).toEqual(["$pageview"]);
  expect(names).toContain("$identify");
}, 60_000);

test("a PostHog that hangs holds the end up for two seconds at most", async () => {
  posthog.fault = "hang";
  const took = await lookAndStop();
  expect(posthog.calls.length).toBeGreaterThan(0);
  expect(took).toBeGreaterThan(1_900);
  expect(took).toBeLessThan(10_000);
}, 60_000);
