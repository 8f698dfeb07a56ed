import { batch, computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { api, path } from "../../api";
import { type Delivered, type Outgoing, onDelivered, releaseNext } from "../../composer/outbox";
import type { Failure } from "../../failure";
import type { Update } from "../../khala/frames";
import { EVENTS, khala, topic } from "../../khala/topics";
import { recoveries } from "../../status";
import { apply } from "../../transcript/apply";
import { accept, messageBy } from "../../transcript/control";
import { readEvent, subjectOf, type WorkerEvent } from "../../transcript/event";
import { keepOlder, prependSnapshot } from "../../transcript/older";
import { fromSnapshot } from "../../transcript/snapshot";
import {
  type Ask,
  type Before,
  type Changes,
  emptyTranscript,
  type Item,
  noChanges,
  pendingAsks,
  queuedTurn,
  runningTurn,
  type Transcript,
  type Turn,
} from "../../transcript/transcript";

import { readAgain, showChatError } from "./error-banner";

export type Phase =
  | { kind: "new" }
  | { kind: "loading" }
  | { kind: "failed"; failure: Failure }
  | { kind: "missing" }
  | { kind: "ready" };

/** What changes rarely: read by header, composer and meters. */
export interface Head {
  title: string | null;
  /** How it began, where it has no title. */
  preview: string | null;
  status: string;
  model: string | null;
  workerId: string | null;
  usage: Transcript["usage"];
  rateLimit: Transcript["rateLimit"];
  running: Turn | null;
  queued: Turn | null;
  pending: Ask[];
  before: Before | null;
}

/** Turns, and about how many items, in the first read and in each older page: small ones keep scrolling smooth. */
const NEWEST = { limit: 20, items: 400 };
const OLDER = { limit: 10, items: 200 };
const AGAIN_MS = 2000;
const FRAME_MS = 16;

/**
 * One conversation, live: the snapshot and the tail of events over it, as signals a view reads. It registers for events
 * first and loads the snapshot after, keeping what arrives meanwhile; the snapshot says up to which event it is told, so
 * nothing is lost between the two and nothing counts twice. There is one redraw a frame at most.
 */
export class Conversation {
  readonly phase: Signal<Phase>;
  readonly turnIds = signal<string[]>([]);
  readonly head: Signal<Head>;
  readonly loadingOlder = signal(false);
  /** Grows with every redraw that may have brought something new. */
  readonly revision = signal(0);
  /** False until the page has caught up after it came back or lost the link: nothing is called running before. */
  readonly current: ReadonlySignal<boolean>;

  #state: Transcript;
  readonly #turns = new Map<string, Signal<Turn | null>>();
  readonly #items = new Map<string, Signal<Item | null>>();
  readonly #asks = new Map<string, Signal<Ask | null>>();
  #changes: Changes = noChanges();
  #drawing = false;
  #drawnAt = 0;
  /** What came while nobody looked is not on screen yet. */
  readonly #undrawn = signal(false);
  /** Events since the running load began. */
  #kept: WorkerEvent[] | null = null;
  #load: AbortController | null = null;
  #reloadAt = 0;
  readonly #done = new Set<(item: Item) => void>();
  /** The last load did not come: it is owed when the network is back. */
  #owed = false;
  readonly #undo: (() => void)[];

  constructor(
    readonly threadId: string,
    fresh: boolean,
  ) {
    this.#state = emptyTranscript(threadId);
    this.phase = signal(fresh ? { kind: "new" } : { kind: "loading" });
    this.head = signal(this.#readHead());
    this.current = computed(() => khala.caughtUp.value && !this.#undrawn.value);
    this.#undo = [
      topic(EVENTS).on({
        update: (update) => this.#hear(update),
        resync: () => {
          if (this.phase.peek().kind !== "new") void this.load();
        },
      }),
      onDelivered((outgoing, delivered) => this.#delivered(outgoing, delivered)),
      recoveries.subscribe(() => {
        if (this.#owed && !this.#load) void this.load();
      }),
    ];
    if (!fresh) void this.load();
  }

  /** The parts of the conversation by id, each a signal of its own: a delta redraws one card. */
  turn = (id: string): Signal<Turn | null> => entry(this.#turns, id, () => this.#turnNow(id));
  item = (key: string): Signal<Item | null> => entry(this.#items, key, () => this.#state.items.get(key) ?? null);
  ask = (id: string): Signal<Ask | null> => entry(this.#asks, id, () => this.#state.asks.get(id) ?? null);
  /** The whole of it, to read from and never to change: search, export, summaries. */
  get transcript(): Transcript {
    return this.#state;
  }

  /** Whether the message of this request is in the conversation already: the log may be faster than the answer. */
  knows(requestId: string): boolean {
    return this.revision.value >= 0 && messageBy(this.#state, { requestId }) !== null;
  }

  /** Runs when an item is completed while this is watched. Returns its undo. */
  onItemDone(run: (item: Item) => void): () => void {
    this.#done.add(run);
    return () => this.#done.delete(run);
  }

  close(): void {
    for (const undo of this.#undo) undo();
    this.#load?.abort();
  }

  /** Reads the snapshot anew; what is on screen stays until it is there. */
  async load(): Promise<void> {
    this.#load?.abort();
    const own = new AbortController();
    this.#load = own;
    this.#kept = [];
    const { data, failure } = await api.get<{ data: unknown }>(path`/api/runtime/threads/${this.threadId}`, {
      query: NEWEST,
      signal: own.signal,
    });
    if (own.signal.aborted || this.#load !== own) return;
    const kept = this.#kept ?? [];
    this.#kept = null;
    this.#load = null;
    if (failure) {
      const known = this.phase.peek().kind === "ready";
      this.#owed = failure.kind !== "missing" && failure.kind !== "forbidden";
      if (failure.kind === "missing" || failure.kind === "forbidden") this.phase.value = { kind: "missing" };
      else if (!known) this.phase.value = { kind: "failed", failure };
      else if (failure.kind !== "network") showChatError(this.threadId, failure);
      return;
    }
    this.#owed = false;
    readAgain(this.threadId);
    this.#replace(fromSnapshot(this.threadId, data.data), kept);
  }

  /** Reads one older page. False when there is none or it did not come. */
  async older(): Promise<boolean> {
    const { before } = this.#state;
    if (!before || this.loadingOlder.peek()) return false;
    this.loadingOlder.value = true;
    const { data, failure } = await api.get<{ data: unknown }>(path`/api/runtime/threads/${this.threadId}`, {
      query: { ...OLDER, before: before.turn, ...(before.item === null ? {} : { before_item: before.item }) },
    });
    if (failure) showChatError(this.threadId, failure);
    if (data && this.#state.before === before) {
      prependSnapshot(this.#state, data.data, this.#changes);
      this.#changes.order = true;
      this.#changes.head = true;
      // What came before is no news; what waits to be drawn may be.
      this.draw(this.#drawing);
    }
    this.loadingOlder.value = false;
    return data !== undefined;
  }

  /** Reads every older page: search and export cover the whole thread. */
  async everything(): Promise<void> {
    while (this.#state.before) if (!(await this.older())) return;
  }

  /** Puts changes on screen now instead of with the next frame. */
  draw(isNews = true): void {
    this.#drawing = false;
    this.#undrawn.value = false;
    const changes = this.#changes;
    this.#changes = noChanges();
    batch(() => {
      for (const id of changes.turns) {
        const known = this.#turns.get(id);
        if (known) known.value = this.#turnNow(id);
      }
      for (const key of changes.items) {
        const known = this.#items.get(key);
        if (known) known.value = this.#state.items.get(key) ?? null;
      }
      for (const id of changes.asks) {
        const known = this.#asks.get(id);
        if (known) known.value = this.#state.asks.get(id) ?? null;
      }
      if (changes.order) this.turnIds.value = this.#state.turns.map(({ id }) => id);
      if (changes.order || changes.head || changes.turns.size > 0 || changes.asks.size > 0) {
        this.head.value = this.#readHead();
      }
      if (isNews) this.revision.value += 1;
    });
    this.#drawnAt = performance.now();
  }

  #turnNow(id: string): Turn | null {
    return this.#state.turns.findLast((turn) => turn.id === id) ?? null;
  }

  #hear(update: Update): void {
    const event = readEvent(update.payload);
    if (!event) {
      if (update.hydrationRequired) void this.load(); // too large to carry: the snapshot has it
      return;
    }
    this.#kept?.push(event);
    const running = this.#running();
    apply(this.#state, event, this.#changes);
    this.#tellDone(event);
    if (running && !this.#running()) releaseNext(this.threadId);
    if (this.#state.gap && !this.#load && Date.now() > this.#reloadAt) {
      this.#reloadAt = Date.now() + AGAIN_MS;
      if (this.phase.peek().kind !== "new") void this.load();
    }
    this.#soon();
  }

  #running = (): boolean => this.#state.turns.some(({ status }) => status === "in_progress" || status === "queued");

  #tellDone(event: WorkerEvent): void {
    if (event.payload.method !== "item/completed") return;
    const { item: id } = subjectOf(event.payload);
    for (const key of this.#changes.items) {
      const item = this.#state.items.get(key);
      if (item && item.id === id && item.status !== "inProgress") for (const run of this.#done) run(item);
    }
  }

  #soon(): void {
    if (this.#drawing) return;
    const { items, turns, asks, order, head } = this.#changes;
    if (!order && !head && items.size + turns.size + asks.size === 0) return;
    this.#drawing = true;
    // A hidden page gets no frames; its title and sounds still want to be right.
    if (document.hidden) {
      this.#undrawn.value = true;
      setTimeout(() => this.draw(), 200);
    } else if (performance.now() - this.#drawnAt < FRAME_MS) requestAnimationFrame(() => this.draw());
    // The first of a while is drawn with all that came with it, so that its frame has only to paint.
    else queueMicrotask(() => this.draw());
  }

  #replace(next: Transcript, kept: WorkerEvent[]): void {
    const old = this.#state;
    for (const event of kept) apply(next, event);
    next.gap = false;
    keepOlder(next, old);
    next.rateLimit ??= old.rateLimit;
    if (next.usage.window === null) next.usage = { ...next.usage, window: old.usage.window };
    this.#state = next;
    const all = this.#changes;
    all.order = true;
    all.head = true;
    for (const id of this.#turns.keys()) all.turns.add(id);
    for (const key of this.#items.keys()) all.items.add(key);
    for (const id of this.#asks.keys()) all.asks.add(id);
    this.draw();
    this.phase.value = { kind: "ready" };
    if (!this.#running()) releaseNext(this.threadId);
  }

  #delivered(outgoing: Outgoing, delivered: Delivered): void {
    if (outgoing.threadId !== this.threadId) return;
    accept(
      this.#state,
      {
        requestId: outgoing.requestId,
        messageId: delivered.message.id,
        turnId: delivered.turn.id,
        text: delivered.message.text,
        workerId: delivered.control.worker_id,
        at: Date.parse(delivered.message.accepted_at),
      },
      this.#changes,
    );
    this.#state.workerId ??= delivered.control.worker_id;
    this.#state.preview ??= delivered.message.text;
    this.#changes.head = true;
    this.draw();
    // The thread exists from here on, and its counters start with what the snapshot says.
    const { kind } = this.phase.peek();
    if (kind === "new" || kind === "missing") void this.load();
  }

  #readHead(): Head {
    const state = this.#state;
    return {
      title: state.title,
      preview: state.preview,
      status: state.status,
      model: state.model,
      workerId: state.workerId,
      usage: state.usage,
      rateLimit: state.rateLimit,
      running: runningTurn(state),
      queued: queuedTurn(state),
      pending: pendingAsks(state),
      before: state.before,
    };
  }
}

function entry<T>(map: Map<string, Signal<T>>, id: string, read: () => T): Signal<T> {
  const known = map.get(id);
  if (known) return known;
  const made = signal(read());
  map.set(id, made);
  return made;
}
