import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { launch, open, signIn, type Tab } from "../support/browser";
import { type Product, startProduct } from "../support/product";
import { addItems, addTurns, begin, openBy, scroll } from "./long";
import { Machine } from "./machine";

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

test("5,000 items: opens at the end, keeps little in the page, scrolls", async () => {
  const small = await begin(page, machine, "Small");
  await small.answer("Short.");
  await small.finish();
  const big = await begin(page, machine, "Everything");
  await big.finish();
  await addTurns(machine, big, 250);
  await page.locator(".row", { hasText: "Item 4998:" }).waitFor({ timeout: 60_000 });
  await page.goto("/");
  await page.locator(`a[href="/chat/${big.asked.thread_id}"]`).waitFor();
  const empty = await openBy(page, small.asked.thread_id);
  await page.goto("/");
  await page.locator(`a[href="/chat/${big.asked.thread_id}"]`).waitFor();
  await page.waitForTimeout(2000); // the cards' code is fetched in the idle time of the home page
  const long = await openBy(page, big.asked.thread_id).catch(async () => {
    throw new Error((await page.locator("main").textContent()) ?? "");
  });
  const { took, rows } = await scroll(page, 120);
  console.log(
    `open: small ${empty.ms.toFixed(0)} ms, 5,000 items ${long.ms.toFixed(0)} ms (the server's read ${long.read.toFixed(0)}); nodes ${long.nodes}; frames while scrolling p50 ${took[100]?.toFixed(0)}, longest ${took.at(-1)?.toFixed(0)}`,
  );
  expect(long.fromEnd).toBeLessThan(2);
  expect(long.nodes).toBeLessThan(6000);
  expect(rows).toBeLessThan(250);
  expect(tab.errors).toEqual([]);
}, 180_000);

test("5,000 items in one turn: its end is read, the rest when somebody goes there", async () => {
  const turn = await begin(page, machine, "All in one");
  await addItems(machine, turn, 5000);
  await page.locator(".row", { hasText: "Item 4998:" }).waitFor({ timeout: 60_000 });
  await page.goto("/");
  await page.locator(`a[href="/chat/${turn.asked.thread_id}"]`).waitFor();
  await page.waitForLoadState("networkidle");
  const opened = await openBy(page, turn.asked.thread_id);
  console.log(`open: one turn of 5,000 items ${opened.ms.toFixed(0)} ms (the server's read ${opened.read.toFixed(0)})`);
  expect(opened.fromEnd).toBeLessThan(2);
  expect(opened.nodes).toBeLessThan(6000);
  // What was asked stands before what is not here yet.
  const order = await page.evaluate(() => {
    const asked = document.querySelector(".row-you");
    const gap = document.querySelector(".log-older");
    return asked && gap ? asked.compareDocumentPosition(gap) === Node.DOCUMENT_POSITION_FOLLOWING : null;
  });
  expect(order).toBe(true);
  await turn.event("item/completed", { item: { type: "agentMessage", id: "new", text: "Said meanwhile" } });
  await page.locator(".row", { hasText: "Said meanwhile" }).waitFor();
  // Going up reads on, and nothing moves under the reader.
  const read = page.waitForResponse((answer) => answer.url().includes("before_item="));
  await page.evaluate(() => {
    const main = document.getElementById("oa-main-shell") as HTMLElement;
    main.dispatchEvent(new WheelEvent("wheel"));
    const gap = document.querySelector(".log-older") as HTMLElement;
    main.scrollTop += gap.getBoundingClientRect().bottom + 900;
  });
  const inView = () =>
    page.evaluate(() => {
      const rows = [...document.querySelectorAll<HTMLElement>(".row")];
      const row = rows.find((one) => one.getBoundingClientRect().top > 100);
      return row ? { key: row.dataset.row as string, top: row.getBoundingClientRect().top } : null;
    });
  await page.waitForFunction(() => {
    const tops = [...document.querySelectorAll(".row")].map((row) => row.getBoundingClientRect().top);
    return tops.some((top) => top > 100 && top < 700);
  });
  const before = await inView();
  await read;
  await page.waitForFunction(() => document.querySelector(".log-older button"));
  const after = await page.evaluate(
    (key) => document.querySelector(`[data-row="${CSS.escape(key)}"]`)?.getBoundingClientRect().top,
    before?.key ?? "",
  );
  expect(Math.abs((after ?? Number.NaN) - (before?.top ?? Number.NaN))).toBeLessThan(3);
  expect(await page.getByText("New messages").count()).toBe(0);
  await page.keyboard.press("ControlOrMeta+f");
  await page.locator("#find-in-thread").fill("Item 2:");
  await page.locator(".row", { hasText: "Item 2:" }).waitFor({ timeout: 60_000 });
  await page.locator(".log-older").waitFor({ state: "detached" });
  await page.keyboard.press("Escape");
  await turn.finish();
  await page.getByText("1250 commands").waitFor();
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
  const turn = await begin(page, machine, "Cut me");
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
  const turn = await begin(page, machine, "Quick");
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
