import { describe, expect, test } from "bun:test";
import { changeDiff, parseDiff, rows, wordMarks } from "../../../ui/transcript/diff";
import { shortPath } from "../../../ui/transcript/paths";

const two = `diff --git a/src/a.ts b/src/a.ts
index 1..2 100644
--- a/src/a.ts
+++ b/src/a.ts
@@ -1,3 +1,3 @@ function a()
 one
-two
+2
 three
diff --git a/old.txt b/new.txt
similarity index 90%
rename from old.txt
rename to new.txt
diff --git a/gone.txt b/gone.txt
deleted file mode 100644
--- a/gone.txt
+++ /dev/null
@@ -1 +0,0 @@
-bye
diff --git a/logo.png b/logo.png
new file mode 100644
Binary files /dev/null and b/logo.png differ
`;

describe("a unified diff", () => {
  test("of several files: paths, kinds, counts", () => {
    expect(
      parseDiff(two).map(({ path, from, change, added, removed, binary }) => [
        path,
        from,
        change,
        added,
        removed,
        binary,
      ]),
    ).toEqual([
      ["src/a.ts", null, "update", 1, 1, false],
      ["new.txt", "old.txt", "rename", 0, 0, false],
      ["gone.txt", null, "delete", 0, 1, false],
      ["logo.png", null, "add", 0, 0, true],
    ]);
  });
  test("numbers its lines", () => {
    const [file] = parseDiff(two);
    expect(file?.hunks[0]?.header).toBe("function a()");
    expect(file?.hunks[0]?.lines).toEqual([
      { kind: "same", old: 1, now: 1, text: "one" },
      { kind: "del", old: 2, now: null, text: "two" },
      { kind: "add", old: null, now: 2, text: "2" },
      { kind: "same", old: 3, now: 3, text: "three" },
    ]);
  });
  test("the patches of its files are the text again", () => {
    expect(
      parseDiff(two)
        .map(({ patch }) => patch)
        .join(""),
    ).toBe(two);
  });
  test("a removed line that looks like a header is a line", () => {
    const text = "--- a/x.sql\n+++ b/x.sql\n@@ -1,2 +1,1 @@\n--- a comment\n keep\n";
    expect(parseDiff(text)[0]?.hunks[0]?.lines.map(({ kind, text }) => [kind, text])).toEqual([
      ["del", "-- a comment"],
      ["same", "keep"],
    ]);
  });
  test("nothing and nonsense are no files", () => {
    expect(parseDiff("")).toEqual([]);
    expect(parseDiff("hello\nworld")).toEqual([]);
  });
});

describe("a change of a fileChange item", () => {
  test("new file: its content as added lines", () => {
    const file = changeDiff("a.ts", "add", null, "x\ny\n");
    expect([file.added, file.removed, file.change, file.hunks[0]?.lines.length]).toEqual([2, 0, "add", 2]);
  });
  test("deleted file", () => expect(changeDiff("a.ts", "delete", null, "x\n").removed).toBe(1));
  test("update without headers", () => {
    const file = changeDiff("a.ts", "update", null, "@@ -1 +1 @@\n-a\n+b\n");
    expect([file.path, file.added, file.removed]).toEqual(["a.ts", 1, 1]);
  });
  test("moved", () => {
    const file = changeDiff("a.ts", "update", "b.ts", "@@ -1 +1 @@\n-a\n+b\n");
    expect([file.from, file.path, file.change]).toEqual(["a.ts", "b.ts", "rename"]);
  });
});

describe("words", () => {
  test("only what differs is marked", () => {
    const marks = wordMarks("const a = old(1);", "const a = fresh(1);");
    expect(marks?.before.filter(({ hit }) => hit).map(({ text }) => text)).toEqual(["old"]);
    expect(marks?.after.filter(({ hit }) => hit).map(({ text }) => text)).toEqual(["fresh"]);
  });
  test("lines with little in common have no marks", () => expect(wordMarks("abc def", "xyz")).toBeNull());
  test("the parts are the line", () => {
    const marks = wordMarks("  foo(bar, baz)", "  foo(qux, baz)");
    expect(marks?.after.map(({ text }) => text).join("")).toBe("  foo(qux, baz)");
  });
  test("removed lines stand beside the added ones", () => {
    const [file] = parseDiff("--- a/x\n+++ b/x\n@@ -1,2 +1,3 @@\n-a\n-b\n+c\n+d\n+e\n");
    expect(
      rows(file?.hunks[0]?.lines ?? []).map(({ left, right }) => [left?.text ?? null, right?.text ?? null]),
    ).toEqual([
      ["a", "c"],
      ["b", "d"],
      [null, "e"],
    ]);
  });
});

describe("a path beside its workspace", () => {
  const cases: [string, string | null, string][] = [
    ["/home/ana/code/api/src/a.ts", "workspace://api", "src/a.ts"],
    ["/home/ana/other/a.ts", "workspace://api", "/home/ana/other/a.ts"],
    ["src/a.ts", "workspace://src", "src/a.ts"],
    ["/x/api/a.ts", null, "/x/api/a.ts"],
    ["/x/api/a.ts", "ws-local", "/x/api/a.ts"],
  ];
  test.each(cases)("%s in %s", (path, ref, short) => expect(shortPath(path, ref)).toBe(short));
});
