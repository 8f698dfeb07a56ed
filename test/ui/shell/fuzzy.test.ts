import { describe, expect, test } from "bun:test";
import { fuzzy, rank } from "../../../ui/shell/fuzzy";

describe("fuzzy ranking", () => {
  const list = ["New Chat", "Cancel the run", "Log out", "Light theme", "Migrate sessions to refresh tokens"].map(
    (text) => ({ text }),
  );
  const first = (query: string) => rank(query, list)[0]?.item.text;

  test.each([
    ["nc", "New Chat"],
    ["mig", "Migrate sessions to refresh tokens"],
    ["lt", "Light theme"],
    ["logo", "Log out"],
    ["refresh", "Migrate sessions to refresh tokens"],
    ["can", "Cancel the run"],
  ])("%s finds %s first", (query, text) => expect(first(query)).toBe(text));

  test("the start of a word beats initials, initials beat the middle of a word", () => {
    expect(rank("cat", [{ text: "c a t" }, { text: "concat" }, { text: "cat" }]).map(({ item }) => item.text)).toEqual([
      "cat",
      "c a t",
      "concat",
    ]);
  });

  test("no query keeps the order and everything", () => expect(rank("  ", list).map(({ item }) => item)).toEqual(list));
  test("letters that are not there find nothing", () => expect(rank("zzz", list)).toEqual([]));
  test("hits are the matched positions", () => expect(fuzzy("lt", "Light theme")?.hits).toEqual([0, 6]));
  test("other words find it too, behind its own", () => {
    const found = rank("sign", [{ text: "Log in", words: "sign in" }, { text: "Sign the release" }]);
    expect(found.map(({ item }) => item.text)).toEqual(["Sign the release", "Log in"]);
  });
});
