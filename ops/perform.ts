import type { Store } from "../db/database";
import type { Config } from "../src/config";
import type { Context } from "../src/context";
import type { Executable } from "../src/executable";
import type { KhalaNode } from "../src/khala/node";
import { Refusal } from "../src/refusal";
import type { Call, Command } from "./command";
import { Failure } from "./failure";
import type { Io } from "./io";
import type { Parsed } from "./parse";
import { commands } from "./table";

/** What a command can work on, here or in the live server. */
export interface Place {
  executable: Executable;
  config?: Config;
  folder?: string;
  store?: Store;
  ctx?: Context;
  khala?: KhalaNode;
  close?(): Promise<void>;
}

/** Runs a parsed command. Throws what it throws; a domain's refusal becomes a failure with exit code 1. */
export async function perform(command: Command, parsed: Parsed, io: Io, place: Place): Promise<number> {
  const { run } = await command.load();
  const { json, quiet, yes } = parsed.options;
  const need = <T>(value: T | undefined): T => {
    if (value === undefined) throw new Error(`${command.name} uses more than it says it needs`);
    return value;
  };
  const call: Call = {
    command,
    arguments: parsed.arguments,
    options: parsed.options,
    io,
    json: json === true,
    quiet: quiet === true,
    yes: yes === true,
    executable: place.executable,
    commands,
    get config() {
      return need(place.config);
    },
    get store() {
      return need(place.store);
    },
    get khala() {
      return need(place.khala);
    },
    get ctx() {
      return need(place.ctx);
    },
    get folder() {
      return need(place.folder);
    },
  };
  try {
    return (await run(call)) ?? 0;
  } catch (error) {
    if (error instanceof Refusal) throw new Failure(1, error.kind, error.message);
    throw error;
  }
}
