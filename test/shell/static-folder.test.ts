import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { folderFile } from "../../src/shell/static-folder";

describe("files of OA_CONTROL_STATIC_DIR", () => {
  const folder = mkdtempSync(join(tmpdir(), "oa-static-"));
  mkdirSync(join(folder, "site/assets"), { recursive: true });
  writeFileSync(join(folder, "secret.txt"), "secret");
  writeFileSync(join(folder, "site/assets/app.js"), "one");
  writeFileSync(join(folder, "site/assets/app.js.gz"), "packed");
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const find = (path: string) => folderFile(join(folder, "site"), path);

  test("come with their packed neighbours, never as unchanging, and anew each time", async () => {
    const file = await find("/assets/app.js");
    expect([file?.type, file?.hashed, Object.keys(file?.variants ?? {})]).toEqual([
      "text/javascript; charset=utf-8",
      false,
      ["identity", "gzip"],
    ]);
    writeFileSync(join(folder, "site/assets/app.js"), "two");
    expect(Buffer.from((await find("/assets/app.js"))!.variants.identity.bytes).toString()).toBe("two");
  });

  test.each([
    "/assets/none.js",
    "/../secret.txt",
    "/..%2fsecret.txt",
    "/assets/..%2f..%2fsecret.txt",
    "/assets/",
    "/assets",
  ])("%s is none", async (path) => {
    expect(await find(path)).toBeNull();
  });
});
