import { type Command, groups } from "./command";
import { exitCodes } from "./failure";
import { wrap } from "./print";

/** Options that every command has (ops-data 2.1). */
export const common: [flags: string, text: string][] = [
  ["-h, --help", "this help"],
  ["--config <file>", "configuration file"],
  ["--json", "machine output: one JSON document on stdout"],
  ["-q, --quiet", "only results and errors"],
  ["-v, --verbose", "more on stderr"],
  ["--no-color", "no colours"],
  ["-y, --yes", "answer every confirmation with yes"],
  ["--data-dir <dir>", "data folder of the embedded database"],
];

function columnsOf(rows: [left: string, right: string][], columns: number): string {
  const left = Math.min(34, Math.max(...rows.map(([text]) => text.length)) + 2);
  const indent = " ".repeat(2 + left);
  return rows
    .map(([name, text]) => {
      const narrow = columns < left + 24;
      const gap = narrow || name.length + 2 > left ? `\n${narrow ? "      " : indent}` : " ".repeat(left - name.length);
      return `  ${name}${gap}${wrap(text, columns, narrow ? "      " : indent)}\n`;
    })
    .join("");
}

const usageOf = ({ name, arguments: given = [], options = [] }: Command): string => {
  const places = given.map(({ name: place, optional, many }) => {
    const dots = many ? "…" : "";
    return optional || many ? `[${place}]${dots}` : `<${place}>`;
  });
  return ["openagents ops", name, ...places, options.length ? "[options]" : ""].filter(Boolean).join(" ");
};

/** Help of one command, always in this order (ops-data 2.3). */
export function commandHelp(command: Command, columns: number): string {
  const { summary, arguments: given = [], options = [], environment = [], exits = [], examples, also = [] } = command;
  const width = Math.min(columns, 100);
  const section = (title: string, body: string) => (body ? `\n${title}\n${body}` : "");
  const own = options.map(({ flags, text, fallback, many }): [string, string] => [
    flags,
    `${text}${many ? " (may be repeated)" : ""}${fallback === undefined ? "" : ` (default: ${fallback})`}`,
  ]);
  const codes = [...new Set([0, ...exits, 2, ...(command.needs === "nothing" ? [] : [78])])].sort((a, b) => a - b);
  return [
    `Usage\n  ${wrap(usageOf(command), width, "    ")}\n`,
    `\n${wrap(summary, width)}\n`,
    section(
      "Arguments",
      given.length
        ? columnsOf(
            given.map(({ name, text }) => [name, text]),
            width,
          )
        : "",
    ),
    section("Options", columnsOf([...own, ...common], width)),
    section(
      "Environment",
      environment.length
        ? columnsOf(
            environment.map((name) => [name, ""]),
            width,
          ).replace(/ +$/gm, "")
        : "",
    ),
    section(
      "Exit codes",
      columnsOf(
        codes.map((code) => [String(code), exitCodes[code]?.[1] ?? ""]),
        width,
      ),
    ),
    section("Examples", examples.map((example) => `  ${example}\n`).join("")),
    section("See also", also.length ? `  ${also.map((name) => `openagents ops ${name}`).join(", ")}\n` : ""),
  ].join("");
}

/** `openagents ops`: every command under its heading, one line each. */
export function commandList(commands: Command[], columns: number): string {
  const seen = commands.filter(({ hidden }) => !hidden);
  const longest = Math.max(...seen.map(({ name }) => name.length)) + 2;
  const width = Math.min(columns, 100);
  const blocks = groups.map((group) => {
    const lines = seen
      .filter((command) => command.group === group)
      .map(({ name, summary }) => {
        const short = summary.replace(/\.$/, "");
        return `  ${name.padEnd(longest)}${wrap(short, width, " ".repeat(longest + 2))}\n`;
      });
    return lines.length ? `\n${group}\n${lines.join("")}` : "";
  });
  return `openagents ops <command>: operator commands\n${blocks.join("")}\nopenagents ops help <command> says more.\n`;
}
