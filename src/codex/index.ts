import { Elysia, t } from "elysia";
import type { Context } from "../context";
import { limits } from "../http/limits";
import { platform } from "../http/platform";
import { createWorker } from "./attach";
import {
  AcceptedMessage,
  AttachedWorker,
  ControlReply,
  ControlRequest,
  Item,
  ItemPage,
  Message,
  MessagePage,
  NewEvents,
  NewMessage,
  NewWorker,
  StoppedWorker,
  StopWorker,
  StoredBatch,
  StoredEvent,
  StreamBootstrap,
  StreamWindow,
  Thread,
  ThreadPage,
  ThreadSnapshot,
  TurnPage,
  WorkerFilter,
  WorkerSnapshot,
} from "./contract";
import { controlRequest } from "./control";
import { defineDeadlines } from "./deadlines";
import { createIngest, ingestEvents } from "./ingest-lanes";
import { listMessages } from "./messages";
import { postMessage, threadIdOfPath } from "./post-message";
import { definePrune } from "./prune";
import { retiredChatApi } from "./retired-api";
import { stopWorker } from "./stop";
import { bootstrapStream } from "./stream";
import { threadPage } from "./threads";
import { listItems, showThread } from "./turns";
import { listWorkers, showWorker } from "./workers";

export * from "./exports";

const data = <T extends Parameters<typeof t.Object>[0][string]>(shape: T) => t.Object({ data: shape });

/** Workers: Codex installations, the commands for them and what they report (codex-chat 2.1 to 2.7). */
const workersApi = (ctx: Context) => {
  const lanes = createIngest(ctx);
  return new Elysia({ tags: ["Codex"] })
    .use(platform)
    .get("/api/runtime/codex/workers", async ({ caller, query }) => ({ data: await listWorkers(ctx, caller, query) }), {
      user: "worker",
      query: WorkerFilter,
      response: { 200: data(t.Array(WorkerSnapshot)) },
      detail: { operationId: "runtimeCodexWorkersList", summary: "List own workers" },
    })
    .post(
      "/api/runtime/codex/workers",
      async ({ caller, body, status }) => status(202, { data: await createWorker(ctx, caller, body) }),
      {
        fails: [409],
        user: "worker",
        body: NewWorker,
        response: { 202: data(AttachedWorker) },
        detail: { operationId: "runtimeCodexWorkersCreate", summary: "Create or reattach a worker" },
      },
    )
    .get(
      "/api/runtime/codex/workers/:workerId",
      async ({ caller, params }) => ({ data: await showWorker(ctx, caller, params.workerId.trim()) }),
      {
        user: "worker",
        response: { 200: data(WorkerSnapshot) },
        detail: { operationId: "runtimeCodexWorkerShow", summary: "Show a worker" },
      },
    )
    .get(
      "/api/runtime/codex/workers/:workerId/stream",
      async ({ caller, params, query, request }) => ({
        data: await bootstrapStream(ctx, caller, params.workerId.trim(), query, request.headers.get("last-event-id")),
      }),
      {
        fails: [410],
        user: "worker",
        query: StreamWindow,
        response: { 200: data(StreamBootstrap) },
        detail: {
          operationId: "runtimeCodexWorkerStreamBootstrap",
          summary: "Read a worker's events and where they are delivered live",
        },
      },
    )
    .post(
      "/api/runtime/codex/workers/:workerId/requests",
      async ({ caller, facts, params, body, request }) => {
        if (!request.headers.get("x-request-id")?.trim())
          facts.requestId = correlation(body.request.request_id, facts.requestId);
        return { data: await controlRequest(ctx, caller, facts, params.workerId.trim(), body) };
      },
      {
        fails: [409],
        user: "worker",
        throttle: limits.codexRequest,
        body: ControlRequest,
        response: { 200: data(ControlReply) },
        detail: { operationId: "runtimeCodexWorkerRequest", summary: "Ask a worker for something" },
      },
    )
    .post(
      "/api/runtime/codex/workers/:workerId/events",
      async ({ caller, params, body, status }) =>
        status(202, { data: await ingestEvents(ctx, lanes, caller, params.workerId.trim(), body) }),
      {
        fails: [409],
        user: "worker",
        counts: "khala.publish",
        body: NewEvents,
        response: { 202: data(t.Union([StoredEvent, StoredBatch])) },
        detail: { operationId: "runtimeCodexWorkerEventsIngest", summary: "Store events of a worker" },
      },
    )
    .post(
      "/api/runtime/codex/workers/:workerId/stop",
      async ({ caller, params, body, status }) =>
        status(202, { data: await stopWorker(ctx, caller, params.workerId.trim(), body.reason ?? null) }),
      {
        user: "worker",
        body: StopWorker,
        response: { 202: data(StoppedWorker) },
        detail: { operationId: "runtimeCodexWorkerStop", summary: "Stop a worker" },
      },
    );
};

