import { batch, computed, type ReadonlySignal, signal } from "@preact/signals";
import { batchOf, decode, encode, namesOf, staleTopicsOf, type Update, watermarksOf } from "./frames";
import { afterClose, delay } from "./reconnect";
import { Watermarks } from "./watermarks";

/** What the connection pill shows (web-ui 6). `live` only after the subscribe reply, when every replay is done. */
export type Link =
  | { kind: "idle" }
  | { kind: "connecting" }
  | { kind: "replaying"; done: number; total: number }
  | { kind: "live" }
  | { kind: "backoff"; until: number; attempt: number }
  | { kind: "stopped"; why: "signed_out" | "operator" | "upgrade" | "broken" };

export type Token =
  | { ok: true; token: string }
  | { ok: false; why: "signed_out" | "upgrade" | "retry"; after?: number };

export interface KhalaOptions {
  /** Socket address; asked again for each attempt. */
  url(): string;
  /** A new token for every attempt. Must not throw. */
  token(): Promise<Token>;
  /** Sent with the join. */
  client?: { client: string; client_build_id?: string };
  now?: () => number;
  random?: () => number;
  connect?: (url: string, protocols: string[]) => WebSocket;
  /** Told when the server ended the connection for good. */
  stopped?: (why: "signed_out" | "operator" | "upgrade" | "broken") => void;
  /** A lost or refused connection, so that the page may look whether the server answers at all. */
  lost?: () => void;
  /** What was missed is not kept any more: the last applied watermark, and the head to go on from. */
  stale?: (topic: string, after: number, head: number) => void;
  /** An update did not follow the one before it. */
  gap?: (topic: string) => void;
  /** A watermark moved, after the handlers ran. */
  moved?: (topic: string, watermark: number) => void;
}

export interface Listener {
  update(update: Update): void;
  /**
   * What was missed cannot be replayed, or nothing was followed before: load the snapshot again now; updates after this
   * call are newer than a snapshot requested in it, or contained in it.
   */
  resync?(): void;
}

const HEARTBEAT_MS = 20_000;
const SILENCE_MS = 40_000;
const PROBE_MS = 4_000;
const ASLEEP_MS = 5 * 60_000;

/**
 * One socket for the tab (khala 3.12): every attempt has its own token, the known watermarks are resumed, updates are
 * applied once and in order, a stale cursor asks the listeners for a snapshot and goes on from there.
 *
 *     const khala = new Khala({ url, token });
 *     const undo = khala.topic("runtime.codex_worker_events").on({ update: apply, resync: load });
 *     khala.start();                       // khala.link.value tells the state
 *
 * Registering first and then loading the snapshot leaves no gap: what happens in between arrives twice at worst.
 */
