import type { Context } from "../context";
import type { Caller } from "../http/caller";
import type { Facts } from "../http/facts";
import { invalid } from "../refusal";
import type { Conversation, ConversationMessage, LegacyReply } from "./contract";
import { legacyRequestId, newThreadId } from "./ids";
import { asList, codePoints, firstText, isJson, type Json, textOf } from "./json";
import { readMessages } from "./messages";
import { textProblem } from "./methods";
import { submitIn } from "./requests";
import { delivery } from "./stream";
import { listThreads, lockOrStartThread, requireThread, type ThreadRow } from "./threads";
import { milliseconds } from "./times";
import { admitWorker, chooseWorkerId } from "./workers";

const canonicalRequests = "/api/runtime/codex/workers/:worker_id/requests";
const deprecatedAt = "@1771718400";

/** Headers that say what became of a chat route: every answer to a signed-in caller carries them (codex-chat 2.12). */
export function retirement(ctx: Context, kind: "stream" | "read", guest = false): Record<string, string> {
  const sunset = ctx.config.OA_LEGACY_CHAT_SUNSET;
  const at = sunset === null ? null : new Date(sunset);
  return {
    "x-oa-legacy-chat-retired": "true",
    "x-oa-legacy-chat-canonical": kind === "stream" ? canonicalRequests : "/api/runtime/threads",
    ...(kind === "stream" ? { "x-oa-legacy-chat-stream-protocol": "disabled" } : {}),
    ...(guest ? { "x-oa-chat-auth-policy": "codex-auth-required" } : {}),
    deprecation: deprecatedAt,
    ...(at && !Number.isNaN(at.getTime()) ? { sunset: at.toUTCString() } : {}),
    link: `<${kind === "stream" ? "/api/runtime/codex/workers" : "/api/runtime/threads"}>; rel="successor-version"`,
  };
}

const retiredGuest = {
  retired: true,
  status: "codex_auth_required",
  canonical: "/api/runtime/threads",
  message: "Guest chat is retired. Authenticate with a ChatGPT account to use Codex threads.",
} as const;

/** What a guest chat's client is told: there is none any more. */
export const guestSession = (ctx: Context, caller: Caller, facts: Facts) =>
  ctx.commit(async (unit) => {
    unit.audit({
      event: "legacy.chat.guest_session.retired",
      requestId: facts.requestId,
      userId: caller.user.id,
      sessionId: caller.sessionId,
      orgId: caller.activeOrgId,
      deviceId: caller.deviceId,
      attributes: { canonical: "/api/runtime/threads", auth_policy: "codex_auth_required" },
    });
    return { data: retiredGuest };
  });

/** Text of one entry of `messages`, in any of the forms that old clients send. */
function entryText(entry: Json): string | null {
  const content = entry.content;
  return firstText(
    entry.text,
    entry.message,
    content,
    isJson(content) ? content.text : null,
    partsText(content),
    partsText(entry.parts),
  );
}

const partsText = (parts: unknown): string | null => {
  const texts = asList(parts).map((part) => (isJson(part) ? firstText(part.text, part.value) : textOf(part)));
  return textOf(texts.filter((text) => text !== null).join("\n"));
};

/** The person's text and, where an entry of `messages` holds it, that entry's id (codex-chat 2.12). */
export function legacyText(body: Json): { text: string | null; messageId: string | null } {
  const direct = firstText(body.text, body.message);
  if (direct !== null) return { text: direct, messageId: null };
  for (const entry of asList(body.messages).filter(isJson).reverse()) {
    if ((textOf(entry.role) ?? "user").toLowerCase() !== "user") continue;
    const text = entryText(entry);
    if (text !== null) return { text, messageId: textOf(entry.id) };
  }
  return { text: null, messageId: null };
}

/** The thread that a legacy post means, or null for a new one. */
export function legacyThreadId(path: string | null, body: Json, query: Json): string | null {
  if (path !== null) {
    const id = path.trim();
    if (!id) throw invalid("conversation_id", "Conversation id is required.");
    return id;
  }
  return firstText(
    body.thread_id,
    body.threadId,
    body.conversation_id,
    body.conversationId,
    body.id,
    query.conversationId,
  );
}

