import { HIGH } from "./channel";
import { batchEnd, batchText, frameText, push } from "./frames";
import type { HubDeps } from "./hub";
import type { Row } from "./khala";
import type { Tier } from "./streams";
import { handed, type Place, type Seat, type Stream, type Sub } from "./sub";

/** Sent between two looks at the event loop. */
const SLICE_BYTES = 64 * 1024;
/** What a step without a send counts, so that a slice ends some time. */
const STEP_BYTES = 512;
const READS = 64;

/** Busy tiers share the node 4 : 2 : 1 (khala 3.3). */
const TURNS: readonly Tier[] = ["hot", "warm", "hot", "cold", "hot", "warm", "hot"];

interface HubParts {
  offer(stream: Stream, first: number, rows: readonly Row[]): void;
  reset(stream: Stream, place: Place): void;
  expire(sub: Sub, place: Place): void;
  goLive(sub: Sub): void;
}

export interface Pump {
  /** Gives a subscription that is behind its turn. Nothing happens when it has one, is paused, live or gone. */
  schedule(sub: Sub): void;
}

/**
 * Brings subscriptions that are behind up to what is published, batch by batch: those of one socket take turns, sockets go
 * round by tier. Replay never reads ahead, so at most one batch per subscription is in memory.
 */
export function createPump({ log, clock, metrics }: HubDeps, hub: HubParts): Pump {
  const queues: Record<Tier, Seat[]> = { hot: [], warm: [], cold: [] };
  let turn = 0;
  let scheduled = false;
  let reading = 0;
  const waiting: Sub[] = [];

  function schedule(sub: Sub): void {
    if (sub.gone || sub.paused || sub.mode === "live" || sub.queued || sub.reading) return;
    if (sub.filter && sub.cursor === sub.channel.stream.published && !sub.onCaughtUp) return;
    sub.queued = true;
    sub.seat.ready.push(sub);
    enqueue(sub.seat);
    start();
  }

  function enqueue(seat: Seat): void {
    const [next] = seat.ready;
    if (seat.queued || !next) return;
    seat.queued = true;
    queues[next.channel.stream.rule.tier].push(seat);
  }

  function start(): void {
    if (scheduled) return;
    scheduled = true;
    clock.soon(slice);
  }

  function nextSeat(): Seat | undefined {
    for (let i = 0; i < TURNS.length; i++) {
      const seat = queues[TURNS[turn++ % TURNS.length] as Tier].shift();
      if (seat) return seat;
    }
  }

  function slice(): void {
    scheduled = false;
    for (let sent = 0; sent < SLICE_BYTES; ) {
      const seat = nextSeat();
      if (!seat) return;
      seat.queued = false;
      const sub = seat.ready.shift() as Sub;
      sub.queued = false;
      sent += STEP_BYTES + step(sub);
      schedule(sub);
      enqueue(seat);
    }
    start();
  }

  /** One batch of what the tail holds, or the beginning of a read. Gives the bytes sent. */
  function step(sub: Sub): number {
    if (sub.gone || sub.paused || sub.mode === "live" || sub.reading || !sub.seat.line.open()) return 0;
    const { stream } = sub.channel;
    if (sub.cursor === stream.published) {
      arrive(sub);
      return 0;
    }
    const rows = stream.tail.after(sub.cursor, sub.batch);
    if (rows) return send(sub, rows, stream.published, "tail");
    sub.reading = true;
    if (reading < READS) void read(sub);
    else waiting.push(sub);
    return 0;
  }

  /** Atomic with the test that called it: nothing can be published between the two. */
  function arrive(sub: Sub): void {
    const told = sub.onCaughtUp;
    sub.onCaughtUp = null;
    if (!sub.filter) hub.goLive(sub);
    told?.();
  }

  async function read(sub: Sub): Promise<void> {
    reading++;
    const { stream } = sub.channel;
    const { cursor } = sub;
    try {
      const found = await log.read(stream.id, cursor, sub.batch);
      sub.reading = false;
      if (sub.gone || stream.state !== "open") return;
      const [first] = found.rows;
      if (found.floor > cursor) {
        hub.expire(sub, found);
      } else if (!first) {
        // behind, yet nothing there: the tail of the log was lost
        hub.reset(stream, found);
      } else {
        // news found by a reader is published first, so that nobody is ever ahead of what is published
        hub.offer(stream, first.seq, found.rows);
        if (!sub.gone && sub.seat.line.open()) send(sub, found.rows, Math.max(stream.published, found.head), "log");
      }
    } catch {
      // the log cannot be read now: tried again until the socket or the subscription ends
      clock.after(250, () => {
        sub.reading = false;
        schedule(sub);
      });
    } finally {
      reading--;
      let next = waiting.shift();
      while (next?.gone) next = waiting.shift();
      if (next) void read(next);
      schedule(sub);
    }
  }

  function send(sub: Sub, rows: readonly Row[], head: number, path: "tail" | "log"): number {
    const { channel, seat, filter } = sub;
    const end = batchEnd(rows, 0, sub.batch);
    const batch = end === rows.length ? rows : rows.slice(0, end);
    const last = batch[batch.length - 1]?.seq as number;
    const seen = filter ? batch.filter(filter) : batch;
    sub.cursor = last;
    if (!seen.length) return 0;
    const watermark = seen[seen.length - 1]?.seq as number;
    const text = batchText(channel.name, seen, last >= head, head);
    const { frames } = seat.line;
    let bytes = 0;
    if (frames !== "frame") {
      const message = push("sync:update_batch", text);
      bytes += message.length;
      seat.line.send(message);
    }
    if (frames !== "batch") {
      const message = push("sync:frame", frameText(channel.name, watermark, "KHALA_FRAME_KIND_UPDATE_BATCH", text));
      bytes += message.length;
      seat.line.send(message);
    }
    metrics.count("khala_updates_sent_total", { path }, seen.length);
    metrics.count("khala_bytes_sent_total", {}, bytes);
    if (seat.line.buffered() > HIGH) sub.paused = true;
    return bytes;
  }

  return { schedule };
}

/** How many events a subscription has still to be handed. */
export const lagOf = (sub: Sub): number => sub.channel.stream.published - handed(sub);
