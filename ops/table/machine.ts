import type { Command } from "../command";

export const runtime: Command[] = [
  {
    name: "runtime:tools:invoke-api",
    ported: true,
    group: "Runtime",
    summary: "Calls the runtime tools API of a server, as a tool would.",
    options: [
      { flags: "--api-base <url>", text: "the server", fallback: "http://127.0.0.1:8787" },
      { flags: "--token <token>", text: "personal access token", fallback: "(OA_API_TOKEN, OA_API_TOKEN_FILE)" },
      { flags: "--tool-pack <name>", text: "tool pack", fallback: "coding.v1" },
      { flags: "--mode <mode>", text: "execution mode", fallback: "replay" },
      { flags: "--operation <name>", text: "get_issue, get_pull_request or add_issue_comment", fallback: "get_issue" },
      { flags: "--repository <owner/name>", text: "repository", fallback: "OpenAgentsInc/openagents" },
      { flags: "--issue-number <n>", text: "issue", fallback: "1" },
      { flags: "--pull-number <n>", text: "pull request", fallback: "1" },
      { flags: "--comment-body <text>", text: "text of a comment", fallback: "" },
      { flags: "--run-id <id>", text: "run", fallback: "run_cli_tools" },
      { flags: "--thread-id <id>", text: "thread", fallback: "thread_cli_tools" },
      { flags: "--write-approved [yes]", text: "1 approves writing", fallback: "0" },
    ],
    environment: ["OA_API_TOKEN", "OA_API_TOKEN_FILE"],
    exits: [1, 4, 69, 78],
    examples: [
      "openagents ops runtime:tools:invoke-api --issue-number=1747",
      "openagents ops runtime:tools:invoke-api --operation=add_issue_comment --comment-body=Done --write-approved",
    ],
    also: ["create-api-token"],
    needs: "nothing",
    load: () => import("../commands/runtime-tools-invoke-api"),
  },
  {
    name: "inspire",
    group: "Runtime",
    summary: "Prints one of the product's own rules.",
    hidden: true,
    examples: ["openagents ops inspire", "openagents ops inspire --json"],
    needs: "nothing",
    load: () => import("../commands/inspire"),
  },
];

export const database: Command[] = [
  {
    name: "migrate",
    group: "Database",
    summary: "Applies pending migrations under the database's lock.",
    options: [
      { flags: "--dry-run", text: "print the SQL and change nothing" },
      { flags: "--contract", text: "also drop what no running release uses" },
      { flags: "--to <nnnn>", text: "stop after the file with this number" },
    ],
    environment: ["DATABASE_URL", "OA_DATA_DIR"],
    exits: [1, 65, 69, 74, 75, 77, 78],
    examples: ["openagents ops migrate --dry-run", "openagents ops migrate --contract"],
    also: ["migrate:status"],
    needs: "store",
    load: () => import("../commands/migrate"),
  },
  {
    name: "migrate:status",
    group: "Database",
    summary: "Compares this build's migrations with the database.",
    options: [{ flags: "--check", text: "exit 1 when something is pending" }],
    environment: ["DATABASE_URL", "OA_DATA_DIR"],
    exits: [1, 69, 75, 77, 78],
    examples: ["openagents ops migrate:status", "openagents ops migrate:status --check --json"],
    also: ["migrate"],
    needs: "store",
    load: () => import("../commands/migrate-status"),
  },
];

const manifestExport = {
  group: "Contract",
  options: [
    {
      flags: "--output <folder>",
      text: "where to write the five files",
      fallback: "(parity-reports/manifest-export-TIME; with --json nothing is written)",
    },
  ],
  environment: ["APP_URL"],
  exits: [1, 73, 74],
  needs: "config",
  load: () => import("../commands/manifest-export"),
} satisfies Partial<Command>;

const paritySeed = {
  group: "Contract",
  options: [
    { flags: "--fixture <file>", text: "another state than the embedded one" },
    { flags: "--replace", text: "empty the tables first" },
  ],
  environment: ["APP_ENV", "APP_KEY", "DATABASE_URL", "OA_DATA_DIR"],
  exits: [1, 69, 75, 77],
  needs: "database",
  ported: true,
  load: () => import("../commands/parity-seed"),
} satisfies Partial<Command>;

