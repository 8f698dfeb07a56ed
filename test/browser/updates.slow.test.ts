import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { launch, open, ready, type Tab } from "../support/browser";
import { type Product, startProduct } from "../support/product";

let product: Product;
let browser: Browser;
let own = "";
/** The build the server pretends to be, and the lowest it lets in. */
let served = "";
let lowest: string | null = null;
let down = false;
let front: ReturnType<typeof Bun.serve>;
let url = "";

/** The product behind a front that renames its build: a deploy without a second executable. */
beforeAll(async () => {
  [product, browser] = await Promise.all([startProduct(), launch()]);
  own = ((await (await fetch(`${product.url}/manifest.json`)).json()) as { buildId: string }).buildId;
  front = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      if (down) return new Response(null, { status: 502 });
      const headers = new Headers(request.headers);
      headers.set("accept-encoding", "identity");
      headers.delete("if-none-match");
      headers.set("host", new URL(product.url).host);
      const answer = await fetch(product.url + pathname + search, {
        method: request.method,
        headers,
        body: request.body,
        redirect: "manual",
      });
      const out = new Headers(answer.headers);
      for (const name of ["content-encoding", "content-length", "etag"]) out.delete(name);
      if (out.get("x-oa-shell")) out.set("x-oa-shell", served);
      if (!/html|manifest\.json|sw\.js/.test(`${out.get("content-type")} ${pathname}`))
        return new Response(answer.body, { status: answer.status, headers: out });
      let text = (await answer.text()).replaceAll(own, served);
      if (pathname === "/manifest.json")
        text = text.replace(/"minClientBuildId":[^,]*/, `"minClientBuildId":${JSON.stringify(lowest)}`);
      return new Response(text, { status: answer.status, headers: out });
    },
  });
  url = `http://127.0.0.1:${front.port}`;
}, 60_000);
afterAll(async () => {
  await browser?.close();
  front?.stop(true);
  await product?.close();
});
beforeEach(() => {
  served = own;
  lowest = null;
  down = false;
});

const later = () => own.replace(/^\d{4}/, "2099");
const build = (tab: Tab) =>
  tab.page.evaluate(() => document.querySelector<HTMLMetaElement>('meta[name="oa-build"]')?.content);
const caches_ = (tab: Tab) => tab.page.evaluate(() => caches.keys());
const controlled = (tab: Tab) => tab.page.waitForFunction(() => navigator.serviceWorker.controller !== null);
const active = (tab: Tab, id: string) =>
  tab.page.waitForFunction(async (id) => {
    const names = await caches.keys();
    return names.length === 1 && names[0] === `openagents-web-shell::${id}`;
  }, id);

async function start(): Promise<Tab> {
  const tab = await open(browser, url);
  await tab.page.goto("/");
  await ready(tab.page);
  await controlled(tab);
  return tab;
}

describe("the service worker", () => {
  test("keeps this build's shell: an offline start works, an answer that is no shell never poisons it", async () => {
    const tab = await start();
    expect(await caches_(tab)).toEqual([`openagents-web-shell::${own}`]);
    await tab.page.goto("/openapi.json");
    await tab.page.goto("/nowhere");
    await tab.page.goto("/");
    await ready(tab.page);
    const kept = await tab.page.evaluate(async () => (await (await caches.match("/index.html"))?.text()) ?? "");
    expect(kept).toContain('id="oa-shell"');

    await tab.context.setOffline(true);
    await tab.page.goto("/");
    await tab.page.getByRole("heading", { name: "Couldn't reach OpenAgents." }).waitFor();
    await tab.page.getByText("You're offline.").waitFor();
    await tab.context.setOffline(false);
    await tab.page.getByRole("heading", { name: "Sign in to chat." }).waitFor();
    await tab.close();
  });

  test("errors and redirects of pages pass untouched", async () => {
    const tab = await start();
    expect((await tab.page.goto("/nowhere"))?.status()).toBe(404);
    await tab.page.goto("/pair");
    expect(new URL(tab.page.url()).pathname).toBe("/login");
    await tab.close();
  });

  test("a new build at start: one reload, the new worker, the old cache gone", async () => {
    const tab = await start();
    served = later();
    await tab.page.goto("/");
    await tab.page.waitForFunction(
      (id) => document.querySelector<HTMLMetaElement>('meta[name="oa-build"]')?.content === id,
      served,
    );
    await ready(tab.page);
    await active(tab, served);
    expect(tab.errors).toEqual([]);

    // and back again: a rollback is a mismatch like any other
    served = own;
    await tab.page.goto("/");
    await ready(tab.page);
    await active(tab, own);
    expect(await build(tab)).toBe(own);
    await tab.close();
  });

  test("a shell that stays old is reloaded once, not for ever", async () => {
    const tab = await open(browser, url);
    let loads = 0;
    tab.page.on("request", (request) => {
      if (request.resourceType() === "document") loads++;
    });
    await tab.page.route("**/manifest.json", async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, json: { ...(await answer.json()), buildId: "29990101T000000Z" } });
    });
    await tab.page.goto("/");
    await tab.page.getByText("A new version is ready.").waitFor();
    expect(loads).toBe(2);
    await tab.close();
  });
});

describe("in the middle of a session", () => {
  test("another build inside the window: a toast, nothing is interrupted", async () => {
    const tab = await open(browser, url);
    await tab.page.clock.install();
    await tab.page.goto("/login");
    await ready(tab.page);
    await tab.page.getByLabel("Email").fill("half@typed");
    served = later();
    lowest = own;
    await tab.page.clock.fastForward(16 * 60_000);
    await tab.page.evaluate(() => dispatchEvent(new Event("focus")));
    await tab.page.getByText("A new version is ready.").waitFor();
    expect(await tab.page.getByLabel("Email").inputValue()).toBe("half@typed");
    await tab.page.getByRole("button", { name: "Dismiss" }).click();
    await tab.page.getByText("A new version is ready.").waitFor({ state: "detached" });
    await tab.close();
  });

  test("a build outside the window: nothing behind the panel may be used", async () => {
    const tab = await open(browser, url);
    await tab.page.clock.install();
    await tab.page.goto("/");
    await ready(tab.page);
    served = later();
    lowest = served;
    await tab.page.clock.fastForward(16 * 60_000);
    await tab.page.evaluate(() => dispatchEvent(new Event("focus")));
    const panel = tab.page.getByRole("dialog", { name: "A newer version is required." });
    await panel.waitFor();
    await tab.page.keyboard.press("Escape");
    expect(await panel.isVisible()).toBe(true);
    await panel.getByRole("button", { name: "Reload" }).click();
    await tab.page.waitForFunction(
      (id) => document.querySelector<HTMLMetaElement>('meta[name="oa-build"]')?.content === id,
      served,
    );
    await tab.close();
  });

  test("a chunk that a deploy took away: the update toast, not a blank page", async () => {
    const tab = await open(browser, url, { serviceWorkers: "block" });
    await tab.page.route("**/assets/login-link-*.js", (route) => route.fulfill({ status: 404, json: {} }));
    await tab.page.goto("/login/link/oa_ll_x");
    await tab.page.getByText("A new version is ready.").waitFor();
    await tab.page.getByText("This page could not be loaded.").waitFor();
    expect(await tab.page.getByRole("link", { name: "New Chat" }).isVisible()).toBe(true);
    await tab.close();
  });
});
