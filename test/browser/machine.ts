import type { BrowserContext } from "playwright-core";

/** What the machine is asked to do (codex-chat 3.5). */
export interface Asked {
  request_id: string;
  method: string;
  params: Record<string, unknown>;
  thread_id: string;
  turn_id: string | null;
  message_id: string | null;
}

const SESSION = "session_test";
export const WORKER = "desktopw:shared";

/**
 * A bridge driven by hand: it attaches as `openagents worker` does and posts the events that a test wants, with the
 * person's own session. What the server asks of it is read from the worker's log.
 */
export class Machine {
  #n = 0;
  #seen = 0;

  constructor(
    readonly url: string,
    readonly context: BrowserContext,
    readonly session = `${SESSION}_${crypto.randomUUID().slice(0, 8)}`,
  ) {}

  async #call(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: Record<string, unknown> }> {
    const cookies = await this.context.cookies(this.url);
    const xsrf = cookies.find(({ name }) => name === "XSRF-TOKEN")?.value ?? "";
    const answer = await fetch(this.url + path, {
      method,
      headers: {
        accept: "application/json",
        cookie: cookies.map(({ name, value }) => `${name}=${value}`).join("; "),
        "x-xsrf-token": xsrf,
        "content-type": "application/json",
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const parsed = (await answer.json()) as Record<string, unknown>;
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(parsed)}`);
    return { status: answer.status, body: parsed };
  }

  async attach(): Promise<void> {
    const { body } = await this.#call("POST", "/api/runtime/codex/workers", {
      worker_id: WORKER,
      adapter: "desktop_bridge",
      metadata: {
        source: "autopilot-desktop",
        session_id: this.session,
        hostname: "macbook",
        codex_version: "0.169.0",
      },
    });
    this.#seen = (body.data as { latestSeq: number }).latestSeq;
    await this.event("codex/auth_state", {
      requires_openai_auth: false,
      auth_mode: null,
      hydration_status: "CODEX_AUTH_HYDRATION_STATUS_UNAUTHENTICATED",
    });
  }

  /** Posts a whole batch; all of it or nothing. */
  post(events: { event_type: string; payload: Record<string, unknown> }[]) {
    const numbered = events.map((event) => ({ ...event, event_id: `${this.session}:${++this.#n}` }));
    return this.#call("POST", `/api/runtime/codex/workers/${encodeURIComponent(WORKER)}/events`, { events: numbered });
  }

  event(method: string, params: Record<string, unknown>, more: Record<string, unknown> = {}) {
    return this.post([{ event_type: "worker.event", payload: this.payload(method, params, more) }]);
  }

  payload(
    method: string,
    params: Record<string, unknown>,
    more: Record<string, unknown> = {},
  ): Record<string, unknown> {
    return { source: "autopilot-desktop", method, params, session_id: this.session, ...more };
  }

  /** The next request of a method that this machine has not answered; waits for it. */
  async next(method: string): Promise<Asked> {
    for (;;) {
      const { body } = await this.#call(
        "GET",
        `/api/runtime/codex/workers/${encodeURIComponent(WORKER)}/stream?cursor=${this.#seen}`,
      );
      const { events } = body.data as { events: { seq: number; event_type: string; payload: Asked }[] };
      for (const { seq, event_type, payload } of events) {
        this.#seen = seq;
        if (event_type === "worker.request" && payload.method === method) return payload;
      }
      await Bun.sleep(20);
    }
  }

  receipt(asked: Asked, response: Record<string, unknown>) {
    return this.post([
      {
        event_type: "worker.response",
        payload: { request_id: asked.request_id, method: asked.method, ok: true, response, session_id: this.session },
      },
    ]);
  }

  refuse(asked: Asked, code: string, message: string, retryable = false) {
    return this.post([
      {
        event_type: "worker.error",
        payload: {
          request_id: asked.request_id,
          method: asked.method,
          code,
          message,
          retryable,
          session_id: this.session,
        },
      },
    ]);
  }
}

/** A turn as Codex runs it, step by step. */
export class TurnOf {
  readonly codexThread = "01a2081b-aa27-7571-987d-0df41cd32858";
  readonly codexTurn: string;

  constructor(
    readonly machine: Machine,
    readonly asked: Asked,
    n = 1,
  ) {
    this.codexTurn = `019a0000-0000-7000-8000-${String(n).padStart(12, "0")}`;
  }

  #more = () => ({
    thread_id: this.asked.thread_id,
    codex_thread_id: this.codexThread,
    turn_id: this.asked.turn_id,
    codex_turn_id: this.codexTurn,
  });

  say(method: string, params: Record<string, unknown>, more: Record<string, unknown> = {}) {
    return {
      event_type: "worker.event",
      payload: this.machine.payload(
        method,
        { threadId: this.codexThread, turnId: this.codexTurn, ...params },
        { ...this.#more(), ...more },
      ),
    };
  }

  event(method: string, params: Record<string, unknown>, more: Record<string, unknown> = {}) {
    return this.machine.post([this.say(method, params, more)]);
  }

  async start(): Promise<void> {
    const { asked } = this;
    await this.machine.receipt(asked, {
      thread_id: asked.thread_id,
      codex_thread_id: this.codexThread,
      turn: { id: asked.turn_id },
      codex_turn_id: this.codexTurn,
      steered: false,
    });
    await this.machine.post([
      this.say("thread/status/changed", { status: { type: "active", activeFlags: [] } }),
      this.say("turn/started", {
        turn: { id: this.codexTurn, startedAt: Math.floor(Date.now() / 1000), status: "inProgress" },
      }),
      ...this.user(asked),
    ]);
  }

  user(asked: Asked) {
    const item = {
      type: "userMessage",
      id: `u_${asked.message_id}`,
      clientId: asked.message_id,
      content: [{ type: "text", text: asked.params.text }],
    };
    return [
      this.say("item/started", { item, startedAtMs: Date.now() }),
      this.say("item/completed", { item, completedAtMs: Date.now() }),
    ];
  }

  begin(item: Record<string, unknown>) {
    return this.event("item/started", { item, startedAtMs: Date.now() });
  }
  complete(item: Record<string, unknown>) {
    return this.event("item/completed", { item, completedAtMs: Date.now() });
  }

  async answer(text: string, id = "answer"): Promise<void> {
    await this.begin({ type: "agentMessage", id, text: "" });
    await this.event("item/agentMessage/delta", { itemId: id, delta: text });
    await this.complete({ type: "agentMessage", id, text });
  }

  finish(status = "completed", error: Record<string, unknown> | null = null) {
    return this.machine.post([
      this.say("thread/status/changed", { status: { type: "idle" } }),
      this.say("turn/completed", { turn: { id: this.codexTurn, status, error, items: [], durationMs: 1200 } }),
    ]);
  }

  ask(id: number, command: string, itemId: string) {
    return this.machine.post([
      this.say("thread/status/changed", { status: { type: "active", activeFlags: ["waitingOnApproval"] } }),
      this.say(
        "item/commandExecution/requestApproval",
        { itemId, command, cwd: "/work", reason: "needs the network", startedAtMs: Date.now() },
        { server_request_id: `${this.machine.session}:${id}`, available_decisions: ["accept", "cancel"] },
      ),
    ]);
  }

  resolved(id: number) {
    return this.event(
      "serverRequest/resolved",
      { requestId: id },
      { server_request_id: `${this.machine.session}:${id}` },
    );
  }
}
