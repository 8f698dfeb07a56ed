import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkLog } from "./treated";

/** The compiled executable, as `bun build.ts` makes it. */
export const executable = join(import.meta.dir, "../../dist/openagents");
if (!existsSync(executable)) throw new Error("dist/openagents is missing: bun build.ts");

export interface Ended {
  code: number | null;
  out: string;
  err: string;
}

interface How {
  env?: Record<string, string>;
  input?: string;
  cwd?: string;
}

/** Only what is given: nothing of this process's environment reaches the executable but the path. */
const bare = (env: Record<string, string> = {}) => ({
  PATH: process.env.PATH ?? "",
  HOME: "/nonexistent",
  USER: "tester",
  ...env,
});

/** Runs the executable to its end. */
export async function run(argv: string[], { env, input, cwd = tmpdir() }: How = {}): Promise<Ended> {
  const child = Bun.spawn([executable, ...argv], {
    cwd,
    env: bare(env),
    stdin: input === undefined ? "ignore" : Buffer.from(input),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, out, err };
}

export interface Server {
  url: string;
  pid: number;
  /** What it has written to both streams so far. */
  text(): string;
  /** Resolves when `find` matches what it has written. */
  seen(find: RegExp): Promise<RegExpExecArray>;
  signal(name: NodeJS.Signals): void;
  ended: Promise<number>;
}

/** Starts `serve` on a free port; resolves when it says that it is ready. `terminal`: on a pseudo-terminal. */
export async function serve(
  argv: string[],
  { env, cwd = tmpdir(), terminal = false }: How & { terminal?: boolean } = {},
): Promise<Server> {
  const words = [executable, "serve", "--port", "0", ...argv];
  const command = terminal ? ["script", "-qefc", words.join(" "), "/dev/null"] : words;
  const child = Bun.spawn(command, {
    cwd,
    env: bare({ TERM: "xterm", ...env }),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let text = "";
  let told: () => void = () => {};
  const collect = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      text += decoder.decode(chunk, { stream: true });
      told();
    }
  };
  const gone = Promise.all([collect(child.stdout), collect(child.stderr)]);
  const seen = async (find: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const match = find.exec(text);
      if (match) return match;
      const more = new Promise<void>((resolve) => {
        told = resolve;
      });
      const over = await Promise.race([more.then(() => false), gone.then(() => true)]);
      if (over && !find.test(text)) throw new Error(`ended without ${find}:\n${text}`);
    }
  };
  const [, url] = await seen(terminal ? /open {7}(http:\S+)[\s\S]*Ready in/ : /server started.*?"bind":"([^"]+)"/);
  return {
    url: url as string,
    pid: child.pid,
    text: () => text,
    seen,
    signal: (name) => child.kill(name),
    ended: child.exited.then(async (code) => {
      await gone;
      // A terminal is shown the link to sign in.
      if (!terminal) checkLog([text]);
      return code;
    }),
  };
}

/** A folder of its own, gone after `use`. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "oa-executable-"));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
