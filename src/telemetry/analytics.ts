import type { Config } from "../config";
import type { Outbound } from "../http/outbound";
import { within } from "../within";
import type { Log } from "./log";
import type { Metrics } from "./metrics";
import { redact } from "./redact";

export type Properties = Record<string, unknown>;

/** Product analytics (auth 3.14, http-platform 3.11). Never delays or fails a request. */
export interface Analytics {
  /** Whether anything is sent at all. */
  readonly on: boolean;
  /** `at` is when it happened; now, unless said. */
  capture(distinctId: string, event: string, properties?: Properties, at?: Date): void;
  identify(distinctId: string, set: Properties): void;
  /** Sends what waits; at most 2 s. */
  flush(): Promise<void>;
}

export interface AnalyticsParts {
  config: Config;
  outbound: Outbound;
  log: Log;
  metrics: Metrics;
  now(): Date;
  /** How a retry waits. */
  pause?(ms: number): Promise<void>;
}

const quiet: Analytics = { on: false, capture: () => {}, identify: () => {}, flush: () => Promise.resolve() };
const quietEnvironments = new Set(["local", "development", "dev", "testing", "staging"]);
const mostWaiting = 1000;
const batchEvents = 100;
/** A body stays below 32 kB; what surrounds the events is small. */
const batchBytes = 31_500;
const flushMs = 2000;

/** `2026-02-19T12:00:00+00:00`. */
const wireTime = (at: Date): string => `${at.toISOString().slice(0, 19)}+00:00`;

/** Texts pass the redaction of logs; an address is never sent. */
function clean(properties: Properties): Properties {
  const kept: Properties = {};
  for (const [name, value] of Object.entries(properties)) {
    if (name !== "$ip") kept[name] = typeof value === "string" ? redact(value) : value;
  }
  return kept;
}

/** PostHog's batch route (auth 6). Off without a key, when disabled, and outside production unless enabled by name. */
export function createAnalytics(parts: AnalyticsParts): Analytics {
  const { config, log, metrics, now } = parts;
  const key = config.POSTHOG_API_KEY;
  const off = config.POSTHOG_DISABLED ?? quietEnvironments.has(config.APP_ENV);
  if (!key || off) return quiet;
  const queue: string[] = [];
  let timer: Timer | null = null;
  let sending: Promise<void> | null = null;

  const dropped = (reason: "full" | "too_large" | "refused" | "unreachable", events: number) => {
    metrics.count("analytics_dropped_total", { reason }, events);
    log.debug("oa.analytics", "analytics events dropped", { reason, events });
  };
  const send = async () => {
    while (queue.length) {
      const events = queue.splice(0, fitting(queue));
      const outcome = await post(parts, key, events);
      if (outcome !== "sent") dropped(outcome, events.length);
    }
  };
  const start = () => {
    if (timer) clearTimeout(timer);
    timer = null;
    sending ??= send()
      .catch((error: unknown) => log.warn("oa.analytics", "analytics failed", { error_message: String(error) }))
      .finally(() => {
        sending = null;
      });
    return sending;
  };
  const push = (event: Record<string, unknown>, at = now()) => {
    const text = JSON.stringify({ ...event, timestamp: wireTime(at) });
    if (Buffer.byteLength(text) > batchBytes) return dropped("too_large", 1);
    if (queue.length >= mostWaiting) {
      queue.shift();
      dropped("full", 1);
    }
    queue.push(text);
    if (queue.length >= batchEvents) void start();
    else timer ??= setTimeout(() => void start(), flushMs);
  };
  return {
    on: true,
    capture: (distinctId, event, properties = {}, at) =>
      push({ event, distinct_id: distinctId, properties: { ...clean(properties), $lib: "openagents" } }, at),
    identify: (distinctId, set) => push({ event: "$identify", distinct_id: distinctId, $set: clean(set) }),
    flush: () => within(flushMs, start()),
  };
}

/** How many of the waiting events fit into one body. */
function fitting(queue: string[]): number {
  let bytes = 0;
  let events = 0;
  while (events < Math.min(queue.length, batchEvents)) {
    bytes += Buffer.byteLength(queue[events] as string) + 1;
    if (events && bytes > batchBytes) break;
    events++;
  }
  return events;
}

/** Retries 429, 5xx and failures of the network with doubling delay from 100 ms below 10 s. */
async function post(
  { config, outbound, pause = Bun.sleep }: AnalyticsParts,
  key: string,
  events: string[],
): Promise<"sent" | "refused" | "unreachable"> {
  const body = `{"api_key":${JSON.stringify(key)},"batch":[${events.join(",")}]}`;
  for (let wait = 100; ; wait *= 2) {
    try {
      const { status } = await outbound.call({
        service: "posthog",
        method: "POST",
        url: `${config.POSTHOG_HOST.replace(/\/+$/, "")}/batch/`,
        headers: { "content-type": "application/json" },
        body,
        timeoutMs: 10_000,
      });
      if (status < 300) return "sent";
      if (status !== 429 && status < 500) return "refused";
    } catch {
      // Not reached: tried again like a 5xx.
    }
    if (wait >= 10_000) return "unreachable";
    await pause(wait);
  }
}
