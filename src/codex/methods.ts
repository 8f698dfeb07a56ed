import { asList, codePoints, firstText, isJson, type Json } from "./json";

/** What a command says, wherever it says it (codex-chat 3.5). Shared by server and bridge. */

export const threadIdOf = (threadId: unknown, params: Json) => firstText(threadId, params.thread_id, params.threadId);

export const turnIdOf = (params: Json) => firstText(params.turn_id, params.turnId);

/** The text of a message, trimmed; null without one. */
export function messageText(params: Json): string | null {
  const text = firstText(params.text, params.message, params.prompt);
  if (text !== null) return text;
  for (const part of asList(params.input)) {
    if (isJson(part) && part.type === "text") return firstText(part.text);
  }
  return null;
}

export const effortOf = (params: Json) => firstText(params.effort, params.reasoning_effort, params.reasoning);

const maxText = 20_000;

/** Why a message's text cannot be taken, if so. */
export function textProblem(text: string | null): string | null {
  if (text === null) return "Message text is required.";
  return codePoints(text) > maxText ? "Message text exceeds 20000 characters." : null;
}
