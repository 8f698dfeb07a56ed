import type { Book, Draft, ItemRow, MessageRow, TextDraft, ThreadRow, TurnRow } from "./book";
import { itemMessageId, namedMessageId, newMessageId } from "./ids";
import { asList, firstText, isJson, type Json } from "./json";
import { type Notification, userText } from "./notification";
import {
  addText,
  change,
  dropMessage,
  isEmpty,
  itemOfTurn,
  messageOfItem,
  newMessage,
  setText,
} from "./projection-rows";
import { fromMilliseconds } from "./times";

/** Characters of a command's output that are kept while it runs (codex-chat 3.7). */
export const outputKept = 65_536;

type Change = (book: Book, turn: Draft<TurnRow>, notification: Notification) => void;

const snake = (word: string) => word.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The assistant message of an `agentMessage` item, made when it is new. */
function assistantMessage(book: Book, item: TextDraft<ItemRow>, writtenAt?: Date): TextDraft<MessageRow> {
  const { threadId, turnId, itemId } = item.row;
  return (
    messageOfItem(book, turnId, itemId) ??
    newMessage(book, {
      messageId: itemMessageId(threadId, turnId, itemId),
      threadId,
      role: "assistant",
      text: "",
      turnId,
      itemId,
      streaming: true,
      ...(writtenAt ? { createdAt: writtenAt } : {}),
    })
  );
}

const started: Change = (book, { row: turn }, { item, itemId, params }) => {
  if (!item || itemId === null) return;
  const draft = itemOfTurn(book, turn, itemId, firstText(item.type) ?? "unknown");
  if (draft.row.completedAt) return;
  change(draft, {
    payload: item,
    startedAt: fromMilliseconds(params.startedAtMs) ?? draft.row.startedAt ?? book.now,
  });
  if (draft.row.type === "agentMessage") assistantMessage(book, draft);
};

/** A piece of a streamed text goes to the item, and to the message that it is. */
const delta =
  (type: string, max?: number): Change =>
  (book, { row: turn }, { itemId, params }) => {
    if (itemId === null || typeof params.delta !== "string") return;
    const item = itemOfTurn(book, turn, itemId, type);
    if (item.row.completedAt) return;
    addText(item, params.delta, max);
    if (item.row.type !== "agentMessage") return;
    const message = assistantMessage(book, item);
    addText(message, params.delta);
    change(message, { updatedAt: book.now });
  };

const maxParts = 1000;

/** A piece of reasoning goes to the part that its index names. */
const reasoning =
  (part: "summary" | "content", index: "summaryIndex" | "contentIndex"): Change =>
  (book, { row: turn }, { itemId, params }) => {
    if (itemId === null) return;
    const item = itemOfTurn(book, turn, itemId, "reasoning");
    if (item.row.completedAt) return;
    const at = Number.isInteger(params[index]) ? (params[index] as number) : 0;
    if (at < 0 || at >= maxParts) return;
    const parts = asList(item.row.payload[part]).map((text) => (typeof text === "string" ? text : ""));
    while (parts.length <= at) parts.push("");
    if (typeof params.delta === "string") parts[at] += params.delta;
    change(item, { payload: { ...item.row.payload, [part]: parts } });
    if (part === "summary") setText(item, parts.join("\n\n"));
  };

const patch: Change = (book, { row: turn }, { itemId, params }) => {
  if (itemId === null) return;
  const item = itemOfTurn(book, turn, itemId, "fileChange");
  if (!item.row.completedAt) change(item, { payload: { ...item.row.payload, changes: params.changes } });
};

const progress: Change = (book, { row: turn }, { itemId, params }) => {
  if (itemId === null || typeof params.message !== "string") return;
  const item = itemOfTurn(book, turn, itemId, "mcpToolCall");
  if (!item.row.completedAt) setText(item, params.message);
};

