import { Elysia, t } from "elysia";
import type { Context } from "../context";
import { limits } from "../http/limits";
import { platform } from "../http/platform";
import { Conversation, ConversationMessage, LegacyPost, LegacyReply, NewConversation } from "./contract";
import type { Json } from "./json";
import {
  guestSession,
  legacyPost,
  listConversationMessages,
  listConversations,
  listRuns,
  retirement,
  showConversation,
  showRunEvents,
  startConversation,
} from "./legacy";
import { accountText } from "./policy";

const data = <T extends Parameters<typeof t.Object>[0][string]>(shape: T) => t.Object({ data: shape });
const none = t.Array(t.Never());

/** `conversationId` was sent in the query by some of the old clients. */
const LegacyQuery = t.Object({ conversationId: t.Optional(t.Union([t.String(), t.Null()])) });
const AnyLimit = t.Object({ limit: t.Optional(t.Unknown()) });

/** Chat routes of earlier versions: they say that they are retired, and start turns of Codex (codex-chat 2.12). */
export const retiredChatApi = (ctx: Context) => {
  const stream = retirement(ctx, "stream");
  const read = retirement(ctx, "read");
  const deprecated = { deprecated: true };
  const post = {
    user: true,
    throttle: limits.codexRequest,
    carries: stream,
    fails: [404, 409],
    body: LegacyPost,
    response: { 200: data(LegacyReply) },
  } as const;
  return new Elysia({ tags: ["Chat"] })
    .use(platform)
    .get(
      "/api/chat/guest-session",
      async ({ caller, facts, status }) => status(410, await guestSession(ctx, caller, facts)),
      {
        user: true,
        stranger: accountText,
        carries: retirement(ctx, "read", true),
        response: {
          410: data(
            t.Object({
              retired: t.Literal(true),
              status: t.Literal("codex_auth_required"),
              canonical: t.String(),
              message: t.String(),
            }),
          ),
        },
        detail: { operationId: "legacyChatGuestSession", summary: "Guest chat (retired)", ...deprecated },
      },
    )
    .post(
      "/api/chat",
      async ({ caller, facts, body, query }) => ({
        data: await legacyPost(ctx, caller, facts, null, body as Json, query),
      }),
      {
        ...post,
        stranger: accountText,
        query: LegacyQuery,
        detail: { operationId: "legacyChat", summary: "Send a message (retired)", ...deprecated },
      },
    )
    .post(
      "/api/chat/stream",
      async ({ caller, facts, body, query }) => ({
        data: await legacyPost(ctx, caller, facts, null, body as Json, query),
      }),
      {
        ...post,
        stranger: accountText,
        query: LegacyQuery,
        detail: { operationId: "legacyChatStream", summary: "Send a message (retired)", ...deprecated },
      },
    )
    .post(
      "/api/chats/:conversationId/stream",
      async ({ caller, facts, params, body }) => ({
        data: await legacyPost(ctx, caller, facts, params.conversationId, body as Json, {}),
      }),
      {
        ...post,
        detail: { operationId: "legacyChatsStream", summary: "Send a message to a thread (retired)", ...deprecated },
      },
    )
    .get("/api/chats", async ({ caller, query }) => ({ data: await listConversations(ctx, caller, query.limit) }), {
      user: true,
      carries: read,
      query: AnyLimit,
      response: { 200: data(t.Array(Conversation)) },
      detail: { operationId: "legacyChatsList", summary: "List threads (retired)", ...deprecated },
    })
    .post(
      "/api/chats",
      async ({ caller, body, status }) =>
        status(201, { data: await startConversation(ctx, caller, body.title ?? null) }),
      {
        user: true,
        carries: read,
        body: NewConversation,
        response: { 201: data(Conversation) },
        detail: { operationId: "legacyChatsCreate", summary: "Make a thread (retired)", ...deprecated },
      },
    )
    .get(
      "/api/chats/:conversationId",
      async ({ caller, params }) => ({ data: await showConversation(ctx, caller, params.conversationId) }),
      {
        user: true,
        carries: read,
        response: {
          200: data(t.Object({ conversation: Conversation, messages: t.Array(ConversationMessage), runs: none })),
        },
        detail: { operationId: "legacyChatShow", summary: "Show a thread (retired)", ...deprecated },
      },
    )
    .get(
      "/api/chats/:conversationId/messages",
      async ({ caller, params }) => ({ data: await listConversationMessages(ctx, caller, params.conversationId) }),
      {
        user: true,
        carries: read,
        response: { 200: data(t.Array(ConversationMessage)) },
        detail: { operationId: "legacyChatMessages", summary: "List a thread's messages (retired)", ...deprecated },
      },
    )
    .get(
      "/api/chats/:conversationId/runs",
      async ({ caller, params }) => ({ data: await listRuns(ctx, caller, params.conversationId) }),
      {
        user: true,
        carries: read,
        response: { 200: data(none) },
        detail: { operationId: "legacyChatRuns", summary: "List a thread's runs (retired)", ...deprecated },
      },
    )
    .get(
      "/api/chats/:conversationId/runs/:runId/events",
      async ({ caller, params }) => ({
        data: await showRunEvents(ctx, caller, params.conversationId, params.runId),
      }),
      {
        fails: [422],
        user: true,
        carries: read,
        response: {
          200: data(
            t.Object({
              run: t.Object({
                id: t.String(),
                status: t.Literal("retired"),
                modelProvider: t.Literal("codex_app_server"),
                model: t.Null(),
              }),
              events: none,
            }),
          ),
        },
        detail: { operationId: "legacyChatRunEvents", summary: "List a run's events (retired)", ...deprecated },
      },
    );
};
