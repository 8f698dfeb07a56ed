/** What the check of a limit costs where its counters are in memory (http-platform 3.3), over many callers. */
import { createThrottle, type Throttle } from "../../src/http/throttle";
import { freshDatabase } from "../support/database";
import type { Figure } from "./khala";
import { median } from "./load";

const CALLERS = 5000;
const CHECKS = 100_000;

async function times(throttle: Throttle): Promise<number[]> {
  const taken: number[] = [];
  for (let i = 0; i < CHECKS; i++) {
    const started = performance.now();
    await throttle.hit("runtime.codex.control.request", `user:${i % CALLERS}`, 60, 60);
    taken.push(performance.now() - started);
  }
  return taken;
}

export async function* benchThrottle(): AsyncGenerator<Figure> {
  const fresh = await freshDatabase("pglite");
  try {
    const throttle = createThrottle(fresh.store, Date.now, (error) => {
      throw error;
    });
    await times(throttle);
    const p50 = median(await times(throttle));
    const name = "throttle check in memory, p50 ms";
    yield { name, ours: p50, yardstick: null, ratio: null, must: "≤ 0.1 ms", met: p50 <= 0.1 };
  } finally {
    await fresh.drop();
  }
}
