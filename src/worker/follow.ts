import type { Request } from "./execute";
import type { Update } from "./khala-client";
import { Refused, type Server } from "./server";

type Json = Record<string, unknown>;

/** What the log of a worker says to the bridge that runs it. */
interface Told {
  /** Attached for the first time; what waits for this worker is run when this resolves. */
  attached(pending: Request[]): Promise<void>;
  /** Requests that the server holds to be without receipt. */
  pending(requests: Request[]): void;
  request(request: Request): void;
  /** An event of the worker, as older phones send them. */
  event(payload: Json): void;
  stopped(): void;
  /** Another session runs this worker now. */
  replaced(): void;
}

interface FollowOptions {
  server: Server;
  workerId: string;
  sessionId: string;
  /** What is told of this machine when it attaches. */
  description: Json;
  told: Told;
  /** Nothing more is wanted. */
  over(): boolean;
}

export interface Follow {
  isAttached(): boolean;
  /** Creates the worker, or takes it over, and runs what waits for it (step 5). */
  attach(): Promise<void>;
  /** What the socket says. */
  update(one: Update): void;
  summary(snapshot: Json): void;
  /** The socket is live: since the last update, since now, or with a gap. */
  live(since: "watermark" | "now" | "gap"): Promise<void>;
  /** Reads what the log says since the last event seen (codex-chat 2.4). */
  read(): Promise<void>;
}

const object = (value: unknown): Json => (typeof value === "object" && value !== null ? (value as Json) : {});

/**
 * Follows a worker's log by socket and by reading (codex-chat 3.10, steps 5 and 6): everything that is said to this session
 * arrives once and in order, and a worker that was stopped or given to another is never started or taken back.
 */
export function followWorker({ server, workerId, sessionId, description, told, over }: FollowOptions): Follow {
  const path = `/api/runtime/codex/workers/${encodeURIComponent(workerId)}`;
  let attached = false;
  /** The log's end when this session attached: what is older was said to another. */
  let attachedSeq = 0;
  let seenSeq = 0;
  /** Updates that came while attaching or reading: what these bring is older than they. */
  let held: Update[] | null = null;
  /** Meanwhile another session was named; only the worker as it stands afterwards tells whose it is. */
  let doubted = false;
  let reading: Promise<unknown> = Promise.resolve();

  /** One read or attachment at a time. */
  function alone(work: () => Promise<void>): Promise<void> {
    const done = reading.then(work);
    reading = done.catch(() => {});
    return done;
  }

  /** Another bridge attached: what is asked from now on is its to do. */
  function isAnothers(snapshot: Json): boolean {
    const executor = object(snapshot.executor).session_id;
    return snapshot.worker_id === workerId && typeof executor === "string" && executor !== "" && executor !== sessionId;
  }

  async function attach(): Promise<void> {
    held ??= [];
    const answer = object(
      await server.post("/api/runtime/codex/workers", {
        worker_id: workerId,
        adapter: "desktop_bridge",
        ...description,
      }),
    );
    const { pendingRequests, latestSeq } = object(answer.data);
    const pending = Array.isArray(pendingRequests) ? (pendingRequests as Request[]) : [];
    seenSeq = Number(latestSeq ?? 0);
    if (!attached) {
      attached = true;
      attachedSeq = seenSeq;
      await told.attached(pending);
    }
    if (doubted) await checkStanding();
    told.pending(pending);
    release();
  }

  function release(): void {
    const waiting = held ?? [];
    held = null;
    for (const one of waiting) update(one);
  }

  /** Whether this worker still runs, and here. */
  async function checkStanding(): Promise<void> {
    doubted = false;
    const worker = object(object(await server.get(path)).data);
    if (worker.status === "stopped") told.stopped();
    else if (isAnothers(worker)) told.replaced();
  }

  /** Attaching would start a stopped worker again and take a replaced one back, so that is looked at first. */
  async function attachAgain(): Promise<void> {
    await checkStanding();
    if (!over()) await attach();
  }

  function update(one: Update): void {
    if (held) {
      held.push(one);
      return;
    }
    const { payload } = one;
    if (payload?.worker_id === workerId) logged(payload.seq ?? 0, payload.eventType ?? "", object(payload.payload));
  }

  function logged(seq: number, type: string, payload: Json): void {
    seenSeq = Math.max(seenSeq, seq);
    if (type === "worker.request") told.request(payload as unknown as Request);
    else if (type === "worker.event") told.event(payload);
    else if (type === "worker.stopped" && seq > attachedSeq) told.stopped();
  }

  async function read(): Promise<void> {
    held ??= [];
    try {
      for (let more = true; more && !over(); ) {
        const page = object(object(await server.get(`${path}/stream?cursor=${seenSeq}`)).data);
        if (isAnothers(object(page.snapshot))) told.replaced();
        for (const entry of page.events as { seq: number; event_type: string; payload: Json }[])
          logged(entry.seq, entry.event_type, entry.payload);
        more = page.has_more === true;
      }
      if (doubted) await checkStanding();
    } catch (error) {
      if (!(error instanceof Refused && error.status === 410)) throw error;
      await attachAgain();
    } finally {
      held = held?.filter(({ payload }) => payload?.worker_id !== workerId || (payload.seq ?? 0) > seenSeq) ?? null;
      release();
    }
  }

  return {
    isAttached: () => attached,
    attach,
    update,
    summary(snapshot) {
      if (!isAnothers(snapshot)) return;
      if (held) doubted = true;
      else told.replaced();
    },
    live(since) {
      if (since === "watermark") return checkStanding();
      return alone(since === "now" ? read : attachAgain);
    },
    read: () => alone(read),
  };
}
