import { join } from "node:path";

export interface Child {
  pid: number;
  /** The next line of its stdout; null at the end. */
  line(): Promise<string | null>;
  /** All lines that come until it ends. */
  rest(): Promise<string[]>;
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts a script of this repository in a process of its own; `path` from its root. */
export function startChild(path: string, ...args: string[]): Child {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "../..", path), ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const lines = (async function* () {
    const decoder = new TextDecoder();
    let text = "";
    for await (const bytes of child.stdout) {
      text += decoder.decode(bytes, { stream: true });
      const whole = text.split("\n");
      text = whole.pop() ?? "";
      yield* whole;
    }
  })();
  return {
    pid: child.pid,
    async line() {
      const { value, done } = await lines.next();
      return done ? null : value;
    },
    async rest() {
      const all: string[] = [];
      for await (const line of lines) all.push(line);
      return all;
    },
    async kill(signal = "SIGKILL") {
      child.kill(signal);
      await child.exited;
    },
  };
}
