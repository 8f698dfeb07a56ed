import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import {
  axe,
  launch,
  open,
  PHONE,
  picture,
  ready,
  signIn,
  type Tab,
  type Theme,
  WIDE,
  watch,
} from "../support/browser";
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

const MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36";
const IPHONE =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 Version/19.1 Mobile/15E148 Safari/604.1";
const session = (id: string, more: Record<string, unknown>) => ({
  session_id: id,
  device_id: `web:${id}`,
  token_name: "device:unknown",
  status: "active",
  issued_at: ago(86_400_000 * 3),
  last_refreshed_at: null,
  last_used_at: ago(20_000),
  user_agent: MAC,
  ...more,
});
const sessions = [
  session("a", {}),
  session("b", { user_agent: IPHONE, last_used_at: ago(7_300_000), issued_at: ago(86_400_000 * 40) }),
  session("c", { user_agent: null, token_name: "desktop:autopilot-desktop", last_used_at: ago(86_400_000 * 2) }),
  session("d", { status: "revoked" }),
];
const token = (id: number, name: string, more: Record<string, unknown>) => ({
  id,
  name,
  abilities: ["*"],
  lastUsedAt: ago(3_700_000),
  expiresAt: ago(-86_400_000 * 30),
  createdAt: ago(86_400_000 * 5),
  isCurrent: false,
  ...more,
});
const tokens = [
  token(14, "deploy-script", {}),
  token(13, "worker:macbook", { abilities: ["codex:worker"], expiresAt: null }),
  token(12, "reader", { abilities: ["chat:read", "chat:write", "shouts:write"], lastUsedAt: null }),
  token(9, "an old one with a name that is longer than most, to see where it ends", { expiresAt: ago(86_400_000) }),
];
const answer = (page: Page, url: string, json: unknown, status = 200) =>
  page.route(url, (route) => route.fulfill({ status, json }));
const wrong = { message: "Server Error", error: { code: "server_error", message: "Server Error" } };

const heading = (page: Page, name: string) => page.getByRole("heading", { level: 1, name }).waitFor();

