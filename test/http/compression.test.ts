import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { Elysia } from "elysia";
import { platform } from "../../src/http/platform";
import { type TestApp, testApp } from "../support/app";

/** JSON of `length` bytes. */
const ofLength = (length: number) => ({ data: "ä".repeat(Math.floor((length - 11) / 2)) });

describe("JSON answers (http-platform 3.6)", () => {
  let app: TestApp;
  let url: string;
  let server: Bun.Server<unknown>;
  beforeAll(async () => {
    app = await testApp("pglite", {
      domains: () => [
        new Elysia()
          .use(platform)
          .get("/api/long/:length", ({ params }) => ofLength(Number(params.length)))
          .get("/api/auth/long", () => ofLength(200_000)),
      ],
    });
    server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request, on) => app.composed.fetch(request, on) as Promise<Response>,
    });
    url = `http://127.0.0.1:${server.port}`;
  });
  afterAll(async () => {
    await server.stop(true);
    await app.close();
  });

  const get = async (path: string, accepted: string, method = "GET") => {
    const response = await fetch(url + path, { method, headers: { "accept-encoding": accepted }, decompress: false });
    return { headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) };
  };
  const opened = {
    zstd: (bytes: Buffer) => zstdDecompressSync(bytes).toString(),
    gzip: (bytes: Buffer) => gunzipSync(bytes).toString(),
  };

  for (const length of [1_500, 60_000, 200_000]) {
    for (const [accepted, encoding] of [
      ["gzip, zstd, br", "zstd"],
      ["gzip, zstd;q=0", "gzip"],
      ["gzip", "gzip"],
    ] as const) {
      test(`${length} bytes for ${accepted}`, async () => {
        const { headers, bytes } = await get(`/api/long/${length}`, accepted);
        expect([headers.get("content-encoding"), headers.get("vary")?.includes("Accept-Encoding")]).toEqual([
          encoding,
          true,
        ]);
        expect(opened[encoding](bytes)).toBe(JSON.stringify(ofLength(length)));
      });
    }
    test(`${length} bytes plain`, async () => {
      const { headers, bytes } = await get(`/api/long/${length}`, "identity");
      expect([headers.get("content-encoding"), bytes.toString()]).toEqual([null, JSON.stringify(ofLength(length))]);
    });
  }

  test("short ones, secret ones and HEAD stay plain", async () => {
    for (const [path, method] of [
      ["/api/long/500", "GET"],
      ["/api/auth/long", "GET"],
      ["/api/long/200000", "HEAD"],
    ] as const) {
      const { headers } = await get(path, "gzip, zstd", method);
      expect([path, headers.get("content-encoding")]).toEqual([path, null]);
    }
  });

  test("the access line knows what went out", async () => {
    await app.ctx.log.flush();
    const lines = app.log
      .join("")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const sizes = lines.filter((line) => line.path === "/api/long/200000").map((line) => line.bytes_out);
    expect(sizes.filter((size) => size > 0 && size < 10_000).length).toBe(3);
    expect(sizes).toContain(Buffer.byteLength(JSON.stringify(ofLength(200_000))));
  });
});
