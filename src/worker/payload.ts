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
  sessionId: string;
}

const longest = 64 * 1024;

/** Strings over 64 KiB are cut; the object says so (codex-chat 3.10 step 8). */
export function cut(value: unknown): { value: unknown; truncated: boolean } {
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
    const result = cut(item);
    truncated ||= result.truncated;
    return result.value;
  };
  const copy = Array.isArray(value)
    ? value.map(each)
    : Object.fromEntries(Object.entries(value).map(([key, item]) => [key, each(item)]));
  return { value: copy, truncated };
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
      ...(method === "turn/completed" ? { status: turn.status, token_usage: turn.tokenUsage ?? null } : {}),
      ...(method === "turn/started" ? { model: turn.model ?? null, reasoning_effort: turn.effort ?? null } : {}),
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
