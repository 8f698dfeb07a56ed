/** What stays in memory after 10,000 log-ins: nothing. In this process, so that the heap can be cleaned before it is weighed. */
import { heapStats } from "bun:jsc";
import { signInThrough } from "../identity/app";
import { type WholeApp, wholeApp } from "../support/whole";
import type { Figure } from "./khala";

const warmUp = 2000;
const logIns = 10_000;
const lanes = 8;
const people = 500;

/** Each comes from an address of its own, as from a trusted proxy: nobody is throttled. */
async function signInOften(app: WholeApp, from: number, count: number): Promise<void> {
  let next = from;
  const lane = async () => {
    while (next < from + count) {
      const n = next++;
      const address = `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
      await signInThrough(app.send, `person${n % people}@bench.example`, address);
      if (n % 250 === 0) app.log.length = 0;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  app.log.length = 0;
}

/** Megabytes that are reachable, once what waits for its turn is done. */
async function heap(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    await Bun.sleep(50);
    Bun.gc(true);
  }
  return heapStats().heapSize / 1e6;
}

/** Gives each figure as soon as it is measured. */
export async function* benchLogIns(): AsyncGenerator<Figure> {
  // Postgres, because PGlite's rows would be in this process's memory too.
  const app = await wholeApp("postgres", { OA_AUTH_PROVIDER_MODE: "mock" });
  try {
    await signInOften(app, 0, warmUp);
    const before = await heap();
    await signInOften(app, warmUp, logIns);
    const after = await heap();
    const ratio = after / before;
    const name = "heap after 10,000 log-ins ÷ before, MB";
    yield { name, ours: after, yardstick: before, ratio, must: "≤ 1.05", met: ratio <= 1.05 };
  } finally {
    await app.close();
  }
}
