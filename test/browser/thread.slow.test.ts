import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { launch, open, ready, signIn, type Tab } from "../support/browser";
import { type Product, startProduct } from "../support/product";
import { Machine, TurnOf } from "./machine";

let product: Product;
let browser: Browser;
let tab: Tab;
let page: Page;
let machine: Machine;
let cookies: Awaited<ReturnType<Tab["context"]["cookies"]>>;

beforeAll(async () => {
  [product, browser] = await Promise.all([startProduct(), launch()]);
  const once = await open(browser, product.url);
  await signIn(once.page, product.ownerLink() ?? "");
  cookies = await once.context.cookies();
  await once.close();
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await product?.close();
});
beforeEach(async () => {
  tab = await open(browser, product.url);
  page = tab.page;
  page.setDefaultTimeout(10_000);
  await tab.context.addCookies(cookies);
  machine = new Machine(product.url, tab.context);
  await machine.attach();
  await page.goto("/");
  await page.getByRole("heading", { name: "Autopilot online." }).waitFor();
}, 30_000);
afterEach(async () => {
  expect(tab.errors).toEqual([]);
  await tab.close();
});

const input = () => page.locator("#chat-input");
const rows = (type: string) => page.locator(`.row-${type}`);
const send = async (text: string) => {
  await input().fill(text);
  await page.keyboard.press("Enter");
};
async function begin(text: string): Promise<TurnOf> {
  await send(text);
  const turn = new TurnOf(machine, await machine.next("turn/start"), Math.floor(Math.random() * 1e9));
  await turn.start();
  await rows("userMessage").last().getByText("Applied").waitFor();
  return turn;
}

describe("a first message", () => {
  test("makes a thread in place and is followed to where it is applied", async () => {
    await page.evaluate(() => {
      (document.querySelector("#chat-input") as HTMLElement & { planted?: boolean }).planted = true;
    });
    await send("What is here?");
    await page.waitForURL(/\/chat\/thread_web_\d+_\d{6}$/);
    expect(await input().evaluate((area: HTMLElement & { planted?: boolean }) => area.planted)).toBe(true);
    expect(await input().inputValue()).toBe("");
    await page.getByText("Stored", { exact: true }).waitFor();
    const asked = await machine.next("turn/start");
    const turn = new TurnOf(machine, asked, 1);
    await machine.receipt(asked, {
      thread_id: asked.thread_id,
      codex_thread_id: turn.codexThread,
      turn: { id: asked.turn_id },
      codex_turn_id: turn.codexTurn,
    });
    await page.getByText("On macbook").waitFor();
    await machine.post(turn.user(asked));
    await page.getByText("Applied").waitFor();
    await turn.answer("A **repository**.");
    await page.locator(".said strong", { hasText: "repository" }).waitFor();
    await turn.finish();
    await page.getByText("Worked for 1 s").waitFor();
    expect(await rows("userMessage").count()).toBe(1);
    expect(await page.locator(".chats .chat").first().getAttribute("href")).toBe(new URL(page.url()).pathname);

    await page.reload();
    await page.locator(".said strong", { hasText: "repository" }).waitFor();
    expect(await rows("userMessage").count()).toBe(1);
    expect(await rows("agentMessage").count()).toBe(1);
  });
});

