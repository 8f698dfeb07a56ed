/**
 * The product's main path on the real parts: `npm start` on a terminal, the owner link in Chromium, a machine paired from a
 * second terminal, a real Codex turn with an approval answered in the page, and a server that is killed in the middle of it.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { launch, open, ready, signIn, type Tab } from "../support/browser";
import { type CodexPlace, codexBinary, codexPlace } from "../support/codex";
import { type Model, runEscalated, say, startModel } from "../support/model";

const root = join(import.meta.dir, "../..");
const binary = join(root, "dist/openagents");

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });

/** A process whose output can be waited for. */
function spawn(command: string[], env: Record<string, string>) {
  const child = Bun.spawn(command, {
    cwd: root,
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let text = "";
  const waiting: (() => void)[] = [];
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(chunk, { stream: true });
      for (const wake of waiting.splice(0)) wake();
    }
    for (const wake of waiting.splice(0)) wake();
  };
  void read(child.stdout);
  void read(child.stderr);
  return {
    child,
    text: () => text,
    async line(form: RegExp): Promise<RegExpExecArray> {
      for (;;) {
        const found = form.exec(text);
        if (found) return found;
        if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode} before ${form}:\n${text}`);
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
          void child.exited.then(() => resolve());
        });
      }
    },
  };
}

const isUp = async (base: string): Promise<boolean> => {
  try {
    return (await fetch(`${base}/readyz`)).ok;
  } catch {
    return false;
  }
};

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await Bun.sleep(25);
}

interface Journey {
  base: string;
  data: string;
  model: Model;
  place: CodexPlace;
  tab: Tab;
  env: Record<string, string>;
  restart(): Promise<void>;
}

const conversation = (page: Page) => page.getByRole("log", { name: "Conversation" });

/** Sends a message and answers the approval that follows, in the page. */
async function talk({ tab: { page } }: Journey): Promise<void> {
  await page.locator("#chat-input:enabled").fill("Say hello, then run it");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/chat\/thread_/);
  await conversation(page).getByText("Hello from far away").waitFor();
  await page.locator("#chat-input:enabled").fill("Now run it");
  await page.keyboard.press("Enter");
  await page
    .getByRole("button", { name: /^Approve/ })
    .first()
    .click();
  await conversation(page).getByText("It said hi.").waitFor();
}

const words = Array.from({ length: 60 }, (_, i) => `word${i}`).join(" ");

/** Kills the server with -9 while an answer streams, starts it again, and compares the page with what the model said. */
async function survive(journey: Journey, gate: { open(): void; reached: Promise<void> }): Promise<void> {
  const { page } = journey.tab;
  await page.locator("#chat-input:enabled").fill("Tell me many words");
  await page.keyboard.press("Enter");
  await gate.reached;
  await conversation(page).getByText("word3").first().waitFor();
  process.kill(Number(readFileSync(join(journey.data, "lock"), "utf8")), "SIGKILL");
  await until(async () => !(await isUp(journey.base)));
  gate.open();
  await journey.restart();
  await conversation(page).getByText("word59").first().waitFor();
  const shown = async () => (await conversation(page).textContent())?.match(/word\d+/g)?.join(" ");
  await until(async () => (await shown()) === words);
  expect(await shown()).toBe(words);
  await page.reload();
  await ready(page);
  await conversation(page).getByText("word59").first().waitFor();
  await until(async () => (await shown()) === words);
  const asked = await conversation(page).getByText("Tell me many words", { exact: true }).count();
  expect(asked).toBe(1);
}

/** Streams `words`; waits in the middle until it is let go. */
function gated() {
  let let_go: () => void = () => {};
  let arrive: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    let_go = resolve;
  });
  const reached = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  let n = 0;
  const pause = async () => {
    if (++n === 20) arrive();
    if (n >= 20) await opened;
  };
  return { step: say(words, 60, pause), open: let_go, reached };
}

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

describe("from nothing to an answer", () => {
  test("npm start on a terminal, a paired worker, an approval, and a kill in the middle", async () => {
    const home = mkdtempSync(join(tmpdir(), "oa-journey-"));
    const port = await freePort();
    const base = `http://127.0.0.1:${port}`;
    const data = join(home, "data");
    const gate = gated();
    const model = startModel([
      say("Hello from far away, it is nice here.", 10),
      runEscalated("echo hi"),
      say("It said hi.", 2),
      gate.step,
    ]);
    const place = codexPlace(model.url);
    const env = { XDG_STATE_HOME: join(home, "state"), XDG_CONFIG_HOME: join(home, "config"), HOME: home };
    const terminal = spawn(["script", "-qefc", `npm start -- --data-dir ${data} --port ${port}`, "/dev/null"], {
      ...env,
      HOME: process.env.HOME ?? home,
    });
    let again: ReturnType<typeof spawn> | null = null;
    let worker: ReturnType<typeof spawn> | null = null;
    try {
      const [, link] = await terminal.line(/Open this link to sign in as owner: (\S+)/);
      const tab = await open(browser, base, { theme: "dark" });
      await signIn(tab.page, link as string);

      worker = spawn(
        [
          binary,
          "worker",
          "--server",
          base,
          "--workspace",
          place.workspace,
          "--codex-bin",
          codexBinary,
          "--codex-home",
          place.home,
          "--json",
        ],
        env,
      );
      const [, code] = await worker.line(/"user_code":"([A-Z-]+)"/);
      await tab.page.goto(`/pair?code=${code}`);
      await tab.page.getByRole("button", { name: "Allow this machine" }).click();
      await worker.line(/Connected to/);
      await tab.page.goto("/");
      const journey: Journey = {
        base,
        data,
        model,
        place,
        tab,
        env,
        async restart() {
          again = spawn([binary, "serve", "--data-dir", data, "--port", String(port)], env);
          await until(() => isUp(base));
        },
      };
      await talk(journey);
      await survive(journey, gate);
      expect(tab.errors).toEqual([]);

      worker.child.kill("SIGTERM");
      expect(await worker.child.exited).toBe(0);
      await tab.close();
    } finally {
      worker?.child.kill();
      (again as ReturnType<typeof spawn> | null)?.child.kill();
      terminal.child.kill();
      await Promise.all([
        worker?.child.exited,
        (again as ReturnType<typeof spawn> | null)?.child.exited,
        terminal.child.exited,
      ]);
      model.stop();
      place.remove();
      rmSync(home, { recursive: true, force: true });
    }
  }, 240_000);

  test("serve --worker without a terminal: the link is in a 0600 file", async () => {
    const home = mkdtempSync(join(tmpdir(), "oa-journey-"));
    const port = await freePort();
    const base = `http://127.0.0.1:${port}`;
    const data = join(home, "data");
    const gate = gated();
    const model = startModel([
      say("Hello from far away, it is nice here.", 10),
      runEscalated("echo hi"),
      say("It said hi.", 2),
    ]);
    const place = codexPlace(model.url);
    const env = {
      XDG_STATE_HOME: join(home, "state"),
      XDG_CONFIG_HOME: join(home, "config"),
      HOME: home,
      CODEX_HOME: place.home,
      OA_CODEX_BIN: codexBinary,
    };
    const server = spawn(
      [binary, "serve", "--data-dir", data, "--port", String(port), "--worker", "--workspace", place.workspace],
      env,
    );
    try {
      await server.line(/"server started"/);
      const file = join(data, "owner-link");
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(server.text()).not.toContain("oa_ll_");
      const tab = await open(browser, base, { theme: "dark" });
      await signIn(tab.page, readFileSync(file, "utf8").trim());
      expect(existsSync(file)).toBe(false);
      await server.line(/Connected to/);
      await talk({ base, data, model, place, tab, env, restart: () => Promise.resolve() });
      expect(tab.errors).toEqual([]);
      await tab.close();
      server.child.kill("SIGTERM");
      expect(await server.child.exited).toBe(0);
    } finally {
      gate.open();
      server.child.kill();
      await server.child.exited;
      model.stop();
      place.remove();
      rmSync(home, { recursive: true, force: true });
    }
  }, 180_000);
});
