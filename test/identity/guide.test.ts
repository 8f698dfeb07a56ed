import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { settings } from "../../src/config";
import { signInGuide } from "../../src/identity/guide";

const readme = await Bun.file(join(import.meta.dir, "../../README.md")).text();
const section = readme.slice(readme.indexOf("## Sign-in"), readme.indexOf("## Configuration"));
const ignored = ["WORKOS_REDIRECT_URL"];

describe.each([
  ["the reference page", signInGuide],
  ["the README", section],
])("what %s says of providers", (_, text) => {
  test("every variable it names exists", () => {
    const names = [...text.matchAll(/`((?:OA|APP|WORKOS)_[A-Z_]+?)(?:_FILE)?[`=]/g)].map(([, name]) => name as string);
    expect(names.length).toBeGreaterThan(5);
    expect(names.filter((name) => !(name in settings) && !ignored.includes(name))).toEqual([]);
  });

  test("each provider is there, with what it needs", () => {
    for (const word of [
      "local",
      "workos",
      "mock",
      "OA_MAIL_URL",
      "OA_MAIL_FROM",
      "OA_AUTH_LOCAL_SIGNUP_DOMAINS",
      "WORKOS_CLIENT_ID",
      "WORKOS_API_KEY",
      "OA_AUTH_MOCK_MAGIC_CODE",
      "login-link",
    ])
      expect(text).toContain(word);
  });
});
