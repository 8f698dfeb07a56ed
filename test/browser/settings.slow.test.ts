import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { launch, open, ready, signIn, type Tab } from "../support/browser";
import { type Product, startProduct } from "../support/product";
import { Machine } from "./machine";

let product: Product;
let browser: Browser;
let owner: Tab;

beforeAll(async () => {
  [product, browser] = await Promise.all([startProduct(), launch()]);
  owner = await open(browser, product.url);
  await signIn(owner.page, product.ownerLink() ?? "");
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await product?.close();
});

const shown = (page: Page, key: string) => page.waitForSelector(`main[data-page="${key}"]`);
const path = (page: Page) => new URL(page.url()).pathname;
const toast = (page: Page, text: string) => page.locator(".toast", { hasText: text }).waitFor();

// Throttles count per address: every window comes from one of its own.
let from = 10;
const window = (): Promise<Tab> =>
  open(browser, product.url, { extraHTTPHeaders: { "x-forwarded-for": `198.51.100.${from++}` } });

/** A sign-in link for somebody, made by the owner. */
async function link(email: string, more: { name?: string; admin?: boolean } = {}): Promise<string> {
  const cookies = await owner.context.cookies();
  const answer = await fetch(`${product.url}/api/admin/invites`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      cookie: cookies.map(({ name, value }) => `${name}=${value}`).join("; "),
    },
    body: JSON.stringify({ email, ...more }),
  });
  return ((await answer.json()) as { data: { url: string } }).data.url;
}

/** Somebody of their own, signed in. */
async function person(email: string, more: { name?: string } = {}): Promise<Tab> {
  const tab = await window();
  await signIn(tab.page, await link(email, more));
  return tab;
}

/** Who the API says a bearer is; null when it takes it no more. */
async function whoIs(bearer: string): Promise<string | null> {
  const answer = await fetch(`${product.url}/api/me`, { headers: { authorization: `Bearer ${bearer}` } });
  if (answer.status === 401) return null;
  return ((await answer.json()) as { data: { user: { email: string } } }).data.user.email;
}

describe("who gets there", () => {
  test.each(["/settings/profile", "/settings/sessions", "/settings/tokens", "/admin"])(
    "a guest who opens %s signs in and is there",
    async (target) => {
      const tab = await window();
      const answer = await tab.page.goto(target);
      expect(answer?.request().redirectedFrom()?.url()).toBe(product.url + target);
      expect([path(tab.page), new URL(tab.page.url()).search]).toEqual(["/login", ""]);
      await tab.page.goto(await link("root2@example.com", { admin: true }));
      await tab.page.getByRole("button", { name: "Sign in" }).click();
      await shown(tab.page, target === "/admin" ? "admin" : target.slice(1).replace("/", "-"));
      expect(path(tab.page)).toBe(target);
      expect(tab.errors).toEqual([]);
      await tab.close();
    },
  );

  test("/admin is 403 for others: by address, after sign-in, without a loop and without a link to it", async () => {
    const tab = await window();
    await tab.page.goto("/admin");
    await tab.page.goto(await link("member@example.com"));
    await tab.page.getByRole("button", { name: "Sign in" }).click();
    await tab.page.getByRole("heading", { name: "You don't have access to this page." }).waitFor();
    expect(path(tab.page)).toBe("/admin");
    const again = await tab.page.reload();
    expect(again?.status()).toBe(403);
    await tab.page.getByRole("heading", { name: "You don't have access to this page." }).waitFor();
    expect(await tab.page.getByRole("link", { name: "Admin" }).count()).toBe(0);
    await tab.page.getByRole("link", { name: "Go home" }).click();
    await shown(tab.page, "home");
    await tab.close();
  });

  test("the keyboard alone: g s, the tabs, g a, the account menu", async () => {
    const { page } = owner;
    await page.goto("/pair");
    await ready(page);
    await page.locator("main").click({ position: { x: 4, y: 4 } });
    await page.keyboard.press("g");
    await page.keyboard.press("s");
    await shown(page, "settings-profile");
    expect(await page.title()).toBe("Profile settings - OpenAgents");
    await page.waitForFunction(() => document.activeElement?.textContent === "Profile Settings");
    await page.getByRole("link", { name: "Sessions" }).focus();
    await page.keyboard.press("Enter");
    await shown(page, "settings-sessions");
    expect(await page.title()).toBe("Sessions - OpenAgents");
    expect(
      await page
        .getByRole("navigation", { name: "Settings" })
        .getByRole("link", { name: "Sessions" })
        .getAttribute("aria-current"),
    ).toBe("page");
    await page.waitForFunction(() => document.activeElement?.tagName === "H1");
    await page.keyboard.press("g");
    await page.keyboard.press("a");
    await shown(page, "admin");
    await page.getByRole("button", { name: /^Account:/ }).press("Enter");
    const settings = page.getByRole("menuitem", { name: "Settings" });
    await settings.waitFor();
    await page.keyboard.press("s");
    await page.waitForFunction(() => document.activeElement?.textContent?.includes("Settings"));
    await page.keyboard.press("Enter");
    await shown(page, "settings-profile");
    expect(owner.errors).toEqual([]);
  });
});

