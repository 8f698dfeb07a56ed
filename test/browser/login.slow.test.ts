import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { launch, open, picture, ready, signIn } from "../support/browser";
import { type Product, startProduct } from "../support/product";
import { type FakeSmtp, fakeSmtp } from "../support/smtp";

let smtp: FakeSmtp;
let product: Product;
let browser: Browser;

beforeAll(async () => {
  smtp = await fakeSmtp();
  [product, browser] = await Promise.all([
    startProduct({ OA_MAIL_URL: smtp.url, OA_MAIL_FROM: "oa@example.com", OA_AUTH_LOCAL_SIGNUP_DOMAINS: "*" }),
    launch(),
  ]);
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await product?.close();
  await smtp?.close();
});

const codeOf = (subject: string): string => /^\d{6}/.exec(subject)?.[0] ?? "";

// Throttles count per address: each test that asks for codes comes from its own.
let from = 10;
const own = () => ({ extraHTTPHeaders: { "x-forwarded-for": `198.51.100.${from++}` } });

describe("the sign-in link", () => {
  test("opening it burns nothing; its button signs the owner in, once; signed in it leads home", async () => {
    const link = product.ownerLink() ?? "";
    expect(link).toContain("/login/link/oa_ll_");
    for (let n = 0; n < 3; n++) expect((await fetch(link, { headers: { accept: "text/html" } })).status).toBe(200);

    const tab = await open(browser, product.url);
    await tab.page.goto(link);
    await tab.page.getByRole("heading", { name: "Sign in to OpenAgents" }).waitFor();
    expect(await tab.page.title()).toBe("Sign in - OpenAgents");
    await picture(tab.page, "login-link");
    await tab.page.getByRole("button", { name: "Sign in" }).click();
    await tab.page.getByRole("heading", { name: "Connect Codex" }).waitFor();
    await tab.page.goBack();
    expect(tab.page.url()).not.toContain("/login/link");
    await tab.page.goto(link);
    expect(new URL(tab.page.url()).pathname).toBe("/");
    expect(tab.errors).toEqual([]);

    const late = await open(browser, product.url);
    await late.page.goto(link);
    await late.page.getByRole("button", { name: "Sign in" }).click();
    await late.page.getByText("This sign-in link has expired. Ask for a new one.").waitFor();
    expect(await late.context.cookies().then((all) => all.some(({ name }) => name === "oa_access_token"))).toBe(false);
    await tab.close();
    await late.close();
  });
});

