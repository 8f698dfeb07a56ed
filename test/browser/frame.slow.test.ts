import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { axe, launch, open, picture, ready, signIn, type Tab } from "../support/browser";
import { type FakePosthog, fakePosthog } from "../support/posthog";
import { type Product, startProduct } from "../support/product";
import { Machine, TurnOf } from "./machine";

let posthog: FakePosthog;
let product: Product;
let browser: Browser;
let tab: Tab;
let page: Page;
let machine: Machine;
let cookies: Awaited<ReturnType<Tab["context"]["cookies"]>>;

beforeAll(async () => {
  posthog = fakePosthog();
  [product, browser] = await Promise.all([
    startProduct({ POSTHOG_API_KEY: posthog.apiKey, POSTHOG_HOST: posthog.url }),
    launch(),
  ]);
  const once = await open(browser, product.url);
  await signIn(once.page, product.ownerLink() ?? "");
  cookies = await once.context.cookies();
  await once.close();
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await product?.close();
  await posthog?.close();
});
beforeEach(async () => {
  tab = await open(browser, product.url);
  page = tab.page;
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

/** Starts a thread by writing its first message; the machine runs the turn. */
async function begin(text: string): Promise<TurnOf> {
  await page.goto("/");
  await page.locator("#chat-input").fill(text);
  await page.keyboard.press("Enter");
  const turn = new TurnOf(machine, await machine.next("turn/start"), Math.floor(Math.random() * 1e9));
  await turn.start();
  await page.locator(".row-userMessage").last().getByText("Applied").waitFor();
  return turn;
}

/** The page in the background, or back in front. */
const hide = (hidden: boolean) =>
  page.evaluate((value) => {
    Object.defineProperty(document, "hidden", { get: () => value, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);

describe("icons", () => {
  test("the manifest's icons are there, in the size it names", async () => {
    const icons = await page.evaluate(async () => {
      const link = document.querySelector<HTMLLinkElement>('link[rel="manifest"]')?.href ?? "";
      const manifest = (await (await fetch(link)).json()) as {
        icons: { src: string; sizes: string; type: string; purpose: string }[];
      };
      return Promise.all(
        manifest.icons.map(async ({ src, sizes, type, purpose }) => {
          const answer = await fetch(src);
          const size = type === "image/png" ? await createImageBitmap(await answer.blob()) : null;
          return {
            purpose,
            named: `${type} ${sizes}`,
            is: `${answer.headers.get("content-type")} ${size ? `${size.width}x${size.height}` : "any"}`,
          };
        }),
      );
    });
    for (const { named, is } of icons) expect(is).toBe(named);
    expect(icons.map(({ purpose }) => purpose)).toEqual(["any", "any", "any", "maskable"]);
    for (const [path, type] of [
      ["/favicon.ico", "image/x-icon"],
      ["/apple-touch-icon.png", "image/png"],
    ] as const) {
      const answer = await fetch(product.url + path);
      expect([answer.status, answer.headers.get("content-type")]).toEqual([200, type]);
    }
  });
});

describe("loading ahead", () => {
  test("a chat that is rested on is loaded and live before it is opened; one passed over is not", async () => {
    const first = await begin("Number one");
    await first.answer("Answer one.", "one");
    await first.finish();
    const second = await begin("Number two");
    await page.goto("/pair");
    await ready(page);
    const asked: string[] = [];
    page.on("request", (request) => {
      const found = /\/api\/runtime\/threads\/([^/?]+)\?/.exec(request.url());
      if (found) asked.push(decodeURIComponent(found[1] as string));
    });
    const link = (text: string) => page.getByRole("link", { name: text });
    await link("Number one").waitFor();
    await link("Number one").hover();
    await link("Number two").hover();
    await page.waitForResponse((answer) => answer.url().includes(encodeURIComponent(second.asked.thread_id)));
    expect(asked).toEqual([second.asked.thread_id]);

    await second.answer("Told before anybody looked.", "two");
    await second.finish();
    await link("Number two").click();
    await page.getByText("Told before anybody looked.").waitFor();
    await page.getByText("Worked for 1 s").waitFor();
    expect(asked).toEqual([second.asked.thread_id]);

    // by keyboard too
    await link("Number one").focus();
    await page.waitForResponse((answer) => answer.url().includes(encodeURIComponent(first.asked.thread_id)));
    await page.keyboard.press("Enter");
    await page.getByText("Answer one.").waitFor();
    expect(asked).toEqual([second.asked.thread_id, first.asked.thread_id]);
  });

  test("a page of its own is fetched when its link is rested on", async () => {
    const script = page.waitForResponse((answer) => /\/assets\/admin-[^/]+\.js$/.test(answer.url()));
    await page.getByRole("link", { name: "Admin" }).hover();
    expect((await script).status()).toBe(200);
    expect(new URL(page.url()).pathname).toBe("/");
  });
});

describe("an error of the chat", () => {
  test("stands in a banner until it is dismissed; markup is never shown", async () => {
    const turn = await begin("Stop me");
    await page.route("**/requests", (route) =>
      route.fulfill({ status: 500, contentType: "text/html", body: "<!doctype html><h1>Whoops</h1>" }),
    );
    await page.getByRole("button", { name: "Stop" }).click();
    const banner = page.getByRole("alert").filter({ hasText: "Stop failed" });
    await banner.waitFor();
    expect(await banner.textContent()).toContain(
      "Stop failed: Chat request failed due to a server response error. Please retry or start a new chat.",
    );
    expect(await page.getByText("Whoops").count()).toBe(0);
    await banner.getByRole("button", { name: "Dismiss" }).press("Enter");
    await banner.waitFor({ state: "detached" });
    await page.unroute("**/requests");
    await page.getByRole("button", { name: "Stop" }).click();
    await machine.next("turn/interrupt");
    await turn.finish("interrupted");
    await page.getByText(/^Stopped after/).waitFor();
  });
});

describe("large JSON", () => {
  test("is a tree: folded, walked by keyboard, searched, and its paths are copied", async () => {
    await tab.context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: product.url });
    const turn = await begin("Fetch it all");
    const users = Array.from({ length: 120 }, (_, n) => ({ id: n, name: `user ${n}`, roles: ["reader"] }));
    await turn.complete({
      type: "mcpToolCall",
      id: "call_1",
      server: "crm",
      tool: "list",
      status: "completed",
      arguments: { limit: 120 },
      result: { content: [{ type: "text", text: JSON.stringify({ users, next: null }) }] },
      error: null,
      durationMs: 12,
    });
    await turn.finish();
    await page.getByRole("button", { name: /crm\.list/ }).click();
    const tree = page.getByRole("tree", { name: "Result" });
    await tree.waitFor();
    const item = (name: RegExp) => tree.getByRole("treeitem", { name });
    expect(await tree.getByRole("treeitem").count()).toBe(1 + 1 + 120 + 1);
    expect(await item(/^117/).getAttribute("aria-expanded")).toBe("false");

    await tree.getByRole("treeitem").first().focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    const placeIs = (path: string) =>
      page.waitForFunction((want) => document.querySelector(".json-place code")?.textContent === want, path);
    const copied = (text: string) =>
      page.waitForFunction(async (want) => (await navigator.clipboard.readText()) === want, text);
    await placeIs("$.users[0].id");
    await page.keyboard.press("ArrowLeft");
    await placeIs("$.users[0]");
    await page.keyboard.press("ArrowLeft");
    await page.waitForFunction(() => document.activeElement?.getAttribute("aria-expanded") === "false");

    await page.getByLabel("Search in Result").fill("user 117");
    await page.getByText("1 of 1", { exact: true }).waitFor();
    await placeIs("$.users[117].name");
    await item(/user 117/).waitFor();
    await page.getByRole("button", { name: "Copy path" }).click();
    await copied("$.users[117].name");
    await page.getByRole("button", { name: "Copy value" }).click();
    await copied("user 117");
    for (const theme of ["light", "dark"]) {
      await page.evaluate((name) => {
        document.documentElement.classList.remove("light", "dark");
        document.documentElement.classList.add(name);
      }, theme);
      expect(await axe(page)).toEqual([]);
      await picture(page, `json-tree-${theme}`);
    }
  });
});

describe("desktop notifications", () => {
  const choose = async () => {
    await page.getByRole("button", { name: /^Account:/ }).click();
    await page.getByRole("menuitemcheckbox", { name: "Desktop notifications" }).click();
  };
  const shown = () =>
    page.evaluate(async () => {
      const worker = await navigator.serviceWorker.ready;
      return (await worker.getNotifications()).map(({ title, body, tag }) => ({ title, body, tag }));
    });

  test("refused by the browser: said so, and off", async () => {
    await page.evaluate(() => {
      Object.defineProperty(Notification, "permission", { get: () => "denied" });
    });
    await choose();
    await page.getByText("This browser does not allow notifications for this site.").waitFor();
    await page.getByRole("button", { name: /^Account:/ }).click();
    const item = page.getByRole("menuitemcheckbox", { name: "Desktop notifications" });
    expect(await item.getAttribute("aria-checked")).toBe("false");
  });

  test("only after one asked for them, only in the background; a click leads to the chat; seen, they go", async () => {
    await tab.context.grantPermissions(["notifications"], { origin: product.url });
    const turn = await begin("Tell me when it is done");
    await hide(true);
    await turn.finish();
    await page.waitForFunction(() => document.title.startsWith("● "));
    expect(await shown()).toEqual([]);
    await hide(false);

    await choose();
    await page.getByText("You will be told when a turn ends or an approval waits.").waitFor();
    await page.reload();
    await ready(page);
    const next = await begin("And now");
    await page.goto("/pair");
    await ready(page);
    await page.getByRole("link", { name: "And now" }).waitFor();
    await page.waitForFunction(
      () => (globalThis as { __oa?: { khala: { state: string } } }).__oa?.khala.state === "live",
    );
    await hide(true);
    await next.ask(1, "git push", "item_1");
    while ((await shown()).length === 0) await Bun.sleep(20);
    expect(await shown()).toEqual([
      { title: "Waiting for you - OpenAgents", body: "And now", tag: `oa:${next.asked.thread_id}` },
    ]);

    const [worker] = tab.context.serviceWorkers();
    await worker?.evaluate(async () => {
      const scope = globalThis as unknown as ServiceWorkerGlobalScope;
      const [notification] = await scope.registration.getNotifications();
      if (!notification) throw new Error("no notification");
      try {
        scope.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
      } catch {
        // only the browser's own event may be extended
      }
    });
    await page.waitForURL(`**/chat/${encodeURIComponent(next.asked.thread_id)}`);
    await hide(false);
    while ((await shown()).length > 0) await Bun.sleep(20);
    await next.resolved(1);
    await next.finish();
  });
});

describe("usage", () => {
  test("is told by name and number, never by what was written", async () => {
    const secret = "Nobody else shall read this sentence";
    posthog.accepted.length = 0;
    const turn = await begin(secret);
    await turn.answer("Answer to it.", "answer");
    await turn.finish();
    await page.getByText("Worked for 1 s").waitFor();
    await page.getByRole("button", { name: /^Account:/ }).click();
    await page.getByRole("menuitem", { name: "Settings" }).click();
    await page.waitForSelector('main[data-page="settings-profile"]');
    await page.getByRole("navigation", { name: "Settings" }).getByRole("link", { name: "Sessions" }).click();
    await page.waitForSelector('main[data-page="settings-sessions"]');
    await page.goto("/openapi.json"); // the page goes: what is left is sent

    const wanted = [
      "home_chat.page_opened",
      "home_chat.message_submitted",
      "home_chat.response_completed",
      "sidebar.page_opened",
      "sidebar_user_menu.settings_clicked",
      "settings.page_opened",
      "settings.nav_clicked",
      "settings_profile.page_opened",
    ];
    const missing = () => wanted.filter((name) => !posthog.accepted.some(({ event }) => event === name));
    for (let count = posthog.accepted.length; missing().length > 0; count++) await posthog.events(count + 1);

    const of = (name: string) => posthog.accepted.filter(({ event }) => event === name);
    expect(of("home_chat.message_submitted")[0]?.properties).toMatchObject({
      namespace: "home_chat",
      source: "authed",
      characterCount: secret.length,
    });
    expect(of("home_chat.response_completed")[0]?.properties).toMatchObject({
      conversationId: turn.asked.thread_id,
      messageCount: 2,
    });
    expect(of("settings.nav_clicked")[0]?.properties).toMatchObject({
      fromPath: "/settings/profile",
      toPath: "/settings/sessions",
    });
    const views = of("$pageview").filter(({ properties }) => properties?.source === "web_shell");
    expect(views.map(({ properties }) => properties?.$pathname)).toContain("/settings/sessions");
    expect(JSON.stringify(posthog.accepted)).not.toContain(secret);
    expect(JSON.stringify(posthog.accepted)).not.toContain("Answer to it.");
  });
});