export class Khala {
  readonly #link = signal<Link>({ kind: "idle" });
  readonly link: ReadonlySignal<Link> = computed(() => this.#link.value);
  /** False from the moment the page returns from the background (or the link is lost) until it has caught up. */
  readonly caughtUp = signal(false);
  readonly lastError = signal<string | null>(null);
  /** Changes of it can be watched; the values are those handed to listeners. */
  readonly positions = signal<{ topic: string; watermark: number }[]>([]);
  /** Changes with every socket: shows that navigation keeps the connection. */
  connectionId = 0;

  readonly watermarks = new Watermarks();
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #fresh = new Set<string>();
  readonly #forbidden = new Set<string>();
  readonly #subscribed = new Set<string>();
  readonly #heads = new Map<string, number>();
  readonly #starts = new Map<string, number>();
  readonly #replies = new Map<string, (status: string, response: Record<string, unknown>) => void>();

  #socket: WebSocket | null = null;
  #joined = false;
  /** Subscribe requests without reply. */
  #pending = 0;
  #wanted = false;
  #asleep = false;
  #attempt = 0;
  #era = 0;
  #ref = 0;
  #heardAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #beat: ReturnType<typeof setInterval> | undefined;
  #hidden: ReturnType<typeof setTimeout> | undefined;
  #probe: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly options: KhalaOptions) {}

  /** Follows a topic. The handler runs once per update, in order; throwing in it is logged and harms nobody else. */
  topic(name: string) {
    return {
      on: (listener: Listener | ((update: Update) => void)): (() => void) => {
        const one: Listener = typeof listener === "function" ? { update: listener } : listener;
        const all = this.#listeners.get(name) ?? new Set();
        this.#listeners.set(name, all.add(one));
        if (all.size === 1) this.#subscribe([name]);
        return () => {
          if (!all.delete(one) || all.size > 0) return;
          this.#listeners.delete(name);
          this.#unsubscribe(name);
        };
      },
    };
  }

  /** Opens the connection and keeps it. Calling it again while it runs does nothing. */
  start() {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#attempt = 0;
    this.#forbidden.clear();
    void this.#open();
  }

  /** Closes it and forgets every watermark: the next one may be somebody else's. */
  stop(why?: "signed_out" | "operator" | "upgrade" | "broken") {
    this.#wanted = false;
    this.#drop(1000);
    clearTimeout(this.#timer);
    this.watermarks.clear();
    this.#heads.clear();
    this.#publish();
    this.#link.value = why ? { kind: "stopped", why } : { kind: "idle" };
  }

  /** Tries at once instead of waiting for the backoff (back online, page visible again, a click). */
  wake() {
    if (!this.#wanted || this.#socket || this.#link.value.kind === "connecting") return;
    clearTimeout(this.#timer);
    void this.#open();
  }

  /** The page went to the background: after five minutes the socket is given up. */
  hide() {
    clearTimeout(this.#hidden);
    this.#hidden = setTimeout(() => this.#sleep(), ASLEEP_MS);
  }

  /** The page is visible again: asks the server what it has before anything on screen is called current. */
  show() {
    clearTimeout(this.#hidden);
    if (!this.#wanted) return;
    this.caughtUp.value = false;
    if (this.#asleep || !this.#socket) {
      this.#asleep = false;
      return this.wake();
    }
    if (this.#link.value.kind !== "live") return;
    clearTimeout(this.#probe);
    this.#probe = setTimeout(() => this.#lose("no answer after returning"), PROBE_MS);
    this.#send("sync:heartbeat", { watermarks: this.watermarks.list() }, () => {
      clearTimeout(this.#probe);
      this.caughtUp.value = true;
    });
  }

  #sleep() {
    if (!this.#socket) return;
    this.#asleep = true;
    this.#drop(1000);
    this.#link.value = { kind: "idle" };
  }

  async #open() {
    const era = ++this.#era;
    this.#link.value = { kind: "connecting" };
    this.caughtUp.value = false;
    const answer = await this.options.token();
    if (era !== this.#era || !this.#wanted) return;
    if (!answer.ok) {
      if (answer.why === "retry") return this.#later(answer.after ?? -1, true);
      this.#end(answer.why);
      return;
    }
    const make = this.options.connect ?? ((url, protocols) => new WebSocket(url, protocols));
    const socket = make(this.options.url(), ["khala.ws.v1", `bearer.${answer.token}`]);
    this.#socket = socket;
    this.connectionId++;
    socket.onopen = () => this.#join(era);
    socket.onmessage = ({ data }) => {
      if (era === this.#era) this.#hear(data);
    };
    socket.onclose = ({ code, reason }) => {
      if (era === this.#era) this.#closed(code, reason);
    };
  }

  #join(era: number) {
    this.#heardAt = this.#now();
    this.#beat = setInterval(() => this.#pulse(), HEARTBEAT_MS / 2);
    const hello = { frames: "batch", protocol_version: "khala.ws.v1", schema_version: 1, ...this.options.client };
    this.#send("phx_join", hello, (status, response) => {
      if (era !== this.#era) return;
      if (status !== "ok") return this.#refused(response); // the close code that follows decides
      this.#joined = true;
      this.#subscribe([...this.#listeners.keys()]);
    });
  }

  #subscribe(names: string[]) {
    const topics = names.filter((name) => !this.#forbidden.has(name) && !this.#subscribed.has(name));
    if (!this.#joined) return;
    if (topics.length === 0) return this.#pending === 0 ? this.#settle() : undefined;
    for (const topic of topics) {
      this.#subscribed.add(topic);
      const last = this.watermarks.get(topic);
      if (last === undefined) this.#fresh.add(topic);
      else this.#starts.set(topic, last);
    }
    if (this.#link.value.kind !== "live") this.#progress();
    const wanted = { topics, resume_after: this.watermarks.resume(topics), replay_batch_size: 200 };
    this.#pending++;
    this.#send("sync:subscribe", wanted, (status, response) => {
      this.#pending--;
      if (status === "ok") {
        for (const { topic, watermark } of watermarksOf(response.current_watermarks)) {
          if (topics.includes(topic) && this.watermarks.get(topic) === undefined) this.watermarks.set(topic, watermark);
        }
        return this.#pending === 0 ? this.#settle() : undefined;
      }
      for (const topic of topics) this.#subscribed.delete(topic);
      if (response.code === "forbidden_topic") {
        for (const topic of namesOf(response.forbidden_topics)) this.#forbidden.add(topic);
        return this.#subscribe(topics);
      }
      if (response.code === "stale_cursor") {
        this.#stale(response);
        return this.#subscribe(topics);
      }
      this.#refused(response);
      this.#lose("subscribe failed");
    });
  }

  #unsubscribe(topic: string) {
    this.watermarks.forget(topic);
    this.#fresh.delete(topic);
    this.#heads.delete(topic);
    if (!this.#subscribed.delete(topic) || !this.#joined) return;
    this.#send("sync:unsubscribe", { topics: [topic] });
    this.#publish();
  }

  /** Everything asked for is there: the link is live, and those who start anew load their snapshot. */
  #settle() {
    this.#attempt = 0;
    this.lastError.value = null;
    this.#publish();
    const anew = [...this.#fresh];
    this.#fresh.clear();
    this.#starts.clear();
    batch(() => {
      this.#link.value = { kind: "live" };
      this.caughtUp.value = true;
    });
    for (const topic of anew) {
      for (const listener of this.#listeners.get(topic) ?? []) this.#guard(() => listener.resync?.());
    }
  }

  #stale(error: Record<string, unknown>) {
    this.lastError.value = String(error.message ?? "cursor is stale");
    for (const { topic, watermark } of staleTopicsOf(error)) {
      this.options.stale?.(topic, this.watermarks.get(topic) ?? 0, watermark);
      this.watermarks.set(topic, watermark);
      this.#fresh.add(topic);
    }
  }

  #hear(data: unknown) {
    const frame = decode(data);
    this.#heardAt = this.#now();
    if (!frame) return;
    switch (frame.event) {
      case "phx_reply": {
        const reply = this.#replies.get(frame.ref ?? "");
        this.#replies.delete(frame.ref ?? "");
        const response = frame.payload.response;
        reply?.(String(frame.payload.status), (response ?? {}) as Record<string, unknown>);
        return;
      }
      case "sync:update_batch":
        return this.#apply(frame.payload);
      case "sync:error":
        return this.#complain(frame.payload);
    }
  }

  #apply(payload: Record<string, unknown>) {
    const { updates, heads } = batchOf(payload);
    for (const { topic, watermark } of heads) this.#heads.set(topic, watermark);
    const gaps = new Set<string>();
    batch(() => {
      for (const update of updates) {
        if (!this.#subscribed.has(update.topic) || gaps.has(update.topic)) continue;
        const verdict = this.watermarks.judge(update.topic, update.watermark);
        if (verdict === "duplicate") continue;
        if (verdict === "gap") {
          gaps.add(update.topic);
          continue;
        }
        for (const listener of this.#listeners.get(update.topic) ?? []) this.#guard(() => listener.update(update));
        this.watermarks.set(update.topic, update.watermark);
        this.options.moved?.(update.topic, update.watermark);
      }
      this.#publish();
      if (this.#link.value.kind === "replaying") this.#progress();
    });
    for (const topic of gaps) {
      this.options.gap?.(topic);
      console.error(`khala: gap in ${topic} after ${this.watermarks.get(topic)}`);
      this.#subscribed.delete(topic);
      this.#subscribe([topic]);
    }
  }

  #complain(error: Record<string, unknown>) {
    this.#refused(error);
    const code = String(error.code);
    if (code === "stale_cursor") {
      // Unasked: the topic is already unsubscribed. As part of a subscribe, its error reply follows and does the rest.
      const running = staleTopicsOf(error).filter(
        ({ topic }) => this.#subscribed.has(topic) && !this.#starts.has(topic),
      );
      if (running.length === 0 || this.#link.value.kind !== "live") return;
      this.#stale(error);
      for (const { topic } of running) this.#subscribed.delete(topic);
      this.#subscribe(running.map(({ topic }) => topic));
    }
    if (code === "forbidden_topic") {
      for (const topic of namesOf(error.forbidden_topics)) {
        this.#forbidden.add(topic);
        this.#subscribed.delete(topic);
        this.watermarks.forget(topic);
      }
      this.#publish();
    }
  }

  #pulse() {
    const silence = this.#now() - this.#heardAt;
    if (silence > SILENCE_MS) return this.#lose("nothing heard for 40 s");
    this.#send("sync:heartbeat", { watermarks: this.watermarks.list() });
  }

  #closed(code: number, reason: string) {
    this.#drop();
    if (!this.#wanted) return;
    if (code !== 1000) this.lastError.value = reason ? `${code} ${reason}` : `connection closed (${code})`;
    const next = afterClose(code, reason);
    if (next.kind === "stop") return this.#end(next.why);
    this.options.lost?.();
    this.#later(next.after, next.counts);
  }

  #lose(why: string) {
    this.lastError.value = why;
    this.#drop(4000);
    if (this.#wanted) this.#later(0, true);
  }

  #later(after: number, counts: boolean) {
    if (counts) this.#attempt++;
    const ms = after >= 0 ? after : delay(this.#attempt, (this.options.random ?? Math.random)());
    this.#link.value = { kind: "backoff", until: this.#now() + ms, attempt: this.#attempt };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#open(), ms);
  }

  #end(why: "signed_out" | "operator" | "upgrade" | "broken") {
    this.stop(why);
    this.options.stopped?.(why);
  }

  #drop(code?: number) {
    this.#era++;
    const socket = this.#socket;
    this.#socket = null;
    clearInterval(this.#beat);
    clearTimeout(this.#probe);
    this.#joined = false;
    this.#pending = 0;
    this.#replies.clear();
    this.#subscribed.clear();
    this.#starts.clear();
    this.caughtUp.value = false;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    if (code !== undefined) socket.close(code);
  }

  #send(event: string, payload: unknown, reply?: (status: string, response: Record<string, unknown>) => void) {
    if (this.#socket?.readyState !== 1) return;
    const ref = String(++this.#ref);
    if (reply) this.#replies.set(ref, reply);
    this.#socket.send(encode(ref, event, payload));
  }

  #progress() {
    let done = 0;
    let total = 0;
    for (const [topic, from] of this.#starts) {
      const at = this.watermarks.get(topic) ?? from;
      done += at - from;
      total += Math.max(this.#heads.get(topic) ?? at, at) - from;
    }
    this.#link.value = { kind: "replaying", done, total };
  }

  #publish() {
    this.positions.value = this.watermarks.list();
  }

  #refused(error: Record<string, unknown>) {
    if (typeof error.message === "string") this.lastError.value = error.message;
  }

  #guard(work: () => void) {
    try {
      work();
    } catch (error) {
      console.error("khala: a listener failed", error);
    }
  }

  #now(): number {
    return (this.options.now ?? Date.now)();
  }
}
