import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkLog } from "./treated";

const executable = join(import.meta.dir, "../../dist/openagents");

export interface Product {
  url: string;
  folder: string;
  pid: number;
  /** The owner's sign-in link of a fresh data folder; null once somebody has signed in. */
  ownerLink(): string | null;
  /** Mints a sign-in link with `ops login-link` while the server runs. */
  link(...options: string[]): Promise<string>;
  /** Ends the process; the data stays. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port and data. */
  restart(): Promise<void>;
  /** Ends it and removes the data. */
  close(): Promise<void>;
  /** Everything it logged, for failures. */
  log(): string;
}

const freePort = (): number => {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const port = server.port ?? 0;
  server.stop(true);
  return port;
};

/** The compiled executable with a data folder of its own, on a free loopback port. */
export async function startProduct(env: Record<string, string> = {}): Promise<Product> {
  if (!existsSync(executable)) throw new Error("dist/openagents is missing: bun build.ts");
  const folder = mkdtempSync(join(tmpdir(), "oa-product-"));
  const port = freePort();
  const url = `http://127.0.0.1:${port}`;
  const environment = {
    PATH: process.env.PATH ?? "",
    HOME: folder,
    OA_DATA_DIR: join(folder, "data"),
    APP_URL: url,
    ...env,
  };
  let child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  let text = "";

  const collect = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
  };
  const launch = async () => {
    child = Bun.spawn([executable, "serve", "--port", String(port)], {
      cwd: folder,
      env: environment,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    void collect(child.stdout);
    void collect(child.stderr);
    const until = Date.now() + 30_000;
    while (Date.now() < until) {
      if (child.exitCode !== null) break;
      const answer = await fetch(`${url}/readyz`).catch(() => null);
      if (answer?.ok) return;
      await Bun.sleep(25);
    }
    throw new Error(`the product did not start\n${text}`);
  };
  await launch();
  const kill = async (signal: NodeJS.Signals = "SIGKILL") => {
    child.kill(signal);
    await child.exited;
  };
  return {
    url,
    folder,
    get pid() {
      return child.pid;
    },
    ownerLink() {
      const file = join(folder, "data/owner-link");
      return existsSync(file) ? (/https?:\S+/.exec(readFileSync(file, "utf8"))?.[0] ?? null) : null;
    },
    async link(...options) {
      const ops = Bun.spawn([executable, "ops", "login-link", ...options], {
        cwd: folder,
        env: environment,
        stdout: "pipe",
        stderr: "pipe",
      });
      const [out, bad] = await Promise.all([new Response(ops.stdout).text(), new Response(ops.stderr).text()]);
      const found = /https?:\S+\/login\/link\/\S+/.exec(out)?.[0];
      if (!found) throw new Error(`no link: ${out} ${bad}`);
      return found.replace(/["',]+$/, "");
    },
    kill,
    restart: launch,
    async close() {
      if (child.exitCode === null) await kill();
      rmSync(folder, { recursive: true, force: true });
      checkLog([text]);
    },
    log: () => text,
  };
}
