import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { axe, launch, open, PHONE, picture, ready, signIn, type Theme, WIDE } from "../support/browser";
import { type Product, startProduct } from "../support/product";

let product: Product;
let browser: Browser;
/** The owner's cookies, so that every window is signed in without a link of its own. */
let cookies: Awaited<ReturnType<import("playwright-core").BrowserContext["cookies"]>> = [];

beforeAll(async () => {
  [product, browser] = await Promise.all([
    startProduct({ OA_MAIL_URL: "smtp://127.0.0.1:1", OA_MAIL_FROM: "oa@example.com" }),
    launch(),
  ]);
  const tab = await open(browser, product.url);
  await signIn(tab.page, product.ownerLink() ?? "");
  cookies = await tab.context.cookies();
  await tab.close();
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await product?.close();
});

const ago = (ms: number) => new Date(Date.now() - ms).toISOString();
const threads = [
  ["Retry flaky webhook test", 20_000, "waiting_on_approval"],
  ["Migrate sessions to refresh tokens", 180_000, "active"],
  ["Why is the CI image 2 GB?", 3_700_000, "idle"],
  ["A title that is much too long for its place and has to end somewhere", 93_600_000, "system_error"],
].map(([title, ms, status], n) => ({
  thread_id: `thread_${n}`,
  codex_thread_id: null,
  title,
  updated_at: ago(ms as number),
  message_count: 1,
  status,
  worker_id: "desktopw:macbook",
}));
const machine = (name: string, connected: boolean, ms: number) => ({
  worker_id: `desktopw:${name}`,
  status: "running",
  latest_seq: 1,
  metadata: { hostname: name },
  last_heartbeat_at: ago(ms),
  heartbeat_stale_after_ms: 120_000,
  executor: { connected },
});

/** Answers the reads of the frame with made-up content, in the wanted state of chat access. */
async function pretend(page: Page, status: string) {
  await page.route("**/api/me?**", async (route) => {
    const answer = await route.fetch();
    const body = await answer.json();
    if (!body.data) return route.fulfill({ response: answer });
    body.data.codexAccess.status = status;
    await route.fulfill({ response: answer, json: body });
  });
  const none = status === "no_worker";
  await page.route("**/api/runtime/threads?**", (route) =>
    route.fulfill({ json: { data: { threads: none ? [] : threads, next_cursor: null } } }),
  );
  await page.route("**/api/runtime/codex/workers?**", (route) =>
    route.fulfill({
      json: {
        data: none ? [] : [machine("macbook", status === "ready", 3000), machine("build-box", false, 7_300_000)],
      },
    }),
  );
}

const heading = (page: Page, name: string) => page.getByRole("heading", { level: 1, name }).waitFor();

