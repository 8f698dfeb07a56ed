import { chmodSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import type { Store } from "../db/database";
import type { Config } from "../src/config";
import type { Context } from "../src/context";
import type { Executable } from "../src/executable";
import type { KhalaNode } from "../src/khala/node";
import { findCommand } from "./cli";
import { tell } from "./failure";
import type { Io } from "./io";
import { parse } from "./parse";
import { perform } from "./perform";

interface Served {
  /** Path of `ops.sock`. */
  path: string;
  executable: Executable;
  config: Config;
  folder: string;
  store: Store;
  ctx: Context;
  khala: KhalaNode;
}

interface Hello {
  argv: string[];
  columns: number;
  terminal: boolean;
  user: string;
  host: string;
}

type Message = Hello | { in: string | null } | { file: string } | { failed: string };

/** Runs one command for a caller on the other end of the line. Closing it cancels the command. */
function serveCaller(line: Socket, served: Served): void {
  const abort = new AbortController();
  const waiting: ((message: Exclude<Message, Hello>) => void)[] = [];
  const send = (reply: unknown) => void (line.writable && line.write(`${JSON.stringify(reply)}\n`));
  const ask = async <T>(request: unknown): Promise<T> => {
    const { promise, resolve } = Promise.withResolvers<Exclude<Message, Hello>>();
    waiting.push(resolve);
    send(request);
    const message = await promise;
    if ("failed" in message) throw new Error(message.failed);
    return message as T;
  };
  const start = async ({ argv: [name = "", ...words], columns, terminal, user, host }: Hello) => {
    const io: Io = {
      out: (text) => send({ out: text }),
      err: (text) => send({ err: text }),
      columns,
      terminal,
      line: async () => (await ask<{ in: string | null }>({ ask: true })).in,
      read: async (path) => (await ask<{ file: string }>({ read: path })).file,
      write: async (path, text) => void (await ask({ write: { path, text } })),
      signal: abort.signal,
      user,
      host,
    };
    const how = { json: words.includes("--json"), verbose: words.includes("-v") || words.includes("--verbose") };
    let exit: number;
    let plain = false;
    try {
      const command = findCommand(name);
      plain = command.ported === true;
      exit = await perform(command, parse(command, words), io, served);
    } catch (error) {
      exit = tell(io, error, { ...how, plain });
    }
    send({ exit });
    line.end();
  };
  let rest = "";
  let begun = false;
  line.setEncoding("utf8");
  line.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const text of lines) {
      let message: Message;
      try {
        message = JSON.parse(text) as Message;
      } catch {
        return void line.destroy();
      }
      if (!("argv" in message)) waiting.shift()?.(message);
      else if (!begun) {
        begun = true;
        void start(message);
      }
    }
  });
  const gone = () => {
    abort.abort();
    for (const resolve of waiting.splice(0)) resolve({ failed: "the caller went away" });
  };
  line.on("error", gone);
  line.on("close", gone);
}

/**
 * Listens on `ops.sock` (0600), so that operator commands work while this process holds the embedded database
 * (ops-data 2.8). Resolves when it listens, with how to stop.
 */
export async function serveOps(served: Served): Promise<() => Promise<void>> {
  rmSync(served.path, { force: true });
  const open = new Set<Socket>();
  const server = createServer((line) => {
    open.add(line);
    line.on("close", () => open.delete(line));
    serveCaller(line, served);
  });
  const before = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(served.path, resolve);
    });
    chmodSync(served.path, 0o600);
  } finally {
    process.umask(before);
  }
  return async () => {
    for (const line of open) line.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    rmSync(served.path, { force: true });
  };
}
