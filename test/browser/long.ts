import type { Page } from "playwright-core";
import { type Machine, TurnOf } from "./machine";

const WORDS = "The check and the insert must be one statement: `on conflict do nothing` says so.\n\n- one\n- two\n\n";

/** The `n`th item of a long conversation: three messages, then a command, and so on. */
const item = (n: number) =>
  n % 4 === 3
    ? {
        type: "commandExecution",
        id: `c${n}`,
        command: `ls -la ${n}`,
        cwd: "/w",
        status: "completed",
        commandActions: [],
        aggregatedOutput: "a\nb\nc\n",
        exitCode: 0,
        durationMs: 9,
      }
    : { type: "agentMessage", id: `a${n}`, text: `Item ${n}: ${WORDS}` };

const completed = (turn: TurnOf, from: number, to: number) =>
  Array.from({ length: to - from }, (_, k) =>
    turn.say("item/completed", { item: item(from + k), completedAtMs: Date.now() }),
  );

/** Starts a conversation on the home page; the machine takes its first turn up. */
export async function begin(page: Page, machine: Machine, text: string): Promise<TurnOf> {
  await page.goto("/");
  await page.getByRole("heading", { name: "Autopilot online." }).waitFor();
  await page.locator("#chat-input").fill(text);
  await page.keyboard.press("Enter");
  const turn = new TurnOf(machine, await machine.next("turn/start"), Math.floor(Math.random() * 1e9));
  await turn.start();
  await page.getByText("Applied").waitFor();
  return turn;
}

/** Adds `turns` turns of 20 items each to the thread of a turn that has ended. */
export async function addTurns(machine: Machine, after: TurnOf, turns: number): Promise<void> {
  for (let n = 0; n < turns; n += 1) {
    const turn = new TurnOf(machine, { ...after.asked, turn_id: null }, 1_000_000 + n);
    await machine.post([
      turn.say("turn/started", { turn: { id: turn.codexTurn, startedAt: Math.floor(Date.now() / 1000) } }),
      ...completed(turn, n * 20, n * 20 + 20),
      turn.say("turn/completed", {
        turn: { id: turn.codexTurn, status: "completed", error: null, items: [], durationMs: 900 },
      }),
    ]);
  }
}

/** Adds items to a turn that runs. */
export async function addItems(machine: Machine, turn: TurnOf, count: number): Promise<void> {
  for (let n = 0; n < count; n += 100) await machine.post(completed(turn, n, Math.min(count, n + 100)));
}

/** Opens a thread by its link in the sidebar: milliseconds to its painted end, how far that is in view, what is in the page. */
export const openBy = (page: Page, id: string) =>
  page.evaluate(async (thread) => {
    const link = document.querySelector<HTMLAnchorElement>(`a[href="/chat/${thread}"]`);
    const from = performance.now();
    link?.click();
    while (!document.querySelector(".row")) await new Promise((done) => setTimeout(done, 0));
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const main = document.getElementById("oa-main-shell") as HTMLElement;
    const read = performance
      .getEntriesByType("resource")
      .filter(({ name, startTime }) => name.includes(`/api/runtime/threads/${thread}`) && startTime >= from)
      .at(0)?.duration;
    return {
      read: read ?? Number.NaN,
      ms: performance.now() - from,
      fromEnd: main.scrollHeight - main.scrollTop - main.clientHeight,
      nodes: document.querySelectorAll("*").length,
    };
  }, id);

/** Frames in milliseconds while the thread is scrolled up by `step` pixels each, and the most rows that were in the page. */
export const scroll = (page: Page, step: number) =>
  page.evaluate(async (by) => {
    const main = document.getElementById("oa-main-shell") as HTMLElement;
    main.dispatchEvent(new WheelEvent("wheel"));
    const took: number[] = [];
    let last = performance.now();
    let rows = 0;
    for (let n = 0; n < 200; n += 1) {
      main.scrollTop -= by;
      await new Promise((done) => requestAnimationFrame(done));
      const now = performance.now();
      took.push(now - last);
      last = now;
      rows = Math.max(rows, document.querySelectorAll(".row").length);
    }
    took.sort((a, b) => a - b);
    return { took, rows };
  }, step);
