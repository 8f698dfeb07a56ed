import { signal } from "@preact/signals";
import { type Answer, api, path } from "../api";
import type { Failure } from "../failure";
import { onSignedIn, onSignedOut, user } from "../session";
import { recoveries } from "../status";
import { freshId, world } from "../world";
import { forgetAll, readAll, remove, write } from "./outbox-store";

/**
 * Messages that our server does not have yet. They are written down before they are sent, so a reload, a crash or a dead
 * network loses none, and each carries one request id for all its attempts, so none is executed twice (web-ui 16.2).
 */
export interface Outgoing {
  requestId: string;
  userId: number;
  threadId: string;
  text: string;
  model: string | null;
  effort: string | null;
  workerId: string | null;
  /** Milliseconds since the epoch. */
  at: number;
  /** Waits until the running turn has ended. */
  held: boolean;
  state: "waiting" | "sending" | "refused";
  /** Why it was refused, in the server's words. */
  why: string | null;
}

/** What the server made of it (codex-chat 2.11). */
export interface Delivered {
  thread: { thread_id: string; worker_id?: string | null };
  message: { id: string; text: string; accepted_at: string };
  turn: { id: string };
  control: { worker_id: string; request_id: string };
}

export const outbox = signal<Outgoing[]>([]);

type Told = (outgoing: Outgoing, delivered: Delivered) => void;
const told = new Set<Told>();
/** Runs for each message that reached the server. Returns its undo. */
export function onDelivered(tell: Told): () => void {
  told.add(tell);
  return () => told.delete(tell);
}

type Limited = (outgoing: Outgoing, failure: Failure) => void;
const limited = new Set<Limited>();
/** Runs for a message that came too soon (429): it leaves the outbox and its text goes back to the person. */
export function onLimited(tell: Limited): () => void {
  limited.add(tell);
  return () => limited.delete(tell);
}

export interface NewMessage {
  threadId: string;
  text: string;
  model?: string | null;
  effort?: string | null;
  workerId?: string | null;
  held?: boolean;
}

/** Takes a message for sending: at once on screen, on disk next, then on its way. */
export function post(message: NewMessage): Outgoing {
  const outgoing: Outgoing = {
    requestId: freshId("thread_message_"),
    userId: user.peek()?.id ?? 0,
    threadId: message.threadId,
    text: message.text,
    model: message.model ?? null,
    effort: message.effort ?? null,
    workerId: message.workerId ?? null,
    at: world.now(),
    held: message.held ?? false,
    state: "waiting",
    why: null,
  };
  outbox.value = [...outbox.value, outgoing];
  void write(outgoing).then(pump);
  return outgoing;
}

/** Sends a held message now, or tries a refused one again. A refusal was final, so it goes out under a new id. */
export function release(requestId: string): void {
  const one = outbox.peek().find((entry) => entry.requestId === requestId);
  if (!one || one.state === "sending") return;
  if (one.state !== "refused") {
    change(requestId, { held: false });
    return;
  }
  const again: Outgoing = { ...one, requestId: freshId("thread_message_"), state: "waiting", why: null, held: false };
  outbox.value = outbox.peek().map((entry) => (entry === one ? again : entry));
  void remove(requestId)
    .then(() => write(again))
    .then(pump);
}

/** Lets the oldest held message of a thread go, when nothing else of it is on its way. */
export function releaseNext(threadId: string): void {
  const mine = outbox.peek().filter((entry) => entry.threadId === threadId && entry.state !== "refused");
  const next = mine.find((entry) => entry.held);
  if (next && !mine.some((entry) => !entry.held)) change(next.requestId, { held: false });
}

/** Takes a message out; returns it so that its text can go back into the composer. */
export function withdraw(requestId: string): Outgoing | null {
  const one = outbox.peek().find((entry) => entry.requestId === requestId);
  if (!one || one.state === "sending") return null;
  drop(requestId);
  return one;
}

function change(requestId: string, patch: Partial<Outgoing>): void {
  const next = outbox.peek().map((entry) => (entry.requestId === requestId ? { ...entry, ...patch } : entry));
  outbox.value = next;
  const one = next.find((entry) => entry.requestId === requestId);
  if (one) void write(one).then(pump);
}

function drop(requestId: string): void {
  outbox.value = outbox.peek().filter((entry) => entry.requestId !== requestId);
  void remove(requestId);
}

const set = (requestId: string, patch: Partial<Outgoing>) => {
  outbox.value = outbox.peek().map((entry) => (entry.requestId === requestId ? { ...entry, ...patch } : entry));
};

let pumping = false;
let again = false;

/** One message at a time, oldest first; what the network stops waits for its return. One tab of a browser sends. */
async function pump(): Promise<void> {
  if (pumping) {
    again = true;
    return;
  }
  pumping = true;
  try {
    do {
      again = false;
      await alone(async () => {
        for (let next = ready(); next; next = ready()) if (!(await deliver(next))) return;
      });
    } while (again);
  } finally {
    pumping = false;
  }
}

const ready = () => outbox.peek().find((entry) => entry.state === "waiting" && !entry.held);

const alone = (work: () => Promise<void>): Promise<unknown> =>
  typeof navigator !== "undefined" && navigator.locks ? navigator.locks.request("oa-outbox", work) : work();

/** False when the network is away: then nothing behind it is tried either, so that order holds. */
async function deliver(outgoing: Outgoing): Promise<boolean> {
  const { requestId, threadId } = outgoing;
  if (outgoing.userId !== user.peek()?.id) return false;
  set(requestId, { state: "sending", why: null });
  const answer: Answer<{ data: Delivered }> = await api.post(path`/api/runtime/threads/${threadId}/messages`, {
    text: outgoing.text,
    request_id: requestId,
    ...(outgoing.workerId ? { worker_id: outgoing.workerId } : {}),
    ...(outgoing.model ? { model: outgoing.model } : {}),
    ...(outgoing.effort ? { effort: outgoing.effort } : {}),
  });
  if (answer.data) {
    for (const tell of told) tell(outgoing, answer.data.data);
    drop(requestId);
    return true;
  }
  const { failure } = answer;
  if (failure.kind === "network" || failure.kind === "aborted" || failure.kind === "maintenance") {
    set(requestId, { state: "waiting" });
    return false;
  }
  if (failure.kind === "unauthorized") {
    set(requestId, { state: "waiting" });
    return false;
  }
  if (failure.kind === "limited") {
    drop(requestId);
    for (const tell of limited) tell(outgoing, failure);
    return true;
  }
  const refused: Outgoing = { ...outgoing, state: "refused", why: failure.message };
  set(requestId, refused);
  await write(refused);
  return true;
}

/** Loads what an earlier page left behind and keeps trying. Call once at boot. */
export function watchOutbox(): void {
  onSignedIn.push(() => {
    const id = user.peek()?.id;
    if (id === undefined) return;
    void readAll(id).then((stored) => {
      const here = new Set(outbox.peek().map((entry) => entry.requestId));
      const left = stored.filter((entry) => !here.has(entry.requestId));
      const waiting = left.map((entry) =>
        entry.state === "sending" ? { ...entry, state: "waiting" as const } : entry,
      );
      outbox.value = [...waiting, ...outbox.peek()].sort((a, b) => a.at - b.at);
      void pump();
    });
  });
  onSignedOut.push((why) => {
    outbox.value = [];
    if (why === "logout" || why === "deleted") void forgetAll();
  });
  recoveries.subscribe((count) => {
    if (count > 0) void pump();
  });
  addEventListener("online", () => void pump());
}
