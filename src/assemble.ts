import type { Store } from "../db/database";
import type { Config } from "./config";
import { type Context, createContext } from "./context";
import { createOutbound } from "./http/outbound";
import { createThrottle } from "./http/throttle";
import { createJobs } from "./jobs/create";
import { createKhala, type KhalaNode } from "./khala/node";
import { createAnalytics } from "./telemetry/analytics";
import type { Log } from "./telemetry/log";
import { createMetrics } from "./telemetry/metrics";
import { createSpans, type Spans } from "./telemetry/spans";

export interface Assembled {
  ctx: Context;
  khala: KhalaNode;
}

/** What domains stand on, over an open and migrated database. `khala.stop()` ends what it started. */
export async function assemble(parts: {
  config: Config;
  store: Store;
  log: Log;
  appUrl(): string;
  version?: string;
}): Promise<Assembled> {
  const { config, store, log, appUrl } = parts;
  const now = () => new Date();
  const metrics = createMetrics();
  // Each needs the other: calls are spans, and spans go out by a call.
  let spans: Spans | null = null;
  const outbound = createOutbound(log, metrics, (span) => spans?.record(span));
  spans = createSpans({ config, outbound, log, metrics, version: parts.version });
  const khala = await createKhala({ config, store, log, metrics });
  const uncounted = (error: unknown) => {
    metrics.count("http_throttle_errors_total");
    log.warn("oa.throttle", "a throttle was not counted", { error_message: String(error) });
  };
  const throttle = createThrottle(store, Date.now, uncounted);
  const ctx = createContext({
    config,
    appUrl,
    store,
    now,
    log,
    metrics,
    analytics: createAnalytics({ config, outbound, log, metrics, now }),
    spans,
    khala,
    jobs: createJobs({ store, log, metrics, concurrency: config.OA_JOBS_CONCURRENCY }),
    outbound,
    throttle:
      store.kind === "pglite"
        ? throttle
        : { hit: (...asked) => metrics.query("http_throttle_hit", throttle.hit(...asked)) },
  });
  return { ctx, khala };
}

/** `APP_URL` without a trailing slash, else where a server with this configuration would listen. */
export const likelyUrl = (config: Config): string =>
  config.APP_URL?.replace(/\/+$/, "") ?? `http://127.0.0.1:${config.PORT ?? 8787}`;
