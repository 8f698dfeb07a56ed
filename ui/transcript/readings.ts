import { count, type Fields, fields, list, text } from "./fields";
import type { Failure, PlanStep, TokenCount } from "./transcript";

export function statusOf(status: Fields): string {
  switch (status.type) {
    case "notLoaded":
      return "not_loaded";
    case "systemError":
      return "system_error";
    case "active": {
      const flags = list(status.activeFlags);
      if (flags.includes("waitingOnApproval")) return "waiting_on_approval";
      return flags.includes("waitingOnUserInput") ? "waiting_on_user_input" : "active";
    }
    default:
      return "idle";
  }
}

export function planOf(raw: unknown): PlanStep[] {
  return list(raw)
    .map(fields)
    .map((entry) => ({
      step: text(entry, "step") ?? "",
      status:
        entry.status === "completed"
          ? "completed"
          : entry.status === "inProgress" || entry.status === "in_progress"
            ? "inProgress"
            : "pending",
    }));
}

/** Codex's camelCase or our snake_case token counts. */
export function tokens(raw: unknown): TokenCount | null {
  const from = fields(raw);
  const total = count(from, "totalTokens", "total_tokens");
  if (total === null) return null;
  return {
    total,
    input: count(from, "inputTokens", "input_tokens") ?? 0,
    cached: count(from, "cachedInputTokens", "cached_input_tokens") ?? 0,
    output: count(from, "outputTokens", "output_tokens") ?? 0,
    reasoning: count(from, "reasoningOutputTokens", "reasoning_output_tokens") ?? 0,
  };
}

export function errorOf(raw: unknown): Failure | null {
  if (typeof raw === "string" && raw) return { code: "error", message: raw };
  const from = fields(raw);
  const message = text(from, "message");
  if (!message) return null;
  const info = from.codexErrorInfo;
  const code = text(from, "code") ?? (typeof info === "string" ? info : Object.keys(fields(info))[0]) ?? "error";
  return { code, message, details: text(from, "additionalDetails", "details") };
}

const kinds: Record<string, string> = {
  user_message: "userMessage",
  agent_message: "agentMessage",
  command_execution: "commandExecution",
  file_change: "fileChange",
  mcp_tool_call: "mcpToolCall",
  web_search: "webSearch",
  todo_list: "plan",
};

/** The item's type where only the v1 alias tells it. */
export const typeFromKind = (params: Fields): string => {
  const kind = text(params, "item_kind");
  return kind ? (kinds[kind] ?? kind) : "unknown";
};
