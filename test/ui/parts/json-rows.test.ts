import { describe, expect, test } from "bun:test";
import { ancestors, findIn, kindOf, pathOf, pointer, rowsOf } from "../../../ui/parts/json-rows";

const value = {
  name: "thread",
  empty: {},
  items: [
    { id: 1, tags: ["a", "b"] },
    { id: 2, note: "two\nlines" },
  ],
  "odd key/~": null,
};
const none = new Map<string, boolean>();
const seen = (chosen: ReadonlyMap<string, boolean> = none, most = 100) => {
  const { rows, more } = rowsOf(value, chosen, most);
  return { ids: rows.map(({ id }) => id), more };
};

describe("rows", () => {
  test("containers are open above depth two, the rest is folded", () =>
    expect(seen().ids).toEqual(["", "/name", "/empty", "/items", "/items/0", "/items/1", "/odd key~1~0"]));

  test("what somebody opened and closed counts", () =>
    expect(seen(new Map([["/items/0", true]])).ids.slice(4)).toEqual([
      "/items/0",
      "/items/0/id",
      "/items/0/tags",
      "/items/1",
      "/odd key~1~0",
    ]));

  test("closed at the root there is one row", () => expect(seen(new Map([["", false]])).ids).toEqual([""]));

  test("empty containers and short texts do not fold, texts of several lines do", () => {
    const rows = rowsOf(value, new Map([["/items/1", true]]), 100).rows;
    const folds = (id: string) => rows.find((row) => row.id === id)?.folds;
    expect(["/empty", "/name", "/items/1/note", "/items"].map(folds)).toEqual([false, false, true, true]);
    expect(rows.find(({ id }) => id === "/items")).toMatchObject({ kind: "array", size: 2, open: true });
  });

  test("no more rows than asked for, and it says so", () => {
    expect(seen(none, 3)).toEqual({ ids: ["", "/name", "/empty"], more: true });
    expect(seen(none, 7).more).toBe(false);
  });

  test("a megabyte is not walked to draw a page of it", () => {
    let reads = 0;
    const big = Array.from({ length: 100_000 }, (_, n) => n);
    const watched = new Proxy(big, {
      get(target, name, self) {
        if (typeof name === "string" && /^\d+$/.test(name)) reads += 1;
        return Reflect.get(target, name, self);
      },
    });
    expect(rowsOf(watched, none, 500).rows.length).toBe(500);
    expect(reads).toBeLessThan(510);
  });
});

test("paths as a program writes them, pointers that never clash", () => {
  expect(pathOf([])).toBe("$");
  expect(pathOf(["items", 0, "odd key", "_ok", "1a"])).toBe('$.items[0]["odd key"]._ok["1a"]');
  expect(pointer(["a/b", "c"])).not.toBe(pointer(["a", "b", "c"]));
  expect(pointer(["a~1b"])).not.toBe(pointer(["a/b"]));
  expect(ancestors(["items", 0, "id"])).toEqual(["", "/items", "/items/0"]);
});

test("search looks at names and plain values, whatever the case, in order, and stops", () => {
  expect(findIn(value, "TWO").map(pathOf)).toEqual(["$.items[1].note"]);
  expect(findIn(value, "id").map(pathOf)).toEqual(["$.items[0].id", "$.items[1].id"]);
  expect(findIn(value, "null").map(pathOf)).toEqual(['$["odd key/~"]']);
  expect(findIn(value, "2").map(pathOf)).toEqual(["$.items[1].id"]);
  expect(findIn(value, "")).toEqual([]);
  expect(findIn(Array(50).fill("x"), "x", 10).length).toBe(10);
});

test.each([
  [[], "array"],
  [{}, "object"],
  [null, "null"],
  [undefined, "null"],
  ["", "text"],
  [0, "number"],
  [false, "boolean"],
] as const)("%p is %s", (one, kind) => expect(kindOf(one)).toBe(kind));
