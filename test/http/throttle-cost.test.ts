import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Person } from "../support/app";
import { type WholeApp, wholeApp } from "../support/whole";

/** Statements that go to Postgres, however they are asked: single ones, and those of transactions as one. */
function counted(app: WholeApp): () => number {
  let statements = 0;
  const client = (app.ctx.db as unknown as { $client: Record<"unsafe" | "begin", (...words: unknown[]) => unknown> })
    .$client;
  for (const name of ["unsafe", "begin"] as const) {
    const real = client[name];
    client[name] = (...words) => {
      statements++;
      return real(...words);
    };
  }
  return () => statements;
}

describe("what a limit costs on Postgres", () => {
  let real: WholeApp;
  let unlimited: WholeApp;
  let statements: Map<WholeApp, () => number>;
  let people: Map<WholeApp, Person>;
  beforeAll(async () => {
    real = await wholeApp("postgres");
    unlimited = await wholeApp("postgres", {}, { unlimited: true });
    const both = [real, unlimited];
    statements = new Map(both.map((app) => [app, counted(app)]));
    people = new Map(
      await Promise.all(both.map(async (app) => [app, await app.person("ann@a.example")] as [WholeApp, Person])),
    );
  });
  afterAll(async () => {
    await real.close();
    await unlimited.close();
  });

  async function statementsOf(app: WholeApp, method: string, path: string, body?: unknown): Promise<number> {
    const send = () => app.send(method, path, { as: people.get(app) as Person, body });
    const count = statements.get(app) as () => number;
    const taken: number[] = [];
    // the first use of a token is noted in passing, and first requests make what later ones find: the least is what it costs
    for (let i = 0; i < 4; i++) {
      const before = count();
      expect((await send()).status).toBeLessThan(500);
      taken.push(count() - before);
    }
    return Math.min(...taken);
  }

  const thread = "/api/runtime/threads/01a2081b-aa27-7571-987d-0df41cd32858";
  const cases: [extra: number, method: string, path: string, body?: unknown][] = [
    [0, "GET", "/api/me"],
    [0, "GET", "/api/tokens"],
    [0, "GET", "/api/settings/profile"],
    [0, "GET", "/api/runtime/threads"],
    [0, "GET", "/api/runtime/codex/workers"],
    [0, "POST", "/api/tokens", {}],
    [0, "GET", "/api/nope"],
    [0, "GET", "/healthz"],
    [1, "POST", `${thread}/messages`, {}],
    [1, "POST", "/api/runtime/codex/workers/w:1/requests", {}],
    [1, "POST", "/api/auth/email", {}],
    [1, "POST", "/api/pair/device", {}],
  ];
  for (const [extra, method, path, body] of cases) {
    test(`${extra} statements more: ${method} ${path}`, async () => {
      const taken = await statementsOf(real, method, path, body);
      expect(taken - (await statementsOf(unlimited, method, path, body))).toBe(extra);
    });
  }

  test("a personal access token costs one statement altogether", async () => {
    expect(await statementsOf(real, "GET", "/api/me")).toBe(1);
  });
});
