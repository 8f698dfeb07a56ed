import { connect } from "node:net";
import { join } from "node:path";
import { folderHolder } from "../db/lock";
import { dataFolder, loadConfiguration } from "../src/configuration";
import type { Executable } from "../src/executable";
import { Exit } from "../src/exit";
import type { Command } from "./command";
import { Failure, tell } from "./failure";
import { commandHelp, commandList } from "./help";
import { type Io, processIo } from "./io";
import { unknownCommand } from "./nearest";
import { type Parsed, parse } from "./parse";
import { type Place, perform } from "./perform";
import { commands } from "./table";

/** The command of a name; a leading `ops:` may be left out (ops-data 2.1). */
export function findCommand(name: string): Command {
  const found = commands.find((command) => command.name === name || command.name === `ops:${name}`);
  if (found) return found;
  const names = commands.filter(({ hidden }) => !hidden).map((command) => command.name);
  throw new Failure(2, "unknown_command", unknownCommand(name, names), "'openagents ops' lists the commands");
}

/** Options that may stand before the command's name, taken out of the way. */
function nameFirst(argv: string[]): string[] {
  const at = argv.findIndex((word) => !word.startsWith("-"));
  if (at <= 0) return argv;
  const before = argv.slice(0, at);
  // `--config FILE` and `--data-dir DIR` take the next word; it is not the name.
  const last = before.at(-1);
  if (last === "--config" || last === "--data-dir") {
    const [name, ...rest] = nameFirst(argv.slice(at + 1));
    return name === undefined ? argv : [name, ...argv.slice(0, at + 1), ...rest];
  }
  return [argv[at] as string, ...before, ...argv.slice(at + 1)];
}

/** `config check` and `config show` are one name each. */
function configWords([name, second, ...rest]: string[]): string[] {
  if (name === "config" && (second === "check" || second === "show")) return [`config ${second}`, ...rest];
  return [name, second, ...rest].filter((word) => word !== undefined);
}

/** Runs `openagents ops …` in this process, or in the server that holds the data folder. Returns the exit code. */
export async function runOps(executable: Executable, argv: string[], io: Io = ownIo()): Promise<number> {
  const json = argv.includes("--json");
  const how = { json, verbose: argv.includes("-v") || argv.includes("--verbose") };
  let plain = false;
  try {
    const words = configWords(nameFirst(argv));
    const helped = words.includes("--help") || words.includes("-h") || words[0] === "help";
    const named = words[0] === "help" ? words[1] : words[0];
    if (named === undefined || named.startsWith("-") || named === "list") {
      io.out(commandList(commands, io.columns));
      return 0;
    }
    const command = findCommand(named);
    if (helped) {
      io.out(commandHelp(command, io.columns));
      return 0;
    }
    plain = command.ported === true;
    const parsed = parse(command, words.slice(1));
    return await dispatch(executable, command, parsed, [command.name, ...words.slice(1)], io);
  } catch (error) {
    return tell(io, error, { ...how, plain });
  }
}

function ownIo(): Io {
  const abort = new AbortController();
  process.once("SIGINT", () => {
    abort.abort();
    process.exitCode = 130;
  });
  // The reader of a pipe may leave early (`| head -1`): that is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 74));
  return processIo(abort.signal);
}

async function dispatch(
  executable: Executable,
  command: Command,
  parsed: Parsed,
  argv: string[],
  io: Io,
): Promise<number> {
  if (command.needs === "nothing") return perform(command, parsed, io, { executable });
  const { dataDir, config: file } = parsed.options as { dataDir?: string; config?: string };
  const { config, warnings } = loadConfiguration({ file, flags: dataDir ? { OA_DATA_DIR: dataDir } : {} });
  for (const warning of warnings) io.err(`warning: ${warning}\n`);
  const folder = dataFolder(config);
  if (command.needs === "config") return perform(command, parsed, io, { executable, config, folder });
  if (!config.DATABASE_URL && folderHolder(folder) !== null) return remote(join(folder, "ops.sock"), argv, io);
  const { openPlace } = await import("./open");
  const place: Place = await openPlace({ executable, config, folder, migrated: command.needs === "database", io });
  try {
    return await perform(command, parsed, io, place);
  } finally {
    await place.close?.();
  }
}

interface Reply {
  out?: string;
  err?: string;
  exit?: number;
  /** Files of the caller: the server may not see them. */
  read?: string;
  write?: { path: string; text: string };
  /** One line of the caller's input is wanted. */
  ask?: true;
}

/** Runs the command in the server that holds the folder, over `ops.sock` (ops-data 2.8). */
function remote(socket: string, argv: string[], io: Io): Promise<number> {
  return new Promise((resolve, reject) => {
    const line = connect(socket);
    const send = (message: unknown) => void line.write(`${JSON.stringify(message)}\n`);
    let rest = "";
    let ended = false;
    const answer = async (reply: Reply) => {
      if (reply.out !== undefined) io.out(reply.out);
      if (reply.err !== undefined) io.err(reply.err);
      if (reply.ask) send({ in: await io.line() });
      if (reply.read !== undefined) {
        const path = reply.read;
        send(
          await io.read(path).then(
            (text) => ({ file: text }),
            (error: Error) => ({ failed: error.message }),
          ),
        );
      }
      if (reply.write) {
        const { path, text } = reply.write;
        send(
          await io.write(path, text).then(
            () => ({ file: "" }),
            (error: Error) => ({ failed: error.message }),
          ),
        );
      }
      if (reply.exit !== undefined) {
        ended = true;
        line.end();
        resolve(reply.exit);
      }
    };
    let turn = Promise.resolve();
    line.setEncoding("utf8");
    line.on("connect", () => {
      const { columns, terminal, user, host } = io;
      send({ argv, cwd: process.cwd(), columns, terminal, user, host });
    });
    line.on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const text of lines) turn = turn.then(() => answer(JSON.parse(text) as Reply)).catch(reject);
    });
    line.on("error", (error: NodeJS.ErrnoException) => {
      const denied = error.code === "EACCES" || error.code === "EPERM";
      reject(
        denied
          ? new Exit(77, `${socket} may be used by the server's own user only`, "run the command as that user")
          : new Exit(
              69,
              `the server that holds the data folder does not answer on ${socket} (${error.code})`,
              "it may be starting or stopping; try again in a moment",
            ),
      );
    });
    line.on("close", () => {
      if (!ended)
        void turn.then(() =>
          reject(
            new Exit(
              69,
              "the server ended before the command did",
              "look at the server's log, then run the command again",
            ),
          ),
        );
    });
    io.signal.addEventListener("abort", () => {
      ended = true;
      line.destroy();
      resolve(130);
    });
  });
}
