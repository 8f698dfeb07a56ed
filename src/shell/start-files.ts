import type { Config } from "../config";
import type { WebFile, WebFiles } from "./files";
import { mediaType } from "./media-types";
import { withVariants } from "./variants";

const text = (file: WebFile) => Buffer.from(file.variants.identity.bytes).toString("utf8");

/** What the build writes where the caches of newer builds go, when an older executable is run again (http-platform 3.7). */
export const ROLLBACK_MARK = '["__OA_ROLLBACK_CACHES__"]';

/**
 * The files that depend on the configuration: `manifest.json`, and, where they differ from what was built, the shell (app
 * name) and the service worker (caches that a rollback keeps). Each is compressed once, when it is first asked for.
 */
export function startFiles(config: Config, { facts, files: built }: WebFiles): WebFiles {
  const files = new Map(built);
  const put = (path: string, content: string) => files.set(path, packedLater(path, Buffer.from(content)));
  const caches = config.OA_ROLLBACK_BUILD_IDS.map((id) => `openagents-web-shell::${id}`);
  const worker = files.get("/sw.js");
  if (worker) put("/sw.js", text(worker).replace(ROLLBACK_MARK, JSON.stringify(caches)));
  const shell = files.get("/index.html");
  if (shell && config.APP_NAME !== "OpenAgents") put("/index.html", named(text(shell), config.APP_NAME));
  put("/manifest.json", manifest(config, { facts, files }, caches));
  return { facts, files };
}

function packedLater(path: string, bytes: Uint8Array): WebFile {
  let packed: WebFile | null = null;
  return {
    path,
    type: mediaType(path),
    hashed: false,
    get variants() {
      packed ??= withVariants(path, bytes, false);
      return packed.variants;
    },
  };
}

const escaped = (name: string) => name.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

const named = (html: string, name: string): string =>
  html
    .replace(/<title>[^<]*<\/title>/, `<title>${escaped(name)}</title>`)
    .replace(/(<meta name="application-name" content=")[^"]*/, `$1${escaped(name)}`);

/** `manifest.json` (http-platform 2.9). A minimum above the own build would lock everybody out: the own build is used. */
function manifest(config: Config, { facts }: WebFiles, rollbackCaches: string[]): string {
  const { buildId, entry, pinned } = facts;
  const wanted = config.OA_MIN_CLIENT_BUILD_ID;
  return JSON.stringify({
    manifestVersion: "openagents.webshell.v2",
    buildId,
    entry,
    compatibility: {
      protocolVersion: config.OA_PROTOCOL_VERSION,
      minClientBuildId: wanted && wanted <= buildId ? wanted : buildId,
      maxClientBuildId: config.OA_MAX_CLIENT_BUILD_ID,
      syncSchemaMin: config.OA_SYNC_SCHEMA_MIN,
      syncSchemaMax: config.OA_SYNC_SCHEMA_MAX,
    },
    serviceWorker: {
      script: "sw.js",
      cacheName: `openagents-web-shell::${buildId}`,
      pinnedAssets: pinned,
      rollbackCaches,
    },
    khala: { url: config.OA_KHALA_WS_URL ?? "/sync/socket/websocket" },
  });
}
