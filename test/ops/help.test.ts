import { describe, expect, test } from "bun:test";
import { completions } from "../../ops/completions";
import { exitCodes, Failure } from "../../ops/failure";
import { commandHelp, commandList } from "../../ops/help";
import { nearest, unknownCommand } from "../../ops/nearest";
import { parse } from "../../ops/parse";
import { commands } from "../../ops/table";

const find = (name: string) => commands.find((command) => command.name === name)!;

const sections = ["Usage", "Arguments", "Options", "Environment", "Exit codes", "Examples", "See also"];

describe("the command table", () => {
  test.each(commands.map((command) => [command.name, command] as const))("%s can be understood", (name, command) => {
    expect(command.summary).toMatch(/^[A-Z].*\.$/);
    expect(command.examples.length).toBeGreaterThanOrEqual(2);
    for (const example of command.examples) expect(example).toContain(`openagents ${exampleName(name)}`);
    for (const code of command.exits ?? []) expect(exitCodes[code]).toBeDefined();
    for (const other of command.also ?? [])
      expect(commands.some((one) => one.name === other || one.name === `ops:${other}`)).toBe(true);
    const help = commandHelp(command, 100);
    const order = sections.map((title) => help.indexOf(`${title}\n`)).filter((at) => at >= 0);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  });

  test("names are unique", () => {
    expect(new Set(commands.map(({ name }) => name)).size).toBe(commands.length);
  });

  test("every example parses", () => {
    for (const command of commands) {
      for (const example of command.examples) {
        const words = /openagents (?:ops )?([^|>&)]*)/.exec(example)?.[1]?.match(/(?:[^\s']|'[^']*')+/g) ?? [];
        const own = words.slice(command.name.startsWith("config ") ? 2 : 1).map((word) => word.replaceAll("'", ""));
        const piped = example.includes("| sudo") || example.includes("| jq");
        if (!piped) parse(command, own);
      }
    }
  });
});

/** In examples `ops:` is left out where it may be, and what stands beside `ops` is called without it. */
function exampleName(name: string): string {
  const top = ["doctor", "config check", "config show", "version", "completion"];
  return top.includes(name) ? name : `ops ${name.replace(/^ops:/, "")}`;
}

test("the list: every visible command once, at most 100 columns", () => {
  const list = commandList(commands, 200);
  for (const { name, hidden } of commands) expect(list.includes(`\n  ${name} `)).toBe(!hidden);
  for (const line of list.split("\n")) expect(line.length).toBeLessThanOrEqual(100);
});

test("on 40 columns no word is cut", () => {
  for (const command of commands) {
    const words = new Set(
      `${command.summary} ${(command.options ?? []).map(({ text }) => text).join(" ")}`.split(/\s+/),
    );
    const shown = new Set(commandHelp(command, 40).split(/\s+/));
    const lost = [...words].filter((word) => !shown.has(word) && word !== "");
    expect(lost).toEqual([]);
  }
});

test("help of one command, to the byte", () => {
  expect(commandHelp(find("user:sign-out"), 100)).toBe(`Usage
  openagents ops user:sign-out <email> [options]

Ends all sessions of a user and closes their sockets.

Arguments
  email  e-mail address

Options
  --reason <reason>  what clients are told (default: admin_revoked)
  -h, --help         this help
  --config <file>    configuration file
  --json             machine output: one JSON document on stdout
  -q, --quiet        only results and errors
  -v, --verbose      more on stderr
  --no-color         no colours
  -y, --yes          answer every confirmation with yes
  --data-dir <dir>   data folder of the embedded database

Environment
  DATABASE_URL
  OA_DATA_DIR

Exit codes
  0   done, or nothing to do
  1   the command ran and the answer is no
  2   unknown command or option, missing argument, value out of range
  69  database or server cannot be reached
  75  somebody else holds the lock; try again later
  77  file permissions of a secret, key or data folder are wrong
  78  the configuration cannot be used

Examples
  openagents ops user:sign-out ana@example.com
  openagents ops user:sign-out ana@example.com --reason=security_policy

See also
  openagents ops token:revoke, openagents ops user:show
`);
});

describe("arguments and options", () => {
  const token = find("ops:create-api-token");
  test("stand in any order; of repeated ones the last wins, lists collect; -- ends options", () => {
    expect(
      parse(token, [
        "--expires-days",
        "3",
        "a@a.example",
        "--abilities=x",
        "name",
        "--expires-days=5",
        "--abilities",
        "y",
      ]),
    ).toEqual({
      arguments: ["a@a.example", "name"],
      options: { expiresDays: "5", abilities: ["x", "y"], color: true },
    });
    expect(parse(token, ["--", "a@a.example", "--odd"]).arguments).toEqual(["a@a.example", "--odd"]);
  });

  const wrong: [name: string, command: string, argv: string[], message: RegExp][] = [
    ["an unknown option", "user:list", ["--admin"], /unknown option '--admin'\. Did you mean --admins\?/],
    ["a missing argument", "user:show", [], /missing required argument 'user'/],
    ["one argument too many", "user:show", ["a", "b"], /too many arguments/],
    ["an option without its value", "user:list", ["--email"], /argument missing/],
  ];
  test.each(wrong)("%s is exit 2", (_name, command, argv, message) => {
    let thrown: unknown;
    try {
      parse(find(command), argv);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(Failure);
    expect([(thrown as Failure).code, message.test((thrown as Failure).message)]).toEqual([2, true]);
  });
});

describe("what was probably meant", () => {
  const names = ["user:list", "user:show", "queue:list", "queue:dead"];
  test.each([
    ["user:lst", "Unknown command `user:lst`. Did you mean `user:list`?"],
    ["queue:lead", "Unknown command `queue:lead`. Did you mean `queue:dead`?"],
    ["frobnicate", "Unknown command `frobnicate`."],
  ])("%s", (typed, text) => expect(unknownCommand(typed, names)).toBe(text));

  test("at most three, nearest first", () => {
    expect(nearest("aaaa", ["aaab", "aabb", "aaac", "aaad", "bbbb"])).toEqual(["aaab", "aaac", "aaad"]);
  });
});

test("completion scripts know every visible command and parse in their shell", async () => {
  const seen = commands.filter(({ hidden }) => !hidden);
  for (const shell of ["bash", "zsh", "fish"] as const) {
    const script = completions[shell](seen);
    for (const { name } of seen) if (!name.includes(" ")) expect(script.replaceAll("\\:", ":")).toContain(name);
    if (!Bun.which(shell)) continue;
    const check = Bun.spawn([shell, "-n"], { stdin: Buffer.from(script), stderr: "pipe" });
    expect([await check.exited, await new Response(check.stderr).text()]).toEqual([0, ""]);
  }
});
