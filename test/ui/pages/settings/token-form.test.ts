import { describe, expect, test } from "bun:test";
import { abilitiesOf, tokenRequest, tomorrow, type Wanted } from "../../../../ui/pages/settings/token-form";

const now = Date.parse("2026-02-19T12:00:00.750Z");
const wanted = (change: Partial<Wanted>): Wanted => ({
  name: "api-cli",
  lifetime: "30",
  date: "",
  full: true,
  abilities: "",
  ...change,
});

describe("the request for a token", () => {
  test("full access for 30 days, in whole seconds", () =>
    expect(tokenRequest(wanted({ name: " api-cli " }), now).body).toEqual({
      name: "api-cli",
      abilities: ["*"],
      expires_at: "2026-03-21T12:00:00Z",
    }));

  test("no expiry", () => expect(tokenRequest(wanted({ lifetime: "never" }), now).body?.expires_at).toBeNull());

  test("a date counts to its last second, local time", () =>
    expect(Date.parse(tokenRequest(wanted({ lifetime: "date", date: "2026-02-21" }), now).body?.expires_at ?? "")).toBe(
      new Date(2026, 1, 21, 23, 59, 59).getTime(),
    ));

  test.each([
    ["no name", { name: "  " }, { name: "The name field is required." }],
    ["101 characters", { name: "x".repeat(101) }, { name: "The name field must not be greater than 100 characters." }],
    ["yesterday", { lifetime: "date", date: "2026-02-17" }, { date: "Choose a date in the future." }],
    ["no date", { lifetime: "date", date: "" }, { date: "Choose a date in the future." }],
    ["no day of the calendar", { lifetime: "date", date: "2026-13-40" }, { date: "Choose a date in the future." }],
    // an empty list would be everything to the server
    ["no ability", { full: false, abilities: " , " }, { abilities: "Name at least one ability." }],
    [
      "a long ability",
      { full: false, abilities: "x".repeat(101) },
      { abilities: "An ability must not be greater than 100 characters." },
    ],
  ] as const)("%s", (_, change, problems) => expect(tokenRequest(wanted(change), now).problems).toEqual(problems));

  test("100 characters are counted, not code units", () =>
    expect(tokenRequest(wanted({ name: "😀".repeat(100) }), now).problems).toBeUndefined());

  test("abilities by comma, blank or line, each once", () =>
    expect(abilitiesOf("chat:read,chat:write\n shouts:write  chat:read,")).toEqual([
      "chat:read",
      "chat:write",
      "shouts:write",
    ]));

  test("the first day that can be chosen is tomorrow, local time", () =>
    expect(tomorrow(new Date(2026, 11, 31, 23, 0).getTime())).toBe("2027-01-01"));
});
