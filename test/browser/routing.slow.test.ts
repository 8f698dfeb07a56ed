import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { launch, open, ready, signIn, type Tab } from "../support/browser";
import { type Product, startProduct } from "../support/product";

interface Diagnostics {
  bootId: string;
  bootCount: number;
  navigations: number;
  khala: { state: string; connectionId: number };
}
const oa = (tab: Tab) =>
  tab.page.evaluate(() => {
    const { bootId, bootCount, navigations, khala } = (globalThis as unknown as { __oa: Diagnostics }).__oa;
    return { bootId, bootCount, navigations, khala };
  });
const shown = (tab: Tab, key: string) => tab.page.waitForSelector(`main[data-page="${key}"]`);
const path = (tab: Tab) => new URL(tab.page.url()).pathname;

let product: Product;
let browser: Browser;
let tab: Tab;
let owner: Tab;

beforeAll(async () => {
  [product, browser] = await Promise.all([startProduct(), launch()]);
  owner = await open(browser, product.url);
  await signIn(owner.page, product.ownerLink() ?? "");
  tab = owner;
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await product?.close();
});

const html = { accept: "text/html" };
const ask = (to: string, headers: Record<string, string> = html) =>
  fetch(product.url + to, { headers, redirect: "manual" });

describe("documents", () => {
  test.each([
    ["/", 200, null],
    ["/login", 200, null],
    ["/login/link/oa_ll_x", 200, null],
    ["/pair", 302, "/login"],
    ["/pair?code=WDJB-MJHT", 302, "/login"],
    ["/chat/thread_1", 302, "/login"],
    ["/settings", 302, "/login"],
    ["/settings/profile", 302, "/login"],
    ["/settings/sessions", 302, "/login"],
    ["/settings/tokens", 302, "/login"],
    ["/settings/nothing", 404, null],
    ["/admin", 302, "/login"],
    ["/chat", 302, "/"],
    ["/register", 302, "/login"],
    ["/authenticate", 302, "/login"],
    ["/nowhere", 404, null],
    ["/aui", 404, null],
  ] as const)("a guest asks for %s: %p %p", async (to, status, location) => {
    const answer = await ask(to);
    expect([answer.status, answer.headers.get("location")]).toEqual([status, location]);
    if (status !== 302) expect(await answer.text()).toContain('id="oa-shell"');
  });

  test("the shell is the same bytes on every path, with its policy and nothing inline", async () => {
    const [first, ...rest] = await Promise.all(["/", "/login", "/nowhere"].map(async (to) => (await ask(to)).text()));
    expect(rest.every((text) => text === first)).toBe(true);
    expect(first).not.toMatch(/ style=|<style|<script(?![^>]* src=)/);
    const policy = (await ask("/")).headers.get("content-security-policy") ?? "";
    expect(policy).toContain("script-src 'self'; style-src 'self'");
    expect(policy).not.toContain("unsafe");
  });

  test("a gated page remembers the way back in a cookie, not in the address", async () => {
    const answer = await ask("/pair?code=WDJB-MJHT");
    expect(answer.headers.get("set-cookie")).toContain("oa_return_to=%2Fpair%3Fcode%3DWDJB-MJHT");
  });

  test("files and machine answers are never the shell", async () => {
    const missing = await ask("/missing-module.wasm");
    expect([missing.status, (await missing.json()).error.code]).toEqual([404, "not_found"]);
    const json = await ask("/aui", { accept: "application/json" });
    expect([json.status, (await json.json()).message]).toEqual([404, "Route '/aui' was not found."]);
  });
});