describe("the e-mail code", () => {
  test("address, wrong code, another address, resend, pasted code, and back to where one came from", async () => {
    const { page, context, errors, close } = await open(browser, product.url, own());
    await page.goto("/pair?code=WDJB-MJHT");
    expect(new URL(page.url()).pathname).toBe("/login");
    expect(new URL(page.url()).search).toBe("");
    await page.getByRole("heading", { name: "Log in with email" }).waitFor();
    expect(await page.title()).toBe("Log in - OpenAgents");
    const email = page.getByLabel("Email");
    await page.waitForFunction(() => document.activeElement?.id === "email");

    await page.getByRole("button", { name: "Send verification code" }).click();
    await page.getByText("The email field is required.").waitFor();
    await email.fill("not an address");
    await page.keyboard.press("Enter");
    await page.getByText("The email field must be a valid email address.").waitFor();
    expect(smtp.connections).toBe(0);

    await email.fill("first@example.com");
    await page.keyboard.press("Enter");
    await page.getByText("Verification code sent. Check your inbox and enter it below.").waitFor();
    await page.waitForFunction(() => document.activeElement?.id === "code");
    expect(await page.getByRole("button", { name: /Resend in \d+s/ }).isDisabled()).toBe(true);
    await page.reload();
    await page.getByText("first@example.com").waitFor();

    await page.getByRole("button", { name: "Use a different email" }).click();
    expect(await email.inputValue()).toBe("first@example.com");
    await email.fill("ana@example.com");
    await page.keyboard.press("Enter");
    const code = page.getByLabel("Verification code");
    await code.waitFor();
    const mail = await smtp.mail(1);
    expect(mail.to).toEqual(["ana@example.com"]);
    const right = codeOf(mail.subject);

    await code.fill(right === "000000" ? "000001" : "000000");
    await page.getByText("That code is invalid or expired. Request a new one.").waitFor();
    await picture(page, "login-wrong-code");
    await page.waitForFunction(() => document.activeElement?.id === "code");

    // pasted with a blank in the middle, it sends itself
    await page.evaluate(
      (text) => {
        const input = document.getElementById("code") as HTMLInputElement;
        input.value = text;
        input.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertFromPaste" }));
      },
      `${right.slice(0, 3)} ${right.slice(3)}`,
    );
    await page.waitForSelector('main[data-page="pair"]');
    expect(new URL(page.url()).search).toBe("?code=WDJB-MJHT");
    const cookies = await context.cookies();
    expect(cookies.some(({ name }) => name === "oa_return_to")).toBe(false);
    expect(cookies.find(({ name }) => name === "oa_access_token")?.httpOnly).toBe(true);
    expect(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }))).not.toMatch(
      /oa_at_|oa_rt_/,
    );
    expect(errors).toEqual([]);
    await close();
  });

  test("a poisoned return path goes home", async () => {
    const { page, context, close } = await open(browser, product.url, own());
    for (const bad of ["//evil.example", "https://evil.example", "/login"]) {
      await context.addCookies([{ name: "oa_return_to", value: encodeURIComponent(bad), url: product.url }]);
      await page.goto("/login");
      await page.getByRole("heading", { name: "Log in with email" }).waitFor();
    }
    await page.getByLabel("Email").fill("ben@example.com");
    await page.keyboard.press("Enter");
    await page.getByLabel("Verification code").waitFor();
    const mail =
      smtp.mails.findLast(({ to }) => to.includes("ben@example.com")) ?? (await smtp.mail(smtp.mails.length));
    await page.getByLabel("Verification code").fill(codeOf(mail.subject));
    await page.waitForSelector('main[data-page="home"]');
    expect(new URL(page.url()).pathname).toBe("/");
    await close();
  });

  test("too many requests: a countdown, the button waits, what was typed stays", async () => {
    const { page, close } = await open(browser, product.url, own());
    await page.route("**/api/auth/email", (route) =>
      route.fulfill({
        status: 429,
        headers: { "retry-after": "37" },
        json: { message: "Too Many Attempts.", error: { code: "rate_limited", message: "Too Many Attempts." } },
      }),
    );
    await page.goto("/login");
    await page.getByLabel("Email").fill("ana@example.com");
    await page.keyboard.press("Enter");
    await page.getByText(/Too many requests\. Try again in 3[67]s\./).waitFor();
    expect(await page.getByRole("button", { name: "Send verification code" }).isDisabled()).toBe(true);
    expect(await page.getByLabel("Email").inputValue()).toBe("ana@example.com");
    await close();
  });

  test("a whole code sends itself once; resending waits, and as long as a 429 says", async () => {
    const { page, close } = await open(browser, product.url, own());
    await page.clock.install();
    const codes: string[] = [];
    await page.route("**/api/auth/verify", (route) => {
      codes.push((route.request().postDataJSON() as { code: string }).code);
      const message = "That code is invalid or expired. Request a new one.";
      return route.fulfill({ status: 422, json: { message, errors: { code: [message] } } });
    });
    await page.goto("/login");
    await page.getByLabel("Email").fill("gil@example.com");
    await page.keyboard.press("Enter");
    const code = page.getByLabel("Verification code");
    expect(await code.getAttribute("autocomplete")).toBe("one-time-code");
    expect(await page.getByRole("textbox").count()).toBe(1);
    await code.pressSequentially("123 45");
    expect(codes).toEqual([]);
    await code.pressSequentially("6");
    await page.getByText("That code is invalid or expired.").waitFor();
    await code.fill("123-456");
    await code.fill("123456");
    expect(codes).toEqual(["123456"]);
    await code.fill("654321");
    await page.getByText("That code is invalid or expired.").waitFor();
    await page.keyboard.press("Enter");
    while (codes.length < 3) await Bun.sleep(10);
    expect(codes).toEqual(["123456", "654321", "654321"]);

    expect(await page.getByRole("button", { name: /^Resend in \d+s$/ }).isDisabled()).toBe(true);
    await page.clock.fastForward(31_000);
    await page.route("**/api/auth/email", (route) =>
      route.fulfill({ status: 429, headers: { "retry-after": "37" }, json: { message: "Too Many Attempts." } }),
    );
    await page.getByRole("button", { name: "Resend code" }).click();
    await page.getByRole("button", { name: /^Resend in 3[67]s$/ }).waitFor();
    await page.getByText(/Too many requests\. Try again in 3[67]s\./).waitFor();
    await page.clock.fastForward(30_000);
    await page.getByRole("button", { name: /^Resend in [67]s$/ }).waitFor();
    await page.clock.fastForward(8_000);
    await page.getByRole("button", { name: "Resend code" }).waitFor();
    await close();
  });

  test("an expired code leads back to the first step with the address filled", async () => {
    const { page, context, close } = await open(browser, product.url, own());
    await page.goto("/login");
    await page.getByLabel("Email").fill("ana@example.com");
    await page.keyboard.press("Enter");
    await page.getByLabel("Verification code").waitFor();
    await context.clearCookies({ name: "oa_magic_challenge" });
    await page.getByLabel("Verification code").fill("123456");
    await page.getByText("Your sign-in code expired. Request a new code.").waitFor();
    expect(await page.getByLabel("Email").inputValue()).toBe("ana@example.com");
    await close();
  });

  test("an answer of markup is never shown", async () => {
    const { page, close } = await open(browser, product.url, own());
    await page.route("**/api/auth/email", (route) =>
      route.fulfill({ status: 500, contentType: "text/html", body: "<!doctype html><h1>stack</h1>" }),
    );
    await page.goto("/login");
    await page.getByLabel("Email").fill("ana@example.com");
    await page.keyboard.press("Enter");
    await page.getByText("Something went wrong on our side.").waitFor();
    expect(await page.locator("main").textContent()).not.toContain("stack");
    await close();
  });

  test("a guest's quick prompt waits in the composer after the sign-in, unsent", async () => {
    const { page, close } = await open(browser, product.url, own());
    await page.goto("/");
    await page.getByRole("heading", { name: "Sign in to chat." }).waitFor();
    await page.getByRole("button", { name: "What can you do with bitcoin?" }).click();
    await page.waitForSelector('main[data-page="login"]');
    await page.getByLabel("Email").fill("cleo@example.com");
    await page.keyboard.press("Enter");
    await page.getByLabel("Verification code").waitFor();
    const mail =
      smtp.mails.findLast(({ to }) => to.includes("cleo@example.com")) ?? (await smtp.mail(smtp.mails.length));
    await page.getByLabel("Verification code").fill(codeOf(mail.subject));
    await page.waitForSelector('main[data-page="home"]');
    await page.waitForFunction(
      () =>
        (document.getElementById("chat-input") as HTMLTextAreaElement | null)?.value ===
        "What can you do with bitcoin?",
    );
    expect(new URL(page.url()).pathname).toBe("/");
    await close();
  });
});

