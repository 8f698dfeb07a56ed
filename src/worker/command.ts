import { existsSync, readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { startBridge } from "./bridge";
import { type Credential, pairedServers, readCredential, writeCredential } from "./credentials";
import { findCodex, NoCodex } from "./find-codex";
import { largeCode, NotPaired, type PairState, pair, qrCode } from "./pair";
import { createScreen } from "./screen";
import { createServer, isRejected } from "./server";
import { install, logCommand, servicePath, serviceState, uninstall } from "./unit";

/** Options of `openagents worker` (codex-chat 3.10). */
interface WorkerOptions {
  server?: string;
  tokenFile?: string;
  workerId?: string;
  workspace?: string;
  codexBin?: string;
  codexHome?: string;
  model?: string;
  allThreads?: boolean;
  allowRemotePolicy?: boolean;
  name?: string;
  json?: boolean;
  verbose?: boolean;
}

/** The command line is wrong: exit 2. */
class Usage extends Error {}

const env = process.env;
const bare = (url: string) => url.replace(/\/+$/, "");

function serverOf(options: WorkerOptions): string {
  const named = options.server ?? env.OA_SERVER_URL ?? (pairedServers().length === 1 ? pairedServers()[0] : undefined);
  if (!named) throw new Usage("which server? name it with --server https://… or OA_SERVER_URL");
  if (!/^https?:\/\//.test(named) || !URL.canParse(named))
    throw new Usage(`'${named}' is no server address; it begins with http:// or https://`);
  return bare(named);
}

function tokenOf(options: WorkerOptions): string | null {
  const file = options.tokenFile ?? env.OA_API_TOKEN_FILE;
  if (!file) return env.OA_API_TOKEN?.trim() || null;
  if (!existsSync(file)) throw new Usage(`the token file ${file} does not exist`);
  const token = readFileSync(file, "utf8").trim();
  if (!token) throw new Usage(`the token file ${file} is empty`);
  return token;
}

function workspaceOf(options: WorkerOptions): string {
  const path = resolve(options.workspace ?? ".");
  if (!existsSync(path) || !statSync(path).isDirectory()) throw new Usage(`the workspace ${path} is no folder`);
  return path;
}

/** Shows a pairing to a person, or as JSON. */
function showPairing(json: boolean): (state: PairState) => void {
  if (json) return (state) => void process.stdout.write(`${JSON.stringify(state)}\n`);
  const terminal = process.stdout.isTTY === true;
  let turn = 0;
  return (state) => {
    if (state.state === "code") {
      process.stdout.write(
        `\n${terminal ? largeCode(state.user_code) : state.user_code}\n\nOpen ${state.verification_uri} and enter the code, or open\n${state.verification_uri_complete}\n`,
      );
      if (terminal) process.stdout.write(`\n${qrCode(state.verification_uri_complete)}\n`);
    } else if (state.state === "waiting") {
      const left = `${Math.floor(state.seconds_left / 60)}:${String(state.seconds_left % 60).padStart(2, "0")}`;
      if (terminal)
        process.stdout.write(`\r${"⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"[turn++ % 10]} Waiting for you to allow this machine (${left} left) `);
    } else {
      process.stdout.write(
        `${terminal ? "\r\x1b[K" : ""}Paired${state.user ? ` with ${state.user}` : ""} as ${state.worker_id}.\n`,
      );
    }
  };
}

async function pairWith(
  server: string,
  options: WorkerOptions,
  codexVersion: string,
  version: string,
): Promise<Credential> {
  const credential = await pair({
    server,
    workerId: options.workerId ?? env.OA_WORKER_ID ?? null,
    name: options.name ?? null,
    codexVersion,
    bridgeVersion: version,
    onState: showPairing(options.json === true),
  });
  writeCredential(server, credential);
  return credential;
}

async function run(options: WorkerOptions, version: string): Promise<number> {
  const screen = createScreen({ json: options.json === true, verbose: options.verbose === true });
  const server = serverOf(options);
  const workspace = workspaceOf(options);
  const codexHome = options.codexHome ?? env.CODEX_HOME ?? null;
  const codex = await findCodex(options.codexBin ?? env.OA_CODEX_BIN ?? null, env);
  const given = tokenOf(options);
  const credential = given
    ? null
    : (readCredential(server) ?? (await pairWith(server, options, codex.version, version)));
  const token = given ?? (credential as Credential).token;
  const workerId = options.workerId ?? env.OA_WORKER_ID ?? credential?.worker_id ?? "desktopw:shared";
  screen.say(`OpenAgents worker ${version} · Codex ${codex.version} · ${workspace}`);
  const bridge = startBridge({
    server: createServer(server, token, version),
    workerId,
    workspace,
    codex: codex.command,
    codexVersion: codex.version,
    bridgeVersion: version,
    codexHome,
    model: options.model ?? null,
    allThreads: options.allThreads === true,
    remotePolicy: options.allowRemotePolicy === true,
    keepSandbox: false,
    // Codex and what it runs must not find the way in.
    env: { ...env, OA_API_TOKEN: undefined, OA_API_TOKEN_FILE: undefined },
    screen,
  });
  let signals = 0;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (++signals > 1) process.exit(130);
      screen.say("Stopping; once more ends at once.");
      void bridge.stop();
    });
  }
  return bridge.ended;
}

