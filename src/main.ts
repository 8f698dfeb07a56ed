import { existsSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { configFiles } from "./config-files";
import type { Executable } from "./executable";
import type { ServeOptions } from "./serve";

const commands = ["serve", "worker", "ops", "doctor", "config", "version", "completion"];

/** The executable's entry: argv → serve | worker | ops (ops-data 2.1). Commands are loaded when they are called. */
export async function main(executable: Executable, argv = process.argv.slice(2)): Promise<void> {
  const code = await run(executable, argv);
  // What was written to a pipe must have left before the process does.
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write("", done))));
  process.exit(code);
}

async function run(executable: Executable, argv: string[]): Promise<number> {
  const [name, ...rest] = argv;
  switch (name) {
    case undefined:
    case "help":
    case "-h":
    case "--help":
      process.stdout.write(firstPage(executable.version));
      return 0;
    case "-V":
    case "--version":
      process.stdout.write(`openagents ${executable.version}\n`);
      return 0;
    case "serve":
    case "worker":
      return parsed(executable, name, argv);
    case "ops":
    case "doctor":
    case "config":
    case "version":
    case "completion": {
      const { runOps } = await import("../ops/cli");
      return runOps(executable, name === "ops" ? rest : argv);
    }
    default: {
      const { unknownCommand } = await import("../ops/nearest");
      process.stderr.write(`${unknownCommand(name, commands)}\nhint: 'openagents' alone lists the commands\n`);
      return 2;
    }
  }
}

/** `serve` and `worker` are parsed by commander itself; wrong usage is exit 2. */
async function parsed(executable: Executable, name: "serve" | "worker", argv: string[]): Promise<number> {
  const program = new Command("openagents").exitOverride();
  let code = 0;
  if (name === "worker") {
    const { defineWorkerCommand } = await import("./worker/command");
    defineWorkerCommand(program, executable.version);
  } else {
    serveCommand(program).action(async (options: ServeOptions) => {
      // The engine takes longest to get ready: it is compiled while the rest of the program is loaded.
      if (isPlain(options))
        void import("./executable").then(({ engineFiles }) => engineFiles(executable)).catch(() => {});
      const { serve } = await import("./serve");
      code = await serve(executable, options);
    });
  }
  try {
    await program.parseAsync(argv, { from: "user" });
    return code;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : 2;
  }
}

/** Nothing names a database or a file that may: it will be the embedded one. */
const isPlain = (
  { config }: ServeOptions,
  { DATABASE_URL, DATABASE_URL_FILE, OA_CONFIG_FILE } = process.env,
): boolean =>
  !(
    config ||
    DATABASE_URL ||
    DATABASE_URL_FILE ||
    OA_CONFIG_FILE ||
    configFiles(process.cwd()).some((path) => existsSync(path))
  );

const serveCommand = (program: Command): Command =>
  program
    .command("serve")
    .description("API, live delivery and web app")
    .option("--config <file>", "configuration file")
    .option("--data-dir <dir>", "data folder of the embedded database")
    .option("--host <host>", "address to listen on (127.0.0.1)")
    .option("--port <port>", "port to listen on (8787; 0 = any)")
    .option("--socket <path>", "a Unix socket instead of a port")
    .option("--reuse-port", "let several processes share the port")
    .option("--no-migrate", "do not apply pending migrations")
    .option("--no-jobs", "this node takes no durable jobs")
    .option("--worker", "run Codex on this machine beside the server, for its owner")
    .option("--workspace <dir>", "with --worker: the folder that Codex works in (the present one)")
    .option("--worker-full-access", "with --worker: let Codex work without its sandbox")
    .option("--dev", "local environment with the mock sign-in")
    .option("--seed [file]", "with --dev: fill the database from a fixture; without a file, with people to try things")
    .option("--open", "open the browser")
    .option("--log-level <level>", "debug, info, warn or error")
    .option("--log-format <format>", "pretty or json");

const firstPage = (version: string): string => `OpenAgents ${version}
Work with Codex on your own machine, from any browser.

Commands
  serve       API, live delivery and web app
  worker      connects Codex on this machine to a server
  ops         operator commands; alone it lists them
  doctor      checks this machine
  config      check | show: the configuration, explained
  version     version and facts of the build

Examples
  openagents serve
  openagents worker --server https://openagents.example
  openagents ops login-link --email=ana@example.com

Documentation: README.md beside the source, and 'openagents <command> --help'.
`;
