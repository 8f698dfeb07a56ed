/** A thread of 5,000 items in Chromium: how long it takes to open, and the longest frame while it is scrolled. */
import type { Page } from "playwright-core";
import { Machine, TurnOf } from "../browser/machine";
import { launch, open, signIn } from "../support/browser";
import { startProduct } from "../support/product";
import type { Figure } from "./khala";
import { median } from "./load";

const TURNS = 250;
const rounds = 3;
const words = "The check and the insert must be one statement: `on conflict do nothing` says so.\n\n- one\n- two\n\n";

const item = (n: number) =>
  n % 4 === 3
    ? {
        type: "commandExecution",
        id: `c${n}`,
        command: `ls ${n}`,
        cwd: "/w",
        status: "completed",
        commandActions: [],
        aggregatedOutput: "a\nb\n",
        exitCode: 0,
        durationMs: 9,
      }
    : { type: "agentMessage", id: `a${n}`, text: `Item ${n}: ${words}` };

async function begin(page: Page, machine: Machine, text: string): Promise<TurnOf> {
  await page.goto("/");
  await page.getByRole("heading", { name: "Autopilot online." }).waitFor();
  await page.locator("#chat-input").fill(text);
  await page.keyboard.press("Enter");
  const turn = new TurnOf(machine, await machine.next("turn/start"), Math.floor(Math.random() * 1e9));
  await turn.start();
  await page.getByText("Applied").waitFor();
  return turn;
}

/** Milliseconds from a click on the thread in the sidebar to its painted rows. */
async function opening(page: Page, thread: string): Promise<number> {
  await page.goto("/");
  await page.locator(`a[href="/chat/${thread}"]`).waitFor();
  await page.waitForLoadState("networkidle");
  return page.evaluate(async (id) => {
    const from = performance.now();
    document.querySelector<HTMLAnchorElement>(`a[href="/chat/${id}"]`)?.click();
    while (!document.querySelector(".row")) await new Promise((done) => setTimeout(done, 0));
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    return performance.now() - from;
  }, thread);
}

/** Frames in milliseconds while the thread is scrolled by 120 pixels each; with `still`, while nothing moves. */
const frames = (page: Page, step: number) =>
  page.evaluate(async (by) => {
    const main = document.getElementById("oa-main-shell") as HTMLElement;
    main.dispatchEvent(new WheelEvent("wheel"));
    const took: number[] = [];
    let last = performance.now();
    for (let n = 0; n < 200; n += 1) {
      main.scrollTop -= by;
      await new Promise((done) => requestAnimationFrame(done));
      const now = performance.now();
      took.push(now - last);
      last = now;
    }
    return Math.max(...took);
  }, step);

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
    for (let n = 0; n < TURNS; n += 1) {
      const turn = new TurnOf(machine, { ...big.asked, turn_id: null }, 1_000_000 + n);
      await machine.post([
        turn.say("turn/started", { turn: { id: turn.codexTurn, startedAt: Math.floor(Date.now() / 1000) } }),
        ...Array.from({ length: 20 }, (_, k) =>
          turn.say("item/completed", { item: item(n * 20 + k), completedAtMs: Date.now() }),
        ),
        turn.say("turn/completed", {
          turn: { id: turn.codexTurn, status: "completed", error: null, items: [], durationMs: 900 },
        }),
      ]);
    }
    const long: number[] = [];
    const short: number[] = [];
    for (let round = 0; round < rounds; round++) {
      short.push(await opening(page, small.asked.thread_id));
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
    const moving: number[] = [];
    const still: number[] = [];
    for (let round = 0; round < rounds; round++) {
      still.push(await frames(page, 0));
      moving.push(await frames(page, 120));
    }
    yield against("longest frame while they scroll, ms; beside: at rest", median(moving), median(still), 50);
  } finally {
    await browser.close();
    await product.close();
  }
}
