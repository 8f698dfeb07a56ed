/** A thread of 5,000 items in Chromium: how long it takes to open, and the longest frame while it is scrolled. */
import type { Page } from "playwright-core";
import { addItems, addTurns, begin, openBy, scroll } from "../browser/long";
import { Machine } from "../browser/machine";
import { launch, open, signIn } from "../support/browser";
import { startProduct } from "../support/product";
import type { Figure } from "./khala";
import { median } from "./load";

const rounds = 3;
/** Milliseconds from a click on the thread in the sidebar to its painted rows. */
async function opening(page: Page, thread: string): Promise<number> {
  await page.goto("/");
  await page.locator(`a[href="/chat/${thread}"]`).waitFor();
  await page.waitForLoadState("networkidle");
  return (await openBy(page, thread)).ms;
}

/** Gives each figure as soon as it is measured. */
export async function* benchThread(): AsyncGenerator<Figure> {
  const product = await startProduct({ RUNTIME_KHALA_CODEX_WORKER_EVENTS_PUBLISH_RATE_PER_SECOND: "100000" });
  const browser = await launch();
  try {
    const { page, context } = await open(browser, product.url);
    await signIn(page, product.ownerLink() ?? "");
    const machine = new Machine(product.url, context);
    await machine.attach();
    const small = await begin(page, machine, "Small");
    await small.answer("Short.");
    await small.finish();
    const big = await begin(page, machine, "Everything");
    await big.finish();
    await addTurns(machine, big, 250);
    const one = await begin(page, machine, "All in one");
    await addItems(machine, one, 5000);
    await one.finish();
    const long: number[] = [];
    const giant: number[] = [];
    const short: number[] = [];
    for (let round = 0; round < rounds; round++) {
      short.push(await opening(page, small.asked.thread_id));
      giant.push(await opening(page, one.asked.thread_id));
      long.push(await opening(page, big.asked.thread_id));
    }
    const against = (name: string, ours: number, yardstick: number, limit: number): Figure => ({
      name,
      ours,
      yardstick,
      ratio: ours / yardstick,
      must: `≤ ${limit}`,
      met: ours <= limit,
    });
    yield against("5,000 items open, ms; beside: one item", median(long), median(short), 300);
    yield against("5,000 items in one turn open, ms; beside: one item", median(giant), median(short), 300);
    const moving: number[] = [];
    const still: number[] = [];
    for (let round = 0; round < rounds; round++) {
      still.push((await scroll(page, 0)).took.at(-1) as number);
      moving.push((await scroll(page, 120)).took.at(-1) as number);
    }
    yield against("longest frame while they scroll, ms; beside: at rest", median(moving), median(still), 50);
  } finally {
    await browser.close();
    await product.close();
  }
}