interface Look {
  name: string;
  guest?: boolean;
  access?: string;
  path: string;
  act?: (page: Page) => Promise<unknown>;
}
const looks: Look[] = [
  { name: "home-guest", guest: true, path: "/", act: (page) => heading(page, "Sign in to chat.") },
  { name: "home-no-worker", access: "no_worker", path: "/", act: (page) => heading(page, "Connect Codex") },
  {
    name: "home-not-linked",
    access: "not_linked",
    path: "/",
    act: (page) => heading(page, "Link your ChatGPT account"),
  },
  {
    name: "home-worker-offline",
    access: "worker_offline",
    path: "/",
    act: (page) => heading(page, "Your worker is offline."),
  },
  { name: "home-ready", access: "ready", path: "/", act: (page) => heading(page, "Autopilot online.") },
  { name: "login-email", guest: true, path: "/login", act: (page) => page.getByLabel("Email").waitFor() },
  {
    name: "login-code",
    guest: true,
    path: "/login",
    act: async (page) => {
      await page.route("**/api/auth/email", (route) =>
        route.fulfill({ json: { ok: true, status: "code-sent", email: "ana@example.com" } }),
      );
      await page.getByLabel("Email").fill("ana@example.com");
      await page.keyboard.press("Enter");
      await page.getByLabel("Verification code").fill("12");
      await page.keyboard.press("Enter");
      await page.getByText("The code field must be at least 6 characters.").waitFor();
    },
  },
  {
    name: "login-no-mail",
    guest: true,
    path: "/login",
    act: async (page) => {
      const message =
        "E-mail sign-in is not set up on this server. Ask its operator for a sign-in link (openagents ops login-link).";
      await page.route("**/api/auth/email", (route) =>
        route.fulfill({ status: 503, json: { message, error: { code: "service_unavailable", message } } }),
      );
      await page.getByLabel("Email").fill("ana@example.com");
      await page.keyboard.press("Enter");
      await page.getByText(message).waitFor();
    },
  },
  {
    name: "login-link",
    guest: true,
    path: "/login/link/oa_ll_x",
    act: (page) => page.getByRole("button", { name: "Sign in" }).waitFor(),
  },
  { name: "pair", access: "ready", path: "/pair", act: (page) => page.getByLabel("Code").waitFor() },
  {
    name: "pair-found",
    access: "ready",
    path: "/pair",
    act: async (page) => {
      const pairing = {
        user_code: "WDJB-MJHT",
        name: "macbook",
        hostname: "macbook",
        platform: "macOS arm64",
        codex_version: "0.169.0",
        ip_address: "203.0.113.10",
        requested_at: ago(12_000),
        expires_at: ago(-500_000),
        worker_id: null,
      };
      await page.route("**/api/pair/*", (route) => route.fulfill({ json: { data: pairing } }));
      await page.getByLabel("Code").fill("WDJBMJHT");
      await page.keyboard.press("Enter");
      await heading(page, "Allow this machine?");
    },
  },
  { name: "not-found", access: "ready", path: "/nowhere", act: (page) => heading(page, "This page doesn't exist.") },
  {
    name: "palette",
    access: "ready",
    path: "/",
    act: async (page) => {
      await heading(page, "Autopilot online.");
      await page.keyboard.press("Control+/");
      await page.getByRole("combobox").fill("mig");
    },
  },
  {
    name: "shortcuts",
    access: "ready",
    path: "/pair",
    act: async (page) => {
      await page.getByLabel("Code").waitFor();
      await page.locator("main").click({ position: { x: 5, y: 5 } });
      await page.keyboard.press("?");
      await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
    },
  },
  {
    name: "menu",
    access: "ready",
    path: "/",
    act: async (page) => {
      await heading(page, "Autopilot online.");
      if ((page.viewportSize()?.width ?? 0) < 768) await page.getByRole("button", { name: "Toggle Sidebar" }).click();
      await page.getByRole("button", { name: /^Account:/ }).click();
      await page.getByRole("menu").waitFor();
    },
  },
  {
    name: "connection",
    access: "ready",
    path: "/",
    act: async (page) => {
      await page.getByRole("button", { name: "Connection: Live" }).click();
      await page.getByRole("region", { name: "Connection details" }).waitFor();
    },
  },
];

for (const theme of ["dark", "light"] satisfies Theme[]) {
  for (const [size, viewport] of [
    ["wide", WIDE],
    ["phone", PHONE],
  ] as const) {
    describe(`${theme}, ${size}`, () => {
      test.each(looks.map((look) => [look.name, look] as const))("%s", async (name, { guest, access, path, act }) => {
        const tab = await open(browser, product.url, {
          theme,
          viewport,
          serviceWorkers: "block",
          reducedMotion: "reduce",
        });
        if (!guest) await tab.context.addCookies(cookies);
        if (access) await pretend(tab.page, access);
        await tab.page.goto(path);
        await ready(tab.page);
        await act?.(tab.page);
        await picture(tab.page, `${name}-${theme}-${size}`);
        expect(await axe(tab.page)).toEqual([]);
        expect(await tab.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
        expect(tab.errors).toEqual([]);
        await tab.page.unrouteAll({ behavior: "ignoreErrors" });
        await tab.close();
      });
    });
  }
}
