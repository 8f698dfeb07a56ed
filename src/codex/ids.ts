import { createHash } from "node:crypto";

const hex32 = () => crypto.randomUUID().replaceAll("-", "");
const digest = (...parts: (string | number)[]) =>
  createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 32);

/** Generated ids (codex-chat 3.3): a word and a UUID v4 as 32 lower-case hex. */
export const newWorkerId = () => `codexw_${hex32()}`;
export const newThreadId = () => `thread_${hex32()}`;
export const newTurnId = () => `turn_${hex32()}`;
export const newMessageId = () => `msg_${hex32()}`;
export const newThreadMessageRequestId = () => `thread_message_${hex32()}`;

/** Id of a message that an item of Codex became; the same item always gives the same id (codex-chat 3.7). */
export const itemMessageId = (threadId: string, turnId: string, itemId: string) =>
  `msg_${digest(threadId, turnId, itemId)}`;

/** Id of a message that a phone or desktop named itself: never the name alone, which somebody else may have used. */
export const namedMessageId = (threadId: string, clientMessageId: string) => `msg_${digest(threadId, clientMessageId)}`;

/** Request id of a legacy post, so that a client's retry starts no second turn (codex-chat 3.7). */
export const legacyRequestId = (userId: number, threadId: string, clientMessageId: string | null) =>
  `legacy_stream_${clientMessageId === null ? hex32() : digest(userId, threadId, clientMessageId)}`;

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Codex names its threads and turns by UUID. */
export const isUuid = (text: string) => uuid.test(text);

/** Ids ending in `:shared` live in their owner's own namespace (codex-chat 3.3). */
export const isShared = (workerId: string) => workerId.endsWith(":shared");
