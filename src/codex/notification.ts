import { isUuid } from "./ids";
import { asJson, asList, firstText, isJson, type Json } from "./json";

/** What a `worker.event` says, with Codex's own method name and the things it names. */
export interface Notification {
  method: string;
  params: Json;
  payload: Json;
  /** Our thread id or Codex's, as the event names it; null when it names none. */
  thread: string | null;
  /** Codex's id of that thread when the event tells it. */
  codexThread: string | null;
  /** Codex's id of the turn (or ours). */
  turn: string | null;
  /** Our id of the turn, as the bridge knows it. */
  ownTurn: string | null;
  item: Json | null;
  itemId: string | null;
  /** The message that a user item answers to. */
  clientId: string | null;
  /** Set on what Codex asks a person. */
  serverRequestId: string | null;
}

/** Names that older desktops send, as Codex 0.169 says the same (codex-chat 3.7). */
const renamed: Record<string, string> = {
  "codex/error": "error",
  "item/toolOutput/delta": "item/commandExecution/outputDelta",
  "item/reasoning/contentDelta": "item/reasoning/textDelta",
  "codex/event/agent_message_delta": "item/agentMessage/delta",
  "codex/event/agent_message_content_delta": "item/agentMessage/delta",
  "turn/failed": "turn/completed",
  "turn/error": "turn/completed",
  "turn/errored": "turn/completed",
  "turn/aborted": "turn/completed",
  "turn/interrupted": "turn/completed",
  "codex/event/agent_message": "item/completed",
  "codex/event/user_message": "user/message",
  "desktop/user_message": "user/message",
  "ios/user_message": "user/message",
};

const endings: Record<string, string> = {
  "turn/failed": "failed",
  "turn/error": "failed",
  "turn/errored": "failed",
  "turn/aborted": "interrupted",
  "turn/interrupted": "interrupted",
};

/** Methods that change the read-model besides the account's and the process's own. */
const projected = new Set([
  "thread/started",
  "thread/status/changed",
  "thread/name/updated",
  "thread/archived",
  "thread/unarchived",
  "thread/deleted",
  "turn/started",
  "item/started",
  "item/agentMessage/delta",
  "item/plan/delta",
  "item/reasoning/summaryTextDelta",
  "item/reasoning/textDelta",
  "item/reasoning/summaryPartAdded",
  "item/commandExecution/outputDelta",
  "item/fileChange/patchUpdated",
  "item/mcpToolCall/progress",
  "item/completed",
  "turn/plan/updated",
  "turn/diff/updated",
  "thread/tokenUsage/updated",
  "error",
  "turn/completed",
  "thread/compacted",
  "thread/settings/updated",
  "model/rerouted",
  "serverRequest/resolved",
  "user/message",
]);

/** Whether the method concerns the worker as a whole. */
const ofWorker = new Set(["codex/auth_state", "account/updated", "codex/exited"]);

const camel = (kind: string) => kind.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** The item of an event; older events only name its id and kind. */
function itemOf(method: string, params: Json, legacyText: string | null): Json | null {
  if (isJson(params.item)) return params.item;
  const id = firstText(params.itemId, params.item_id);
  if (method === "codex/event/agent_message")
    return { id: id ?? "agent_message", type: "agentMessage", text: legacyText ?? "" };
  const kind = firstText(params.item_kind);
  return id && kind ? { id, type: camel(kind) } : null;
}

/** Reads the payload of a `worker.event`; null when nothing is projected from it. */
export function readNotification(payload: Json): Notification | null {
  const said = firstText(payload.method);
  if (!said) return null;
  const asks = firstText(payload.server_request_id);
  const method = renamed[said] ?? said;
  if (!projected.has(method) && !ofWorker.has(method) && !asks) return null;
  const outer = asJson(payload.params);
  const params: Json = isJson(outer.msg) ? { ...outer, ...outer.msg } : { ...outer };
  if (endings[said]) params.status = endings[said];
  if (said.endsWith("_delta") && params.delta === undefined) params.delta = params.text;
  const item = itemOf(said, params, firstText(params.message, params.text));
  const thread = firstText(
    payload.thread_id,
    params.threadId,
    params.thread_id,
    params.conversationId,
    asJson(params.thread).id,
  );
  const codexThread = firstText(
    payload.codex_thread_id,
    params.threadId,
    params.conversationId,
    asJson(params.thread).id,
  );
  const legacyItem = said.startsWith("codex/event/agent_message") ? "agent_message" : null;
  return {
    method,
    params,
    payload,
    thread: within(thread, 160),
    codexThread: codexThread && isUuid(codexThread) ? codexThread : null,
    turn: within(firstText(asJson(params.turn).id, params.turnId, params.turn_id), 64),
    ownTurn: within(firstText(payload.turn_id), 64),
    item,
    itemId: within(firstText(item?.id, params.itemId, params.item_id, params.callId, legacyItem), 128),
    clientId: within(
      firstText(item?.clientId, method === "user/message" ? (payload.message_id ?? params.message_id) : null),
      64,
    ),
    serverRequestId: within(asks ?? resolvedId(method, payload, params), 200),
  };
}

const within = (text: string | null, max: number) => (text !== null && text.length <= max ? text : null);

/** Codex counts its requests anew in every process, so ours carry the session (codex-chat 3.12). */
function resolvedId(method: string, payload: Json, params: Json): string | null {
  if (method !== "serverRequest/resolved") return null;
  const id = params.requestId;
  if (typeof id !== "string" && typeof id !== "number") return null;
  return `${firstText(payload.session_id) ?? ""}:${id}`;
}

/** Text of what a person wrote: its text parts, joined by line breaks. */
export const userText = (content: unknown): string =>
  asList(content)
    .map((part) => (isJson(part) && part.type === "text" && typeof part.text === "string" ? part.text : null))
    .filter((text) => text !== null)
    .join("\n");