describe("the session", () => {
  type Oa = { khala: { state: string } };
  /** Until the page has read all it wants by itself: only what the person does asks the server then. */
  const settled = async (page: Page) => {
    await page.waitForFunction(() => (globalThis as unknown as { __oa: Oa }).__oa.khala.state === "live");
    await page.waitForLoadState("networkidle");
  };

  test("logging out in one tab makes the others guests within a second and closes their sockets", async () => {
    const link = await product.link("--email", "dora@example.com");
    const { page, context, close } = await open(browser, product.url);
    await signIn(page, link);
    const other = await context.newPage();
    await other.goto("/pair");
    await ready(other);
    await other.waitForFunction(() => (globalThis as unknown as { __oa: Oa }).__oa.khala.state === "live");

    await page.getByRole("button", { name: /^Account:/ }).click();
    await page.getByRole("menuitem", { name: "Log out" }).click();
    await page.getByText("Signed out.").waitFor();
    await page.getByRole("heading", { name: "Sign in to chat." }).waitFor();
    expect(new URL(page.url()).pathname).toBe("/");
    await other.waitForSelector('main[data-page="login"]', { timeout: 1000 });
    expect(await other.evaluate(() => (globalThis as unknown as { __oa: Oa }).__oa.khala.state)).toBe("idle");
    await close();
  });

  test("an access token that ran out is renewed once, unseen", async () => {
    const link = await product.link("--email", "emil@example.com");
    const { page, context, close } = await open(browser, product.url);
    await signIn(page, link);
    await settled(page);
    const refreshes: string[] = [];
    page.on("request", (request) => {
      if (request.url().endsWith("/api/auth/refresh")) refreshes.push(request.method());
    });
    await context.clearCookies({ name: "oa_access_token" });
    await page.getByRole("link", { name: "Pair a machine" }).click();
    await page.getByLabel("Code").fill("WDJBMJHT");
    await page.keyboard.press("Enter");
    await page.getByText("This code is not valid. Check it, or start again on the machine.").waitFor();
    expect(refreshes).toEqual(["POST"]);
    await close();
  });

  test("a session that ended says so and gates the page; nothing typed is lost", async () => {
    const link = await product.link("--email", "finn@example.com");
    const { page, context, close } = await open(browser, product.url);
    await signIn(page, link);
    await settled(page);
    await context.clearCookies({ name: "oa_access_token" });
    await context.clearCookies({ name: "oa_refresh_token" });
    await page.getByRole("link", { name: "Pair a machine" }).click();
    await page.getByLabel("Code").fill("WDJBMJHT");
    await page.keyboard.press("Enter");
    await page.getByText("Session expired. Sign in again.").waitFor();
    await page.waitForSelector('main[data-page="login"]');
    expect(await page.evaluate(() => document.cookie)).toContain("oa_return_to=%2Fpair");
    await close();
  });
});

test("a server that sends no mail shows its text instead of the form", async () => {
  const bare = await startProduct();
  const { page, close } = await open(browser, bare.url);
  await page.goto("/login");
  await page.getByLabel("Email").fill("ana@example.com");
  await page.keyboard.press("Enter");
  await page
    .getByText(
      "E-mail sign-in is not set up on this server. Ask its operator for a sign-in link (openagents ops login-link).",
    )
    .waitFor();
  expect(await page.getByRole("textbox").count()).toBe(0);
  await close();
  await bare.close();
});
