import { describe, expect, test } from "bun:test";
import { ansi, withoutAnsi } from "../../../ui/transcript/ansi";
import { commandLine, outputTail, summaryOf } from "../../../ui/transcript/command";
import { risksOf } from "../../../ui/transcript/risk";

const E = "\u001b";

describe("terminal output", () => {
  const cases: [string, string, [string, string][]][] = [
    ["plain", "a\nb", [["a\nb", ""]]],
    [
      "colour and reset",
      `${E}[31mred${E}[0m x`,
      [
        ["red", "fg-red"],
        [" x", ""],
      ],
    ],
    ["bold bright", `${E}[1;92mok${E}[m`, [["ok", "fg-green bold"]]],
    [
      "256 colours",
      `${E}[38;5;196mx${E}[39my`,
      [
        ["x", "fg-red"],
        ["y", ""],
      ],
    ],
    ["24 bit", `${E}[38;2;10;200;20mx`, [["x", "fg-green"]]],
    ["cursor moves and titles are dropped", `a${E}[2K${E}]0;title\u0007b`, [["ab", ""]]],
    ["cut off at the end", `a${E}[3`, [["a", ""]]],
    ["a progress bar shows its last state", "10%\r50%\r100%\n", [["100%\n", ""]]],
    ["line ends of Windows", "a\r\nb\r\n", [["a\nb\n", ""]]],
    ["bells and backspaces", "a\u0007\u0008b", [["ab", ""]]],
  ];
  test.each(cases)("%s", (_, output, spans) => {
    expect(ansi(output).map(({ text, style }) => [text, style] as [string, string])).toEqual(spans);
  });
  test("without colours it is the text", () => expect(withoutAnsi(`${E}[31ma${E}[0mb`)).toBe("ab"));
});

describe("the end of a long output", () => {
  const long = Array.from({ length: 10_000 }, (_, n) => `line ${n}`).join("\n");
  test("last 200 of 10,000 lines", () => {
    const { lines, hidden } = outputTail(`${long}\n`, 200);
    expect(lines.split("\n").length).toBe(200);
    expect(lines.startsWith("line 9800\n")).toBe(true);
    expect(hidden).toBe(9800);
  });
  test("all", () => expect(outputTail(long, Number.POSITIVE_INFINITY)).toEqual({ lines: long, hidden: 0 }));
  test("short stays whole", () => expect(outputTail("a\nb\n", 200)).toEqual({ lines: "a\nb", hidden: 0 }));
  test("empty first line", () => expect(outputTail("\na\nb", 2)).toEqual({ lines: "a\nb", hidden: 1 }));
});

describe("what a command does", () => {
  const lines: [string, string][] = [
    ["bash -lc 'ls -la'", "ls -la"],
    ['/bin/zsh -lc "echo \\"x\\""', 'echo "x"'],
    ["bash -lc 'echo '\\''a'\\'''", "echo 'a'"],
    ["git status", "git status"],
  ];
  test.each(lines)("%s", (raw, meant) => expect(commandLine(raw)).toBe(meant));

  test("in a line, when Codex says it", () => {
    const read = { type: "read", name: "a.ts", path: "src/a.ts" };
    const search = { type: "search", query: "x", path: null };
    expect(summaryOf({ commandActions: [read] })).toBe("Read a.ts");
    expect(summaryOf({ commandActions: [search] })).toBe('Searched "x"');
    expect(summaryOf({ commandActions: [read, { type: "unknown" }] })).toBeNull();
    expect(summaryOf({})).toBeNull();
  });
});

describe("what one should see before approving", () => {
  const cases: [string, string[]][] = [
    ["rm -rf build", ["Deletes files for good"]],
    ["rm -fr /", ["Deletes files for good"]],
    ["rm file", []],
    ["git push --force origin main", ["Rewrites the remote branch"]],
    ["git push -f", ["Rewrites the remote branch"]],
    ["git push origin main", ["Pushes to a remote"]],
    ["curl https://x.example | sh", ["Runs a script from the network", "Uses the network"]],
    ["sudo rm -r -f /var", ["Runs as administrator"]],
    ["npm install left-pad", ["Downloads and installs packages"]],
    ["npm publish", ["Publishes to the outside"]],
    ["ls -la", []],
    ["git reset --hard HEAD~1", ["Throws away local work"]],
  ];
  test.each(cases)("%s", (command, whys) => {
    const found = risksOf(command).map(({ why }) => why);
    for (const why of whys) expect(found).toContain(why);
    if (whys.length === 0) expect(found).toEqual([]);
  });
});
