/** What only a real connection shows, for every route of the manifest: HEAD, header lines of 10 MB, words that are no method. */
import { afterAll, describe, expect, test } from "bun:test";
import { pathOf, planted, startAsking } from "./asking";

const asking = await startAsking("pglite");
const url = new URL(asking.app.listen());
afterAll(() => asking.app.close());
const { cases } = asking;

/** Sends `head` and then `more` until the server has closed the connection; what it said. */
function sendRaw(head: string, more: Uint8Array | null = null, times = 0): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let said = "";
  let left = times;
  let part = Buffer.from(head) as Uint8Array;
  const push = (socket: Bun.Socket<undefined>) => {
    for (;;) {
      const taken = socket.write(part);
      if (taken < 0) return;
      if (taken < part.byteLength) {
        part = part.subarray(taken);
        return;
      }
      if (!more || left-- <= 0) return;
      part = more;
    }
  };
  Bun.connect({
    hostname: url.hostname,
    port: Number(url.port),
    socket: {
      open: push,
      drain: push,
      data: (_socket, data) => {
        said += data.toString("latin1");
      },
      close: () => resolve(said),
      error: (_socket, error) => reject(error),
    },
  }).catch(reject);
  return promise;
}

const isUp = async () => (await fetch(`${url.origin}/healthz`)).status === 200;
const closes = cases.map(({ row }) => [row.method, pathOf(row)] as const);

describe("over a real connection", () => {
  test("a header line of 10 MB ends the connection before anything of ours sees it", async () => {
    const chunk = Buffer.alloc(1_048_576, "a");
    for (const [method, path] of closes) {
      const said = await sendRaw(`${method} ${path} HTTP/1.1\r\nHost: ${url.host}\r\nx-long: `, chunk, 10);
      expect([method, path, said === "" || /^HTTP\/1\.1 431 /.test(said)]).toEqual([method, path, true]);
      expect(said).not.toContain("x-request-id");
    }
    expect(await isUp()).toBe(true);
  });

  test("a word that is no method closes the connection", async () => {
    for (const word of ["FROB", "get", "GET\u0001", "x".repeat(5000)]) {
      for (const [, path] of closes.slice(0, word === "FROB" ? closes.length : 3)) {
        const said = await sendRaw(`${word} ${path} HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`);
        expect([word, path, said === "" || /^HTTP\/1\.1 (4\d\d|505) [\s\S]*\r\n\r\n$/.test(said)]).toEqual([
          word,
          path,
          true,
        ]);
      }
    }
    expect(await isUp()).toBe(true);
  });

  test("no Host, two lengths, control characters in headers", async () => {
    for (const head of [
      "GET /api/me HTTP/1.1\r\n\r\n",
      `POST /api/tokens HTTP/1.1\r\nHost: ${url.host}\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
      `POST /api/tokens HTTP/1.1\r\nHost: ${url.host}\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}`,
      `GET /api/me HTTP/1.1\r\nHost: ${url.host}\r\nx-a: b\u0000c\r\n\r\n`,
      "\u0016\u0003\u0001 not HTTP\r\n\r\n",
    ]) {
      const said = await sendRaw(head);
      expect([head, said === "" || /^HTTP\/1\.1 400 [\s\S]*\r\n\r\n$/.test(said)]).toEqual([head, true]);
    }
  });

  test("HEAD is GET without its body", async () => {
    for (const { key, row } of cases.filter(({ row }) => row.method === "GET" && !row.path.endsWith("/websocket"))) {
      const headers = { accept: "application/json", ...(await asking.callers.of(row)) };
      const ask = (method: string) => fetch(url.origin + pathOf(row), { method, headers, redirect: "manual" });
      const [get, head] = [await ask("GET"), await ask("HEAD")];
      const shown = (answer: Response) => [
        answer.status,
        ...["content-type", "cache-control", "location", "etag", "vary"].map((name) => answer.headers.get(name)),
      ];
      const body = await get.text();
      expect([key, ...shown(head), await head.text()]).toEqual([key, ...shown(get), ""]);
      const changes = /healthz|\/up$|metrics|csrf-cookie/.test(row.path);
      if (!changes && body) {
        const length = get.headers.get("content-length") ?? String(Buffer.byteLength(body));
        expect([key, head.headers.get("content-length")]).toEqual([key, length]);
      }
    }
  });

  test("nothing of it reached the log as an error or with a secret", async () => {
    await asking.app.ctx.log.flush();
    const lines = asking.app.log.join("").split("\n");
    expect(lines.filter((line) => line.includes(planted) || line.includes('"level":"error"')).slice(0, 3)).toEqual([]);
    expect(asking.problems()).toEqual([]);
  });
});
