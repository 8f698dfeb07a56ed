import type { Store } from "../db/database";
import type { Config } from "../src/config";
import type { Context } from "../src/context";
import type { Executable } from "../src/executable";
import type { KhalaNode } from "../src/khala/node";
import type { Io } from "./io";

/** Headings of `openagents ops`, in the order they are shown (ops-data 2.3). */
export const groups = [
  "Users and tokens",
  "Chat and Khala",
  "Runtime",
  "Database",
  "Jobs",
  "Contract",
  "Machine",
] as const;

export interface Argument {
  name: string;
  text: string;
  /** Required unless said. */
  optional?: true;
  /** Any number of them; the last one. */
  many?: true;
}

export interface Option {
  /** As commander writes it: `--email <address>`, `--dry-run`, `--write-approved [yes]`. */
  flags: string;
  text: string;
  /** Shown as the default; the value too, unless it is a sentence in brackets. */
  fallback?: string;
  /** May be given several times. */
  many?: true;
}

/** One command: all that help, completion and parsing know of it. Its code is loaded when it is called. */
export interface Command {
  name: string;
  group: (typeof groups)[number];
  /** One sentence. */
  summary: string;
  hidden?: true;
  /** The command that does the work; this is another name for it. */
  aliasOf?: string;
  /** Carried over from the predecessor: refusals are printed as it printed them, without `error:`. */
  ported?: true;
  arguments?: Argument[];
  options?: Option[];
  environment?: string[];
  /** Codes that it can return besides 0; every command can return 2, 70 and 78. */
  exits?: number[];
  examples: [string, string, ...string[]];
  also?: string[];
  /** What it works on. `store`: the database as it is; `database`: migrated, with all domains. Both run inside the server that holds the embedded database, if one does. */
  needs: "nothing" | "config" | "store" | "database";
  load(): Promise<{ run(call: Call): Promise<void> | Promise<number> }>;
}

/** What a running command is handed. */
export interface Call {
  command: Command;
  arguments: string[];
  options: Record<string, unknown>;
  io: Io;
  /** `--json`: exactly one document on stdout (ops-data 2.5). */
  json: boolean;
  quiet: boolean;
  yes: boolean;
  executable: Executable;
  /** The whole table, for what is made from it. */
  commands: Command[];
  /** For commands that need it; asking without declaring so is a bug. */
  config: Config;
  /** The open database, maybe not migrated. */
  store: Store;
  ctx: Context;
  /** The live lane, with its sockets where this process serves. */
  khala: KhalaNode;
  /** Data folder of the embedded database. */
  folder: string;
}
