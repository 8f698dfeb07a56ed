import type { Log } from "../telemetry/log";
import type { Metrics } from "../telemetry/metrics";
import { createChannels, LOW } from "./channel";
import type { Row } from "./khala";
import type { LogReader } from "./log";
import { createPump } from "./pump";
import { type Rules, ruleOf } from "./streams";
import type { Clock, Listener, Origin, Place, Seat, Stream, Sub, Wire } from "./sub";
import { createTails } from "./tail";

const FETCH_ROWS = 500;
const EARLY_MS = 2;
const IDLE_MS = 60_000;

/** Buckets of delays between commit and publish, in seconds. */
export const DELAYS = [0.001, 0.002, 0.003, 0.005, 0.01, 0.03, 0.05, 0.1, 0.5, 1, 2];

export interface HubDeps {
  log: LogReader;
  wire: Wire;
  clock: Clock;
  rules: Rules;
  metrics: Metrics;
  journal: Log;
}

export interface Hub {
  /** The stream with a hub of its own, open. Rejects when the log cannot be read. */
  open(id: number, name: string): Promise<Stream>;
  /** Committed rows; the only place that publishes. */
  offer(streamId: number, first: number, rows: readonly Row[]): void;
  /** A number is known to be committed: reads up to it. For streams without a hub nothing happens. */
  wake(streamId: number, head: number, origin: Origin): void;
  /** Reads until `at` is published; false when the log does not hold it. */
  reach(stream: Stream, at: number): Promise<boolean>;
  /** Starts a subscription at `cursor`, which is published; an earlier one of the same name on this socket ends. */
  attach(seat: Seat, stream: Stream, name: string, cursor: number, options: SubOptions): Sub;
  detach(sub: Sub): void;
  /** Tells once, when nothing is left to replay: at once for a live subscription. */
  whenCaughtUp(sub: Sub, told: () => void): void;
  /** The socket's buffer has emptied: what was paused goes on. */
  drained(seat: Seat): void;
  listen(id: number, name: string, listener: Listener): Promise<void>;
  /** Compares every open stream with the log; what a lost wake-up left behind is fetched (khala 3.6, repair). */
  sweep(): Promise<void>;
  streams(): IterableIterator<Stream>;
  tailBytes(): number;
  /** Batches serialised so far, by kind: one a channel and mode, none a socket. */
  encoded(): number;
}

export type SubOptions = Pick<Sub, "batch" | "filter" | "onCaughtUp" | "onStale">;

