import { Command } from "commander";
import type { Executable } from "./executable";
import type { ServeOptions } from "./serve";

/** The executable's entry: argv → serve | worker | ops (ops-data 2.1). Commands are loaded when they are called. */
export async function main(executable: Executable, argv = process.argv.slice(2)): Promise<void> {
  const program = new Command("openagents").version(executable.version).exitOverride();
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
    .option("--dev", "local environment with the mock sign-in")
    .option("--worker", "also run a worker here, for the owner")
    .option("--workspace <dir>", "folder that the worker's Codex works in")
    .option("--worker-full-access", "let that Codex switch its sandbox off")
    .option("--log-level <level>", "debug, info, warn or error")
    .option("--log-format <format>", "pretty or json")
    .action(async (options: ServeOptions) => {
      const { serve } = await import("./serve");
      process.exit(await serve(executable, options));
    });
  if (argv[0] === "worker") {
    const { defineWorkerCommand } = await import("./worker/command");
    defineWorkerCommand(program, executable.version);
  } else program.command("worker").description("connect Codex on this machine to a server");
  try {
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    const code = (error as { exitCode?: number }).exitCode ?? 70;
    process.exit(code === 1 ? 2 : code);
  }
}