/** A message through a retired chat route: a turn really starts, nothing is streamed (codex-chat 2.12). */
export async function legacyPost(
  ctx: Context,
  caller: Caller,
  facts: Facts,
  path: string | null,
  body: Json,
  query: Json,
): Promise<LegacyReply> {
  const threadId = legacyThreadId(path, body, query) ?? newThreadId();
  if (codePoints(threadId) > 160) {
    throw invalid("conversation_id", "Value may not be greater than 160 characters.");
  }
  const { text, messageId } = legacyText(body);
  if (text === null) throw invalid("messages", "Legacy stream payload must include user message text.");
  const problem = textProblem(text);
  if (problem) throw invalid("request.params.text", problem);
  const named = firstText(body.worker_id, body.workerId);
  if (named !== null && codePoints(named) > 160) {
    throw invalid("worker_id", "Value may not be greater than 160 characters.");
  }
  const workerId = named ?? (await chooseWorkerId(ctx, caller.user.id));
  admitWorker(caller, workerId);
  const requestId = legacyRequestId(caller.user.id, threadId, messageId);
  const command = {
    workerId,
    requestId,
    method: "turn/start" as const,
    params: { thread_id: threadId, text },
    sessionId: null,
    threadId,
    source: "legacy_chat_stream_alias",
    requestVersion: null,
    sentAt: null,
  };
  return ctx.commit(async (unit) => {
    const reply = await submitIn(ctx, unit, caller, command, {
      httpRequestId: facts.requestId,
      chosen: named === null,
    });
    unit.audit({
      event: "legacy.chat.stream.bridge.accepted",
      requestId: facts.requestId,
      userId: caller.user.id,
      sessionId: caller.sessionId,
      orgId: caller.activeOrgId,
      deviceId: caller.deviceId,
      attributes: {
        thread_id: threadId,
        bridge_method: "turn/start",
        bridge_request_id: requestId,
        worker_id: workerId,
      },
    });
    const { thread_id, turn, message } = reply.response;
    return {
      retired: true,
      stream_protocol: "disabled",
      canonical: canonicalRequests,
      bridge: { method: "turn/start", worker_id: workerId, request_id: requestId },
      response: { thread_id, turn, message },
      delivery: delivery(caller.activeOrgId),
    };
  });
}

const conversationView = (row: ThreadRow): Conversation => ({
  id: row.threadId,
  title: row.title ?? `Codex Thread ${row.threadId}`,
  autopilotId: row.autopilotId,
  createdAt: milliseconds(row.createdAt),
  updatedAt: milliseconds(row.updatedAt),
});

/** Threads as the retired list shows them; any `limit` is brought into 1 to 200. */
export async function listConversations(ctx: Context, caller: Caller, limit: unknown): Promise<Conversation[]> {
  const wanted = limit === undefined || limit === null || limit === "" ? 50 : Math.trunc(Number(limit)) || 1;
  const clamped = Math.min(200, Math.max(1, wanted));
  const { rows } = await listThreads(ctx.db, caller.user.id, caller.activeOrgId, { limit: clamped });
  return rows.map(({ thread }) => conversationView(thread));
}

/** A thread by the retired route: nothing is started in Codex. */
export const startConversation = (ctx: Context, caller: Caller, title: string | null): Promise<Conversation> =>
  ctx.commit(async (unit) => {
    const thread = await lockOrStartThread(unit.db, ctx.now(), {
      threadId: newThreadId(),
      userId: caller.user.id,
      orgId: caller.activeOrgId,
      title: title ?? "New conversation",
    });
    unit.after(() =>
      ctx.analytics.capture(caller.user.email, "chat started", { conversation_id: thread.threadId, source: "api" }),
    );
    return conversationView(thread);
  });

async function conversationMessages(ctx: Context, thread: ThreadRow): Promise<ConversationMessage[]> {
  const { rows } = await readMessages(ctx.db, thread.threadId, {});
  return rows.map((row) => ({
    id: row.messageId,
    runId: null,
    autopilotId: thread.autopilotId,
    role: row.role,
    content: row.text,
    meta: null,
    createdAt: milliseconds(row.createdAt),
    updatedAt: milliseconds(row.updatedAt),
  }));
}

export async function showConversation(ctx: Context, caller: Caller, id: string) {
  const { thread } = await requireThread(ctx.db, caller.user.id, id.trim());
  return { conversation: conversationView(thread), messages: await conversationMessages(ctx, thread), runs: [] };
}

export async function listConversationMessages(ctx: Context, caller: Caller, id: string) {
  const { thread } = await requireThread(ctx.db, caller.user.id, id.trim());
  return conversationMessages(ctx, thread);
}

/** Runs exist no more. */
export async function listRuns(ctx: Context, caller: Caller, id: string): Promise<never[]> {
  await requireThread(ctx.db, caller.user.id, id.trim());
  return [];
}

export async function showRunEvents(ctx: Context, caller: Caller, id: string, run: string) {
  const runId = run.trim();
  if (!runId) throw invalid("run_id", "Run id is required.");
  await requireThread(ctx.db, caller.user.id, id.trim());
  return {
    run: { id: runId, status: "retired" as const, modelProvider: "codex_app_server" as const, model: null },
    events: [],
  };
}