/** Runs an action with the exit codes of codex-chat 3.10, errors in words. */
async function ending(action: () => Promise<number>): Promise<never> {
  try {
    process.exit(await action());
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`error: ${message}\n`);
    if (error instanceof Usage) process.exit(2);
    if (error instanceof NoCodex) process.exit(3);
    if (error instanceof NotPaired) process.exit(error.code === "refused" ? 1 : 4);
    process.exit(isRejected(error) ? 4 : 1);
  }
}

async function logout(options: WorkerOptions, version: string): Promise<number> {
  const server = serverOf(options);
  const credential = readCredential(server);
  if (!credential) {
    process.stdout.write(`Not paired with ${server}.\n`);
    return 0;
  }
  const response = await fetch(`${server}/api/tokens/current`, {
    method: "DELETE",
    headers: {
      authorization: `Bearer ${credential.token}`,
      accept: "application/json",
      "x-client": `openagents-worker/${version}`,
    },
  });
  if (!response.ok && response.status !== 401)
    throw new Error(`the server answered ${response.status}; the credential was kept`);
  writeCredential(server, null);
  process.stdout.write(`Signed out of ${server}; this machine is no longer paired.\n`);
  return 0;
}

/** What the service runs: this executable with the same options. */
function serviceCommand(options: WorkerOptions): string[] {
  const pairs: [string, string | undefined][] = [
    ["--server", serverOf(options)],
    ["--token-file", options.tokenFile && resolve(options.tokenFile)],
    ["--worker-id", options.workerId],
    ["--workspace", workspaceOf(options)],
    ["--codex-bin", options.codexBin ?? Bun.which("codex") ?? undefined],
    ["--codex-home", options.codexHome],
    ["--model", options.model],
  ];
  const words = pairs.flatMap(([name, value]) => (value ? [name, value] : []));
  return [
    process.execPath,
    "worker",
    ...words,
    ...(options.allThreads ? ["--all-threads"] : []),
    ...(options.allowRemotePolicy ? ["--allow-remote-policy"] : []),
  ];
}

