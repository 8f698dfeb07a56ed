/** From Codex's stdout through `openagents worker` and the server: to the page's DOM, and into the log at a steady rate. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch, open, signIn } from "../support/browser";
import { type Engine, engines, freshDatabase } from "../support/database";
import { executable } from "../support/executable";
import { type Product, startProduct } from "../support/product";
import type { Figure } from "./khala";
import { median } from "./load";

const THREAD = "thread-bench";
const WORKER = "/api/runtime/codex/workers/desktopw%3Ashared";
const clock = () => performance.timeOrigin + performance.now();

interface Setup {
  product: Product;
  call(method: string, path: string, body?: unknown): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

/** Resolves when the bridge says that it is connected; what it prints is read to its end, or it would be cut off. */
const connected = (stream: ReadableStream<Uint8Array>) =>
  new Promise<void>((resolve) => {
    void (async () => {
      let said = "";
      for await (const bytes of stream) {
        said += new TextDecoder().decode(bytes);
        if (said.includes("Connected to")) resolve();
      }
    })();
  });

/** The compiled server on an engine, with a token and a bridge whose Codex is the scripted one of `codex.ts`. */
async function setup(engine: Engine): Promise<Setup> {
  const fresh = engine === "postgres" ? await freshDatabase("postgres") : null;
  const key = `base64:${Buffer.alloc(32, 5).toString("base64")}`;
  const product = await startProduct(fresh ? { DATABASE_URL: fresh.url as string, APP_KEY: key } : {});
  const entered = await fetch(await product.link(), { method: "POST", redirect: "manual" });
  const cookie = entered.headers
    .getSetCookie()
    .map((line) => line.split(";")[0])
    .join("; ");
  const json = { "content-type": "application/json" };
  const minted = await fetch(`${product.url}/api/tokens`, {
    method: "POST",
    headers: { cookie, ...json },
    body: '{"name":"bench"}',
  });
  const { token } = ((await minted.json()) as { data: { token: string } }).data;
  const home = mkdtempSync(join(tmpdir(), "oa-bench-"));
  const codex = join(home, "codex");
  writeFileSync(codex, `#!/bin/sh\nexec '${process.execPath}' '${join(import.meta.dir, "codex.ts")}' "$@"\n`);
  chmodSync(codex, 0o755);
  const bridge = Bun.spawn(
    [executable, "worker", "--server", product.url, "--workspace", home, "--codex-bin", codex, "--codex-home", home],
    {
      env: {
        PATH: process.env.PATH ?? "",
        HOME: home,
        OA_API_TOKEN: token,
        XDG_STATE_HOME: home,
        XDG_CONFIG_HOME: home,
      },
      stdin: "ignore",
      stdout: "pipe",
      stderr: Bun.file(join(home, "errors")),
    },
  );
  await connected(bridge.stdout);
  return {
    product,
    async call(method, path, body) {
      const answer = await fetch(product.url + path, {
        method,
        headers: { authorization: `Bearer ${token}`, ...json },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const read = (await answer.json()) as { data: Record<string, unknown> };
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(read)}`);
      return read.data;
    },
    async close() {
      bridge.kill("SIGKILL");
      await bridge.exited;
      await product.close();
      await fresh?.drop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

const send = ({ call }: Setup, text: string) => call("POST", `/api/runtime/threads/${THREAD}/messages`, { text });

/** Milliseconds that each of `count` deltas took from Codex's stdout to the page's DOM, at 50 a second. */
async function toDom(at: Setup, count: number): Promise<number[]> {
  const browser = await launch();
  try {
    const { page } = await open(browser, at.product.url);
    await signIn(page, await at.product.link());
    await send(at, "rate 50 5");
    await page.goto(`/chat/${THREAD}`);
    await page.locator(".said", { hasText: "d4t" }).waitFor();
    await page.waitForFunction(
      () => (globalThis as unknown as { __oa?: { khala: { state: string } } }).__oa?.khala.state === "live",
    );
    await page.evaluate(() => {
      const seen: Record<string, number> = {};
      const since = performance.timeOrigin + performance.now();
      Object.assign(globalThis, { seen });
      new MutationObserver(() => {
        const last = [...document.querySelectorAll(".said .prose")].at(-1)?.textContent?.slice(-300) ?? "";
        const now = performance.timeOrigin + performance.now();
        for (const [, mark = "", sent] of last.matchAll(/d(\d+)t([\d.]+);/g)) {
          // The answer of before has marks of the same names.
          if (Number(sent) > since) seen[mark] ??= now - Number(sent);
        }
      }).observe(document.body, { subtree: true, childList: true, characterData: true });
    });
    await send(at, `rate 50 ${count}`);
    await page.waitForFunction((last) => String(last) in (globalThis as unknown as { seen: object }).seen, count - 1, {
      timeout: 60_000,
    });
    return Object.values(await page.evaluate(() => (globalThis as unknown as { seen: Record<string, number> }).seen));
  } finally {
    await browser.close();
  }
}

interface Steady {
  printed: number;
  stored: number;
  /** Milliseconds from stdout to a reader of the log, in the first and in the last quarter. */
  early: number;
  late: number;
}

/** Codex prints `rate` deltas a second for some seconds; the log is read as they arrive. */
async function steady(at: Setup, rate: number, seconds: number): Promise<Steady> {
  const { latest_seq } = await at.call("GET", WORKER);
  let cursor = Number(latest_seq);
  const total = rate * seconds;
  const sent: number[] = [];
  const read: number[] = [];
  await send(at, `rate ${rate} ${total}`);
  while (sent.length < total) {
    const data = await at.call("GET", `${WORKER}/stream?cursor=${cursor}`);
    const now = clock();
    for (const { seq, payload } of data.events as {
      seq: number;
      payload: { method?: string; params?: { delta?: string } };
    }[]) {
      cursor = seq;
      if (payload.method !== "item/agentMessage/delta") continue;
      for (const [, stamp] of (payload.params?.delta ?? "").matchAll(/d\d+t([\d.]+);/g)) {
        sent.push(Number(stamp));
        read.push(now);
      }
    }
    await Bun.sleep(50);
  }
  const lags = sent.map((when, n) => (read[n] as number) - when);
  const span = (times: number[]) => ((times.at(-1) as number) - (sent[0] as number)) / 1000;
  const quarter = Math.floor(total / 4);
  return {
    printed: total / span(sent),
    stored: total / span(read),
    early: median(lags.slice(0, quarter)),
    late: median(lags.slice(-quarter)),
  };
}

/** Gives each figure as soon as it is measured. */
export async function* benchBridge(): AsyncGenerator<Figure> {
  const most = (name: string, ours: number, limit: number): Figure => ({
    name,
    ours,
    yardstick: null,
    ratio: null,
    must: `≤ ${limit}`,
    met: ours <= limit,
  });
  for (const engine of engines) {
    const named = engine === "postgres" ? "Postgres" : "embedded";
    const rate = engine === "postgres" ? 2000 : 800;
    const at = await setup(engine);
    try {
      const delays = (await toDom(at, 500)).toSorted((a, b) => a - b);
      yield most(`Codex's stdout to the page, ${named}, p50 ms`, delays[Math.floor(delays.length * 0.5)] as number, 30);
      yield most(`the same, p99 ms`, delays[Math.floor(delays.length * 0.99)] as number, 100);
      const { printed, stored, early, late } = await steady(at, rate, 10);
      yield {
        name: `deltas/s stored ÷ printed at ${rate}/s, ${named}`,
        ours: stored,
        yardstick: printed,
        ratio: stored / printed,
        must: "≥ 0.95",
        met: stored / printed >= 0.95 && printed >= rate * 0.95,
      };
      yield {
        name: `stdout to the log in the last quarter, ms; beside: in the first`,
        ours: late,
        yardstick: early,
        ratio: late / early,
        must: "first + 100",
        met: late <= early + 100,
      };
    } finally {
      await at.close();
    }
  }
}
