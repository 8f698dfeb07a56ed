import { expect, test } from "bun:test";
import { parseFlash } from "../../../ui/pages/flash";

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

test.each([
  [{ status: "code-sent" }, { status: "code-sent", errors: {} }],
  [{ errors: { email: "Überfällig?>" } }, { errors: { email: "Überfällig?>" } }],
  [{ status: 5, errors: { a: 1, b: "x" } }, { errors: { b: "x" } }],
] as const)("%p", (value, flash) => expect(parseFlash(encode(value))).toEqual(flash as never));

test.each([null, "", "%%%", encode("text"), encode(null)])("%p is none", (value) =>
  expect(parseFlash(value)).toBeNull(),
);
