import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const axeSource = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");

export const WIDE = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };
export type Theme = "light" | "dark";

export const launch = (): Promise<Browser> =>
  chromium.launch({
    executablePath: ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync) ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });

export interface Tab {
  page: Page;
  context: BrowserContext;
  /** Console errors and page errors, save the browser's own lines about failed requests. */
  errors: string[];
  close(): Promise<void>;
}

/** A window of its own: nothing is shared with other tabs. */
export async function open(
  browser: Browser,
  url: string,
  options: BrowserContextOptions & { theme?: Theme } = {},
): Promise<Tab> {
  const { theme, ...rest } = options;
  const context = await browser.newContext({ viewport: WIDE, baseURL: url, ...rest });
  if (theme) await context.addCookies([{ name: "appearance", value: theme, url }]);
  const page = await context.newPage();
  return { page, context, errors: watch(page), close: () => context.close() };
}

/** Collects what the page complains about. */
export function watch(page: Page): string[] {
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      errors.push(message.text());
  });
  return errors;
}

/** Waits until the app has started and knows who is there. */
export async function ready(page: Page): Promise<void> {
  await page.waitForFunction(() => (globalThis as { __oa?: { phase: string } }).__oa?.phase === "ready");
}

/** Signs in through a sign-in link, as a person does. */
export async function signIn(page: Page, link: string): Promise<void> {
  await page.goto(link);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForSelector('main[data-page="home"]');
  await ready(page);
}

/** What axe finds on the page, one line each; empty is the aim. */
export async function axe(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  return await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run: (options: unknown) => Promise<{ violations: Violation[] }> };
    };
    interface Violation {
      id: string;
      impact: string;
      nodes: { target: string[]; failureSummary: string }[];
    }
    const { violations } = await axe.run({
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    });
    return violations.flatMap(({ id, impact, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id} (${impact}) ${target.join(" ")}: ${failureSummary}`),
    );
  });
}

/** Keeps a picture when `OA_SHOTS` names a folder, so that a person can look at what the tests saw. */
export async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env.OA_SHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}
