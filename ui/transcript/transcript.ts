/**
 * What a conversation is, as one page holds it. Containers change in place, records are replaced: a record that is still the
 * same object has not changed, so a view compares by identity. No DOM, no network, no clock.
 */

export type TurnStatus = "queued" | "in_progress" | "completed" | "interrupted" | "failed" | "steered";
export type ItemStatus = "inProgress" | "completed" | "failed" | "declined" | "interrupted";

/** Where a message or an answer is on its way: at our server, at the person's machine, in Codex. */
export type Stage = "stored" | "machine" | "applied" | "failed";

export interface Failure {
  code: string;
  message: string;
  details?: string | null;
  retryable?: boolean;
}

export interface PlanStep {
  step: string;
  status: "pending" | "inProgress" | "completed";
}

export interface TokenCount {
  input: number;
  cached: number;
  output: number;
  reasoning: number;
  total: number;
}

export interface Usage {
  total: TokenCount | null;
  last: TokenCount | null;
  window: number | null;
}

export interface Turn {
  id: string;
  codexId: string | null;
  workerId: string | null;
  status: TurnStatus;
  model: string | null;
  effort: string | null;
  error: Failure | null;
  diff: string | null;
  plan: PlanStep[] | null;
  usage: TokenCount | null;
  /** Milliseconds since the epoch. */
  startedAt: number | null;
  completedAt: number | null;
  durationMs: number | null;
  /** Codex lost the model and tries again (web-ui 7.2, `error` with `willRetry`). */
  retrying: string | null;
  /** An interrupt was accepted; the turn has not ended yet. */
  stopping: boolean;
  /** Item keys in order of appearance. */
  items: string[];
}

export interface Item {
  key: string;
  id: string;
  turnId: string;
  type: string;
  status: ItemStatus;
  /** Message text, command output, plan text, progress line: what deltas append to. */
  text: string;
  /** The Codex item, verbatim as far as it is known. */
  payload: Record<string, unknown>;
  /** Reasoning, by summary index and by content index. */
  summary: string[];
  content: string[];
  startedAt: number | null;
  completedAt: number | null;
  /** What was typed into a running command. */
  stdin: string[];
  /** User messages: our ids and how far the message got. */
  messageId: string | null;
  requestId: string | null;
  stage: Stage | null;
  failure: Failure | null;
  /** Came by an old event name; gives way to the v2 item of the same turn. */
  legacy: boolean;
}

/** Codex asks: an approval or a question (codex-chat 3.12). */
export interface Ask {
  id: string;
  method: string;
  status: "pending" | "resolved" | "expired";
  turnId: string | null;
  itemId: string | null;
  workerId: string | null;
  params: Record<string, unknown>;
  decisions: unknown[] | null;
  /** The answer that counts, whoever gave it. */
  decision: unknown;
  /** The control request that carries the answer, and how far it got. */
  answerId: string | null;
  stage: Stage | null;
  failure: Failure | null;
  requestedAt: number | null;
  resolvedAt: number | null;
}

export interface RateLimit {
  usedPercent: number;
  resetsAt: number | null;
  windowMinutes: number | null;
}

/** Where what is here begins: with a turn, or inside it with the item of a position. */
export interface Before {
  turn: string;
  item: number | null;
}

export interface Transcript {
  threadId: string;
  codexThreadId: string | null;
  workerId: string | null;
  title: string | null;
  /** `idle`, `active`, `waiting_on_approval`, `waiting_on_user_input`, `system_error`, `not_loaded`. */
  status: string;
  model: string | null;
  preview: string | null;
  updatedAt: number | null;
  usage: Usage;
  rateLimit: RateLimit | null;
  turns: Turn[];
  items: Map<string, Item>;
  asks: Map<string, Ask>;
  /** Where the server has more, before what is here. */
  before: Before | null;
  /** Applied events: worker id → seq. */
  applied: Map<string, number>;
  /** An event was missed: the snapshot has to be read again. */
  gap: boolean;
}

/** What a step changed; a view redraws only that. */
export interface Changes {
  items: Set<string>;
  turns: Set<string>;
  asks: Set<string>;
  /** Turns came, went or moved. */
  order: boolean;
  /** Title, status, usage and the like. */
  head: boolean;
}

export function noChanges(): Changes {
  return { items: new Set(), turns: new Set(), asks: new Set(), order: false, head: false };
}

export function emptyTranscript(threadId: string): Transcript {
  return {
    threadId,
    codexThreadId: null,
    workerId: null,
    title: null,
    status: "idle",
    model: null,
    preview: null,
    updatedAt: null,
    usage: { total: null, last: null, window: null },
    rateLimit: null,
    turns: [],
    items: new Map(),
    asks: new Map(),
    before: null,
    applied: new Map(),
    gap: false,
  };
}

/** The turn that runs, if one does. */
export function runningTurn(transcript: Transcript): Turn | null {
  return transcript.turns.findLast((turn) => turn.status === "in_progress") ?? null;
}

/** The turn that waits on the server for a machine, if one does. */
export function queuedTurn(transcript: Transcript): Turn | null {
  return transcript.turns.findLast((turn) => turn.status === "queued") ?? null;
}

/** What Codex waits for, oldest first. */
export function pendingAsks(transcript: Transcript): Ask[] {
  return [...transcript.asks.values()].filter((ask) => ask.status === "pending");
}

/** Everything as plain data with a stable order: for export and comparison. */
export function plain(transcript: Transcript) {
  const { items, asks, applied, turns, ...rest } = transcript;
  return {
    ...rest,
    turns: turns.map((turn) => ({ ...turn, items: turn.items.map((key) => items.get(key) ?? null) })),
    asks: [...asks.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
    applied: Object.fromEntries([...applied].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}