describe("profile", () => {
  test("a name is checked, saved at once everywhere, and there after a reload", async () => {
    const { page, errors, close } = await person("ana@example.com", { name: "Ana" });
    await page.goto("/settings/profile");
    const name = page.getByLabel("Name");
    expect(await name.inputValue()).toBe("Ana");
    expect(await page.getByLabel("Email address").isDisabled()).toBe(true);

    await name.fill("   ");
    await page.keyboard.press("Enter");
    await page.getByText("Profile name is required.").waitFor();
    await page.waitForFunction(() => document.activeElement?.id === "name");
    await name.fill("x".repeat(256));
    await page.keyboard.press("Enter");
    await page.getByText("Profile name may not be greater than 255 characters.").waitFor();

    await name.fill("Ana Ruiz");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved", { exact: true }).first().waitFor();
    await page.getByRole("button", { name: "Account: Ana Ruiz" }).waitFor();
    expect(await page.getByText("Unsaved changes").count()).toBe(0);
    await page.reload();
    await ready(page);
    expect(await name.inputValue()).toBe("Ana Ruiz");
    expect(errors).toEqual([]);
    await close();
  });

  test("refused by the server: its message stands at the field; too many: a countdown, the text stays", async () => {
    const { page } = owner;
    await page.goto("/settings/profile");
    const text = "The name field must be a string.";
    await page.route("**/api/settings/profile", (route) =>
      route.fulfill({
        status: 422,
        json: { message: text, error: { code: "invalid_request", message: text }, errors: { name: [text] } },
      }),
    );
    await page.getByLabel("Name").fill("Root");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("alert").filter({ hasText: text }).waitFor();
    await page.waitForFunction(() => document.activeElement?.id === "name");
    await page.unroute("**/api/settings/profile");
    await page.route("**/api/settings/profile", (route) =>
      route.fulfill({ status: 429, headers: { "retry-after": "37" }, json: { message: "Too Many Attempts." } }),
    );
    await page.getByLabel("Name").fill("Root!");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText(/Too many requests\. Try again in 3[67]s\./).waitFor();
    expect(await page.getByRole("button", { name: "Save" }).isDisabled()).toBe(true);
    expect(await page.getByLabel("Name").inputValue()).toBe("Root!");
    await page.unroute("**/api/settings/profile");
    await page.getByRole("button", { name: "Discard" }).click();
  });

  test("edits are not lost by leaving: a link, back, forward and the tab itself ask once", async () => {
    const tab = await person("dora@example.com", { name: "Dora" });
    const { page } = tab;
    await page.goto("/settings/tokens");
    await ready(page);
    await page.getByRole("navigation", { name: "Settings" }).getByRole("link", { name: "Profile" }).click();
    await shown(page, "settings-profile");
    await page.getByLabel("Name").fill("Dora Maar");
    const asked = page.getByRole("dialog", { name: "Discard changes?" });

    await page.getByRole("link", { name: "Sessions" }).click();
    await asked.waitFor();
    await page.keyboard.press("Escape");
    await asked.waitFor({ state: "hidden" });
    expect(path(page)).toBe("/settings/profile");
    expect(await page.getByLabel("Name").inputValue()).toBe("Dora Maar");

    await page.goBack();
    await asked.waitFor();
    await page.waitForFunction(() => location.pathname === "/settings/profile");
    await asked.getByRole("button", { name: "Keep editing" }).click();
    expect(await page.getByLabel("Name").inputValue()).toBe("Dora Maar");

    const warned = new Promise<string>((done) =>
      page.once("dialog", (dialog) => {
        done(dialog.type());
        void dialog.dismiss();
      }),
    );
    await page.evaluate(() => setTimeout(() => location.reload()));
    expect(await warned).toBe("beforeunload");

    await page.goBack();
    await asked.getByRole("button", { name: "Discard changes" }).click();
    await shown(page, "settings-tokens");
    expect(path(page)).toBe("/settings/tokens");
    await page.goForward();
    await shown(page, "settings-profile");
    expect(await page.getByLabel("Name").inputValue()).toBe("Dora");
    // nothing is asked any more
    await page.reload();
    await ready(page);
    expect(tab.errors).toEqual([]);
    await tab.close();
  });

  test("what another response left is told once (flash)", async () => {
    const { page, context } = owner;
    const value = Buffer.from(JSON.stringify({ status: "profile-updated" })).toString("base64url");
    await context.addCookies([{ name: "oa_flash", value, url: product.url }]);
    await page.goto("/settings/profile");
    await page.getByText("Profile updated.").waitFor();
    expect((await context.cookies()).some(({ name }) => name === "oa_flash")).toBe(false);
  });

  test("the Codex connection ticks itself when a machine appears", async () => {
    const tab = await person("cora@example.com");
    const { page } = tab;
    await page.goto("/settings/profile");
    const card = page.getByRole("region", { name: "Codex connection" });
    await card.getByText("Not set up").waitFor();
    const steps = card.getByRole("list", { name: "Set up Codex" }).getByRole("listitem");
    expect(await steps.count()).toBe(3);
    await card.getByText(`openagents worker --server ${product.url}`, { exact: true }).waitFor();
    await new Machine(product.url, tab.context).attach();
    await card.getByText("Connected", { exact: true }).waitFor();
    expect(await steps.count()).toBe(0);
    expect(await card.locator("dd").first().textContent()).toBe("macbook");
    expect(tab.errors).toEqual([]);
    await tab.close();
  });

  test("an account goes after its address was typed; both its tabs are guests then", async () => {
    const tab = await person("Eve@example.com", { name: "Eve" });
    const second = await tab.context.newPage();
    await second.goto("/settings/sessions");
    await ready(second);
    const { page } = tab;
    await page.goto("/settings/profile");
    await page.getByRole("button", { name: "Delete account" }).click();
    const dialog = page.getByRole("dialog", { name: "Are you sure you want to delete your account?" });
    const confirm = dialog.getByRole("button", { name: "Delete account" });
    await page.waitForFunction(() => document.activeElement?.closest("dialog") !== null);
    expect(await confirm.isDisabled()).toBe(true);
    await dialog.getByLabel("Confirm email to delete profile").fill("eve@example.org");
    expect(await confirm.isDisabled()).toBe(true);
    await page.keyboard.press("Enter");

    // a refusal of the server stands at the field, and the dialog stays
    const text = "Email confirmation does not match the authenticated user.";
    await page.route("**/api/settings/profile", (route) =>
      route.fulfill({ status: 422, json: { message: text, errors: { email: [text] } } }),
    );
    await dialog.getByLabel("Confirm email to delete profile").fill("eVe@Example.com");
    await confirm.click();
    await dialog.getByText(text).waitFor();
    await page.unroute("**/api/settings/profile");

    await confirm.click();
    await toast(page, "Profile deleted.");
    await shown(page, "home");
    await page.getByRole("heading", { name: "Sign in to chat." }).waitFor();
    await shown(second, "login");
    expect((await tab.context.cookies()).some(({ name }) => name === "oa_access_token")).toBe(false);
    expect(tab.errors).toEqual([]);
    await tab.close();
  });
});