describe("a running turn", () => {
  test("streams byte for byte, survives a reload in the middle, and ends once", async () => {
    const turn = await begin("Say it");
    await turn.begin({ type: "agentMessage", id: "a", text: "" });
    for (const delta of ["Hello", " ", "wor"]) await turn.event("item/agentMessage/delta", { itemId: "a", delta });
    await page.locator(".said", { hasText: "Hello wor" }).waitFor();
    await page.reload();
    await page.locator(".said", { hasText: "Hello wor" }).waitFor();
    await turn.event("item/agentMessage/delta", { itemId: "a", delta: "ld" });
    await page.locator(".said", { hasText: "Hello world" }).waitFor();
    await turn.complete({ type: "agentMessage", id: "a", text: "Hello world." });
    await turn.finish();
    await page.getByText("Worked for 1 s").waitFor();
    expect((await page.locator(".said .prose").allTextContents()).map((text) => text.trim())).toEqual(["Hello world."]);
  });

  test("is stopped once, says so until it has ended, and keeps the partial text", async () => {
    const turn = await begin("Go on for long");
    await turn.begin({ type: "agentMessage", id: "a", text: "" });
    await turn.event("item/agentMessage/delta", { itemId: "a", delta: "half a sen" });
    await page.locator(".said", { hasText: "half a sen" }).waitFor();
    await page.getByRole("button", { name: "Stop", exact: true }).click();
    await page.getByText("Stopping…").first().waitFor();
    const asked = await machine.next("turn/interrupt");
    await page.locator(".send.stop").click({ force: true });
    await machine.receipt(asked, { thread_id: asked.thread_id, turn_id: asked.turn_id, status: "interrupted" });
    await turn.finish("interrupted");
    await page.getByText("Stopped after 1 s").waitFor();
    await page.getByText("half a sen").waitFor();
    await page.getByRole("button", { name: "Send message" }).waitFor();
  });

  test("is steered: the second message joins it", async () => {
    const turn = await begin("Start here");
    await input().fill("and mind this");
    await page.getByRole("button", { name: "Send now" }).click();
    const second = await machine.next("turn/start");
    await machine.receipt(second, {
      thread_id: second.thread_id,
      codex_thread_id: turn.codexThread,
      turn: { id: second.turn_id },
      codex_turn_id: turn.codexTurn,
      steered: true,
    });
    await machine.post(turn.user(second));
    await rows("userMessage").nth(1).waitFor();
    await turn.answer("Both minded.");
    await turn.finish();
    await page.getByText("Worked for 1 s").waitFor();
    expect(await rows("userMessage").locator(".you").allTextContents()).toEqual(["Start here", "and mind this"]);
    await page.reload();
    await page.getByText("Both minded.").waitFor();
    expect(await rows("userMessage").locator(".you").allTextContents()).toEqual(["Start here", "and mind this"]);
  });

  test("lets a queued message wait for its end, also over a reload", async () => {
    const turn = await begin("First");
    await input().fill("Then this");
    await page.getByRole("button", { name: "Queue" }).click();
    await page.locator(".queue", { hasText: "Then this" }).waitFor();
    await page.reload();
    await page.locator(".queue", { hasText: "Then this" }).waitFor();
    await turn.answer("Done.");
    await turn.finish();
    const second = await machine.next("turn/start");
    expect(second.params.text).toBe("Then this");
    await page.locator(".queue").waitFor({ state: "detached" });
    await new TurnOf(machine, second, 77).start();
    await rows("userMessage").nth(1).waitFor();
    expect(await rows("userMessage").count()).toBe(2);
  });
});

describe("an approval", () => {
  const command = {
    type: "commandExecution",
    id: "c1",
    command: "git push --force origin main",
    cwd: "/work",
    status: "inProgress",
    commandActions: [],
    aggregatedOutput: null,
    exitCode: null,
    durationMs: null,
  };

  test("shows its risk, locks on the answer, and settles when Codex has it", async () => {
    const turn = await begin("Push it");
    await turn.begin(command);
    await turn.ask(0, command.command, "c1");
    const card = page.locator(".ask");
    await card.getByText("Rewrites the remote branch").waitFor();
    await card.getByRole("button", { name: "Approve Y" }).click();
    await card.getByText("Stored: Approved").waitFor();
    expect(await card.getByRole("button", { name: "Decline N" }).isDisabled()).toBe(true);
    const answer = await machine.next("serverRequest/respond");
    expect(answer.params).toMatchObject({ server_request_id: `${machine.session}:0`, decision: "accept" });
    await machine.receipt(answer, {
      thread_id: answer.thread_id,
      server_request_id: `${machine.session}:0`,
      decision: "accept",
    });
    await card.getByText("On the machine: Approved").waitFor();
    await turn.resolved(0);
    await page.locator(".settled", { hasText: "Approved: git push --force origin main" }).waitFor();
    expect(await page.getByText("Answered on another device").count()).toBe(0);
    await turn.complete({ ...command, status: "completed", aggregatedOutput: "ok\n", exitCode: 0, durationMs: 40 });
    await turn.finish();
    await page.reload();
    await page.locator(".settled", { hasText: "Approved: git push" }).waitFor();
  });

  test("answered in two tabs: the first counts, the other is told", async () => {
    const turn = await begin("Push it");
    await turn.begin(command);
    await turn.ask(1, command.command, "c1");
    const other = await tab.context.newPage();
    await other.goto(page.url());
    await other.locator(".ask").waitFor();
    await page.locator(".ask").getByRole("button", { name: "Decline N" }).click();
    await other
      .locator(".ask")
      .getByText("Answered on another device: Declined")
      .or(other.locator(".settled"))
      .first()
      .waitFor();
    await turn.resolved(1);
    await other
      .locator(".settled", { hasText: "Declined: git push" })
      .getByText("Answered on another device")
      .waitFor();
    await page.locator(".settled", { hasText: "Declined: git push" }).waitFor();
    expect(await page.getByText("Answered on another device").count()).toBe(0);
    await turn.finish();
  });

  test("y and n answer the focused card", async () => {
    const turn = await begin("Push it");
    await turn.begin(command);
    await turn.ask(2, command.command, "c1");
    await page.locator(".ask").focus();
    await page.keyboard.press("n");
    const answer = await machine.next("serverRequest/respond");
    expect(answer.params.decision).toBe("decline");
    await turn.resolved(2);
    await turn.finish();
  });
});

