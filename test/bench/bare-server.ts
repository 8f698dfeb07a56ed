/** The yardsticks of `http.ts`: `static PATH FILE` (a static route) or `query URL TOKEN` (one prepared statement a request). */
import { createHash } from "node:crypto";
import postgres from "postgres";

const [kind, first = "", second = ""] = process.argv.slice(2);
const base = { port: 0, hostname: "127.0.0.1", development: false as const };

function start() {
  if (kind === "static") {
    const headers = {
      "content-type": "text/javascript",
      "content-encoding": "gzip",
      "cache-control": "public, max-age=31536000, immutable",
    };
    return Bun.file(second)
      .bytes()
      .then((bytes) =>
        Bun.serve({
          ...base,
          routes: { [first]: new Response(bytes, { headers }) },
          fetch: () => new Response(null, { status: 404 }),
        }),
      );
  }
  const sql = postgres(first, { max: 10 });
  const hash = createHash("sha256")
    .update(second.split("|")[1] as string)
    .digest("hex");
  return Bun.serve({
    ...base,
    async fetch() {
      const [row] =
        await sql`select u.id, u.name, u.email from personal_access_tokens t join users u on u.id = t.tokenable_id where t.token = ${hash}`;
      return Response.json({ data: row });
    },
  });
}

const server = await start();
console.log(`http://127.0.0.1:${server.port}`);