export const contract: Command[] = [
  {
    ...paritySeed,
    name: "parity:seed",
    summary: "Fills the tables with the shared state of the parity tests; never in production.",
    examples: ["openagents ops parity:seed", "openagents ops parity:seed --fixture=state.json --replace --yes"],
    also: ["manifest:export"],
  },
  {
    ...paritySeed,
    name: "ops:seed-parity-fixtures",
    aliasOf: "parity:seed",
    summary: "Another name of parity:seed.",
    examples: [
      "openagents ops seed-parity-fixtures",
      "openagents ops seed-parity-fixtures --fixture=state.json --json",
    ],
    also: ["parity:seed"],
  },
  {
    ...manifestExport,
    name: "manifest:export",
    summary:
      "Writes what is served: routes, pages and commands; with --json also who may call each route and how often.",
    examples: [
      "openagents ops manifest:export --output=manifests",
      "openagents ops manifest:export --json | jq '.routes[].path'",
    ],
    also: ["openapi:export"],
  },
  {
    ...manifestExport,
    name: "ops:export-parity-manifests",
    aliasOf: "manifest:export",
    summary: "Another name of manifest:export.",
    examples: [
      "openagents ops export-parity-manifests --output=manifests",
      "openagents ops export-parity-manifests --json",
    ],
    also: ["manifest:export"],
  },
  {
    name: "openapi:export",
    group: "Contract",
    summary: "Writes the OpenAPI document with sorted keys, or compares it with a file.",
    options: [
      { flags: "--output <file>", text: "where to write; stdout when absent" },
      { flags: "--check <file>", text: "compare instead; prints the first 20 differing pointers" },
    ],
    environment: ["APP_URL"],
    exits: [1, 74],
    examples: [
      "openagents ops openapi:export --output=openapi.json",
      "openagents ops openapi:export --check=openapi.json",
    ],
    needs: "config",
    load: () => import("../commands/openapi-export"),
  },
];

export const machine: Command[] = [
  {
    name: "doctor",
    group: "Machine",
    summary: "Checks configuration, data, database, keys, jobs and log of this machine.",
    options: [
      { flags: "--base <url>", text: "also ask this server" },
      { flags: "--outbound", text: "also reach the configured services once" },
      { flags: "--fix", text: "repair what is harmless: permissions, missing folders" },
    ],
    environment: ["DATABASE_URL", "OA_DATA_DIR", "APP_KEY", "OA_SERVER_URL", "OA_CODEX_BIN"],
    exits: [1],
    examples: ["openagents doctor", "openagents doctor --base=http://127.0.0.1:8787 --json"],
    also: ["config check"],
    needs: "nothing",
    load: () => import("../commands/doctor"),
  },
  {
    name: "config check",
    group: "Machine",
    summary: "Reads the configuration as serve would and says what is wrong.",
    environment: ["OA_CONFIG_FILE"],
    exits: [78],
    examples: ["openagents config check", "openagents config check --config=/etc/openagents/openagents.env --json"],
    also: ["config show"],
    needs: "nothing",
    load: () => import("../commands/config-check"),
  },
  {
    name: "config show",
    group: "Machine",
    summary: "Shows each setting, where it came from, and never a secret.",
    options: [{ flags: "--all", text: "also what has its default" }],
    environment: ["OA_CONFIG_FILE"],
    exits: [78],
    examples: ["openagents config show", "openagents config show --all --json"],
    also: ["config check"],
    needs: "nothing",
    load: () => import("../commands/config-show"),
  },
  {
    name: "version",
    group: "Machine",
    summary: "Prints the version; with --json all facts of the build.",
    examples: ["openagents version", "openagents version --json"],
    needs: "nothing",
    load: () => import("../commands/version"),
  },
  {
    name: "completion",
    group: "Machine",
    summary: "Prints the script with which a shell completes commands and options.",
    arguments: [{ name: "shell", text: "bash, zsh or fish" }],
    examples: [
      "source <(openagents completion bash)",
      "openagents completion fish > ~/.config/fish/completions/openagents.fish",
    ],
    needs: "nothing",
    load: () => import("../commands/completion"),
  },
  {
    name: "systemd:unit",
    group: "Machine",
    summary: "Prints a systemd unit for where this executable stands.",
    examples: [
      "openagents ops systemd:unit | sudo tee /etc/systemd/system/openagents.service",
      "openagents ops systemd:unit --json",
    ],
    also: ["proxy:config"],
    needs: "config",
    load: () => import("../commands/systemd-unit"),
  },
  {
    name: "proxy:config",
    group: "Machine",
    summary: "Prints the configuration of a proxy for APP_URL.",
    arguments: [{ name: "proxy", text: "caddy or nginx" }],
    environment: ["APP_URL", "PORT"],
    exits: [78],
    examples: [
      "APP_URL=https://openagents.example openagents ops proxy:config caddy > Caddyfile",
      "APP_URL=https://openagents.example openagents ops proxy:config nginx",
    ],
    also: ["systemd:unit"],
    needs: "config",
    load: () => import("../commands/proxy-config"),
  },
];
