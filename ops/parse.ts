import { CommanderError, Command as Parser, Option as ParserOption } from "commander";
import type { Command } from "./command";
import { usage } from "./failure";
import { common } from "./help";

export interface Parsed {
  arguments: string[];
  options: Record<string, unknown>;
}

const collect = (value: string, before: string[] = []) => [...before, value];

/** The command's arguments and options, as its row of the table declares them. Throws a failure with exit code 2. */
export function parse(command: Command, argv: string[]): Parsed {
  const parser = new Parser(command.name).exitOverride().helpOption(false).allowExcessArguments(false);
  parser.configureOutput({ writeErr: () => {}, writeOut: () => {} });
  for (const { name, optional, many } of command.arguments ?? []) {
    const dots = many ? "..." : "";
    parser.argument(optional || many ? `[${name}${dots}]` : `<${name}${dots}>`);
  }
  for (const { flags, fallback, many } of command.options ?? []) {
    const option = new ParserOption(flags);
    if (many) option.argParser(collect);
    else if (fallback !== undefined && !fallback.startsWith("(")) option.default(fallback);
    parser.addOption(option);
  }
  for (const [flags] of common) if (!flags.includes("--help")) parser.addOption(new ParserOption(flags));
  try {
    parser.parse(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const message = error.message.replace(/^error: /, "").replace(/\n\(Did you mean (.*)\?\)$/, ". Did you mean $1?");
    throw usage(message, `'openagents ops help ${command.name}' says what it takes`);
  }
  return { arguments: parser.args, options: parser.opts() };
}
