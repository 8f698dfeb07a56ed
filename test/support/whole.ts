/**
 * The product's whole surface in this process, as `src/app.ts` composes it, on a fresh database of either engine: routes
 * that a domain adds are there by themselves.
 *
 * ```ts
 * const app = await wholeApp(engine);
 * const ann = await app.person("ann@a.example");
 * const { status, json } = await app.send("GET", "/api/me", { as: ann });
 * app.listen()                                              // a real listener, closed with the app
 * await app.close();
 * ```
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openPostgres } from "../../db/postgres";
import { type App, createApp } from "../../src/app";
import { assemble } from "../../src/assemble";
import { readConfig } from "../../src/config";
import type { Context } from "../../src/context";
import { etagOf } from "../../src/http/document";
import { listen } from "../../src/listen";
import type { WebFile, WebFiles } from "../../src/shell/files";
import { mediaType } from "../../src/shell/media-types";
import { ROLLBACK_MARK } from "../../src/shell/start-files";
import { withVariants } from "../../src/shell/variants";
import { createLog } from "../../src/telemetry/log";
import { type Answer, addPerson, type Person, type Sent, sender, testKey } from "./app";
import { type Engine, type Fresh, freshDatabase } from "./database";
import { checkLog, treated } from "./treated";

export interface WholeApp {
  ctx: Context;
  app: App;
  /** Lines of the log, at level debug. */
  log: string[];
  person: (email: string, over?: Parameters<typeof addPerson>[2]) => Promise<Person>;
  send(method: string, path: string, sent?: Sent): Promise<Answer>;
  /** Opens a real listener on loopback; its URL. */
  listen(): string;
  /** Where another node finds its database; null for PGlite. */
  url: string | null;
  close(): Promise<void>;
}

const buildId = "20261123T210000Z";
const publicFolder = join(import.meta.dir, "../../ui/public");

/** Files as a build has them: those of `ui/public`, and stand-ins for what is bundled. */
function webOf(): WebFiles {
  const files = new Map<string, WebFile>();
  const put = (path: string, bytes: Uint8Array, hashed = false, type = mediaType(path)) =>
    files.set(path, { path, type, hashed, variants: { identity: { bytes, etag: etagOf(bytes) } } });
  const text = (content: string) => Buffer.from(content);
  for (const name of readdirSync(publicFolder)) put(`/${name}`, readFileSync(join(publicFolder, name)));
  put("/index.html", text('<!doctype html><title>OpenAgents</title><script src="/assets/main-0a1b2c3d.js"></script>'));
  put("/sw.js", text(`const rollback = ${ROLLBACK_MARK};`));
  const script = "/assets/main-0a1b2c3d.js";
  files.set(script, withVariants(script, text("console.log('openagents');\n".repeat(40)), true));
  put("/assets/main-4e5f6a7b.css", text("body { margin: 0 }"), true);
  put("/api/docs", text("<!doctype html><title>API reference</title>"), false, mediaType("/api/docs.html"));
  const entry = { html: "index.html", js: "assets/main-0a1b2c3d.js", css: "assets/main-4e5f6a7b.css" } as const;
  return { facts: { buildId, entry, pinned: ["/index.html"] }, files };
}

/** `unlimited`: no throttle refuses. `url`: another node on the Postgres of an app that has it as `url`. */
export async function wholeApp(
  engine: Engine,
  env: Record<string, string> = {},
  { unlimited = false, url = null }: { unlimited?: boolean; url?: string | null } = {},
): Promise<WholeApp> {
  const fresh = url === null ? await freshDatabase(engine) : await another(url);
  const appUrl = "http://localhost:8787";
  const config = readConfig({
    APP_URL: appUrl,
    APP_KEY: testKey,
    APP_ENV: "testing",
    ...(fresh.url ? { DATABASE_URL: fresh.url } : {}),
    ...env,
  });
  const lines: string[] = [];
  const log = createLog({ level: "debug", format: "json", write: (text) => void lines.push(text) });
  const { ctx, khala } = await assemble({ config, store: fresh.store, log, appUrl: () => appUrl });
  if (unlimited) {
    ctx.throttle = {
      hit: (_limiter, _key, limit, seconds) =>
        Promise.resolve({ allowed: true, remaining: limit, endsAt: Date.now() + seconds * 1000 }),
    };
  }
  const surface = createApp(ctx, {
    executable: { version: "1.0.0", buildId },
    web: webOf(),
    khala,
    loopback: true,
    checks: { database: () => "ok", migrations: () => "ok" },
    draining: () => false,
    linkUsed: () => {},
  });
  const app = { ...surface, fetch: treated(surface.fetch) };
  await ctx.jobs.start({ run: false });
  await surface.start();
  const servers: ReturnType<typeof listen>[] = [];
  return {
    ctx,
    app,
    log: lines,
    url: fresh.url,
    person: (email, over) => addPerson(fresh.store, email, over),
    send: sender(app.fetch),
    listen() {
      const server = listen({ host: "127.0.0.1", port: 0 }, app, { reusePort: false, draining: () => false });
      servers.push(server);
      khala.publishOn(server);
      return `http://127.0.0.1:${server.port}`;
    },
    async close() {
      for (const server of servers) await server.stop(true);
      await khala.stop();
      await surface.stop();
      await ctx.jobs.stop(0);
      await log.flush();
      await fresh.drop();
      checkLog(lines);
    },
  };
}

async function another(url: string): Promise<Fresh> {
  const store = await openPostgres({ kind: "postgres", url, poolSize: 2 });
  return { store, url, drop: () => store.close() };
}
