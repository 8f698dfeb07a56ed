/** Figures of the HTTP surface of the compiled executable, each beside a bare server (and nginx) in the same run. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freshDatabase } from "../support/database";
import { executable, run } from "../support/executable";
import type { Figure } from "./khala";
import { compare, load, loadSeconds, median } from "./load";
import { nginx } from "./nginx";
import { freePort } from "./start";

const key = `base64:${Buffer.alloc(32, 5).toString("base64")}`;

/** Seconds of CPU that a process has used (Linux: hundredths of a second). */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

interface Target {
  url: string;
  pid: number;
}

/**
 * Two servers in turn: requests per second, and requests per second of the server's CPU, which a busy machine spoils less but
 * leaves out what the database does.
 */
async function against(
  name: string,
  must: number,
  targets: { ours: Target; yardstick: Target },
  headers: Record<string, string>,
): Promise<Figure[]> {
  const work = { ours: [] as number[], yardstick: [] as number[] };
  const one = (who: "ours" | "yardstick") => async () => {
    const { url, pid } = targets[who];
    const before = cpuSeconds(pid);
    const rate = await load(url, { headers });
    work[who].push((rate * loadSeconds) / (cpuSeconds(pid) - before));
    return rate;
  };
  const figure = (label: string, ours: number, yardstick: number): Figure => ({
    name: label,
    ours,
    yardstick,
    ratio: ours / yardstick,
    must: `≥ ${must}`,
    met: ours / yardstick >= must,
  });
  const rates = await compare(one("ours"), one("yardstick"));
  return [
    figure(`${name}, requests/s`, rates.ours, rates.yardstick),
    figure(`the same by the server's CPU`, median(work.ours), median(work.yardstick)),
  ];
}

/** A bare server in a process of its own, told what to serve by its arguments; its first line is its URL. */
async function bare(argv: string[]): Promise<Target & { stop(): void }> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "bare-server.ts"), ...argv], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const { value } = await child.stdout.getReader().read();
  return { url: new TextDecoder().decode(value).trim(), pid: child.pid, stop: () => child.kill() };
}

/** The product as it is deployed: its log goes to a file. */
async function product(folder: string, env: Record<string, string>): Promise<Target & { stop(): Promise<void> }> {
  const port = freePort();
  const child = Bun.spawn([executable, "serve", "--port", String(port), "--data-dir", folder], {
    env: { PATH: process.env.PATH ?? "", HOME: folder, ...env },
    stdout: "ignore",
    stderr: Bun.file(join(folder, "log")),
  });
  const url = `http://127.0.0.1:${port}`;
  while (!(await fetch(`${url}/readyz`).catch(() => null))?.ok) await Bun.sleep(5);
  return {
    url,
    pid: child.pid,
    async stop() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** Gives each figure as soon as it is measured. */
export async function* benchHttp(): AsyncGenerator<Figure> {
  const folder = mkdtempSync(join(tmpdir(), "oa-bench-"));
  const fresh = await freshDatabase("postgres");
  const env = { DATABASE_URL: fresh.url as string, APP_KEY: key, APP_ENV: "local" };
  const server = await product(folder, env);
  try {
    const page = await (await fetch(`${server.url}/`)).text();
    const script = /<script type="module" src="([^"]+)"/.exec(page)?.[1] as string;
    for (const [name, path, must, headers] of [
      ["hashed asset, gzip", script, 0.9, { "accept-encoding": "gzip" }],
      ["shell for a guest", "/", 0.6, { "accept-encoding": "gzip", cookie: "XSRF-TOKEN=x" }],
    ] as const) {
      const body = new Uint8Array(await (await fetch(server.url + path, { headers, decompress: false })).arrayBuffer());
      const file = join(folder, "body");
      await Bun.write(file, body);
      const ours = { url: server.url + path, pid: server.pid };
      const plain = await bare(["static", path, file]);
      yield* await against(
        `${name} ÷ Bun static route`,
        must,
        { ours, yardstick: { ...plain, url: plain.url + path } },
        headers,
      );
      plain.stop();
      const other = await nginx(folder, body);
      yield* await against(`${name} ÷ nginx with gzip_static`, 1, { ours, yardstick: other }, headers);
      await other.stop();
    }
    await run(["ops", "user:create", "ann@a.example"], { env });
    const token = (await run(["ops", "create-api-token", "ann@a.example", "--quiet"], { env })).out.trim();
    const headers = { authorization: `Bearer ${token}`, accept: "application/json" };
    const plain = await bare(["query", fresh.url as string, token]);
    const ours = { url: `${server.url}/api/me`, pid: server.pid };
    yield* await against(
      "GET /api/me by token ÷ Bun.serve with one prepared query",
      0.7,
      { ours, yardstick: plain },
      headers,
    );
    plain.stop();
  } finally {
    await server.stop();
    await fresh.drop();
    rmSync(folder, { recursive: true, force: true });
  }
}
