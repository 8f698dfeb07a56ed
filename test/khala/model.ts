import { readConfig } from "../../src/config";
import { createHub, type Hub } from "../../src/khala/hub";
import type { Row } from "../../src/khala/khala";
import type { LogReader, Snapshot } from "../../src/khala/log";
import { startOf } from "../../src/khala/start";
import { readRules } from "../../src/khala/streams";
import type { FramesMode, Line, Seat, Stream, Sub } from "../../src/khala/sub";
import { createLog } from "../../src/telemetry/log";
import { createMetrics } from "../../src/telemetry/metrics";

interface LogStream {
  head: number;
  floor: number;
  rows: Row[];
}

/** What a subscription was given, and what it was told. */
export interface Witness {
  node: number;
  stream: number;
  start: number;
  got: number[];
  frames: number[];
  mode: FramesMode;
  stale: boolean;
  ended: boolean;
  caughtUpAt: number | null;
}

const BUDGET = 30;
const rules = readRules(readConfig({ RUNTIME_KHALA_FALLBACK_REPLAY_BUDGET_EVENTS: String(BUDGET) }));
const quiet = createLog({ level: "error", format: "json", write: () => {} });

/** Small seeded generator: every choice of a run follows from its seed. */
export function random(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Several nodes over one log, with every delay, loss and order chosen by the seed (khala 7.2.1). */
export class World {
  readonly pick: (below: number) => number;
  readonly log = new Map<number, LogStream>();
  readonly witnesses: Witness[] = [];
  readonly seats: { seat: Seat; node: number; full: boolean; witness: Map<string, Witness> }[] = [];
  private tasks: (() => void)[] = [];
  private readonly hubs: Hub[] = [];
  readonly metrics = createMetrics();
  private readonly payload: string;
  private time = 0;

  constructor(seed: number, nodes: number, streams: number) {
    this.pick = random(seed);
    // large ones fill buffers, so that live sockets are demoted
    this.payload = this.pick(3) ? "{}" : JSON.stringify("x".repeat(30_000));
    for (let id = 1; id <= streams; id++) this.log.set(id, { head: 0, floor: 0, rows: [] });
    for (let node = 0; node < nodes; node++) this.hubs.push(this.node());
  }

  private later(run: () => void) {
    this.tasks.push(run);
  }

  /** A read sees any committed prefix between its call and its answer. */
  private reader(): LogReader {
    const look = (id: number, after: number, limit: number): Snapshot => {
      const { head, floor, rows } = this.log.get(id) as LogStream;
      const found = rows.filter(({ seq }) => seq > after && seq > floor).slice(0, limit);
      return { head, floor, rows: found.map((row) => ({ ...row, recordedAt: new Date(0) })) };
    };
    const answer = <T>(make: () => T): Promise<T> => {
      const now = this.pick(2) ? make() : null;
      return new Promise((resolve, reject) => {
        const fails = this.failing && this.pick(4) === 0;
        this.later(() => (fails ? reject(new Error("down")) : resolve(now ?? make())));
      });
    };
    return {
      read: (id, after, limit) => answer(() => look(id, after, limit)),
      heads: (ids) =>
        answer(() =>
          ids.map((id) => {
            const { head, floor } = this.log.get(id) as LogStream;
            return { id, head, floor };
          }),
        ),
    };
  }

  private failing = true;

  private node(): Hub {
    const members = new Map<string, Set<Line & { take(text: string): void }>>();
    this.topics.push(members);
    return createHub({
      log: this.reader(),
      wire: {
        publish: (topic, text) => {
          for (const line of members.get(topic) ?? []) line.take(text);
        },
        subscriberCount: (topic) => members.get(topic)?.size ?? 0,
      },
      clock: { now: () => this.time, soon: (run) => this.later(run), after: (_ms, run) => this.later(run) },
      rules,
      metrics: this.metrics,
      journal: quiet,
    });
  }

  private readonly topics: Map<string, Set<Line & { take(text: string): void }>>[] = [];

  addSocket() {
    const node = this.pick(this.hubs.length);
    const mode = (["batch", "both", "frame"] as const)[this.pick(3)] as FramesMode;
    const members = this.topics[node] as Map<string, Set<Line & { take(text: string): void }>>;
    const witness = new Map<string, Witness>();
    const entry = { seat: null as unknown as Seat, node, full: false, witness };
    const take = (text: string) => {
      const [, , , event, payload] = JSON.parse(text);
      const framed = event === "sync:frame";
      const batch = framed ? JSON.parse(Buffer.from(payload.payload_bytes, "base64").toString()) : payload;
      const seen = witness.get(batch.updates[0].topic);
      if (!seen) throw new Error("an update of no subscription");
      for (const { watermark } of batch.updates) (framed ? seen.frames : seen.got).push(watermark);
    };
    const line = {
      frames: mode,
      take,
      open: () => true,
      send: take,
      buffered: () => (entry.full ? 1 << 20 : 0),
      join: (topic: string) => void members.set(topic, (members.get(topic) ?? new Set()).add(line)),
      leave: (topic: string) => void members.get(topic)?.delete(line),
    };
    entry.seat = { line, subs: new Map(), ready: [], queued: false };
    this.seats.push(entry);
  }

  commit(sizes: [stream: number, count: number][], writer: number) {
    if (this.pick(5) === 0) return; // rolled back: no number was ever seen
    for (const [id, count] of sizes) {
      const stream = this.log.get(id) as LogStream;
      const first = stream.head + 1;
      const rows: Row[] = Array.from({ length: count }, (_, i) => ({
        seq: first + i,
        kind: "k",
        docKey: `d:${(first + i) % 2}`,
        docVersion: 1,
        payload: this.payload,
        payloadHash: null,
      }));
      stream.rows.push(...rows);
      stream.head += count;
      if (this.pick(5)) this.later(() => this.hubs[writer % this.hubs.length]?.offer(id, first, rows));
      for (const hub of this.hubs) {
        for (let copies = this.pick(3); copies > 0; copies--) this.later(() => hub.wake(id, first + count - 1, "wake"));
      }
    }
  }

  retain(id: number, keep: number) {
    const stream = this.log.get(id) as LogStream;
    stream.floor = Math.max(stream.floor, stream.head - keep);
    stream.rows = stream.rows.filter(({ seq }) => seq > stream.floor);
  }

  /** The first append after a fail-over that lost the last commits. */
  jump(id: number) {
    const stream = this.log.get(id) as LogStream;
    stream.head += 1_000_000;
    stream.floor = stream.head;
    stream.rows = [];
  }

  sweep(node: number) {
    void this.hubs[node % this.hubs.length]?.sweep().catch(() => {});
  }

  async subscribe(index: number, id: number, alias: number, resume: number | "head" | undefined, batch: number) {
    const entry = this.seats[index % this.seats.length];
    if (!entry) return;
    const hub = this.hubs[entry.node] as Hub;
    const name = `t${id}.${alias}`;
    let stream: Stream;
    try {
      stream = await hub.open(id, "social.shouts");
      const place = await this.reader().heads([id]);
      const { floor, head } = place[0] as { floor: number; head: number };
      const from = typeof resume === "number" ? Math.max(head - resume, 0) : resume;
      const start = startOf(from, floor, head, BUDGET);
      if ("stale" in start) return;
      if (!(await hub.reach(stream, start.at)) || stream.state !== "open") return;
      const before = entry.witness.get(name);
      const witness: Witness = {
        node: entry.node,
        stream: id,
        start: start.at,
        got: [],
        frames: [],
        mode: entry.seat.line.frames,
        stale: false,
        ended: false,
        caughtUpAt: null,
      };
      const old = entry.seat.subs.get(name);
      if (old) hub.detach(old);
      if (before) before.ended = true;
      entry.witness.set(name, witness);
      this.witnesses.push(witness);
      const sub: Sub = hub.attach(entry.seat, stream, name, start.at, {
        batch,
        filter: null,
        onCaughtUp: () => {
          witness.caughtUpAt = sub.cursor;
        },
        onStale: () => {
          witness.stale = true;
          if (entry.witness.get(name) === witness) entry.witness.delete(name);
        },
      });
    } catch {
      // the log could not be read
    }
  }

  unsubscribe(index: number) {
    const entry = this.seats[index % Math.max(this.seats.length, 1)];
    const [name, sub] = entry?.seat.subs.entries().next().value ?? [];
    if (!entry || !name || !sub) return;
    this.hubs[entry.node]?.detach(sub);
    const witness = entry.witness.get(name);
    if (witness) witness.ended = true;
    entry.witness.delete(name);
  }

  fill(index: number) {
    const entry = this.seats[index % Math.max(this.seats.length, 1)];
    if (entry) entry.full = true;
  }

  drain(index: number) {
    const entry = this.seats[index % Math.max(this.seats.length, 1)];
    if (!entry) return;
    entry.full = false;
    this.hubs[entry.node]?.drained(entry.seat);
  }

  private async settle() {
    for (let i = 0; i < 6; i++) await Promise.resolve();
  }

  /** Runs `steps` of what waits, in an order that the seed chooses. */
  async run(steps: number) {
    for (let i = 0; i < steps && this.tasks.length; i++) {
      const [task] = this.tasks.splice(this.pick(this.tasks.length), 1);
      task?.();
      await this.settle();
    }
  }

  /** Lets everything happen that still can: buffers empty, no more failures, sweeps. */
  async rest() {
    this.failing = false;
    for (let round = 0; round < 6; round++) {
      this.seats.forEach((_, i) => {
        this.drain(i);
      });
      for (let node = 0; node < this.hubs.length; node++) this.sweep(node);
      await this.settle();
      for (let guard = 0; this.tasks.length; guard++) {
        if (guard > 50_000) throw new Error("never comes to rest");
        await this.run(1);
      }
    }
  }

  heads = () => new Map([...this.log].map(([id, { head }]) => [id, head]));
}
