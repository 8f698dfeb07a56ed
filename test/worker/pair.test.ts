/** Pairing from the machine's side (remote-control 2, RFC 8628). */
import { afterEach, describe, expect, test } from "bun:test";
import { largeCode, NotPaired, type PairState, pair, qrCode } from "../../src/worker/pair";

type Answer = [status: number, body: Record<string, unknown>];

let server: ReturnType<typeof Bun.serve> | null = null;
afterEach(() => server?.stop(true));

const granted: Answer = [
  200,
  { access_token: "12|x", token_type: "Bearer", worker_id: "desktopw:mac", user: { id: 1, name: "Ann" } },
];
const refused = (error: string): Answer => [400, { error, error_description: "why", message: "why" }];

/** A server that answers the polls one after the other. */
function played(answers: Answer[], device: Answer | null = null, expires = 600) {
  const bodies: Record<string, unknown>[] = [];
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname, origin } = new URL(request.url);
      bodies.push((await request.json()) as Record<string, unknown>);
      const [status, body] = pathname.endsWith("/device")
        ? (device ?? [
            200,
            {
              device_code: "oa_dc_1",
              user_code: "WDJB-MJHT",
              verification_uri: `${origin}/pair`,
              verification_uri_complete: `${origin}/pair?code=WDJB-MJHT`,
              expires_in: expires,
              interval: 0.01,
            },
          ])
        : (answers.shift() ?? refused("authorization_pending"));
      return Response.json(body, { status });
    },
  });
  const states: PairState[] = [];
  const start = () =>
    pair({
      server: `http://127.0.0.1:${server?.port}`,
      workerId: null,
      name: "laptop",
      codexVersion: "0.169.0",
      bridgeVersion: "1.0.0",
      onState: (state) => void states.push(state),
    });
  return { bodies, states, start };
}

describe("pairing", () => {
  test("shows the code, waits, and has a token", async () => {
    const { bodies, states, start } = played([refused("authorization_pending"), [502, {}], granted]);
    expect(await start()).toEqual({ token: "12|x", worker_id: "desktopw:mac", user: "Ann" });
    expect(bodies[0]).toMatchObject({ name: "laptop", codex_version: "0.169.0", bridge_version: "1.0.0" });
    expect(bodies[1]).toEqual({ device_code: "oa_dc_1", grant_type: "urn:ietf:params:oauth:grant-type:device_code" });
    expect(states.map(({ state }) => state)).toEqual(["code", "waiting", "waiting", "waiting", "paired"]);
    expect(states[0]).toMatchObject({ user_code: "WDJB-MJHT", expires_in: 600 });
  });

  test.each([
    ["access_denied", "denied in the browser"],
    ["expired_token", "expired"],
  ])("%s ends it", async (error, words) => {
    const { start } = played([refused(error)]);
    const thrown = await start().catch((failure: unknown) => failure);
    expect(thrown).toBeInstanceOf(NotPaired);
    expect((thrown as NotPaired).code).toBe(error);
    expect((thrown as Error).message).toContain(words);
  });

  test("a code that nobody allows expires", async () => {
    const { start } = played([], null, 0.1);
    await expect(start()).rejects.toThrow(/expired/);
  });

  test("a server that refuses says why", async () => {
    const { start } = played([], [429, { message: "Too many requests. Retry in 9s." }]);
    await expect(start()).rejects.toThrow("Too many requests. Retry in 9s.");
  });
});

test("the code is printed in large letters: three lines, each letter its own", () => {
  const alphabet = [..."BCDFGHJKLMNPQRSTVWXZ"];
  expect(new Set(alphabet.map(largeCode)).size).toBe(alphabet.length);
  for (const letter of alphabet)
    expect(
      new Set(
        largeCode(letter)
          .split("\n")
          .map((row) => row.length),
      ).size,
    ).toBe(1);
  expect(largeCode("WDJB-MJHT").split("\n")).toHaveLength(3);
  expect(qrCode("https://a.example/pair?code=WDJB-MJHT").split("\n").length).toBeGreaterThan(10);
});
