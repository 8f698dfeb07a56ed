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
import { type App, createApp } from "../../src/app";
import { assemble } from "../../src/assemble";
import { readConfig } from "../../src/config";
import type { Context } from "../../src/context";
import { etagOf } from "../../src/http/document";
import { listen } from "../../src/listen";
import type { WebFile, WebFiles } from "../../src/shell/files";
import { mediaType } from "../../src/shell/media-types";
import { createLog } from "../../src/telemetry/log";
import { bundleUi } from "../../ui/bundle";
import { type Answer, addPerson, type Person, type Sent, sender, testKey } from "./app";
import { type Engine, freshDatabase } from "./database";

export interface WholeApp {
  ctx: Context;
  app: App;
  /** Lines of the log, at level debug. */
  log: string[];
  person: (email: string, over?: Parameters<typeof addPerson>[2]) => Promise<Person>;
  send(method: string, path: string, sent?: Sent): Promise<Answer>;
  /** Opens a real listener on loopback; its URL. */
  listen(): string;
  close(): Promise<void>;
}

const buildId = "20261123T210000Z";

/** The files of a build, uncompressed. */
async function webOf(): Promise<WebFiles> {
  const { files, entry, pinned } = await bundleUi({ buildId });
  const put = (path: string, bytes: Uint8Array, hashed: boolean): [string, WebFile] => [
    path,
    { path, type: mediaType(path), hashed, variants: { identity: { bytes, etag: etagOf(bytes) } } },
  ];
  const page = put("/api/docs", Buffer.from("<!doctype html><title>API reference</title>"), false);
  page[1].type = mediaType("/api/docs.html");
  return {
    facts: { buildId, entry, pinned },
    files: new Map([...files.map(({ path, bytes, hashed }) => put(`/${path}`, bytes, hashed)), page]),
  };
}

let web: Promise<WebFiles> | undefined;

export async function wholeApp(engine: Engine, env: Record<string, string> = {}): Promise<WholeApp> {
  const fresh = await freshDatabase(engine);
  web ??= webOf();
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
  const app = createApp(ctx, {
    executable: { version: "1.0.0", buildId },
    web: await web,
    khala,
    loopback: true,
    checks: { database: () => "ok", migrations: () => "ok" },
    draining: () => false,
    linkUsed: () => {},
  });
  await ctx.jobs.start({ run: false });
  const servers: ReturnType<typeof listen>[] = [];
  return {
    ctx,
    app,
    log: lines,
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
      khala.stop();
      await ctx.jobs.stop(0);
      await log.flush();
      await fresh.drop();
    },
  };
}
