import type { WorkerEvent } from "../../../ui/transcript/event";
import { readEvent } from "../../../ui/transcript/event";

/** Writes worker events as a bridge posts them (codex-chat 3.6), numbered from 1. */
export class Stream {
  #seq = 0;
  readonly events: WorkerEvent[] = [];

  constructor(
    readonly thread = "thread_1",
    readonly worker = "desktopw:shared",
    readonly codexThread = "01a2081b-aa27-7571-987d-0df41cd32858",
  ) {}

  raw(type: string, payload: Record<string, unknown>): WorkerEvent {
    this.#seq += 1;
    const event = readEvent({
      workerId: this.worker,
      seq: this.#seq,
      eventType: type,
      payload,
      occurredAt: new Date(1_790_000_000_000 + this.#seq * 1000).toISOString(),
    });
    if (!event) throw new Error("not an event");
    this.events.push(event);
    return event;
  }

  codex(method: string, params: Record<string, unknown>, turn = "turn_1", extra: Record<string, unknown> = {}) {
    return this.raw("worker.event", {
      source: "autopilot-desktop",
      method,
      params: { threadId: this.codexThread, turnId: `codex-${turn}`, ...params },
      session_id: "session_1",
      thread_id: this.thread,
      codex_thread_id: this.codexThread,
      turn_id: turn,
      ...extra,
    });
  }

  send(text: string, n = 1, turn = `turn_${n}`) {
    return this.raw("worker.request", {
      request_id: `req_${n}`,
      method: "turn/start",
      params: { thread_id: this.thread, text },
      thread_id: this.thread,
      turn_id: turn,
      message_id: `msg_${n}`,
    });
  }

  taken(n = 1, turn = `turn_${n}`, codexTurn = `codex-${turn}`) {
    return this.raw("worker.response", {
      request_id: `req_${n}`,
      method: "turn/start",
      ok: true,
      response: {
        thread_id: this.thread,
        codex_thread_id: this.codexThread,
        turn: { id: turn },
        codex_turn_id: codexTurn,
      },
    });
  }

  /** A whole turn with every kind of item. */
  turn(n: number, deltas: string[]) {
    const turn = `turn_${n}`;
    const id = (name: string) => `${name}_${n}`;
    this.send(`question ${n}`, n);
    this.taken(n);
    this.codex("thread/status/changed", { status: { type: "active", activeFlags: [] } }, turn);
    this.codex("turn/started", { turn: { id: `codex-${turn}`, startedAt: 1_790_000_000 + n } }, turn);
    const user = {
      type: "userMessage",
      id: id("u"),
      clientId: `msg_${n}`,
      content: [{ type: "text", text: `question ${n}` }],
    };
    this.codex("item/started", { item: user, startedAtMs: 1_790_000_000_000 }, turn);
    this.codex("item/completed", { item: user, completedAtMs: 1_790_000_000_001 }, turn);
    this.codex("item/started", { item: { type: "reasoning", id: id("r"), summary: [], content: [] } }, turn);
    this.codex("item/reasoning/summaryPartAdded", { itemId: id("r"), summaryIndex: 0 }, turn);
    for (const delta of deltas) {
      this.codex("item/reasoning/summaryTextDelta", { itemId: id("r"), summaryIndex: 0, delta }, turn);
    }
    this.codex("turn/plan/updated", { plan: [{ step: "one", status: "inProgress" }] }, turn);
    const command = {
      type: "commandExecution",
      id: id("c"),
      command: "ls",
      cwd: "/w",
      status: "inProgress",
      commandActions: [],
      aggregatedOutput: null,
      exitCode: null,
      durationMs: null,
    };
    this.codex("item/started", { item: command }, turn);
    this.codex("item/commandExecution/requestApproval", { itemId: id("c"), command: "ls", cwd: "/w" }, turn, {
      server_request_id: `session_1:${n}`,
      available_decisions: ["accept", "cancel"],
    });
    this.raw("worker.request", {
      request_id: `answer_${n}`,
      method: "serverRequest/respond",
      params: { server_request_id: `session_1:${n}`, decision: "accept", thread_id: this.thread },
      thread_id: this.thread,
    });
    this.raw("worker.response", {
      request_id: `answer_${n}`,
      method: "serverRequest/respond",
      response: { server_request_id: `session_1:${n}` },
    });
    this.codex("serverRequest/resolved", { requestId: n }, turn);
    for (const delta of deltas) this.codex("item/commandExecution/outputDelta", { itemId: id("c"), delta }, turn);
    const done = { ...command, status: "completed", aggregatedOutput: deltas.join(""), exitCode: 0, durationMs: 12 };
    this.codex("item/completed", { item: done }, turn);
    this.codex("item/started", { item: { type: "agentMessage", id: id("a"), text: "" } }, turn);
    for (const delta of deltas) this.codex("item/agentMessage/delta", { itemId: id("a"), delta }, turn);
    const message = { type: "agentMessage", id: id("a"), text: deltas.join("") };
    this.codex("item/completed", { item: message }, turn);
    const tokens = { totalTokens: 10, inputTokens: 6, cachedInputTokens: 1, outputTokens: 4, reasoningOutputTokens: 2 };
    this.codex(
      "thread/tokenUsage/updated",
      { tokenUsage: { total: tokens, last: tokens, modelContextWindow: 100 } },
      turn,
    );
    this.codex("turn/completed", { turn: { id: `codex-${turn}`, status: "completed", durationMs: 5000 } }, turn);
  }
}
