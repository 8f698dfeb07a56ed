import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, resolve } from "node:path";

/** The terminal and files of whoever called a command; over `ops.sock` they are those of the calling process. */
export interface Io {
  out(text: string): void;
  err(text: string): void;
  /** Width of the terminal; 100 where there is none. */
  columns: number;
  /** Somebody can be asked. */
  terminal: boolean;
  /** One line of input; null at its end. */
  line(): Promise<string | null>;
  read(path: string): Promise<string>;
  /** Replaces the file whole: written beside it and renamed. Folders that are missing are made. */
  write(path: string, text: string): Promise<void>;
  /** The caller went away or pressed Ctrl-C. */
  signal: AbortSignal;
  /** Login name and machine, for the audit trail. */
  user: string;
  host: string;
}

const loginName = (): string => process.env.USER || process.env.LOGNAME || `uid ${process.getuid?.() ?? "?"}`;

async function* linesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest) yield rest;
}

/** This process's own terminal and files. */
export function processIo(signal: AbortSignal): Io {
  let lines: AsyncGenerator<string> | null = null;
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    columns: process.stdout.columns || 100,
    terminal: Boolean(process.stdin.isTTY && process.stderr.isTTY),
    async line() {
      lines ??= linesOf(process.stdin);
      const { value, done } = await lines.next();
      return done ? null : value;
    },
    read: (path) => readFile(resolve(path), "utf8"),
    async write(path, text) {
      const target = resolve(path);
      await mkdir(dirname(target), { recursive: true });
      await writeFile(`${target}.part`, text);
      await rename(`${target}.part`, target);
    },
    signal,
    user: loginName(),
    host: hostname(),
  };
}
