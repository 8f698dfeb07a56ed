import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { launch, open, signIn, type Tab } from "../support/browser";
import { type Product, startProduct } from "../support/product";
import { Machine, TurnOf } from "./machine";

/**
 * What a long conversation costs, printed as figures. What is asserted are counts that no busy machine can spoil (how much
 * is in the page, that no text is lost); times are printed beside those of an empty thread in the same run.
 */
let product: Product;
let browser: Browser;
let tab: Tab;
let page: Page;
let machine: Machine;

beforeAll(async () => {
  [product, browser] = await Promise.all([
    startProduct({ RUNTIME_KHALA_CODEX_WORKER_EVENTS_PUBLISH_RATE_PER_SECOND: "100000" }),
    launch(),
  ]);
  tab = await open(browser, product.url);
  page = tab.page;
  await signIn(page, product.ownerLink() ?? "");
  machine = new Machine(product.url, tab.context);
  await machine.attach();
  await page.getByRole("heading", { name: "Autopilot online." }).waitFor();
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await product?.close();
});

async function begin(text: string): Promise<TurnOf> {
  await page.goto("/");
  await page.getByRole("heading", { name: "Autopilot online." }).waitFor();
  await page.locator("#chat-input").fill(text);
  await page.keyboard.press("Enter");
  const turn = new TurnOf(machine, await machine.next("turn/start"), Math.floor(Math.random() * 1e9));
  await turn.start();
  await page.getByText("Applied").waitFor();
  return turn;
}

const WORDS = "The check and the insert must be one statement: `on conflict do nothing` says so.\n\n- one\n- two\n\n";
const items = (n: number) =>
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

/** Milliseconds from a click on the sidebar's link to the painted end of that thread. */
const openBy = (id: string) =>
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

test("5,000 items: opens at the end, keeps little in the page, scrolls", async () => {
  const small = await begin("Small");
  await small.answer("Short.");
  await small.finish();
  const big = await begin("Everything");
  await big.finish();
  for (let n = 0; n < 250; n += 1) {
    const turn = new TurnOf(machine, { ...big.asked, turn_id: null }, 1_000_000 + n);
    await machine.post([
      turn.say("turn/started", { turn: { id: turn.codexTurn, startedAt: Math.floor(Date.now() / 1000) } }),
      ...Array.from({ length: 20 }, (_, k) =>
        turn.say("item/completed", { item: items(n * 20 + k), completedAtMs: Date.now() }),
      ),
      turn.say("turn/completed", {
        turn: { id: turn.codexTurn, status: "completed", error: null, items: [], durationMs: 900 },
      }),
    ]);
  }
  await page.locator(".row", { hasText: "Item 4998:" }).waitFor({ timeout: 60_000 });
  await page.goto("/");
  await page.locator(`a[href="/chat/${big.asked.thread_id}"]`).waitFor();
  const empty = await openBy(small.asked.thread_id);
  await page.goto("/");
  await page.locator(`a[href="/chat/${big.asked.thread_id}"]`).waitFor();
  await page.waitForTimeout(2000); // the cards' code is fetched in the idle time of the home page
  const long = await openBy(big.asked.thread_id).catch(async () => {
    throw new Error((await page.locator("main").textContent()) ?? "");
  });
  const scroll = await page.evaluate(async () => {
    const main = document.getElementById("oa-main-shell") as HTMLElement;
    main.dispatchEvent(new WheelEvent("wheel"));
    const frames: number[] = [];
    let last = performance.now();
    let most = 0;
    for (let n = 0; n < 200; n += 1) {
      main.scrollTop -= 120;
      await new Promise((done) => requestAnimationFrame(done));
      const now = performance.now();
      frames.push(now - last);
      last = now;
      most = Math.max(most, document.querySelectorAll(".row").length);
    }
    frames.sort((a, b) => a - b);
    return { p50: frames[100], p99: frames[197], over50: frames.filter((ms) => ms > 50).length, rows: most };
  });
  console.log(
    `open: small ${empty.ms.toFixed(0)} ms, 5,000 items ${long.ms.toFixed(0)} ms (the server's read ${long.read.toFixed(0)}); nodes ${long.nodes}; scroll`,
    scroll,
  );
  expect(long.fromEnd).toBeLessThan(2);
  expect(long.nodes).toBeLessThan(6000);
  expect(scroll.rows).toBeLessThan(250);
  expect(tab.errors).toEqual([]);
}, 180_000);

test("a socket cut again and again: the text is that of an uncut turn", async () => {
  await page.addInitScript(() => {
    const sockets: WebSocket[] = [];
    const Real = WebSocket;
    globalThis.WebSocket = class extends Real {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        sockets.push(this);
      }
    };
    // As a network does it: the page is told of a lost connection, nothing more comes from it.
    Object.assign(globalThis, { cut: () => sockets.at(-1)?.close(4000) });
  });
  const turn = await begin("Cut me");
  await turn.begin({ type: "agentMessage", id: "a", text: "" });
  const parts = Array.from({ length: 1000 }, (_, n) => `w${n} `);
  let sending = true;
  const cutting = (async () => {
    let cuts = 0;
    while (sending) {
      await page.evaluate(() => (globalThis as unknown as { cut: () => void }).cut());
      cuts += 1;
      await page.waitForFunction(
        () => (globalThis as unknown as { __oa: { khala: { state: string } } }).__oa.khala.state === "live",
      );
    }
    return cuts;
  })();
  for (let n = 0; n < parts.length; n += 5) {
    await machine.post(
      parts.slice(n, n + 5).map((delta) => turn.say("item/agentMessage/delta", { itemId: "a", delta })),
    );
  }
  sending = false;
  const cuts = await cutting;
  await page.locator(".said", { hasText: "w999" }).waitFor({ timeout: 40_000 });
  // biome-ignore lint/performance/useDomNodeTextContent: as it is read
  expect((await page.locator(".said .prose").innerText()).trim()).toBe(parts.join("").trim());
  console.log(`${cuts} cuts`);
  await turn.finish();
}, 120_000);

test("from the machine's post to the page: how long a delta takes", async () => {
  const turn = await begin("Quick");
  await turn.begin({ type: "agentMessage", id: "a", text: "" });
  await turn.event("item/agentMessage/delta", { itemId: "a", delta: "start " });
  await page.locator(".said", { hasText: "start" }).waitFor();
  await page.evaluate(() => {
    const seen: Record<string, number> = {};
    Object.assign(globalThis, { seen });
    const box = document.querySelector(".said .prose") as HTMLElement;
    new MutationObserver(() => {
      for (const [mark] of (box.textContent ?? "").matchAll(/#\d+/g))
        seen[mark] ??= performance.timeOrigin + performance.now();
    }).observe(box, { subtree: true, childList: true, characterData: true });
  });
  const sent: Record<string, number> = {};
  for (let n = 0; n < 100; n += 1) {
    sent[`#${n}`] = performance.timeOrigin + performance.now();
    await turn.event("item/agentMessage/delta", { itemId: "a", delta: `#${n} ` });
  }
  await page.waitForFunction(() => "#99" in (globalThis as unknown as { seen: Record<string, number> }).seen);
  const seen = await page.evaluate(() => (globalThis as unknown as { seen: Record<string, number> }).seen);
  const times = Object.entries(sent)
    .map(([mark, at]) => (seen[mark] ?? Number.NaN) - at)
    .sort((a, b) => a - b);
  expect(times.every(Number.isFinite)).toBe(true);
  console.log(`delta to DOM: p50 ${times[50]?.toFixed(1)} ms, p99 ${times[98]?.toFixed(1)} ms`);
  await turn.finish();
}, 60_000);
