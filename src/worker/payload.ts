import type { CodexMessage } from "./rpc";

type Json = Record<string, unknown>;

const kinds: Record<string, string> = {
  userMessage: "user_message",
  agentMessage: "agent_message",
  reasoning: "reasoning",
  commandExecution: "command_execution",
  fileChange: "file_change",
  mcpToolCall: "mcp_tool_call",
  webSearch: "web_search",
  plan: "todo_list",
  error: "error",
};

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const object = (value: unknown): Json => (typeof value === "object" && value !== null ? (value as Json) : {});
const text = (value: unknown): string | undefined => (typeof value === "string" && value ? value : undefined);

/** Names under which things are known here and at Codex. */
export interface Names {
  ourThread(codexThreadId: string): string | undefined;
  ourTurn(codexTurnId: string): string | undefined;
  /** What the last count of a turn's tokens was; Codex does not repeat it at the end. */
  usage(codexTurnId: string): unknown;
  /** Model and effort that a thread runs with. */
  model(codexThreadId: string): { model: unknown; effort: unknown } | undefined;
  sessionId: string;
}

const longestValue = 64 * 1024;
const largestPayload = 131_072;

/** Strings of more than `longest` bytes are cut; the object says so (codex-chat 3.10 step 8). */
export function cut(value: unknown, longest = longestValue): { value: unknown; truncated: boolean } {
  if (typeof value === "string") {
    if (value.length < longest / 4 || Buffer.byteLength(value) <= longest) return { value, truncated: false };
    return {
      value: Buffer.from(value)
        .subarray(0, longest)
        .toString("utf8")
        .replace(/\uFFFD$/, ""),
      truncated: true,
    };
  }
  if (typeof value !== "object" || value === null) return { value, truncated: false };
  let truncated = false;
  const each = (item: unknown) => {
    const result = cut(item, longest);
    truncated ||= result.truncated;
    return result.value;
  };
  const copy = Array.isArray(value)
    ? value.map(each)
    : Object.fromEntries(Object.entries(value).map(([key, item]) => [key, each(item)]));
  return { value: copy, truncated };
}

/** Lists keep their first half, at every depth. */
function halved(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, Math.ceil(value.length / 2)).map(halved);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, halved(item)]));
}

/** A payload as JSON that the server takes (codex-chat 2.6): what is too large loses its longest texts, then the ends of its lists. */
export function fitted(payload: Json): string {
  let json = JSON.stringify(payload);
  const fits = () => json.length < largestPayload / 3 || Buffer.byteLength(json) <= largestPayload;
  let small = payload;
  for (let longest = longestValue / 2; !fits() && longest >= 256; longest /= 4) {
    small = { ...(cut(payload, longest).value as Json), truncated: true };
    json = JSON.stringify(small);
  }
  for (let n = 0; !fits() && n < 20; n++) {
    small = halved(small) as Json;
    json = JSON.stringify(small);
  }
  return json;
}

/** What a Codex notification or server request looks like on our wire: its params verbatim, with the v1 names beside (codex-chat 3.6). */
export function payloadOf({ method = "", params = {}, emittedAtMs }: CodexMessage, names: Names): Json {
  const thread = object(params.thread);
  const turn = object(params.turn);
  const item = object(params.item);
  const codexThreadId = text(params.threadId) ?? text(params.conversationId) ?? text(thread.id);
  const codexTurnId = text(params.turnId) ?? text(turn.id);
  const itemId = text(params.itemId) ?? text(item.id);
  const threadId = codexThreadId ? names.ourThread(codexThreadId) : undefined;
  const turnId = codexTurnId ? names.ourTurn(codexTurnId) : undefined;
  const kind = text(item.type);
  const running = codexThreadId ? names.model(codexThreadId) : undefined;
  const { value, truncated } = cut(params);
  return {
    source: "autopilot-desktop",
    method,
    params: {
      ...(value as Json),
      ...(truncated ? { truncated: true } : {}),
      ...(codexThreadId ? { thread_id: threadId ?? codexThreadId } : {}),
      ...(codexTurnId ? { turn_id: turnId ?? codexTurnId } : {}),
      ...(itemId ? { item_id: itemId } : {}),
      ...(kind
        ? {
            item_kind: kinds[kind] ?? snake(kind),
            item_status: text(item.status) ?? (method === "item/completed" ? "completed" : "inProgress"),
          }
        : {}),
      ...(method === "turn/completed"
        ? { status: turn.status, token_usage: (codexTurnId && names.usage(codexTurnId)) ?? null }
        : {}),
      ...(method === "turn/started"
        ? { model: running?.model ?? null, reasoning_effort: running?.effort ?? null }
        : {}),
      ...(method === "error"
        ? { message: object(params.error).message ?? null, will_retry: params.willRetry ?? false }
        : {}),
    },
    session_id: names.sessionId,
    ...(threadId ? { thread_id: threadId } : {}),
    ...(codexThreadId ? { codex_thread_id: codexThreadId } : {}),
    ...(turnId ? { turn_id: turnId } : {}),
    ...(itemId ? { item_id: itemId } : {}),
    occurred_at: new Date(emittedAtMs ?? Date.now()).toISOString(),
  };
}

const deltas =
  /^item\/(agentMessage\/delta|plan\/delta|reasoning\/(summaryTextDelta|textDelta)|commandExecution\/outputDelta)$/;

/** The delta stream that a notification belongs to, or null: item and index (codex-chat 3.10 step 8). */
export function mergeKey({ method = "", params = {} }: CodexMessage): string | null {
  if (!deltas.test(method)) return null;
  const { threadId, turnId, itemId, summaryIndex, contentIndex } = params;
  return [method, threadId, turnId, itemId, summaryIndex, contentIndex].join("\n");
}
