import { describe, expect, test } from "bun:test";
import { emailProblem, isWhole, readCode, readPending } from "../../../ui/pages/login-form";

describe("the address", () => {
  test.each(["a@b", "user@localhost", " Chris@OpenAgents.COM ", "a+b@c.io", "o'brien@x.ie", "ü@ü.de", '"a b"@c.io'])(
    "%p is sent",
    (email) => expect(emailProblem(email)).toBeNull(),
  );
  test.each(["abc", "a@", "@b.c", "a@b..", "a@-b.c", "a@.b"])("%p is not", (email) =>
    expect(emailProblem(email)).toBe("The email field must be a valid email address."),
  );
  test("nothing, and too much", () => {
    expect(emailProblem("  ")).toBe("The email field is required.");
    expect(emailProblem(`${"a".repeat(250)}@b.co.uk`)).toBe("The email field must not be greater than 255 characters.");
  });
});

describe("the code", () => {
  test.each([
    ["123456", "123456"],
    ["123 456", "123456"],
    ["123-456", "123456"],
    ["code: 123456.", "123456"],
    ["AbC-dEf-7", "AbCdEf7"],
    ["1234567", "1234567"],
  ])("%p is sent as %s", (typed, code) => expect(readCode(typed)).toEqual({ code }));

  test.each([
    ["", "The code field is required."],
    ["  ", "The code field is required."],
    ["---", "verification code must contain letters or digits"],
    ["12345", "The code field must be at least 6 characters."],
    ["a".repeat(129), "The code field must not be greater than 128 characters."],
  ])("%p: %s", (typed, problem) => expect(readCode(typed)).toEqual({ problem }));

  test("is sent by itself only when it is six digits and nothing else", () => {
    expect(["123456", "123 456", "123-456", "1234567", "12345", "abc123456"].map(isWhole)).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});

test("a begun sign-in lasts ten minutes and survives nothing else", () => {
  const stored = JSON.stringify({ email: "a@b.c", sentAt: 1000 });
  expect(readPending(stored, 1000)).toEqual({ email: "a@b.c", sentAt: 1000 });
  expect(readPending(stored, 1000 + 600_000)).toBeNull();
  for (const bad of [null, "", "{", "[]", '{"email":1,"sentAt":1}', '{"email":"a"}', '{"email":"a","sentAt":99999999}'])
    expect(readPending(bad, 2000)).toBeNull();
});