describe("a question", () => {
  test("is answered with an option; a secret is never shown", async () => {
    const turn = await begin("Ask me");
    const questions = [
      {
        id: "db",
        header: "Database",
        question: "Which one?",
        isOther: true,
        isSecret: false,
        options: [
          { label: "Postgres", description: "the usual" },
          { label: "SQLite", description: "a file" },
        ],
      },
      { id: "key", header: "Key", question: "The API key", isOther: false, isSecret: true, options: null },
    ];
    await turn.event(
      "item/tool/requestUserInput",
      { itemId: "q", questions, isBlocking: true },
      { server_request_id: `${machine.session}:5` },
    );
    const card = page.locator(".ask");
    await card.getByText("SQLite").click();
    await card.getByLabel("Key").fill("hunter2");
    expect(await card.getByLabel("Key").getAttribute("type")).toBe("password");
    await card.getByRole("button", { name: "Answer" }).click();
    const answer = await machine.next("serverRequest/respond");
    expect(answer.params.response).toEqual({ answers: { db: { answers: ["SQLite"] }, key: { answers: ["hunter2"] } } });
    await turn.resolved(5);
    await card.waitFor({ state: "detached" });
    expect(await page.locator("main").textContent()).not.toContain("hunter2");
    await turn.finish();
  });
});

