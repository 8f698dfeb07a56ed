import type { Command } from "../command";
import { cursor, limit } from "./lists";

const group = "Chat and Khala";
const needs = "database";
const environment = ["DATABASE_URL", "OA_DATA_DIR"];
const unreachable = [69, 75, 77];

export const chat: Command[] = [
  {
    name: "khala:stats",
    group,
    summary: "Shows each topic's numbers, size and rate, and what each node carries.",
    options: [
      { flags: "--topic <name>", text: "only this topic" },
      { ...limit, fallback: "1000" },
    ],
    environment,
    exits: [1, ...unreachable],
    examples: ["openagents ops khala:stats", "openagents ops khala:stats --topic=sys.revocations --json"],
    also: ["codex:workers"],
    needs,
    load: () => import("../commands/khala-stats"),
  },
  {
    name: "khala:compact",
    group,
    summary: "Applies the log's retention now.",
    options: [
      { flags: "--topic <name>", text: "only this topic" },
      { flags: "--before <duration>", text: "what is older than that (12h, 7d) instead of each class's own age" },
      { flags: "--dry-run", text: "count and change nothing" },
    ],
    environment,
    exits: unreachable,
    examples: [
      "openagents ops khala:compact --dry-run",
      "openagents ops khala:compact --topic=social.shouts --before=7d",
    ],
    also: ["khala:stats"],
    needs,
    load: () => import("../commands/khala-compact"),
  },
  {
    name: "codex:workers",
    group,
    summary: "Lists workers with their heartbeat and open requests.",
    options: [{ flags: "--user <user>", text: "only of this user: id, e-mail address or handle" }, limit],
    environment,
    exits: [1, ...unreachable],
    examples: ["openagents ops codex:workers", "openagents ops codex:workers --user=ana@example.com --json"],
    also: ["codex:requests"],
    needs,
    load: () => import("../commands/codex-workers"),
  },
  {
    name: "codex:requests",
    group,
    summary: "Lists requests to workers, newest first.",
    options: [{ flags: "--state <state>", text: "queued, dispatched, succeeded or failed" }, limit, cursor],
    environment,
    exits: unreachable,
    examples: ["openagents ops codex:requests --state=dispatched", "openagents ops codex:requests --limit=10 --json"],
    also: ["codex:workers", "codex:expire-requests"],
    needs,
    load: () => import("../commands/codex-requests"),
  },
  {
    name: "codex:expire-requests",
    group,
    summary: "Ends requests whose deadline has passed, now.",
    environment,
    exits: unreachable,
    examples: ["openagents ops codex:expire-requests", "openagents ops codex:expire-requests --json"],
    also: ["codex:requests"],
    needs,
    load: () => import("../commands/codex-expire-requests"),
  },
];
