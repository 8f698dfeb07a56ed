import { fitted } from "./payload";
import { backoff, isTransient, Refused, type Server } from "./server";

/** An event on its way to the server. */
export interface Outgoing {
  event_type: string;
  payload: Record<string, unknown>;
}

interface Queued extends Outgoing {
  event_id: string | null;
  /** Deltas of one item and index that follow each other become one event. */
  merge: string | null;
  taken: (() => void) | null;
}

export interface Forward {
  /** Puts an event behind the others; `merge` names the delta stream it belongs to, `taken` is called when the server has it. */
  push(event: Outgoing, merge?: string | null, taken?: () => void): void;
  /** Adds `delta` to the last event when it belongs to the same delta stream and stays within 4 KiB. */
  extend(merge: string, delta: string): boolean;
  /** Resolves when the queue is short enough for more: Codex is read no faster than the server takes. */
  room(): Promise<void>;
  /** Everything pushed so far was taken or given up. */
  flushed(): Promise<void>;
  depth(): number;
  stop(): void;
}

interface ForwardDeps {
  server: Server;
  workerId: string;
  sessionId: string;
  /** The server will not take events of this session any more: stopped, replaced, credentials rejected. */
  onRefused(error: Refused): void;
  onDropped(event: Outgoing, error: Refused): void;
  onState(reachable: boolean): void;
  now?(): number;
}

const batchSize = 100;
const mergeBytes = 4096;
const fullAt = 2000;
/** Above this rate events are gathered for a moment, so that deltas merge and the server's limit is never met. */
const calmPerSecond = 80;
const gatherMs = 25;

/** Sends events in order, one batch at a time; the next forms while one is under way (codex-chat 3.10 step 8). */
export function createForward(deps: ForwardDeps): Forward {
  const { server, workerId, sessionId, now = () => performance.now() } = deps;
  const path = `/api/runtime/codex/workers/${encodeURIComponent(workerId)}/events`;
  const queue: Queued[] = [];
  const rooms: (() => void)[] = [];
  const flushes: (() => void)[] = [];
  let counter = 0;
  let sending = false;
  let stopped = false;
  let recent: number[] = [];

  const wake = (list: (() => void)[]) => {
    for (const resolve of list.splice(0)) resolve();
  };
  const settle = () => {
    if (queue.length < fullAt) wake(rooms);
    if (!queue.length && !sending) wake(flushes);
  };

  const post = async (batch: Queued[]): Promise<void> => {
    const events = batch.map(
      ({ event_type, event_id, payload }) =>
        `{"event_type":${JSON.stringify(event_type)},"event_id":${JSON.stringify(event_id)},"payload":${fitted(payload)}}`,
    );
    const body = events.length === 1 ? `{"event":${events[0]}}` : `{"events":[${events.join(",")}]}`;
    for (let n = 1; !stopped; n++) {
      try {
        await server.post(path, body);
        deps.onState(true);
        for (const { taken } of batch) taken?.();
        return;
      } catch (error) {
        if (isTransient(error)) {
          const limited = error instanceof Refused && error.status === 429;
          if (!limited) deps.onState(false);
          await Bun.sleep(limited ? Math.min((error as Refused).retryAfterMs ?? 1000, backoff(n + 1)) : backoff(n));
          continue;
        }
        if (!(error instanceof Refused)) throw error;
        if (error.status === 401 || error.status === 403 || error.status === 409) return refused(batch, error);
        if (batch.length > 1) {
          for (const one of batch) await post([one]);
          return;
        }
        deps.onDropped(batch[0] as Queued, error);
        return;
      }
    }
  };

  const refused = async (batch: Queued[], error: Refused): Promise<void> => {
    // One event of a batch may be in conflict with what is stored; alone, only that one is dropped.
    if (error.status === 409 && batch.length > 1) {
      for (const one of batch) await post([one]);
      return;
    }
    if (error.status === 409 && !/stale attachment|stopped/.test(error.message))
      return deps.onDropped(batch[0] as Queued, error);
    stopped = true;
    queue.length = 0;
    deps.onRefused(error);
  };

  const pace = async () => {
    const at = now();
    recent = recent.filter((time) => at - time < 1000);
    if (recent.length > calmPerSecond) await Bun.sleep(gatherMs);
  };

  const pump = async () => {
    if (sending || stopped) return;
    sending = true;
    try {
      while (queue.length && !stopped) {
        await pace();
        const batch = queue.splice(0, batchSize);
        for (const event of batch) event.event_id ??= `${sessionId}:${++counter}`;
        await post(batch);
        const at = now();
        for (let i = 0; i < batch.length; i++) recent.push(at);
        settle();
      }
    } finally {
      sending = false;
      if (stopped) queue.length = 0;
      settle();
      if (stopped) wake(rooms);
    }
  };

  return {
    push(event, merge = null, taken) {
      if (stopped) return;
      queue.push({ ...event, event_id: null, merge, taken: taken ?? null });
      void pump();
    },
    extend(merge, delta) {
      const last = queue.at(-1);
      if (!last || last.merge !== merge) return false;
      const into = last.payload.params as { delta: string };
      if (Buffer.byteLength(into.delta) + Buffer.byteLength(delta) > mergeBytes) return false;
      into.delta += delta;
      return true;
    },
    room: () => (queue.length < fullAt || stopped ? Promise.resolve() : new Promise((resolve) => rooms.push(resolve))),
    flushed: () => (!queue.length && !sending ? Promise.resolve() : new Promise((resolve) => flushes.push(resolve))),
    depth: () => queue.length,
    stop() {
      stopped = true;
      queue.length = 0;
      wake(rooms);
    },
  };
}
