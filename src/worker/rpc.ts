/** JSON-RPC with `codex app-server` over stdio: one object a line each way, without a `jsonrpc` member (codex-chat 3.10). */

export interface CodexMessage {
  id?: string | number;
  method?: string;
  params?: Record<string, unknown>;
  result?: unknown;
  error?: { code: number; message: string };
  emittedAtMs?: number;
}

/** Codex answered a request with an error. */
export class CodexError extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
    this.name = "CodexError";
  }
}

/** The process went away before it answered. */
export class CodexGone extends Error {
  constructor() {
    super("codex app-server exited");
    this.name = "CodexGone";
  }
}

/** The process did not answer in time; it may be busy, or have printed garbage where the answer should be. */
export class CodexSilent extends Error {
  constructor(method: string) {
    super(`codex did not answer ${method}`);
    this.name = "CodexSilent";
  }
}

export interface Listener {
  /** A notification or a server request. The next line is read when this resolves: it is how a flood is held back. */
  message(message: CodexMessage): Promise<void> | void;
  /** A line that is no JSON object. */
  garbage(line: string): void;
  stderr(text: string): void;
  exited(exit: { code: number | null; signal: string | null }): void;
}

export interface Codex {
  pid: number;
  /** Rejects with `CodexError`, `CodexGone` or, after 50 s, `CodexSilent`. */
  call(method: string, params: Record<string, unknown>): Promise<unknown>;
  notify(method: string, params?: Record<string, unknown>): void;
  answer(id: string | number, body: { result: unknown } | { error: { code: number; message: string } }): void;
  /** Closes stdin, on which Codex exits; SIGKILL after `killAfterMs`. */
  stop(killAfterMs: number): Promise<void>;
  kill(): void;
  exited: Promise<void>;
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
  timer: Timer;
}

/** Less than the server waits for a receipt (codex-chat 3.4). */
const answerMs = 50_000;

/** Everything that waits as microtasks has run: a receipt is queued before the line after its response is looked at. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

const longestLine = 64 * 1024 * 1024;

/** Starts the process and reads it line by line, strictly in order. */
export function startCodex(
  command: string[],
  options: { cwd: string; env: Record<string, string | undefined> },
  listener: Listener,
): Codex {
  const child = Bun.spawn(command, {
    cwd: options.cwd,
    env: options.env,
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const pending = new Map<string | number, Pending>();
  let lastId = 0;
  let gone = false;

  const write = (message: CodexMessage) => {
    if (gone) throw new CodexGone();
    child.stdin.write(`${JSON.stringify(message)}\n`);
    child.stdin.flush();
  };

  const take = async (line: string): Promise<void> => {
    const message = parse(line);
    if (!message) return listener.garbage(line);
    if (message.id !== undefined && message.method === undefined) {
      const waiting = pending.get(message.id);
      if (!waiting) return;
      pending.delete(message.id);
      clearTimeout(waiting.timer);
      if (message.error) waiting.reject(new CodexError(message.error.code, message.error.message));
      else waiting.resolve(message.result);
      return settled();
    }
    await listener.message(message);
  };

  const readAll = async () => {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of child.stdout as unknown as AsyncIterable<Uint8Array>) {
      rest += decoder.decode(chunk, { stream: true });
      let from = 0;
      for (let end = rest.indexOf("\n", from); end >= 0; end = rest.indexOf("\n", from)) {
        const line = rest.slice(from, end).trim();
        from = end + 1;
        if (line) await take(line);
      }
      rest = rest.slice(from);
      if (rest.length > longestLine) {
        listener.garbage(rest.slice(0, 200));
        rest = "";
      }
    }
    if (rest.trim()) await take(rest.trim());
  };

  const readErrors = async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr as unknown as AsyncIterable<Uint8Array>)
      listener.stderr(decoder.decode(chunk));
  };

  void readErrors().catch(() => {});
  const exited = Promise.all([readAll().catch(() => {}), child.exited]).then(() => {
    gone = true;
    for (const { reject, timer } of pending.values()) {
      clearTimeout(timer);
      reject(new CodexGone());
    }
    pending.clear();
    listener.exited({ code: child.exitCode, signal: child.signalCode === null ? null : String(child.signalCode) });
  });

  return {
    pid: child.pid,
    call(method, params) {
      const id = ++lastId;
      return new Promise((resolve, reject) => {
        const drop = (error: Error) => {
          clearTimeout(timer);
          pending.delete(id);
          reject(error);
        };
        const timer = setTimeout(() => drop(new CodexSilent(method)), answerMs);
        pending.set(id, { resolve, reject, timer });
        try {
          write({ id, method, params });
        } catch (error) {
          drop(error as Error);
        }
      });
    },
    notify: (method, params) => write(params ? { method, params } : { method }),
    answer: (id, body) => write({ id, ...body }),
    async stop(killAfterMs) {
      if (gone) return;
      child.stdin.end();
      const timer = setTimeout(() => child.kill("SIGKILL"), killAfterMs);
      await exited;
      clearTimeout(timer);
    },
    kill: () => child.kill("SIGKILL"),
    exited,
  };
}

function parse(line: string): CodexMessage | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as CodexMessage) : null;
  } catch {
    return null;
  }
}
