import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { axe, launch, open, PHONE, picture, ready, signIn, type Tab, type Theme, WIDE } from "../support/browser";
import { type Product, startProduct } from "../support/product";
import { type Asked, Machine, TurnOf } from "./machine";

let product: Product;
let browser: Browser;
let cookies: Awaited<ReturnType<Tab["context"]["cookies"]>>;
let address = "";

const diff = `@@ -31,9 +31,8 @@ project(event)
 export async function project(tx: Tx, event: DeliveryEvent) {
-  const seen = await tx.select().from(events).where(eq(events.id, event.id));
-  if (seen.length) return;
-  await tx.insert(events).values(event);
+  const [row] = await tx.insert(events).values(event).onConflictDoNothing().returning();
+  if (!row) return;
   const next = reduce(await load(tx, event.topic), event);
   await save(tx, event.topic, next);
   log.info("projected", { id: event.id });
 }
`;
const prose = `Two deliveries race: each checks, finds none, and **both** insert.

1. \`select\` sees nothing
2. both \`insert\`

| run | expected | received |
| --- | ---: | ---: |
| 1 | 1 | 2 |

\`\`\`ts
if (!row) return; // somebody else projected it
\`\`\`

See [the docs](https://www.postgresql.org/docs/).

- [x] reproduce
- [ ] fix

> A check before an insert is a race.`;

const command = (id: string, line: string, more: Record<string, unknown>) => ({
  type: "commandExecution",
  id,
  command: line,
  cwd: "/home/ana/code/api",
  status: "completed",
  commandActions: [{ type: "unknown", command: line }],
  aggregatedOutput: "",
  exitCode: 0,
  durationMs: 320,
  ...more,
});

async function everyKind(turn: TurnOf) {
  const done = (item: Record<string, unknown>) => turn.say("item/completed", { item, completedAtMs: Date.now() });
  await turn.begin({ type: "reasoning", id: "r1", summary: [], content: [] });
  await turn.machine.post([
    done({ type: "reasoning", id: "r1", summary: ["**Reproducing** it in a loop."], content: [] }),
    done({ type: "agentMessage", id: "a1", text: "I'll reproduce it first." }),
    done(
      command("c0", "sed -n 1,80p a.ts", {
        commandActions: [{ type: "read", command: "sed", name: "a.ts", path: "src/a.ts" }],
      }),
    ),
    done(
      command("c1", "bun test webhook", {
        status: "failed",
        exitCode: 1,
        durationMs: 41_000,
        aggregatedOutput:
          "expected: 1\nreceived: \u001b[31m2\u001b[0m\n\u001b[32m46 pass\u001b[0m \u001b[1;31m4 fail\u001b[0m\n",
      }),
    ),
    done({ type: "agentMessage", id: "a2", text: prose }),
    done({
      type: "fileChange",
      id: "f1",
      status: "completed",
      changes: [
        { path: "src/projection.ts", kind: { type: "update", move_path: null }, diff },
        { path: "test/once.test.ts", kind: { type: "add" }, diff: "test('once', () => {});\n" },
      ],
    }),
    done({
      type: "mcpToolCall",
      id: "m1",
      server: "github",
      tool: "create_issue",
      status: "completed",
      arguments: { title: "Flaky" },
      result: { content: [{ type: "text", text: "#412" }] },
      error: null,
      durationMs: 840,
    }),
    done({
      type: "mcpToolCall",
      id: "m2",
      server: "jira",
      tool: "search",
      status: "failed",
      arguments: { q: "x" },
      result: null,
      error: { message: "401 unauthorized" },
      durationMs: 90,
    }),
    done({ type: "webSearch", id: "w1", query: "on conflict do nothing" }),
    done({ type: "contextCompaction", id: "k1" }),
    done({ type: "somethingNew", id: "n1", foo: { bar: 1 } }),
    turn.say("turn/plan/updated", {
      plan: [
        { step: "Run the test 50 times", status: "completed" },
        { step: "Fix the race", status: "inProgress" },
        { step: "Run it 200 times", status: "pending" },
      ],
    }),
    turn.say("turn/diff/updated", {
      diff: `diff --git a/src/projection.ts b/src/projection.ts\n--- a/src/projection.ts\n+++ b/src/projection.ts\n${diff}`,
    }),
    turn.say("thread/tokenUsage/updated", {
      tokenUsage: {
        total: {
          totalTokens: 180_000,
          inputTokens: 170_000,
          cachedInputTokens: 90_000,
          outputTokens: 10_000,
          reasoningOutputTokens: 4000,
        },
        last: {
          totalTokens: 43_000,
          inputTokens: 41_000,
          cachedInputTokens: 30_000,
          outputTokens: 2000,
          reasoningOutputTokens: 900,
        },
        modelContextWindow: 105_000,
      },
    }),
    turn.say("thread/name/updated", { threadName: "Retry flaky webhook test" }),
  ]);
}