describe("bad days", () => {
  test("offline: the message is kept over a reload and sent once, in order, when the network is back", async () => {
    const turn = await begin("Before");
    await turn.answer("ok");
    await turn.finish();
    await page.getByText("Worked for 1 s").waitFor();
    await tab.context.setOffline(true);
    await send("one");
    await send("two");
    await page.getByText("Kept here until you're back online").first().waitFor();
    await tab.context.setOffline(false);
    const one = await machine.next("turn/start");
    const two = await machine.next("turn/start");
    expect([one.params.text, two.params.text]).toEqual(["one", "two"]);
    await rows("userMessage").nth(2).waitFor();
    expect(await rows("userMessage").locator(".you").allTextContents()).toEqual(["Before", "one", "two"]);
  });

  test("a message that a dead server never got outlives the page", async () => {
    const turn = await begin("Before");
    await turn.answer("ok");
    await turn.finish();
    await page.getByText("Worked for 1 s").waitFor();
    await page.route("**/messages", (route) => route.abort());
    await send("kept");
    await page.locator(".you", { hasText: "kept" }).waitFor();
    await page.unroute("**/messages");
    await page.reload();
    const asked = await machine.next("turn/start");
    expect(asked.params.text).toBe("kept");
    await page.locator(".row-userMessage .you", { hasText: "kept" }).waitFor();
    expect(await page.locator(".you", { hasText: "kept" }).count()).toBe(1);
  });

  test("the server killed in mid-turn and started again: everything, once", async () => {
    const turn = await begin("Long work");
    await turn.begin({ type: "agentMessage", id: "a", text: "" });
    const parts = Array.from({ length: 40 }, (_, n) => `part ${n}. `);
    for (const delta of parts.slice(0, 20)) await turn.event("item/agentMessage/delta", { itemId: "a", delta });
    await page.locator(".said", { hasText: "part 19." }).waitFor();
    await product.kill();
    await page.locator(".banner").waitFor();
    await product.restart();
    for (const delta of parts.slice(20)) await turn.event("item/agentMessage/delta", { itemId: "a", delta });
    await page.locator(".said", { hasText: "part 39." }).waitFor({ timeout: 20_000 });
    expect((await page.locator(".said .prose").textContent())?.trim()).toBe(parts.join("").trim());
    await turn.complete({ type: "agentMessage", id: "a", text: parts.join("") });
    await turn.finish();
    await page.getByText("Worked for 1 s").waitFor();
    expect(await rows("agentMessage").count()).toBe(1);
    expect(await rows("userMessage").count()).toBe(1);
  }, 60_000);

  test("back from the background: it catches up before it says that anything runs", async () => {
    const turn = await begin("Work on");
    await page.locator(".working").waitFor();
    await page.evaluate(() => {
      const said: string[] = [];
      Object.assign(globalThis, { said });
      const note = () => {
        const word = document.querySelector(".working")?.firstElementChild?.textContent ?? "gone";
        if (said.at(-1) !== word) said.push(word);
      };
      new MutationObserver(note).observe(document.querySelector(".log-lines") as Element, {
        subtree: true,
        childList: true,
        characterData: true,
      });
      let hidden = true;
      Object.defineProperty(document, "hidden", { get: () => hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
      Object.assign(globalThis, {
        back: () => {
          // What it said while nobody looked does not count.
          said.length = 0;
          hidden = false;
          document.dispatchEvent(new Event("visibilitychange"));
        },
      });
    });
    await turn.finish();
    await page.evaluate(() => (globalThis as unknown as { back: () => void }).back());
    await page.getByText("Worked for 1 s").waitFor();
    const said = await page.evaluate(() => (globalThis as unknown as { said: string[] }).said);
    expect(said.filter((word) => word === "Working" || word === "Thinking")).toEqual([]);
  });

  test("429: the text stays, a countdown runs, nothing sends itself", async () => {
    const turn = await begin("Before");
    await turn.finish();
    await page.getByText("Worked for 1 s").waitFor();
    let sent = 0;
    await page.route("**/messages", (route) => {
      sent += 1;
      return route.fulfill({
        status: 429,
        headers: { "retry-after": "37" },
        contentType: "application/json",
        body: JSON.stringify({
          message: "Too many requests. Retry in 37s.",
          error: { code: "rate_limited", message: "Too many requests. Retry in 37s." },
        }),
      });
    });
    await send("too soon");
    await page.getByText(/Too many requests\. Try again in 3[67]s\./).waitFor();
    expect(await input().inputValue()).toBe("too soon");
    expect(await page.locator(".send").isDisabled()).toBe(true);
    expect(sent).toBe(1);
  });

  test("a refused message says why and is not lost", async () => {
    const turn = await begin("Before");
    await turn.finish();
    await page.getByText("Worked for 1 s").waitFor();
    await page.route("**/messages", (route) =>
      route.fulfill({ status: 500, contentType: "text/html", body: "<!doctype html><h1>boom</h1>" }),
    );
    await send("precious");
    await page.getByText("Send failed: Something went wrong on our side.").waitFor();
    expect(await page.getByText("boom").count()).toBe(0);
    await page.unroute("**/messages");
    await page.getByRole("button", { name: "Retry" }).click();
    const asked = await machine.next("turn/start");
    expect(asked.params.text).toBe("precious");
    await page.locator(".row-userMessage .you", { hasText: "precious" }).waitFor();
  });

  test("the machine refuses: the message says so", async () => {
    await send("Do it");
    const asked = await machine.next("turn/start");
    await machine.refuse(asked, "worker_unavailable", "Codex is not running", true);
    await page.locator(".unsent", { hasText: "Not run" }).getByText("Codex is not running").waitFor();
  });

  test("an unknown conversation is not made by looking at it", async () => {
    await page.goto("/chat/thread_of_nobody");
    await ready(page);
    await page.getByRole("heading", { name: "We couldn't find that conversation." }).waitFor();
  });

  test("markup in what Codex says is text", async () => {
    const turn = await begin("Attack");
    await turn.answer(
      '<script>alert(1)</script><img src=x onerror="alert(2)"> [x](javascript:alert(3)) ![i](https://evil.example/p.png)',
    );
    await page.locator(".said", { hasText: "<script>alert(1)</script>" }).waitFor();
    expect(await page.locator(".said script, .said img").count()).toBe(0);
    expect(await page.locator('.said a[href^="javascript"]').count()).toBe(0);
    await turn.finish();
  });
});

test("a draft belongs to its thread and outlives navigation and reload; an input method's Enter sends nothing", async () => {
  const turn = await begin("Hello");
  await turn.finish();
  await page.getByText("Worked for 1 s").waitFor();
  await input().fill("half a thought");
  await page.getByRole("link", { name: "New Chat" }).click();
  await page.getByRole("heading", { name: "Autopilot online." }).waitFor();
  expect(await input().inputValue()).toBe("");
  await page.goBack();
  await page.getByText("Worked for 1 s").waitFor();
  expect(await input().inputValue()).toBe("half a thought");
  await page.reload();
  await page.getByText("Worked for 1 s").waitFor();
  expect(await input().inputValue()).toBe("half a thought");
  await input().evaluate((area) => {
    area.dispatchEvent(new CompositionEvent("compositionstart", { bubbles: true }));
    area.dispatchEvent(
      new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true, isComposing: true }),
    );
  });
  expect(await input().inputValue()).toBe("half a thought");
  expect(await rows("userMessage").count()).toBe(1);
});
