import type { Failure } from "../failure";
import { world } from "../world";

export type Properties = Record<string, string | number | boolean | null>;
interface ProductEvent {
  event: string;
  properties: Properties;
  timestamp: string;
}
type Entry = ProductEvent | Record<string, unknown>;

export interface TrackerOptions {
  /** Sends one batch; `leaving` when the page goes and the request has to outlive it. */
  post(events: Entry[], leaving: boolean): Promise<{ failure?: Failure | undefined; status: number }>;
  /** False while nobody knows yet who uses the tab: what is gathered waits. */
  ready(): boolean;
}

export interface Tracker {
  /** Notes a product event, such as `login.page_opened`; the part before the dot is its namespace. */
  track(event: string, properties?: Properties): void;
  /** Notes anything else that a batch takes: a diagnostic, a page view. */
  add(entry: Entry): void;
  flush(options?: { leaving?: boolean }): Promise<void>;
}

const BATCH = 50;
const KEPT = 200;
const SOON_MS = 5000;
const LATER_S = 60;
const LONGEST_TEXT = 300;

const isProduct = (entry: Entry): boolean => "event" in entry;

/**
 * Gathers events and sends them in batches (http-platform 2.10): soon after the first, at once when a batch is full. A server
 * without analytics says so once, and no product event is gathered after that; what could not be sent is kept, the newest
 * 200 of it.
 */
export function makeTracker({ post, ready }: TrackerOptions): Tracker {
  let queue: Entry[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let sending = false;
  /** The last batch did not go through: the next waits its time, however many there are. */
  let paused = false;
  let wanted: "all" | "diagnostics" | "nothing" = "all";

  const later = (ms: number) => {
    timer ??= setTimeout(() => void flush(), ms);
  };

  function add(entry: Entry) {
    if (wanted === "nothing" || (wanted === "diagnostics" && isProduct(entry))) return;
    queue = [...queue, entry].slice(-KEPT);
    if (queue.length >= BATCH && !paused) void flush();
    else later(SOON_MS);
  }

  async function flush({ leaving = false } = {}): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    if (queue.length === 0 || (sending && !leaving)) return;
    if (!ready()) return later(SOON_MS);
    sending = true;
    paused = false;
    const events = queue.splice(0, BATCH);
    const { failure, status } = await post(events, leaving);
    sending = false;
    if (status === 204) {
      wanted = "diagnostics";
      queue = queue.filter((entry) => !isProduct(entry));
    }
    if (failure?.kind === "missing" || failure?.kind === "gone") {
      wanted = "nothing";
      queue = [];
    }
    const again = failure && ["network", "limited", "server", "maintenance"].includes(failure.kind);
    if (again) {
      queue = [...events, ...queue].slice(-KEPT);
      paused = true;
    }
    if (queue.length > 0) later(again ? (failure.retryAfter ?? LATER_S) * 1000 : SOON_MS);
  }

  return {
    track(event, properties = {}) {
      const kept = Object.entries(properties).map(([name, value]) => [
        name,
        typeof value === "string" ? value.slice(0, LONGEST_TEXT) : value,
      ]);
      const namespace = event.split(".", 1)[0] ?? "";
      add({
        event,
        properties: { namespace, ...Object.fromEntries(kept) },
        timestamp: new Date(world.now()).toISOString(),
      });
    },
    add,
    flush,
  };
}
