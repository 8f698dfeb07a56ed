import type { Config } from "../config";
import type { Outbound } from "../http/outbound";
import type { Log } from "./log";

/** Product analytics (auth 3.14, http-platform 3.11). Never delays or fails a request. */
export interface Analytics {
  capture(distinctId: string, event: string, properties?: Record<string, unknown>): void;
  identify(distinctId: string, set: Record<string, unknown>): void;
  /** Sends what waits; at most 2 s. */
  flush(): Promise<void>;
}

type Event = Record<string, unknown>;

const quiet: Analytics = { capture: () => {}, identify: () => {}, flush: () => Promise.resolve() };
const quietEnvironments = new Set(["local", "development", "dev", "testing", "staging"]);
const most = 1000;
const batch = 100;

/** PostHog's batch route (auth 6). Off without a key, when disabled, and outside production unless enabled by name. */
export function createAnalytics(config: Config, outbound: Outbound, log: Log, now: () => Date): Analytics {
  const key = config.POSTHOG_API_KEY;
  const off = config.POSTHOG_DISABLED ?? quietEnvironments.has(config.APP_ENV);
  if (!key || off) return quiet;
  const queue: Event[] = [];
  let timer: Timer | null = null;
  let sending: Promise<void> | null = null;

  const send = async () => {
    while (queue.length) {
      const events = queue.splice(0, batch);
      const sent = await post(config, outbound, key, events);
      if (!sent) log.debug("oa.analytics", "analytics batch dropped", { events: events.length });
    }
  };
  const start = () => {
    timer = null;
    sending ??= send().finally(() => {
      sending = null;
    });
    return sending;
  };
  const push = (event: Event) => {
    if (queue.length >= most) queue.shift();
    queue.push({ ...event, timestamp: now().toISOString() });
    if (queue.length >= batch) void start();
    else timer ??= setTimeout(() => void start(), 2000);
  };
  return {
    capture: (distinctId, event, properties = {}) =>
      push({ event, distinct_id: distinctId, properties: { ...properties, $lib: "openagents" } }),
    identify: (distinctId, set) => push({ event: "$identify", distinct_id: distinctId, $set: set }),
    flush: async () => {
      if (timer) clearTimeout(timer);
      await Promise.race([start(), new Promise((resolve) => setTimeout(resolve, 2000))]);
    },
  };
}

/** Retries 429 and 5xx with doubling delay from 100 ms below 10 s. */
async function post(config: Config, outbound: Outbound, key: string, events: Event[]): Promise<boolean> {
  for (let wait = 100; wait < 10_000; wait *= 2) {
    try {
      const { status } = await outbound.call({
        service: "posthog",
        method: "POST",
        url: `${config.POSTHOG_HOST.replace(/\/+$/, "")}/batch/`,
        json: { api_key: key, batch: events },
        timeoutMs: 10_000,
      });
      if (status < 300) return true;
      if (status !== 429 && status < 500) return false;
    } catch {
      // network failure: tried again like a 5xx
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
  return false;
}