/** A request id that a header can hold. */
const correlation = (requestId: string, otherwise: string) =>
  /^[\x21-\x7e]{1,128}$/.test(requestId) ? requestId : otherwise;

/** Threads: what was said and done, as the read-model has it (codex-chat 2.8 to 2.11). */
const threadsApi = (ctx: Context) =>
  new Elysia({ tags: ["Codex"] })
    .use(platform)
    .get(
      "/api/runtime/threads",
      async ({ caller, query }) => ({ data: await threadPage(ctx.db, caller.user.id, caller.activeOrgId, query) }),
      {
        user: true,
        query: ThreadPage,
        response: { 200: data(t.Object({ threads: t.Array(Thread), next_cursor: t.Union([t.String(), t.Null()]) })) },
        detail: { operationId: "runtimeThreadsList", summary: "List own threads of the active organisation" },
      },
    )
    .get(
      "/api/runtime/threads/:threadId",
      async ({ caller, params, query }) => ({
        data: await showThread(ctx, caller.user.id, params.threadId.trim(), query),
      }),
      {
        user: true,
        query: TurnPage,
        response: { 200: data(ThreadSnapshot) },
        detail: { operationId: "runtimeThreadShow", summary: "Show a thread with its newest turns" },
      },
    )
    .get(
      "/api/runtime/threads/:threadId/items",
      async ({ caller, params, query }) => ({
        data: await listItems(ctx, caller.user.id, params.threadId.trim(), query),
      }),
      {
        user: true,
        query: ItemPage,
        response: {
          200: data(
            t.Object({ thread_id: t.String(), items: t.Array(Item), next_cursor: t.Union([t.String(), t.Null()]) }),
          ),
        },
        detail: { operationId: "runtimeThreadItemsList", summary: "List the items of a thread" },
      },
    )
    .get(
      "/api/runtime/threads/:threadId/messages",
      async ({ caller, params, query }) => ({
        data: await listMessages(ctx, caller.user.id, params.threadId.trim(), query),
      }),
      {
        user: true,
        query: MessagePage,
        response: {
          200: data(t.Object({ thread_id: t.String(), messages: t.Array(Message), has_more: t.Boolean() })),
        },
        detail: { operationId: "runtimeThreadMessagesList", summary: "List the messages of a thread" },
      },
    )
    .post(
      "/api/runtime/threads/:threadId/messages",
      async ({ caller, facts, params, body }) => ({
        data: await postMessage(ctx, caller, facts, threadIdOfPath(params.threadId), body),
      }),
      {
        fails: [409],
        user: true,
        throttle: limits.threadMessage,
        body: NewMessage,
        response: { 200: data(AcceptedMessage) },
        detail: { operationId: "runtimeThreadMessage", summary: "Send a message and start a turn" },
      },
    );

/** Every route of the Codex domain. */
export const codexApi = (ctx: Context) =>
  new Elysia({ name: "codex" }).use(workersApi(ctx)).use(threadsApi(ctx)).use(retiredChatApi(ctx));

/** Its jobs: deadlines of requests, retention. Declared before the jobs start. */
export function codexJobs(ctx: Context): void {
  defineDeadlines(ctx);
  definePrune(ctx);
}