beforeAll(async () => {
  [product, browser] = await Promise.all([startProduct(), launch()]);
  const tab = await open(browser, product.url);
  await signIn(tab.page, product.ownerLink() ?? "");
  const machine = new Machine(product.url, tab.context);
  await machine.attach();
  const { page } = tab;
  await page.getByRole("heading", { name: "Autopilot online." }).waitFor();
  const send = async (text: string): Promise<Asked> => {
    await page.locator("#chat-input").fill(text);
    await page.keyboard.press("Enter");
    return machine.next("turn/start");
  };
  const first = new TurnOf(machine, await send("The webhook test fails about one run in ten. Find out why."), 1);
  await first.start();
  await everyKind(first);
  await first.finish();
  await page.getByText("Worked for 1 s").waitFor();
  const failed = new TurnOf(machine, await send("continue"), 2);
  await failed.start();
  await failed.finish("failed", {
    message: "stream disconnected before completion",
    codexErrorInfo: null,
    additionalDetails: "http 503",
  });
  await page.getByText("Failed after 1 s").waitFor();
  const last = new TurnOf(machine, await send("Push the branch."), 3);
  await last.start();
  const push = command("c9", "git push --force origin fix/race", {
    status: "inProgress",
    exitCode: null,
    aggregatedOutput: null,
    durationMs: null,
  });
  await last.begin(push);
  await last.machine.post([
    last.say("turn/plan/updated", {
      plan: [
        { step: "Run the test 50 times", status: "completed" },
        { step: "Push", status: "inProgress" },
      ],
    }),
  ]);
  await last.ask(0, push.command as string, "c9");
  await page.locator(".ask").waitFor();
  address = page.url();
  cookies = await tab.context.cookies();
  await tab.close();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await product?.close();
});

const sizes = { wide: WIDE, phone: PHONE };
const views = (["dark", "light"] as Theme[]).flatMap((theme) =>
  (["wide", "phone"] as const).map((size) => ({ theme, size })),
);

test.each(views)(
  "every card, %j: nothing for axe, nothing wider than the page",
  async ({ theme, size }) => {
    const tab = await open(browser, product.url, {
      theme,
      viewport: sizes[size],
      ...(size === "phone" ? { hasTouch: true, isMobile: true } : {}),
    });
    const { page } = tab;
    await tab.context.addCookies(cookies);
    await page.goto(address);
    await ready(page);
    await page.locator(".ask").waitFor();
    await picture(page, `thread-end-${theme}-${size}`);
    expect(await axe(page)).toEqual([]);
    const step = await page.locator("main").evaluate((main) => main.clientHeight - 120);
    for (let n = 0; n < 12; n += 1) {
      const top = await page.locator("main").evaluate((main, by) => {
        main.dispatchEvent(new WheelEvent("wheel"));
        main.scrollTop -= by;
        return main.scrollTop;
      }, step);
      await page.waitForFunction(
        () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true)))),
      );
      await picture(page, `thread-${String(n).padStart(2, "0")}-${theme}-${size}`);
      // What is half under the dock at some place of the scroll is whole a little further on.
      expect((await axe(page)).filter((line) => !line.includes("partially obscured"))).toEqual([]);
      if (top <= 0) break;
    }
    expect(await page.locator("main").evaluate((main) => main.scrollWidth - main.clientWidth)).toBe(0);
    // The sticky bar brings the answer into reach while its card is out of view.
    await page.getByText("1 approval waiting").waitFor();
    const approve = await page.locator(".waiting").getByRole("button", { name: "Approve" }).boundingBox();
    expect(approve?.height).toBeGreaterThanOrEqual(size === "phone" ? 40 : 24);
    expect(tab.errors).toEqual([]);
    await tab.close();
  },
  60_000,
);

test("search covers folded output, counts, goes to and fro; export holds the thread", async () => {
  const tab = await open(browser, product.url);
  const { page } = tab;
  await tab.context.addCookies(cookies);
  await page.goto(address);
  await page.locator(".ask").waitFor();
  await page.keyboard.press("Control+f");
  const field = page.getByLabel("Find in thread");
  await field.fill("race");
  await page.locator(".find [role=status]", { hasText: /^1 of \d+$/ }).waitFor();
  await page.keyboard.press("Enter");
  await page.locator(".find [role=status]", { hasText: /^2 of/ }).waitFor();
  await page.keyboard.press("Shift+Enter");
  await page.locator(".find [role=status]", { hasText: /^1 of/ }).waitFor();
  await field.fill("no such thing");
  await page.locator(".find [role=status]", { hasText: "No results" }).waitFor();
  await page.keyboard.press("Escape");
  await field.waitFor({ state: "detached" });

  await page.getByRole("button", { name: "Conversation menu" }).click();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("menuitem", { name: "Save as Markdown" }).click(),
  ]);
  expect(download.suggestedFilename()).toBe("Retry flaky webhook test.md");
  const text = await Bun.file((await download.path()) ?? "").text();
  for (const part of [
    "## You",
    "I'll reproduce it first.",
    "$ bun test webhook",
    "```diff",
    "**Failed:** stream disconnected",
  ])
    expect(text).toContain(part);
  await tab.close();
}, 60_000);

test("a link to an item shows that item", async () => {
  const tab = await open(browser, product.url);
  const { page } = tab;
  await tab.context.addCookies(cookies);
  await page.goto(`${address}#item-a1`);
  await page.locator("#item-a1").waitFor();
  await page.waitForFunction(() => {
    const box = document.getElementById("item-a1")?.getBoundingClientRect();
    return box !== undefined && box.top > 0 && box.bottom < innerHeight;
  });
  await tab.close();
}, 60_000);