/** The text of a finished item; null leaves what was streamed. */
export function finalText(item: Json): string | null {
  switch (item.type) {
    case "reasoning":
      return asList(item.summary)
        .filter((part) => typeof part === "string")
        .join("\n\n");
    case "commandExecution":
      return typeof item.aggregatedOutput === "string" ? item.aggregatedOutput : null;
    case "userMessage":
      return userText(item.content);
    default:
      return typeof item.text === "string" ? item.text : null;
  }
}

/** The status that a finished item states, in our spelling. */
export const finalStatus = (item: Json): string => {
  const status = snake(firstText(item.status) ?? "completed").slice(0, 16);
  return status === "in_progress" ? "completed" : status;
};

const completed: Change = (book, { row: turn }, { item, itemId, params, clientId }) => {
  if (!item || itemId === null) return;
  const draft = itemOfTurn(book, turn, itemId, firstText(item.type) ?? "unknown");
  finishItem(book, draft, item, fromMilliseconds(params.completedAtMs) ?? book.now, isJson(params.item));
  if (draft.row.type === "userMessage") linkUserMessage(book, draft.row, clientId, userText(item.content));
};

/**
 * Brings an item, and the message that it is, to its final form. `whole`: the event carried the item itself. `writtenAt`: when
 * a message that is not known yet was written, if not now.
 */
export function finishItem(
  book: Book,
  draft: TextDraft<ItemRow>,
  item: Json,
  at: Date,
  whole = true,
  writtenAt?: Date,
): void {
  const text = finalText(item);
  change(draft, { status: finalStatus(item), completedAt: at });
  if (whole) change(draft, { payload: item });
  if (text !== null) setText(draft, text);
  if (draft.row.type !== "agentMessage") return;
  const known = messageOfItem(book, draft.row.turnId, draft.row.itemId);
  if (!known && !text) return;
  const message = known ?? assistantMessage(book, draft, writtenAt);
  if (text !== null) setText(message, text);
  change(message, { streaming: false, updatedAt: book.now });
  if (isEmpty(message)) dropMessage(book, message);
}

/** Finds the message that Codex repeats, or stores one that was typed in another client of Codex. */
export function linkUserMessage(book: Book, item: ItemRow, clientId: string | null, text: string, at?: Date): void {
  const { threadId, turnId, itemId } = item;
  if (messageOfItem(book, turnId, itemId)) return;
  const known = clientId
    ? (book.messages.get(clientId) ?? book.messages.get(namedMessageId(threadId, clientId)))
    : undefined;
  if (known && known.row.threadId === threadId && known.row.role === "user") {
    change(known, { turnId, itemId, updatedAt: book.now });
    return;
  }
  if (!text) return;
  newMessage(book, {
    messageId: newMessageId(),
    threadId,
    role: "user",
    text,
    turnId,
    itemId,
    ...(at ? { createdAt: at } : {}),
  });
}

/** A message that a phone or desktop says was typed there. Codex repeats it later, with the same id. */
export function userMessage(book: Book, thread: Draft<ThreadRow>, { clientId, params }: Notification): void {
  const { threadId } = thread.row;
  const text = firstText(params.text, params.message);
  if (text === null) return;
  const messageId = clientId ? namedMessageId(threadId, clientId) : newMessageId();
  if (book.messages.has(messageId) || (clientId && book.messages.get(clientId)?.row.threadId === threadId)) return;
  newMessage(book, { messageId, threadId, role: "user", text });
}

/** Methods that change one item of a turn. */
export const itemChanges: Record<string, Change> = {
  "item/started": started,
  "item/agentMessage/delta": delta("agentMessage"),
  "item/plan/delta": delta("plan"),
  "item/commandExecution/outputDelta": delta("commandExecution", outputKept),
  "item/reasoning/summaryTextDelta": reasoning("summary", "summaryIndex"),
  "item/reasoning/summaryPartAdded": reasoning("summary", "summaryIndex"),
  "item/reasoning/textDelta": reasoning("content", "contentIndex"),
  "item/fileChange/patchUpdated": patch,
  "item/mcpToolCall/progress": progress,
  "item/completed": completed,
};
