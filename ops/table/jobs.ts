import type { Command } from "../command";
import { cursor, limit } from "./lists";

const group = "Jobs";
const needs = "database";
const environment = ["DATABASE_URL", "OA_DATA_DIR"];
const unreachable = [69, 75, 77];

const shown = [
  { flags: "--kind <kind>", text: "only jobs of this kind" },
  { flags: "--payload", text: "show payloads, secrets masked" },
  { flags: "--follow", text: "go on with what changes, until Ctrl-C" },
  limit,
  cursor,
];

export const jobs: Command[] = [
  {
    name: "queue:list",
    group,
    summary: "Lists durable jobs, newest first.",
    options: [{ flags: "--state <state>", text: "queued, running, dead or done" }, ...shown],
    environment,
    exits: [...unreachable, 130],
    examples: [
      "openagents ops queue:list --state=dead --json | jq -r '.data[].id' | xargs openagents ops queue:retry",
      "openagents ops queue:list --kind=identity.mail --follow",
    ],
    also: ["queue:dead", "queue:retry"],
    needs,
    load: () => import("../commands/queue-list"),
  },
  {
    name: "queue:dead",
    group,
    summary: "Lists jobs that used up their tries.",
    options: shown,
    environment,
    exits: [...unreachable, 130],
    examples: ["openagents ops queue:dead", "openagents ops queue:dead --payload --json"],
    also: ["queue:retry", "queue:forget"],
    needs,
    load: () => import("../commands/queue-dead"),
  },
  {
    name: "queue:retry",
    group,
    summary: "Puts dead jobs back into the queue as if never tried.",
    arguments: [{ name: "id", text: "ids of dead jobs", many: true }],
    options: [
      { flags: "--dead", text: "all dead jobs" },
      { flags: "--kind <kind>", text: "with --dead: only of this kind" },
    ],
    environment,
    exits: [1, ...unreachable],
    examples: ["openagents ops queue:retry --dead", "openagents ops queue:retry --dead --kind=identity.mail"],
    also: ["queue:dead"],
    needs,
    load: () => import("../commands/queue-retry"),
  },
  {
    name: "queue:forget",
    group,
    summary: "Deletes jobs that do not run; asks first.",
    arguments: [
      { name: "id", text: "id of a job" },
      { name: "more", text: "further ids", many: true },
    ],
    environment,
    exits: [1, ...unreachable],
    examples: [
      "openagents ops queue:forget 0b6f7c1e-5f7f-4d3c-9a51-6e0b6f1c2d3e",
      "openagents ops queue:forget 0b6f7c1e-5f7f-4d3c-9a51-6e0b6f1c2d3e --yes --json",
    ],
    also: ["queue:dead", "queue:retry"],
    needs,
    load: () => import("../commands/queue-forget"),
  },
  {
    name: "schedule:list",
    group,
    summary: "Lists recurring jobs with their next and last run.",
    environment,
    exits: unreachable,
    examples: ["openagents ops schedule:list", "openagents ops schedule:list --json"],
    also: ["schedule:run"],
    needs,
    load: () => import("../commands/schedule-list"),
  },
  {
    name: "schedule:run",
    group,
    summary: "Queues a recurring job now.",
    arguments: [{ name: "name", text: "its name in schedule:list" }],
    environment,
    exits: [1, ...unreachable],
    examples: ["openagents ops schedule:run auth.prune", "openagents ops schedule:run codex.request.deadlines --json"],
    also: ["schedule:list", "queue:list"],
    needs,
    load: () => import("../commands/schedule-run"),
  },
];