interface Look {
  name: string;
  guest?: boolean;
  access?: string;
  /** Of a page or an overlay that is seen in all four forms elsewhere: two of them are enough. */
  state?: boolean;
  /** Before the page is opened. */
  before?: (page: Page) => Promise<unknown>;
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
    state: true,
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
    state: true,
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
  {
    name: "settings-profile",
    access: "ready",
    path: "/settings/profile",
    act: async (page) => {
      await page.getByLabel("Name").fill("Ana Ruiz");
      await page.getByText("Unsaved changes").waitFor();
    },
  },
  {
    name: "settings-profile-no-worker",
    state: true,
    access: "no_worker",
    path: "/settings/profile",
    act: async (page) => {
      await page.getByLabel("Name").fill(" ");
      await page.keyboard.press("Enter");
      await page.getByText("Profile name is required.").waitFor();
      await page.getByRole("list", { name: "Set up Codex" }).waitFor();
    },
  },
  {
    name: "settings-leave",
    state: true,
    access: "ready",
    path: "/settings/profile",
    act: async (page) => {
      await page.getByLabel("Name").fill("Ana Ruiz");
      await page.getByRole("link", { name: "API tokens" }).click();
      await page.getByRole("dialog", { name: "Discard changes?" }).waitFor();
    },
  },
  {
    name: "settings-delete",
    state: true,
    access: "ready",
    path: "/settings/profile",
    act: async (page) => {
      await page.getByRole("button", { name: "Delete account" }).click();
      await page.getByRole("dialog").getByLabel("Confirm email to delete profile").fill("ana@");
    },
  },
  {
    name: "settings-sessions",
    access: "ready",
    path: "/settings/sessions",
    before: (page) => answer(page, "**/api/auth/sessions", { data: { currentSessionId: "a", sessions } }),
    act: (page) => page.getByText("This device").waitFor(),
  },
  {
    name: "settings-sessions-failed",
    state: true,
    access: "ready",
    path: "/settings/sessions",
    before: (page) => answer(page, "**/api/auth/sessions", wrong, 500),
    act: (page) => page.getByRole("button", { name: "Retry" }).waitFor(),
  },
  {
    name: "settings-sessions-loading",
    state: true,
    access: "ready",
    path: "/settings/sessions",
    before: (page) => page.route("**/api/auth/sessions", () => new Promise(() => {})),
    act: (page) => page.locator(".bone").first().waitFor(),
  },
  {
    name: "settings-tokens",
    access: "ready",
    path: "/settings/tokens",
    before: (page) => answer(page, "**/api/tokens", { data: tokens }),
    act: async (page) => {
      await page.getByText("deploy-script").waitFor();
      await page.getByLabel("Expires").selectOption("date");
      await page.getByRole("radio", { name: /Chosen abilities/ }).check();
      await page.getByRole("button", { name: "Create token" }).click();
      await page.getByText("Name at least one ability.").waitFor();
    },
  },
  {
    name: "settings-tokens-empty",
    state: true,
    access: "ready",
    path: "/settings/tokens",
    before: (page) => answer(page, "**/api/tokens", { data: [] }),
    act: (page) => page.getByText("No tokens yet.").waitFor(),
  },
  {
    name: "settings-token-made",
    state: true,
    access: "ready",
    path: "/settings/tokens",
    before: (page) =>
      page.route("**/api/tokens", (route) =>
        route.request().method() === "POST"
          ? route.fulfill({
              status: 201,
              json: {
                data: {
                  token: "12|AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdf8c8ab1e",
                  tokenableId: 7,
                  name: "deploy-script",
                  abilities: ["*"],
                  expiresAt: ago(-86_400_000 * 30),
                },
              },
            })
          : route.fulfill({ json: { data: tokens } }),
      ),
    act: async (page) => {
      await page.locator("#token-name").fill("deploy-script");
      await page.getByRole("button", { name: "Create token" }).click();
      await page.getByText("It is not shown again.").waitFor();
    },
  },
  {
    name: "settings-token-revoke",
    state: true,
    access: "ready",
    path: "/settings/tokens",
    before: (page) => answer(page, "**/api/tokens", { data: tokens }),
    act: async (page) => {
      await page.getByRole("button", { name: "Revoke deploy-script" }).click();
      await page.getByRole("dialog", { name: "Revoke deploy-script?" }).waitFor();
    },
  },
  {
    name: "admin",
    access: "ready",
    path: "/admin",
    before: (page) =>
      answer(
        page,
        "**/api/admin/invites",
        {
          data: { url: `https://openagents.example/login/link/oa_ll_${"x".repeat(43)}`, expiresAt: ago(-604_800_000) },
        },
        201,
      ),
    act: async (page) => {
      await page.getByLabel("Email").fill("ana@example.com");
      await page.keyboard.press("Enter");
      await page.getByRole("region", { name: "Link for ana@example.com" }).waitFor();
    },
  },
  {
    name: "forbidden",
    state: true,
    access: "ready",
    path: "/admin",
    before: (page) =>
      page.route("**/api/me?**", async (route) => {
        const answer = await route.fetch();
        const body = await answer.json();
        body.data.isAdmin = false;
        await route.fulfill({ response: answer, json: body });
      }),
    act: (page) => heading(page, "You don't have access to this page."),
  },
  {
    name: "not-found",
    state: true,
    access: "ready",
    path: "/nowhere",
    act: (page) => heading(page, "This page doesn't exist."),
  },
  {
    name: "palette",
    state: true,
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
    state: true,
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
    state: true,
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
    state: true,
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
    const both = (theme === "dark") === (size === "wide");
    describe(`${theme}, ${size}`, () => {
      // One window for guests and one for the owner; each look has a page of its own in it.
      const windows = new Map<boolean, Tab>();
      const windowOf = async (guest: boolean): Promise<Tab> => {
        const known = windows.get(guest);
        if (known) return known;
        const tab = await open(browser, product.url, {
          theme,
          viewport,
          serviceWorkers: "block",
          reducedMotion: "reduce",
        });
        if (!guest) await tab.context.addCookies(cookies);
        windows.set(guest, tab);
        return tab;
      };
      afterAll(async () => {
        for (const tab of windows.values()) await tab.close();
      });

      test.each(looks.filter((look) => both || !look.state).map((look) => [look.name, look] as const))(
        "%s",
        async (name, { guest = false, access, before, path, act }) => {
          const { context } = await windowOf(guest);
          const page = await context.newPage();
          const errors = watch(page);
          if (access) await pretend(page, access);
          await before?.(page);
          await page.goto(path);
          await ready(page);
          await act?.(page);
          await picture(page, `${name}-${theme}-${size}`);
          expect(await axe(page)).toEqual([]);
          const wide = await page.evaluate(() =>
            [document.documentElement, document.getElementById("oa-main-shell")].some(
              (box) => box && box.scrollWidth > box.clientWidth,
            ),
          );
          expect(wide).toBe(false);
          expect(errors).toEqual([]);
          await page.unrouteAll({ behavior: "ignoreErrors" });
          await page.close();
        },
      );
    });
  }
}
