import type { Store } from "../../db/database";
import type { Log } from "../telemetry/log";
import type { Metrics } from "../telemetry/metrics";
import type { Hub } from "./hub";

const CHANNEL = "khala_wake";
/** A notification carries less than 8,000 bytes. */
const MOST_BYTES = 7900;
const HELLO = "hello";
/** Between two notifications, so that they cost a busy node little however short its commits are. */
const GAP_MS = 3;

/** Wake-ups between nodes (khala 3.6): hints with heads, never data, outside every domain transaction. */
export interface Wake {
  /** A stream's head after a commit of this process. Goes out with everything that gathers while a statement is in flight. */
  note(streamId: number, head: number): void;
  /** Listens, and tells other nodes that one has come. `onUp`: the connection is there, again or for the first time. */
  start(onUp: () => void): Promise<void>;
  state(): WakeState;
  /** Resolves when what was noted is sent. */
  flush(): Promise<void>;
  stop(): Promise<void>;
}

export interface WakeState {
  mode: "local" | "postgres";
  connected: boolean;
  /** When the connection was last there; null before it first was. */
  upAt: number | null;
  /** When another process last woke this one. */
  lastAt: number | null;
}

interface WakeDeps {
  store: Store;
  hub: Pick<Hub, "wake">;
  metrics: Metrics;
  log: Log;
  now(): number;
  /** Whether anybody would hear. */
  othersAlive(): Promise<boolean>;
  /** Another node has come. */
  onHello(): void;
}

/** `id:head,id:head` as pairs; null for anything else. */
export function parseWake(text: string): [id: number, head: number][] | null {
  const pairs: [number, number][] = [];
  for (const part of text.split(",")) {
    const [, id, head] = /^(\d{1,15}):(\d{1,15})$/.exec(part) ?? [];
    if (id === undefined) return null;
    pairs.push([Number(id), Number(head)]);
  }
  return pairs;
}

export function createWake(deps: WakeDeps): Wake {
  const { store, hub, metrics, log, now, othersAlive, onHello } = deps;
  const waiting = new Map<number, number>();
  let sending: Promise<void> | null = null;
  /** What is in flight: it comes back to this very connection, before the statement's end, if that really listens. */
  let echo: string | null = null;
  let isHeard = false;
  let connected = false;
  let upAt: number | null = null;
  let lastAt: number | null = null;
  let unlisten: (() => Promise<void>) | null = null;
  let mustGreet = false;
  let isDeafTold = false;

  function note(streamId: number, head: number): void {
    if (store.kind === "pglite") return;
    waiting.set(streamId, Math.max(head, waiting.get(streamId) ?? 0));
    sending ??= send();
  }

  /** One statement in flight; what gathers meanwhile goes into the next. */
  async function send(): Promise<void> {
    // everything that this turn of the event loop commits goes together
    await Promise.resolve();
    while (mustGreet || waiting.size) {
      try {
        if (mustGreet) await greet();
        else if (!(await othersAlive())) waiting.clear();
        else {
          await tell(take());
          await Bun.sleep(GAP_MS);
        }
      } catch {
        // a lost wake-up costs a second: the sweep of the others finds the heads
        waiting.clear();
      }
    }
    sending = null;
  }

  /** Says hello, and hears itself; through a pooler that shares connections it would not. */
  async function greet(): Promise<void> {
    mustGreet = false;
    await tell(HELLO);
    if (isHeard) return become(true);
    if (!isDeafTold) log.warn("khala", "notifications do not come through: other nodes' events come by sweeps");
    isDeafTold = true;
  }

  function take(): string {
    let text = "";
    for (const [id, head] of waiting) {
      const part = `${text && ","}${id}:${head}`;
      if (text.length + part.length > MOST_BYTES) break;
      text += part;
      waiting.delete(id);
    }
    return text;
  }

  async function tell(text: string): Promise<void> {
    echo = text;
    isHeard = false;
    try {
      await store.notify(CHANNEL, text);
      metrics.count("khala_wake_sent_total");
    } finally {
      echo = null;
    }
  }

  function receive(text: string): void {
    if (text === echo) {
      isHeard = true;
      return;
    }
    const pairs = text === HELLO ? [] : parseWake(text);
    metrics.count("khala_wake_received_total", { result: pairs ? "ok" : "bad" });
    if (!pairs) return;
    lastAt = now();
    if (text === HELLO) onHello();
    for (const [id, head] of pairs) hub.wake(id, head, "wake");
  }

  function become(up: boolean): void {
    if (!up && connected) log.warn("khala", "khala wake-ups are cut off: other nodes' events come by sweeps");
    if (up || connected) upAt = now();
    connected = up;
    metrics.gauge("khala_wake_connected", up ? 1 : 0);
  }

  return {
    note,
    async start(onUp) {
      if (store.kind === "pglite") return;
      become(false);
      unlisten = await store.listen(CHANNEL, receive, (up) => {
        if (!up) return become(false);
        mustGreet = true;
        sending ??= send();
        onUp();
      });
      await sending;
    },
    state: () => ({ mode: store.kind === "pglite" ? "local" : "postgres", connected, upAt, lastAt }),
    flush: async () => void (await sending),
    async stop() {
      await unlisten?.().catch(() => {});
    },
  };
}
