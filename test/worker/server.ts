/** A small server that speaks the bridge's side of the contracts and does as a test says: refuse, hang up, forget. */
import type { ServerWebSocket } from "bun";

// biome-ignore lint/suspicious/noExplicitAny: tests look into payloads freely
export type Json = Record<string, any>;

export interface Entry {
  seq: number;
  event_type: string;
  event_id: string | null;
  payload: Json;
}

type Refuse = (path: string, body: Json) => Response | Promise<Response | null> | null;

export class PlayedServer {
  readonly log: Entry[] = [];
  readonly attaches: Json[] = [];
  readonly stops: Json[] = [];
  /** Sizes of the batches that were taken. */
  readonly batches: number[] = [];
  /** Requests of before the log. */
  pending: Json[] = [];
  /** Asked before a call is answered: a response in its place, or null. */
  refuse: Refuse = () => null;
  /** What the next subscribe is answered with in place of ok. */
  nextSubscribe: Json | null = null;
  sockets = true;
  status = "running";
  /** The session that attached last. */
  executor: string | null = null;
  #open = new Set<ServerWebSocket<undefined>>();
  #waiting: (() => void)[] = [];
  #server;

  constructor() {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 0,
      fetch: (request, server) => {
        const { pathname, searchParams } = new URL(request.url);
        if (pathname.endsWith("/websocket")) {
          if (this.sockets && server.upgrade(request, { headers: { "sec-websocket-protocol": "khala.ws.v1" } })) return;
          return new Response("no", { status: 426 });
        }
        return this.#answer(request, pathname, searchParams);
      },
      websocket: {
        open: (ws) => void this.#open.add(ws),
        close: (ws) => void this.#open.delete(ws),
        message: (ws, data) => this.#frame(ws, JSON.parse(String(data))),
      },
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  async #answer(request: Request, path: string, query: URLSearchParams): Promise<Response> {
    const body = request.method === "POST" ? ((await request.json()) as Json) : {};
    const refused = await this.refuse(path, body);
    if (refused) return refused;
    if (path === "/api/sync/token") return Response.json({ data: { token: "sync" } });
    if (path === "/api/runtime/codex/workers") {
      this.attaches.push(body);
      this.executor = body.metadata.session_id;
      this.status = "running";
      this.#wake();
      return Response.json({ data: { latestSeq: this.log.length, pendingRequests: this.#pending() } }, { status: 202 });
    }
    if (path.endsWith("/stop")) {
      this.stops.push(body);
      return Response.json({ data: {} }, { status: 202 });
    }
    if (path.endsWith("/stream")) {
      this.#wake();
      const events = this.log.filter(({ seq }) => seq > Number(query.get("cursor")));
      return Response.json({ data: { events, next_cursor: this.log.length, snapshot: this.#snapshot() } });
    }
    if (request.method === "GET") return Response.json({ data: this.#snapshot() });
    const events = (body.events ?? [body.event]) as Entry[];
    this.batches.push(events.length);
    for (const event of events) {
      if (!this.log.some(({ event_id }) => event_id === event.event_id))
        this.append(event.event_type, event.payload, event.event_id);
    }
    return Response.json({ data: {} }, { status: 202 });
  }

  /** Requests without receipt, as `pendingRequests` has them. */
  #pending(): Json[] {
    const answered = new Set(
      this.log
        .filter(({ event_type }) => /^worker\.(response|error)$/.test(event_type))
        .map(({ payload }) => payload.request_id),
    );
    const logged = this.log.filter(({ event_type }) => event_type === "worker.request").map(({ payload }) => payload);
    return [...this.pending, ...logged].filter(({ request_id }) => !answered.has(request_id));
  }

  #frame(
    ws: ServerWebSocket<undefined>,
    [join, ref, topic, event, payload]: [string, string, string, string, Json],
  ): void {
    const reply = (status: string, response: Json) =>
      ws.send(JSON.stringify([join, ref, topic, "phx_reply", { status, response }]));
    if (event !== "sync:subscribe") {
      reply("ok", {});
      return;
    }
    if (this.nextSubscribe) {
      reply("error", this.nextSubscribe);
      this.nextSubscribe = null;
      return;
    }
    const name = events;
    const resume = payload.resume_after[name];
    const from = resume === "head" ? this.log.length : resume;
    reply("ok", { current_watermarks: [{ topic: name, watermark: from }] });
    for (const entry of this.log.slice(from)) ws.send(this.#batch(entry));
  }

  #batch({ seq, event_type, payload }: Entry): string {
    const update = {
      topic: events,
      watermark: seq,
      payload: { worker_id: workerId, seq, eventType: event_type, payload },
    };
    return JSON.stringify([null, null, "sync:v1", "sync:update_batch", { updates: [update] }]);
  }

  /** Puts an event on the worker's log and on the open sockets. */
  append(event_type: string, payload: Json, event_id: string | null = null): Entry {
    const entry = { seq: this.log.length + 1, event_type, event_id, payload };
    this.log.push(entry);
    for (const ws of this.#open) ws.send(this.#batch(entry));
    this.#wake();
    return entry;
  }

  /** Asks something of the bridge; gives the receipt. */
  async ask(method: string, params: Json = {}, over: Json = {}): Promise<Entry> {
    const request = requestOf(method, params, over);
    this.append("worker.request", request);
    return this.receipt(request.request_id);
  }

  receipt(requestId: string): Promise<Entry> {
    return this.until(
      ({ event_type, payload }) => payload.request_id === requestId && /^worker\.(response|error)$/.test(event_type),
      `the receipt of ${requestId}`,
    );
  }

  /** The first entry like that, when it has come. */
  async until(like: (entry: Entry) => boolean, what = "an event"): Promise<Entry> {
    return (await this.when(() => this.log.find(like), what)) as Entry;
  }

  notification(method: string, like: (params: Json) => boolean = () => true): Promise<Entry> {
    return this.until(({ payload }) => payload.method === method && like(payload.params ?? {}), method);
  }

  /** Waits until `look` finds something; it is asked after everything that comes in. */
  async when<T>(look: () => T | undefined | null | false, what: string, ms = 25_000): Promise<T> {
    const limit = performance.now() + ms;
    for (;;) {
      const found = look();
      if (found) return found;
      const left = limit - performance.now();
      if (left <= 0)
        throw new Error(
          `${what} did not come: ${JSON.stringify(this.log.map(({ event_type, payload }) => [event_type, payload.method ?? payload.message]))}`,
        );
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  #wake(): void {
    for (const waker of this.#waiting.splice(0)) waker();
  }

  /** Another session attaches. */
  takeOver(session: string): void {
    this.executor = session;
    const update = { topic: "runtime.codex_worker_summaries", watermark: 1, payload: this.#snapshot() };
    for (const ws of this.#open)
      ws.send(JSON.stringify([null, null, "sync:v1", "sync:update_batch", { updates: [update] }]));
  }

  /** The worker is stopped, as from the browser. */
  halt(): void {
    this.status = "stopped";
    this.append("worker.stopped", { reason: "requested" });
  }

  #snapshot(): Json {
    return {
      worker_id: workerId,
      status: this.status,
      latest_seq: this.log.length,
      executor: this.executor ? { session_id: this.executor } : null,
    };
  }

  /** Ends every socket. */
  hangUp(code = 1012, reason = "reconnect_after_ms=0"): void {
    for (const ws of this.#open) ws.close(code, reason);
  }

  get connected(): number {
    return this.#open.size;
  }

  async close(): Promise<void> {
    await this.#server.stop(true);
  }
}

const events = "runtime.codex_worker_events";
export const workerId = "desktopw:shared";
let counter = 0;

export function requestOf(method: string, params: Json, over: Json = {}): Json {
  const n = ++counter;
  return {
    request_id: `req_${n}`,
    method,
    params,
    session_id: null,
    thread_id: params.thread_id ?? null,
    codex_thread_id: null,
    turn_id: method === "turn/start" ? `turn_${n}` : null,
    codex_turn_id: null,
    message_id: method === "turn/start" ? `msg_${n}` : null,
    deadline_at: null,
    ...over,
  };
}
