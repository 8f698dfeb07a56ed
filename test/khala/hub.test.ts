import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Witness, World } from "./model";

const consecutive = (start: number, list: number[]) => list.every((n, i) => n === start + 1 + i);

/** Guarantees 1 to 3 of khala 3.2 for one subscription, and 4 once everything has come to rest. */
function judge(witness: Witness, head: number) {
  const { start, got, frames, mode, stale, ended } = witness;
  const list = mode === "frame" ? frames : got;
  if (!consecutive(start, list)) throw new Error(`from ${start}: ${list}`);
  if (mode === "both") expect(frames).toEqual(got);
  if (mode === "batch") expect(frames).toEqual([]);
  if (mode === "frame") expect(got).toEqual([]);
  if (!stale && !ended && start + list.length !== head) {
    throw new Error(`ends at ${start + list.length}, the log at ${head}: ${JSON.stringify(witness)}`);
  }
}

const op = fc.tuple(fc.nat(99), fc.nat(999), fc.nat(999), fc.nat(999));

async function play(seed: number, nodes: number, streams: number, ops: [number, number, number, number][]) {
  const world = new World(seed, nodes, streams);
  for (let i = 0; i < 3; i++) world.addSocket();
  const stream = (n: number) => 1 + (n % streams);
  for (const [what, a, b, c] of ops) {
    if (what < 34) {
      const ids = [...new Set([a, a + (b % 3), a + (c % 3)].map(stream))].sort();
      world.commit(
        ids.map((id) => [id, 1 + (c % 4)]),
        b,
      );
    } else if (what < 56)
      void world.subscribe(a, stream(b), c % 2, [undefined, "head", c % 8, c % 40][a % 4] as number, 1 + (c % 5));
    else if (what < 62) world.fill(a);
    else if (what < 70) world.drain(a);
    else if (what < 75) world.unsubscribe(a);
    else if (what < 80) world.retain(stream(a), b % 25);
    else if (what < 82) world.jump(stream(a));
    else if (what < 86) world.sweep(a);
    else if (what < 89) world.addSocket();
    await world.run(a % 7);
  }
  await world.rest();
  const heads = world.heads();
  for (const witness of world.witnesses) judge(witness, heads.get(witness.stream) as number);
  return world;
}

describe("delivery (7.2.1)", () => {
  test("every subscription is given start+1, start+2, … and at rest the whole log, or was told stale", async () => {
    let subscriptions = 0;
    let delivered = 0;
    const happened = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        fc.array(op, { minLength: 20, maxLength: 120 }),
        async (seed, nodes, streams, ops) => {
          const { witnesses, metrics } = await play(seed, nodes, streams, ops);
          for (const name of ["khala_demotions_total", "khala_wake_repairs_total", "khala_resets_total"]) {
            const values = (await metrics.registry.getSingleMetric(name)?.get())?.values ?? [];
            happened.set(name, (happened.get(name) ?? 0) + values.reduce((sum, { value }) => sum + value, 0));
          }
          subscriptions += witnesses.length;
          delivered += witnesses.reduce((sum, { got, frames }) => sum + got.length + frames.length, 0);
        },
      ),
      { numRuns: Number(process.env.KHALA_RUNS ?? 400) },
    );
    expect(subscriptions).toBeGreaterThan(500);
    expect(delivered).toBeGreaterThan(5000);
    for (const [, times] of happened) expect(times).toBeGreaterThan(20);
  }, 120_000);
});