async function status(options: WorkerOptions): Promise<number> {
  const codex = await findCodex(options.codexBin ?? env.OA_CODEX_BIN ?? null, env).catch(() => null);
  const servers = await Promise.all(
    pairedServers().map(async (url) => {
      const credential = readCredential(url) as Credential;
      const worker = await createServer(url, credential.token, "status")
        .get(`/api/runtime/codex/workers/${encodeURIComponent(credential.worker_id)}`)
        .catch(() => null);
      const { status: state = "unknown", last_heartbeat_at: seen = null } = ((
        worker as { data?: Record<string, unknown> } | null
      )?.data ?? {}) as Record<string, unknown>;
      return { server: url, worker_id: credential.worker_id, user: credential.user, state, last_heartbeat_at: seen };
    }),
  );
  const facts = {
    codex_version: codex?.version ?? null,
    service: serviceState(),
    service_file: servicePath(),
    servers,
  };
  if (options.json) process.stdout.write(`${JSON.stringify(facts)}\n`);
  else {
    process.stdout.write(`codex    ${codex ? codex.version : "not found"}\nservice  ${facts.service}\n`);
    for (const { server, worker_id, user, state, last_heartbeat_at } of servers) {
      process.stdout.write(
        `server   ${server}  ${worker_id}  ${user}  ${String(state)}  last heartbeat ${String(last_heartbeat_at ?? "never")}\n`,
      );
    }
    if (!servers.length) process.stdout.write("server   not paired; run: openagents worker pair --server https://…\n");
  }
  return 0;
}

const common = (command: Command): Command =>
  command
    .option("--server <url>", "server to connect to (OA_SERVER_URL)")
    .option("--token-file <file>", "file that holds an access token (OA_API_TOKEN_FILE)")
    .option("--worker-id <id>", "name of this worker (OA_WORKER_ID)")
    .option("--workspace <dir>", "folder that Codex works in (the present one)")
    .option("--codex-bin <path>", "the codex program (OA_CODEX_BIN, else codex on PATH)")
    .option("--codex-home <dir>", "Codex's own folder (CODEX_HOME)")
    .option("--model <name>", "model for new threads")
    .option("--name <name>", "what this machine is called when pairing")
    .option("--all-threads", "show threads of other folders too")
    .option("--allow-remote-policy", "let the browser set sandbox and approval policy")
    .option("--json", "one JSON object a line")
    .option("-v, --verbose", "what happens inside, on standard error");

/** Adds `worker` and its sub-commands to the program. */
export function defineWorkerCommand(program: Command, version: string): void {
  const worker = common(program.command("worker")).description("connect Codex on this machine to a server");
  worker.action((options: WorkerOptions) => ending(() => run(options, version)));
  const sub = (name: string, description: string, action: (options: WorkerOptions) => Promise<number>) =>
    common(worker.command(name))
      .description(description)
      .action((_options: WorkerOptions, command: Command) => ending(() => action(command.optsWithGlobals())));
  sub("pair", "pair this machine, and do nothing else", async (options) => {
    const codex = await findCodex(options.codexBin ?? env.OA_CODEX_BIN ?? null, env).catch(() => null);
    await pairWith(serverOf(options), options, codex?.version ?? "unknown", version);
    return 0;
  });
  sub("logout", "revoke and forget this machine's access", (options) => logout(options, version));
  sub("install", "run the worker as a service of this user", async (options) => {
    const server = serverOf(options);
    const command = serviceCommand(options);
    // A service has nobody to show a code to.
    if (!options.tokenFile && !readCredential(server)) {
      const codex = await findCodex(options.codexBin ?? env.OA_CODEX_BIN ?? null, env);
      await pairWith(server, options, codex.version, version);
    }
    process.stdout.write(`Installed and started: ${install(command)}\n`);
    if (process.platform === "linux")
      process.stdout.write("To keep it running while you are signed out: loginctl enable-linger\n");
    return 0;
  });
  sub("uninstall", "remove the service", async () => {
    process.stdout.write(uninstall() ? "Removed.\n" : "There is no service.\n");
    return 0;
  });
  sub("status", "what this machine is connected to", status);
  sub("logs", "the service's log", async () => {
    const [command = "", ...args] = logCommand();
    if (!Bun.which(command)) throw new Usage(`${command} is not on this machine`);
    return Bun.spawn([command, ...args], { stdio: ["ignore", "inherit", "inherit"] }).exited;
  });
}
