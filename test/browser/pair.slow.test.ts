import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { launch, open, picture, signIn, type Tab } from "../support/browser";
import { type Product, startProduct } from "../support/product";

let product: Product;
let browser: Browser;
let tab: Tab;

beforeAll(async () => {
  [product, browser] = await Promise.all([startProduct(), launch()]);
  tab = await open(browser, product.url);
  await signIn(tab.page, product.ownerLink() ?? "");
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await product?.close();
});

interface Device {
  device_code: string;
  user_code: string;
  verification_uri_complete: string;
}
const post = async (path: string, body: unknown) => {
  const answer = await fetch(product.url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
};
const ask = async (name: string): Promise<Device> => {
  const machine = { name, hostname: name, platform: "linux x64", codex_version: "0.169.0", bridge_version: "1.0.0" };
  return (await post("/api/pair/device", machine)).body as unknown as Device;
};
const poll = ({ device_code }: Device) =>
  post("/api/pair/token", { device_code, grant_type: "urn:ietf:params:oauth:grant-type:device_code" });

test("a typed code shows the machine, and allowing it lets it in", async () => {
  const { page } = tab;
  const device = await ask("macbook");
  await page.goto("/pair");
  await page.getByRole("heading", { name: "Pair a machine" }).waitFor();
  const field = page.getByLabel("Code");
  await field.pressSequentially(device.user_code.toLowerCase().replace("-", ""));
  expect(await field.inputValue()).toBe(device.user_code);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Allow this machine?" }).waitFor();
  await page.waitForFunction(() => document.activeElement?.textContent === "Allow this machine?");
  const facts = await page.locator(".facts").textContent();
  for (const fact of ["macbook", "linux x64", "codex 0.169.0", "127.0.0.1", "just now"]) expect(facts).toContain(fact);
  await page.getByText("Only allow a machine that you are setting up right now.").waitFor();
  await picture(page, "pair-found");
  expect((await poll(device)).body.error).toBe("authorization_pending");

  await page.getByRole("button", { name: "Allow this machine" }).click();
  await page.getByRole("heading", { name: "Allowed" }).waitFor();
  await page.waitForFunction(() => document.activeElement?.textContent === "Allowed");
});

test("a code in the address shows the machine and approves nothing by itself", async () => {
  const { page } = tab;
  const device = await ask("build-box");
  await page.goto(
    new URL(device.verification_uri_complete).pathname + new URL(device.verification_uri_complete).search,
  );
  await page.getByRole("heading", { name: "Allow this machine?" }).waitFor();
  expect((await poll(device)).body.error).toBe("authorization_pending");
  await page.getByRole("button", { name: "Deny" }).click();
  await page.getByRole("heading", { name: "Denied" }).waitFor();
  await page.getByText("build-box was not let in.").waitFor();
  await page.getByRole("button", { name: "Enter another code" }).click();
  await page.waitForFunction(() => document.activeElement?.id === "code");
  expect(new URL(page.url()).search).toBe("");
});

test("a guest with a code comes back to it after the sign-in", async () => {
  const device = await ask("laptop");
  const link = await product.link("--email", "guest@example.com");
  const guest = await open(browser, product.url);
  await guest.page.goto(`/pair?code=${device.user_code}`);
  await guest.page.waitForSelector('main[data-page="login"]');
  await guest.page.goto(link);
  await guest.page.getByRole("button", { name: "Sign in" }).click();
  await guest.page.getByRole("heading", { name: "Allow this machine?" }).waitFor();
  expect(guest.errors).toEqual([]);
  await guest.close();
});

test("a wrong code, and one that cannot be", async () => {
  const { page } = tab;
  await page.goto("/pair");
  await page.getByLabel("Code").fill("WDJB");
  await page.keyboard.press("Enter");
  await page.getByText("Enter the eight letters that the machine shows.").waitFor();
  await page.getByLabel("Code").fill("WDJBMJHT");
  await page.keyboard.press("Enter");
  await page.getByText("This code is not valid. Check it, or start again on the machine.").waitFor();
  await page.waitForFunction(() => document.activeElement?.id === "code");
  await picture(page, "pair-wrong");
});

test("names from a machine are text", async () => {
  const device = await ask('<img src=x onerror="globalThis.hacked=1">');
  await tab.page.goto(`/pair?code=${device.user_code}`);
  await tab.page.getByText("<img src=x", { exact: false }).first().waitFor();
  expect(await tab.page.evaluate(() => "hacked" in globalThis)).toBe(false);
  expect(tab.errors).toEqual([]);
});
