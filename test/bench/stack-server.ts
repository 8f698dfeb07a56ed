/**
 * The yardstick and the subject of `middleware.ts`: `bare|stack empty|query URL`. The same handler on bare Elysia, and behind
 * the whole treatment of requests.
 */
import { Elysia } from "elysia";
import { openPostgres } from "../../db/postgres";
import { users } from "../../db/schema/identity";
import { readConfig } from "../../src/config";
import { compose } from "../../src/http/compose";
import { platform } from "../../src/http/platform";
import { createThrottle } from "../../src/http/throttle";
import { createLog } from "../../src/telemetry/log";
import { createMetrics } from "../../src/telemetry/metrics";

const [kind, work, url = ""] = process.argv.slice(2);
const store = await openPostgres({ kind: "postgres", url, poolSize: 10 });
const query = store.db.select({ id: users.id }).from(users).limit(1).prepare("bench_one");
const handler = work === "empty" ? () => ({ ok: true }) : async () => ({ data: await query.execute() });
const listen = { port: 0, hostname: "127.0.0.1", development: false as const };

function start() {
  if (kind === "bare") {
    const app = new Elysia().get("/api/thing", handler);
    return Bun.serve({ ...listen, fetch: app.fetch });
  }
  const config = readConfig({ APP_URL: "http://127.0.0.1" });
  const log = createLog({ level: "info", format: "json" });
  const { fetch } = compose(
    {
      config,
      log,
      appUrl: () => "http://127.0.0.1",
      now: () => new Date(),
      metrics: createMetrics(),
      throttle: createThrottle(store, Date.now, () => {}),
    },
    {
      domains: [new Elysia().use(platform).get("/api/thing", handler)],
      guards: { caller: () => Promise.resolve(null) },
      loopback: true,
    },
  );
  return Bun.serve({ ...listen, fetch: (request, server) => fetch(request, server) as Promise<Response> });
}

console.log(`http://127.0.0.1:${start().port}/api/thing`);