describe("sessions and devices", () => {
  test("one device is signed out, then all others: their pages are guests within two seconds", async () => {
    const here = await person("sam@example.com");
    const phone = await person("sam@example.com");
    const laptop = await person("sam@example.com");
    await phone.page.goto("/pair");
    await ready(phone.page);
    const { page } = here;
    await page.goto("/settings/sessions");
    const rows = page.getByRole("list", { name: "Sessions and devices" }).getByRole("listitem");
    await rows.nth(2).waitFor();
    expect(await rows.count()).toBe(3);
    expect(await rows.first().textContent()).toContain("This device");
    expect(await rows.first().getByRole("button").count()).toBe(0);

    // the last row is one of the two others; the keyboard does it
    await rows
      .nth(2)
      .getByRole("button", { name: /^Sign out / })
      .press("Enter");
    await rows.nth(2).waitFor({ state: "detached" });
    expect(await rows.count()).toBe(2);
    await page.waitForFunction(() => document.activeElement?.id === "sessions-list");

    const began = Date.now();
    await page.getByRole("button", { name: "Sign out other devices" }).click();
    const gone = (tab: Tab) =>
      tab.page.waitForFunction(
        () => document.querySelector('a.button[href="/login"], main[data-page="login"]') !== null,
      );
    await Promise.all([gone(phone), gone(laptop)]);
    expect(Date.now() - began).toBeLessThan(2000);
    await shown(phone.page, "login");
    await page.getByText("You are signed in nowhere else.").waitFor();
    expect(await page.getByRole("button", { name: "Sign out other devices" }).isDisabled()).toBe(true);
    expect(await rows.count()).toBe(1);

    await page.reload();
    await ready(page);
    await shown(page, "settings-sessions");
    expect(here.errors).toEqual([]);
    for (const tab of [here, phone, laptop]) await tab.close();
  });
});