describe("inside one document", () => {
  test("the shell keeps its DOM, its boot and its socket over every navigation", async () => {
    const { page } = tab;
    await page.goto("/");
    await ready(page);
    await page.waitForFunction(() => (globalThis as unknown as { __oa: Diagnostics }).__oa.khala.state === "live");
    const before = await oa(tab);
    const documents: string[] = [];
    page.on("request", (request) => {
      if (request.resourceType() === "document") documents.push(request.url());
    });
    await page.evaluate(() => {
      (document.getElementById("oa-shell") as HTMLElement & { planted?: boolean }).planted = true;
    });

    await page.getByRole("link", { name: "Pair a machine" }).click();
    await shown(tab, "pair");
    expect(await page.title()).toBe("Pair a machine - OpenAgents");
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("H1");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Pair a machine");

    await page.keyboard.press("g");
    await page.keyboard.press("h");
    await shown(tab, "home");
    expect(await page.title()).toBe("OpenAgents");

    await page.goBack();
    await shown(tab, "pair");
    await page.goForward();
    await shown(tab, "home");

    await page.keyboard.press("Control+/");
    await page.getByRole("combobox").fill("pair");
    await page.keyboard.press("Enter");
    await shown(tab, "pair");
    await page.goBack();
    await shown(tab, "home");

    await page.keyboard.press("Control+/");
    await page.getByRole("combobox").fill("api to");
    await page.keyboard.press("Enter");
    await shown(tab, "settings-tokens");
    await page.getByRole("navigation", { name: "Settings" }).getByRole("link", { name: "Sessions" }).click();
    await shown(tab, "settings-sessions");
    await page.getByRole("navigation", { name: "Breadcrumb" }).getByRole("link", { name: "Settings" }).click();
    await shown(tab, "settings-profile");
    await page.getByRole("link", { name: "Admin" }).click();
    await shown(tab, "admin");
    await page.goBack();
    await shown(tab, "settings-profile");

    const after = await oa(tab);
    expect(after.bootId).toBe(before.bootId);
    expect(after.bootCount).toBe(1);
    expect(after.khala.connectionId).toBe(before.khala.connectionId);
    expect(after.navigations).toBe(11);
    expect(documents).toEqual([]);
    expect(await page.evaluate(() => performance.getEntriesByType("navigation").length)).toBe(1);
    expect(
      await page.evaluate(() => (document.getElementById("oa-shell") as HTMLElement & { planted?: boolean }).planted),
    ).toBe(true);
  });

  test("what is not ours is the browser's: modified clicks, other files", async () => {
    const { page, context } = tab;
    await page.goto("/");
    await ready(page);
    const opened = context.waitForEvent("page");
    await page.getByRole("link", { name: "Pair a machine" }).click({ modifiers: ["Control"] });
    await (await opened).close();
    expect(path(tab)).toBe("/");
    await page.evaluate(() => {
      const link = Object.assign(document.createElement("a"), { href: "/openapi.json", textContent: "api" });
      document.querySelector("main")?.append(link);
      link.click();
    });
    await page.waitForURL("**/openapi.json");
    await page.goBack();
    await ready(page);
  });

  test("signed in, the login leads on, hard and soft", async () => {
    const { page } = tab;
    await page.goto("/login");
    expect(path(tab)).toBe("/");
    await ready(page);
    await page.evaluate(() => {
      const link = Object.assign(document.createElement("a"), { href: "/login" });
      document.querySelector("main")?.append(link);
      link.click();
    });
    await shown(tab, "home");
    expect(path(tab)).toBe("/");
  });

  test("pages that do not exist, and those that were retired", async () => {
    const { page } = tab;
    await page.goto("/nowhere/at/all");
    await shown(tab, "not-found");
    expect(await page.getByRole("heading", { level: 1 }).textContent()).toBe("This page doesn't exist.");
    expect(await page.title()).toBe("Not found - OpenAgents");
    await page.getByRole("link", { name: "Go home" }).click();
    await shown(tab, "home");
    await page.goto("/aui");
    await page.getByText("The old assistant page was retired.").waitFor();
  });

  test("a start that is told to fail says why", async () => {
    await tab.page.goto("/?oa_boot_fail=1");
    await tab.page.getByText("Boot error: forced startup failure because query contains oa_boot_fail=1").waitFor();
    expect(await tab.page.evaluate(() => (globalThis as unknown as { __oa: { phase: string } }).__oa.phase)).toBe(
      "error",
    );
  });
});

describe("the frame", () => {
  test("the sidebar closes by key, remembers it over a reload without moving, and opens again", async () => {
    const { page } = tab;
    await page.goto("/");
    await ready(page);
    await page.keyboard.press("Control+b");
    await page.waitForFunction(() => (document.querySelector(".page")?.getBoundingClientRect().left ?? 9) === 0);
    expect(await page.evaluate(() => document.cookie)).toContain("sidebar_state=false");
    await page.reload();
    await ready(page);
    expect(await page.evaluate(() => document.querySelector(".page")?.getBoundingClientRect().left)).toBe(0);
    expect(await page.getByRole("link", { name: "New Chat" }).isVisible()).toBe(false);
    await page.getByRole("button", { name: "Toggle Sidebar" }).click();
    await page.getByRole("link", { name: "New Chat" }).waitFor({ state: "visible" });
  });

  test("on a phone it is a sheet that closes by Esc and by going somewhere", async () => {
    const { page } = tab;
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto("/pair");
    await ready(page);
    const toggle = page.getByRole("button", { name: "Toggle Sidebar" });
    await toggle.click();
    await page.getByRole("dialog", { name: "Sidebar" }).waitFor();
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => document.querySelector("dialog[open]") === null);
    expect(await page.evaluate(() => document.activeElement?.getAttribute("aria-label"))).toBe("Toggle Sidebar");
    await toggle.click();
    await page.getByRole("link", { name: "New Chat" }).click();
    await shown(tab, "home");
    await page.waitForFunction(() => document.querySelector("dialog[open]") === null);
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
    await page.setViewportSize({ width: 320, height: 700 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  test("the first paint has the chosen theme, whatever the system prefers", async () => {
    const light = await open(browser, product.url, { colorScheme: "light", theme: "dark" });
    await light.page.addInitScript(() => {
      const seen: string[] = [];
      Object.assign(globalThis, { seen });
      new PerformanceObserver((list) => {
        for (const _ of list.getEntries()) seen.push(document.documentElement.className);
      }).observe({ type: "paint", buffered: true });
    });
    await light.page.goto("/");
    await ready(light.page);
    const seen = await light.page.evaluate(() => (globalThis as unknown as { seen: string[] }).seen);
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.every((name) => name.includes("dark") && !name.includes("light"))).toBe(true);
    await light.page.getByRole("button", { name: "Light" }).click();
    expect(await light.page.evaluate(() => document.documentElement.className)).toContain("light");
    expect(await light.page.evaluate(() => document.cookie)).toContain("appearance=light");
    await light.close();
  });

  test("shortcut sheet: opens by ?, keeps the focus, gives it back", async () => {
    const { page } = tab;
    await page.goto("/pair");
    await ready(page);
    await page.getByRole("link", { name: "New Chat" }).focus();
    await page.keyboard.press("?");
    const sheet = page.getByRole("dialog", { name: "Keyboard shortcuts" });
    await sheet.waitFor();
    for (let n = 0; n < 4; n++) await page.keyboard.press("Tab");
    expect(
      await page.evaluate(
        () =>
          document.querySelector("dialog[open]")?.contains(document.activeElement) ||
          document.activeElement === document.body,
      ),
    ).toBe(true);
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => document.querySelector("dialog[open]") === null);
    expect(await page.evaluate(() => document.activeElement?.textContent)).toContain("New Chat");
  });

  test("nothing was complained about on the way", () => {
    expect(tab.errors).toEqual([]);
  });
});
