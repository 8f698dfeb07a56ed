import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { launch, open, picture, signIn, type Tab } from "../support/browser";
import { type Product, startProduct } from "../support/product";

interface Oa {
  bootId: string;
  khala: { state: string; connectionId: number };
}
let product: Product;
let browser: Browser;
let tab: Tab;

beforeAll(async () => {
  [product, browser] = await Promise.all([startProduct(), launch()]);
  tab = await open(browser, product.url, { serviceWorkers: "block" });
  await signIn(tab.page, product.ownerLink() ?? "");
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await product?.close();
});

const live = () =>
  tab.page.waitForFunction(() => (globalThis as unknown as { __oa: Oa }).__oa.khala.state === "live", null, {
    timeout: 20_000,
  });

test("the server dies: the banner within two seconds; it returns: the banner goes, the socket is live, nothing was lost", async () => {
  const { page } = tab;
  await page.getByRole("link", { name: "Pair a machine" }).click();
  await page.getByLabel("Code").fill("WDJB");
  await live();
  const { bootId } = await page.evaluate(() => ({ bootId: (globalThis as unknown as { __oa: Oa }).__oa.bootId }));

  await product.kill("SIGKILL");
  await page.getByText("Can't reach OpenAgents. Retrying…").waitFor({ timeout: 2000 });
  await page.getByRole("button", { name: "Connection: Offline" }).waitFor();
  await picture(page, "banner");

  await product.restart();
  await page.getByText("Can't reach OpenAgents. Retrying…").waitFor({ state: "detached", timeout: 12_000 });
  await live();
  await page.getByRole("button", { name: "Connection: Live" }).waitFor();
  expect(await page.getByLabel("Code").inputValue()).toBe("WDJB");
  expect(await page.evaluate(() => (globalThis as unknown as { __oa: Oa }).__oa.bootId)).toBe(bootId);
});

test("the browser goes offline and comes back", async () => {
  const { page, context } = tab;
  await context.setOffline(true);
  await page.getByText("You're offline. Changes will send when you're back.").waitFor({ timeout: 2000 });
  await context.setOffline(false);
  await page.getByText("You're offline.").waitFor({ state: "detached" });
  await live();
});

test("a page that the network kept from loading is there when it is back; other pages are meanwhile", async () => {
  const { page, context } = tab;
  await page.goto("/");
  await live();
  await context.setOffline(true);
  await page.getByRole("button", { name: /^Account:/ }).click();
  await page.getByRole("menuitem", { name: "Settings" }).click();
  await page.getByText("This page could not be loaded.").waitFor();
  await page.getByText("You're offline. Changes will send when you're back.").waitFor();
  expect(await page.getByText("A new version is ready.").count()).toBe(0);
  await page.getByRole("link", { name: "New Chat" }).click();
  await page.getByRole("heading", { name: "Connect Codex" }).waitFor();
  await page.goBack();
  await page.getByText("This page could not be loaded.").waitFor();
  await context.setOffline(false);
  await page.getByRole("heading", { name: "Profile information" }).waitFor();
});

test("a start without an answer keeps the frame, says so, and goes on by itself when the server answers", async () => {
  const { page } = tab;
  let fail = true;
  await page.route("**/api/me?**", (route) => (fail ? route.abort() : route.continue()));
  await page.goto("/");
  await page.getByRole("heading", { name: "Couldn't reach OpenAgents." }).waitFor();
  await page.getByRole("link", { name: "New Chat" }).waitFor();
  fail = false;
  await page.getByRole("button", { name: "Retry" }).click();
  await page.getByRole("heading", { name: "Connect Codex" }).waitFor();
  await page.unroute("**/api/me?**");
});

test("maintenance: its page, and back in place when it is over", async () => {
  const { page } = tab;
  let down = true;
  const refuse = {
    status: 503,
    headers: { "x-oa-maintenance": "1" },
    json: { message: "m", error: { code: "maintenance_mode", message: "m" } },
  };
  await page.route(/\/api\/|\/manifest\.json/, (route) => (down ? route.fulfill(refuse) : route.continue()));
  await page.clock.install();
  await page.goto("/");
  await page.getByRole("heading", { name: "We'll be right back." }).waitFor();
  await page.getByText("Maintenance in progress").waitFor();
  expect(await page.locator("main").getAttribute("data-page")).toBe("maintenance");
  await picture(page, "maintenance");
  down = false;
  await page.clock.runFor(15_000);
  await page.clock.resume();
  await page.getByRole("heading", { name: "Connect Codex" }).waitFor();
});