/** The delivery algorithm of khala 3.6 for one node. A block without `await` is atomic; the invariants rest on that. */
export function createHub(deps: HubDeps): Hub {
  const { log, clock, rules, metrics, journal } = deps;
  const streams = new Map<number, Stream>();
  const listening = new Set<{ id: number; name: string; listener: Listener }>();
  const tails = createTails();
  const channels = createChannels(deps);
  const pump = createPump(deps, { offer: offerTo, reset, expire, goLive: channels.goLive });

  function open(id: number, name: string): Promise<Stream> {
    const known = streams.get(id);
    if (known) {
      known.lastUsed = clock.now();
      return known.opening.then(() => known);
    }
    const stream: Stream = {
      id,
      name,
      rule: ruleOf(rules, name),
      published: 0,
      floor: 0,
      wanted: 0,
      state: "opening",
      opening: Promise.resolve(),
      fetching: null,
      tail: tails.create(),
      early: new Map(),
      earlyTimer: false,
      origin: "local",
      channels: new Map(),
      behind: new Set(),
      listeners: new Set(),
      lastUsed: clock.now(),
    };
    // registered before the await, so that wake-ups and hand-overs meanwhile are not lost
    streams.set(id, stream);
    stream.opening = load(stream);
    return stream.opening.then(() => stream);
  }

  async function load(stream: Stream): Promise<void> {
    try {
      const [place] = await log.heads([stream.id]);
      stream.published = place?.head ?? 0;
      stream.floor = place?.floor ?? 0;
      stream.state = "open";
    } catch (error) {
      close(stream);
      throw error;
    }
    void retry(stream);
  }

  function close(stream: Stream): void {
    stream.state = "closed";
    stream.tail.drop();
    if (streams.get(stream.id) === stream) streams.delete(stream.id);
  }

  function offer(streamId: number, first: number, rows: readonly Row[]): void {
    const stream = streams.get(streamId);
    if (!stream) return;
    try {
      offerTo(stream, first, rows);
    } catch (error) {
      // some channels may have been handed the rows and some not: their sockets are told to resync
      journal.error("khala", "khala hand-over failed", { stream: stream.name, error: String(error) });
      reset(stream, { head: stream.published, floor: stream.floor });
    }
  }

  function offerTo(stream: Stream, first: number, offered: readonly Row[]): void {
    if (!offered.length || stream.state === "closed") return;
    const last = first + offered.length - 1;
    if (stream.state === "opening") {
      stream.wanted = Math.max(stream.wanted, last);
      return;
    }
    if (first > stream.published + 1) {
      keepEarly(stream, first, offered, last);
      return;
    }
    const rows = first > stream.published ? offered : offered.slice(stream.published + 1 - first);
    if (!rows.length) return;
    stream.tail.push(rows);
    stream.published = last;
    metrics.count("khala_updates_published_total", { class: stream.rule.class }, rows.length);
    for (const channel of stream.channels.values()) if (channel.live.size) channels.publish(channel, rows);
    for (const listener of stream.listeners) listener.onRows(rows);
    const next = stream.early.get(last + 1);
    if (next) offerTo(stream, last + 1, next);
    for (const at of stream.early.keys()) if (at <= stream.published) stream.early.delete(at);
    for (const sub of stream.behind) pump.schedule(sub);
  }

  /** Two commits of one stream acknowledged in the wrong order meet here; shortly after, the log decides. */
  function keepEarly(stream: Stream, first: number, rows: readonly Row[], last: number): void {
    stream.early.set(first, rows);
    stream.wanted = Math.max(stream.wanted, last);
    if (stream.earlyTimer) return;
    stream.earlyTimer = true;
    clock.after(EARLY_MS, () => {
      stream.earlyTimer = false;
      void retry(stream);
    });
  }

  function fetch(stream: Stream): Promise<void> {
    stream.fetching ??= fetchRounds(stream).finally(() => {
      stream.fetching = null;
      // woken between the last look and here, or the log could not be read
      if (stream.wanted > stream.published) clock.after(EARLY_MS, () => void retry(stream));
    });
    return stream.fetching;
  }

  /** A read that fails is tried again by the next sweep. */
  async function retry(stream: Stream): Promise<void> {
    if (stream.state === "open" && stream.wanted > stream.published) await fetch(stream).catch(() => {});
  }

  async function fetchRounds(stream: Stream): Promise<void> {
    for (;;) {
      const { published, wanted } = stream;
      const found = await log.read(stream.id, published, FETCH_ROWS);
      if (stream.state !== "open") return;
      // `published`, not `stream.published`: a newer hand-over during the read is no lost tail
      if (found.floor > stream.published || found.head < published) return reset(stream, found);
      const [first] = found.rows;
      if (!first) {
        if (stream.wanted !== wanted) continue;
        stream.wanted = stream.published;
        return;
      }
      const news = found.rows.length - (stream.published + 1 - first.seq);
      offerTo(stream, first.seq, found.rows);
      if (news > 0) noteDelay(stream, found.rows[found.rows.length - 1]?.recordedAt);
      if (stream.published >= stream.wanted && found.rows.length < FETCH_ROWS) return;
    }
  }

  function noteDelay({ origin }: Stream, recordedAt: Date | undefined): void {
    if (!recordedAt) return;
    const delay = Math.max(clock.now() - recordedAt.getTime(), 0) / 1000;
    metrics.observe("khala_commit_to_publish_seconds", delay, { origin }, DELAYS);
  }

  function reset(stream: Stream, place: Place): void {
    if (stream.state === "closed") return;
    metrics.count("khala_resets_total");
    journal.warn("khala", "khala stream was reset", { stream: stream.name, head: place.head, floor: place.floor });
    const subs = [...stream.channels.values()].flatMap((channel) => [...channel.live]);
    subs.push(...stream.behind);
    close(stream);
    for (const sub of subs) expire(sub, place);
    for (const listener of stream.listeners) listener.onReset();
    void listenAgain();
  }

  /** Its cursor cannot be served any more: told first, then ended. */
  function expire(sub: Sub, place: Place): void {
    if (sub.mode === "live") sub.cursor = sub.channel.stream.published;
    sub.onStale(place);
    detach(sub);
  }

  async function reach(stream: Stream, at: number): Promise<boolean> {
    stream.wanted = Math.max(stream.wanted, at);
    // a round that found nothing takes `wanted` back
    while (stream.state === "open" && at > stream.published && stream.wanted >= at) await fetch(stream);
    return stream.state === "open" && at <= stream.published;
  }

  function attach(seat: Seat, stream: Stream, name: string, cursor: number, options: SubOptions): Sub {
    if (stream.state !== "open") throw new Error(`stream ${stream.name} was closed meanwhile`);
    const before = seat.subs.get(name);
    if (before) detach(before);
    const channel = channels.of(stream, name);
    const sub: Sub = {
      ...options,
      seat,
      channel,
      cursor,
      mode: "behind",
      paused: false,
      queued: false,
      reading: false,
      gone: false,
      acknowledged: null,
    };
    channel.subs++;
    stream.behind.add(sub);
    seat.subs.set(name, sub);
    pump.schedule(sub);
    return sub;
  }

  /** After it the socket gets nothing more of this subscription: the server layer delivers nothing published later. */
  function detach(sub: Sub): void {
    if (sub.gone) return;
    sub.gone = true;
    const { channel, seat } = sub;
    const { stream } = channel;
    if (sub.mode === "live") {
      sub.cursor = stream.published;
      channels.leave(sub);
    }
    channel.live.delete(sub);
    stream.behind.delete(sub);
    if (seat.subs.get(channel.name) === sub) seat.subs.delete(channel.name);
    if (--channel.subs === 0) stream.channels.delete(channel.name);
    stream.lastUsed = clock.now();
    const told = sub.onCaughtUp;
    sub.onCaughtUp = null;
    told?.();
  }

  function whenCaughtUp(sub: Sub, told: () => void) {
    if (sub.mode === "live" || sub.gone) return told();
    const others = sub.onCaughtUp;
    sub.onCaughtUp = () => {
      others?.();
      told();
    };
    pump.schedule(sub);
  }

  function drained(seat: Seat): void {
    if (seat.line.buffered() > LOW) return;
    for (const sub of seat.subs.values()) {
      if (!sub.paused) continue;
      sub.paused = false;
      pump.schedule(sub);
    }
  }

  async function listen(id: number, name: string, listener: Listener): Promise<void> {
    listening.add({ id, name, listener });
    const stream = await open(id, name);
    stream.listeners.add(listener);
  }

  /** After a reset; what cannot be opened now is tried again by the next sweep. */
  async function listenAgain(): Promise<void> {
    for (const { id, name, listener } of listening) {
      await open(id, name).then(
        ({ listeners }) => listeners.add(listener),
        () => {},
      );
    }
  }

  function wake(streamId: number, head: number, origin: Origin): void {
    const stream = streams.get(streamId);
    if (!stream || head <= stream.published) return;
    stream.wanted = Math.max(stream.wanted, head);
    if (stream.state !== "open") return;
    stream.origin = origin;
    if (origin === "sweep") metrics.count("khala_wake_repairs_total");
    void fetch(stream).catch(() => {});
  }

  async function sweep(): Promise<void> {
    await listenAgain();
    const asked = new Map<number, { stream: Stream; published: number }>();
    for (const stream of [...streams.values()]) {
      if (stream.state !== "open") continue;
      const unused = !stream.channels.size && !stream.listeners.size;
      if (unused && clock.now() - stream.lastUsed > IDLE_MS) close(stream);
      else asked.set(stream.id, { stream, published: stream.published });
    }
    if (!asked.size) return;
    const places = new Map((await log.heads([...asked.keys()])).map((place) => [place.id, place]));
    for (const { stream, published } of asked.values()) {
      if (stream.state !== "open") continue;
      const place: Place = places.get(stream.id) ?? { head: -1, floor: 0 };
      if (place.head < published) reset(stream, { head: Math.max(place.head, 0), floor: place.floor });
      else if (place.head > stream.published) clock.after(EARLY_MS, () => wake(stream.id, place.head, "sweep"));
    }
  }

  return {
    open,
    offer,
    wake,
    reach,
    attach,
    detach,
    whenCaughtUp,
    drained,
    listen,
    sweep,
    streams: () => streams.values(),
    tailBytes: tails.bytes,
    encoded: channels.encoded,
  };
}
