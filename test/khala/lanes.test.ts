import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createLanes, type Lane, type Outcome } from "../../src/khala/lanes";
import { invalid, Refusal } from "../../src/refusal";

interface Input {
  lane: string;
  value: number;
  /** What the domain or the database makes of it. */
  kind: "good" | "refused" | "poison";
}

/** A store that applies a batch in one transaction, as a domain would; a poisoned input fails the whole transaction. */
function domain(committers: number, limits: { maxEvents?: number; maxLanes?: number } = {}) {
  const rows = new Map<string, number[]>();
  const batches: number[] = [];
  let running = 0;
  let mostAtOnce = 0;
  const busy = new Set<string>();
  async function apply(lanes: Lane<Input>[]): Promise<Outcome<string>[][]> {
    mostAtOnce = Math.max(mostAtOnce, ++running);
    for (const { key } of lanes) {
      if (busy.has(key)) throw new Error(`lane ${key} runs twice`);
      busy.add(key);
    }
    try {
      await new Promise((resolve) => setImmediate(resolve));
      const staged = new Map<string, number[]>();
      const outcomes = lanes.map(({ key, inputs }) =>
        inputs.map((input): Outcome<string> => {
          if (input.kind === "poison") throw new Error(`poison ${input.value}`);
          if (input.kind === "refused") return { refusal: invalid("value", `refused ${input.value}`) };
          const list = staged.get(key) ?? [...(rows.get(key) ?? [])];
          list.push(input.value);
          staged.set(key, list);
          return { value: `${key}#${list.length}` };
        }),
      );
      for (const [key, list] of staged) rows.set(key, list);
      batches.push(lanes.reduce((sum, { inputs }) => sum + inputs.length, 0));
      return outcomes;
    } finally {
      running--;
      for (const { key } of lanes) busy.delete(key);
    }
  }
  const lanes = createLanes<Input, string>({ committers, ...limits, weigh: () => ({ events: 1, bytes: 10 }), apply });
  return { lanes, rows, batches, most: () => mostAtOnce };
}

const told = (result: PromiseSettledResult<string>) =>
  result.status === "fulfilled" ? result.value : String((result.reason as Error).message);

const input = fc.record({
  lane: fc.constantFrom("a", "b", "c", "d"),
  kind: fc.constantFrom<Input["kind"]>("good", "good", "good", "refused", "poison"),
});

describe("combining lanes (7.2.8)", () => {
  test("any split of the same inputs gives the same rows and answers; a poisoned input fails alone", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(input, { maxLength: 40 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 3 }),
        fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }),
        async (kinds, committers, maxEvents, maxLanes, pauses) => {
          const inputs = kinds.map((one, value) => ({ ...one, value }));
          const alone = domain(1, { maxEvents: 1 });
          const expected: string[] = [];
          for (const one of inputs) {
            const [result] = await Promise.allSettled([alone.lanes.submit(one.lane, one)]);
            expected.push(told(result as PromiseSettledResult<string>));
          }
          const many = domain(committers, { maxEvents, maxLanes });
          const answers: Promise<PromiseSettledResult<string>[]>[] = [];
          for (const [i, one] of inputs.entries()) {
            answers.push(Promise.allSettled([many.lanes.submit(one.lane, one)]));
            if (pauses[i]) await new Promise((resolve) => setImmediate(resolve));
          }
          const settled = (await Promise.all(answers)).flat().map(told);
          await many.lanes.idle();
          expect(settled).toEqual(expected);
          expect([...many.rows].sort()).toEqual([...alone.rows].sort());
          expect(many.lanes.depth()).toBe(0);
          expect(many.most()).toBeLessThanOrEqual(committers);
        },
      ),
      { numRuns: 150 },
    );
  });

  test("what arrives while a commit runs is committed together", async () => {
    const { lanes, batches } = domain(1);
    const first = lanes.submit("a", { lane: "a", value: 0, kind: "good" });
    await new Promise((resolve) => queueMicrotask(() => resolve(null)));
    const rest = Array.from({ length: 99 }, (_, i) =>
      lanes.submit(i % 2 ? "a" : "b", { lane: "", value: i, kind: "good" }),
    );
    await Promise.all([first, ...rest]);
    expect(batches).toEqual([1, 99]);
  });

  test("a refusal reaches its caller as it was thrown", async () => {
    const { lanes } = domain(1);
    const answer = lanes.submit("a", { lane: "a", value: 5, kind: "refused" });
    expect(await answer.catch((error) => error)).toBeInstanceOf(Refusal);
  });

  test("an unreachable database is not asked again for each input", async () => {
    let calls = 0;
    const down = Object.assign(new Error("down"), { code: "ECONNREFUSED" });
    const lanes = createLanes<number, number>({
      committers: 1,
      weigh: () => ({ events: 1, bytes: 1 }),
      apply: async () => {
        calls++;
        throw new Error("Failed query", { cause: down });
      },
    });
    const results = await Promise.allSettled([1, 2, 3].map((n) => lanes.submit("a", n)));
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    expect(calls).toBe(1);
  });
});