describe("API tokens", () => {
  test("made by keyboard, shown once, copied, used, revoked with a word of warning", async () => {
    const tab = await person("tess@example.com");
    const { page, context } = tab;
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.goto("/settings/tokens");
    await page.getByText("No tokens yet.").waitFor();
    const name = page.locator("#token-name");
    await name.focus();
    await page.keyboard.press("Enter");
    await page.getByText("The name field is required.").waitFor();
    await page.waitForFunction(() => document.activeElement?.id === "token-name");

    await page.keyboard.type("deploy-script");
    await page.getByRole("radio", { name: /Chosen abilities/ }).check();
    await name.press("Enter");
    await page.getByText("Name at least one ability.").waitFor();
    await page.waitForFunction(() => document.activeElement?.id === "token-abilities");
    await page.keyboard.type("chat:read, chat:write chat:read");
    const sent = page.waitForRequest((request) => request.method() === "POST" && request.url().endsWith("/api/tokens"));
    await page.keyboard.press("Enter");
    const body = (await sent).postDataJSON() as { name: string; abilities: string[]; expires_at: string };
    expect([body.name, body.abilities]).toEqual(["deploy-script", ["chat:read", "chat:write"]]);
    const days = (Date.parse(body.expires_at) - Date.now()) / 86_400_000;
    expect(Math.round(days)).toBe(30);

    const plain = page.getByLabel("Token", { exact: true });
    await plain.waitFor();
    const bearer = await plain.inputValue();
    expect(bearer).toMatch(/^\d+\|[A-Za-z0-9]{48}$/);
    await page.getByRole("button", { name: "Copy token" }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(bearer);
    expect(await whoIs(bearer)).toBe("tess@example.com");
    const row = page.getByRole("list", { name: "Your tokens" }).getByRole("listitem");
    await row.getByText("chat:read").waitFor();

    await page.getByRole("button", { name: "Done" }).click();
    await name.waitFor();
    expect(await page.content()).not.toContain(bearer.split("|")[1] as string);
    await page.reload();
    await row.waitFor();
    expect(await page.content()).not.toContain(bearer.split("|")[1] as string);
    expect(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }))).not.toContain(bearer);

    await page.getByRole("button", { name: "Revoke deploy-script" }).click();
    const dialog = page.getByRole("dialog", { name: "Revoke deploy-script?" });
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await dialog.waitFor({ state: "hidden" });
    expect(await whoIs(bearer)).toBe("tess@example.com");
    await page.getByRole("button", { name: "Revoke deploy-script" }).press("Enter");
    await dialog.getByRole("button", { name: "Revoke token" }).click();
    await page.getByText("No tokens yet.").waitFor();
    expect(await whoIs(bearer)).toBeNull();
    expect(tab.errors).toEqual([]);
    await tab.close();
  });
});

describe("admin", () => {
  test("an invitation: the link works once, for somebody who is no administrator", async () => {
    const { page } = owner;
    await page.goto("/admin");
    await page.getByLabel("Email").fill("not an address");
    await page.keyboard.press("Enter");
    await page.getByText("The email field must be a valid email address.").waitFor();
    await page.getByLabel("Email").fill("zoe@example.com");
    await page.getByLabel("Name (optional)").fill("Zoe");
    await page.keyboard.press("Enter");
    await page.getByRole("region", { name: "Link for zoe@example.com" }).waitFor();
    const link = await page.getByLabel("Sign-in link", { exact: true }).inputValue();
    expect(link).toStartWith(`${product.url}/login/link/oa_ll_`);
    expect(await page.getByLabel("Email").inputValue()).toBe("");

    const guest = await window();
    await signIn(guest.page, link);
    await guest.page.getByRole("button", { name: "Account: Zoe" }).waitFor();
    expect((await guest.page.goto("/admin"))?.status()).toBe(403);
    const late = await window();
    await late.page.goto(link);
    await late.page.getByRole("button", { name: "Sign in" }).click();
    await late.page.getByText("This sign-in link has expired. Ask for a new one.").waitFor();
    expect(owner.errors).toEqual([]);
    await guest.close();
    await late.close();
  });
});
