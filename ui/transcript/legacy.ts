import { messageBy } from "./control";
import type { Subject, WorkerEvent } from "./event";
import { fields, text } from "./fields";
import type { Changes, Item, Transcript, Turn } from "./transcript";
import { newItem, putItem, turnOf, userText } from "./turns";

const methods = new Set([
  "codex/event/user_message",
  "codex/event/agent_message",
  "codex/event/agent_message_delta",
  "codex/event/agent_message_content_delta",
  "desktop/user_message",
  "ios/user_message",
]);

/** Names that Codex 0.169 no longer sends but older desktops do (web-ui 7.2). */
export const isLegacy = (method: string): boolean => methods.has(method);

export function legacy(
  transcript: Transcript,
  event: WorkerEvent,
  method: string,
  subject: Subject,
  changes: Changes,
): void {
  const params = fields(event.payload.params);
  const message = { ...params, ...fields(params.msg) };
  const words =
    text(message, "delta", "message", "text") ?? text(event.payload, "text", "message") ?? userText(message);
  if (!words) return;
  const turn = turnOf(transcript, subject, event.workerId, changes);
  if (method.endsWith("user_message")) {
    user(transcript, event, turn, words, changes);
    return;
  }
  const items = turn.items.map((key) => transcript.items.get(key)).filter((item): item is Item => item !== undefined);
  if (items.some((item) => item.type === "agentMessage" && !item.legacy)) return;
  const known = items.find((item) => item.legacy && item.type === "agentMessage");
  const item = known ?? { ...newItem(turn.id, "legacy-agent", "agentMessage"), legacy: true, startedAt: event.at };
  const whole = method === "codex/event/agent_message";
  putItem(
    transcript,
    { ...item, text: whole ? words : overlap(item.text, words), status: whole ? "completed" : "inProgress" },
    changes,
  );
}

/** The echo of a message that is here already is no second one. */
function user(transcript: Transcript, event: WorkerEvent, turn: Turn, words: string, changes: Changes): void {
  const messageId = text(event.payload, "message_id") ?? text(fields(event.payload.params), "message_id");
  if (messageId && messageBy(transcript, { messageId })) return;
  for (const item of transcript.items.values()) {
    if (item.type === "userMessage" && item.text.trim() === words.trim() && item.stage !== "failed") return;
  }
  const id = messageId ?? `legacy-user-${event.workerId}-${event.seq}`;
  putItem(
    transcript,
    {
      ...newItem(turn.id, id, "userMessage"),
      status: "completed",
      text: words,
      messageId,
      stage: "applied",
      startedAt: event.at,
      legacy: true,
    },
    changes,
  );
}

/** Joins on the longest end of one that is the start of the other: `Doing well.` + `well. How` → `Doing well. How`. */
export function overlap(before: string, next: string): string {
  for (let size = Math.min(before.length, next.length); size > 0; size -= 1) {
    if (before.endsWith(next.slice(0, size))) return before + next.slice(size);
  }
  return before + next;
}
