import type { Row } from "./khala";
import type { Rule } from "./streams";
import type { Tail } from "./tail";

/** Which frames a socket wants for each batch (khala 2.1). */
export type FramesMode = "both" | "batch" | "frame";

/** A socket, as far as delivery is concerned. */
export interface Line {
  frames: FramesMode;
  open(): boolean;
  send(text: string): void;
  /** Bytes handed over and not yet taken by the network. */
  buffered(): number;
  join(topic: string): void;
  leave(topic: string): void;
}

/** Topic-wide publishing of the server layer. */
export interface Wire {
  publish(topic: string, text: string): unknown;
  subscriberCount(topic: string): number;
}

export interface Clock {
  /** Milliseconds. */
  now(): number;
  /** Runs after what is running and waiting now. */
  soon(run: () => void): void;
  after(ms: number, run: () => void): void;
}

/** How the news of a commit came. */
export type Origin = "local" | "wake" | "sweep";

/** A log with local readers. */
export interface Stream {
  id: number;
  name: string;
  rule: Rule;
  /** Number of the last event handed to channels and listeners. */
  published: number;
  floor: number;
  /** A number that is known to be committed; `fetch` runs until `published` reaches it. */
  wanted: number;
  state: "opening" | "open" | "closed";
  opening: Promise<void>;
  fetching: Promise<void> | null;
  tail: Tail;
  /** Handed over before their predecessors were. */
  early: Map<number, readonly Row[]>;
  earlyTimer: boolean;
  channels: Map<string, Channel>;
  behind: Set<Sub>;
  listeners: Set<Listener>;
  lastUsed: number;
  /** What made it read last. */
  origin: Origin;
}

/** One name of a stream. Its Bun topics end in `/b` for batches and `/f` for frames. */
export interface Channel {
  stream: Stream;
  name: string;
  batches: string;
  frames: string;
  live: Set<Sub>;
  subs: number;
  /** Bytes published since the buffers of its sockets were looked at. */
  unlooked: number;
}

/** One subscription: a socket's place in a stream. */
export interface Sub {
  seat: Seat;
  channel: Channel;
  /** Last number handed to the socket; while live, the stream's `published` is. */
  cursor: number;
  mode: "behind" | "live";
  /** Its socket's buffer is full; `drain` ends it. */
  paused: boolean;
  /** Which rows it may see; such a subscription is never live. */
  filter: ((row: Row) => boolean) | null;
  batch: number;
  /** Told once, when nothing is left to replay or when it ends before that. */
  onCaughtUp: (() => void) | null;
  onStale(at: Place): void;
  queued: boolean;
  reading: boolean;
  gone: boolean;
  acknowledged: number | null;
}

export interface Place {
  floor: number;
  head: number;
}

/** All subscriptions of one socket. */
export interface Seat {
  line: Line;
  subs: Map<string, Sub>;
  /** Those with a batch to send, in turn. */
  ready: Sub[];
  queued: boolean;
}

/** Reads a stream inside the process, such as the one of revocations. */
export interface Listener {
  onRows(rows: readonly Row[]): void;
  /** The stream was reset: something may have been missed. */
  onReset(): void;
}

/** The number that was handed to the socket, never the head (khala 2.5). */
export const handed = (sub: Sub): number => (sub.mode === "live" ? sub.channel.stream.published : sub.cursor);
