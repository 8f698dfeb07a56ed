import { Elysia, t } from "elysia";
import type { Context } from "../context";
import { platform } from "../http/platform";
import { notFound } from "../refusal";
import type { Access } from "./access";
import type { ClientFacts } from "./compatibility";
import type { Connection } from "./connection";
import { connectionList, overview, topicWindows } from "./inspection";
import type { KhalaNode } from "./node";
import { createPoll } from "./poll";
import { compact, forgetUser, measureFloors } from "./retention";
import type { KhalaSockets } from "./sockets";

export { type KhalaSockets, khalaSockets } from "./sockets";

/** The audit row of a client that the compatibility gate turned away (auth 3.13, khala 3.10). */
export const auditIncompatible = (ctx: Context) => (connection: Connection, code: string, client: ClientFacts) => {
  const { userId, sessionId, orgId, deviceId } = connection.claims;
  const attributes = {
    surface: "khala_websocket",
    path: "/sync/socket/websocket",
    client: client.client || "unknown",
    client_build_id: client.buildId || "missing",
    code,
    protocol_version: client.protocol || "missing",
  };
  const event = "compatibility.rejected";
  const record = { event, requestId: connection.id, outcome: "rejected" as const, userId, sessionId, orgId, deviceId };
  ctx
    .commit(async ({ audit }) => audit({ ...record, attributes }))
    .catch((error) => ctx.log.warn("khala", "an audit row was not stored", { error: String(error) }));
};

const PollQuery = t.Object({
  after_seq: t.Optional(t.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, examples: [0] })),
  limit: t.Optional(t.Integer({ minimum: 1, examples: [100] })),
});
type PollQuery = { after_seq?: number; limit?: number };

const TopicLimit = t.Object({ topic_limit: t.Optional(t.Integer({ minimum: 1, maximum: 200 })) });

const ConnectionFilter = t.Object({
  user_id: t.Optional(t.Integer({ minimum: 1 })),
  topic: t.Optional(t.String({ maxLength: 200 })),
  limit: t.Optional(t.Integer({ minimum: 1, maximum: 1000 })),
});

const Polled = t.Object({
  topic: t.String({ examples: ["run:9:events"] }),
  driver: t.Literal("postgres"),
  messages: t.Array(
    t.Object({
      topic: t.String(),
      sequence: t.Integer(),
      kind: t.String({ examples: ["run.started"] }),
      payload: t.Any({ examples: [{}] }),
      published_at: t.String({ format: "date-time" }),
    }),
  ),
  oldest_available_cursor: t.Integer(),
  head_cursor: t.Integer(),
  queue_depth: t.Integer(),
  dropped_messages: t.Integer(),
  next_cursor: t.Integer(),
  replay_complete: t.Boolean(),
  limit_applied: t.Integer(),
  limit_capped: t.Boolean(),
  fairness_applied: t.Boolean(),
  active_topic_count: t.Integer(),
  outbound_queue_limit: t.Integer(),
  consumer_lag: t.Integer(),
  slow_consumer_strikes: t.Integer(),
  slow_consumer_max_strikes: t.Integer(),
  recommended_reconnect_backoff_ms: t.Integer(),
});

/** Poll (khala 2.9) and inspection (khala 2.10). The sockets themselves stand before all routes: `sockets.ts`. */
export const khalaApi = (ctx: Context, node: KhalaNode, access: Access, sockets: KhalaSockets, buildId: string) => {
  const poll = createPoll(node, access, sockets.originAllowed);
  const metrics = async () => {
    const { active_consumers, ...counted } = poll.stats();
    const evicted = await node.total("khala_slow_consumer_closes_total");
    const causes = sockets.recentCloses();
    return { ...counted, slow_consumer_evictions: evicted, active_consumers, recent_disconnect_causes: causes };
  };
  const messages = (request: Request, facts: Parameters<typeof poll.messages>[1], topic: string, query: PollQuery) =>
    poll.messages(request, facts, topic, { after: query.after_seq ?? 0, limit: query.limit });

  return new Elysia({ name: "khala", tags: ["Sync"] })
    .use(platform)
    .get(
      "/api/khala/topics/:topic/messages",
      ({ request, facts, params, query }) => messages(request, facts, params.topic, query),
      {
        proof: "sync token",
        counts: "khala",
        fails: [403, 410],
        query: PollQuery,
        response: { 200: t.Unsafe<object>(Polled) },
        detail: {
          operationId: "khalaTopicMessages",
          summary: "Read a topic's log",
          description: "A fallback for where no WebSocket can be opened. Needs a sync token.",
        },
      },
    )
    .get(
      "/internal/v1/khala/topics/:topic/messages",
      ({ request, facts, params, query }) => messages(request, facts, params.topic, query),
      { proof: "sync token", counts: "khala", query: PollQuery },
    )
    .get(
      "/internal/v1/khala/fanout/metrics",
      async ({ query }) => ({
        driver: "postgres",
        delivery_metrics: await metrics(),
        topic_windows: await topicWindows(ctx.store, node, query.topic_limit ?? 20),
      }),
      { user: "admin", query: TopicLimit },
    )
    .get(
      "/internal/v1/khala/fanout/hooks",
      async ({ query }) => ({
        driver: "postgres",
        delivery_metrics: await metrics(),
        topic_windows: await topicWindows(ctx.store, node, query.topic_limit ?? 20),
        hooks: hooks(node),
      }),
      { user: "admin", query: TopicLimit },
    )
    .get(
      "/api/admin/khala",
      async ({ query }) => ({
        data: await overview(ctx.store, node, sockets.connections, { buildId, stream: query.topic }),
      }),
      { user: "admin", query: t.Object({ topic: t.Optional(t.String({ maxLength: 200 })) }) },
    )
    .get(
      "/api/admin/khala/connections",
      ({ query: { user_id: userId, topic, limit = 100 } }) => ({
        data: connectionList(sockets.connections, { userId, topic, limit }),
      }),
      { user: "admin", query: ConnectionFilter },
    )
    .delete(
      "/api/admin/khala/connections/:id",
      async ({ caller, facts, params }) => {
        if (!sockets.closeById(params.id)) throw notFound();
        await ctx.commit(async ({ audit }) => {
          audit({
            event: "khala.connection.closed",
            requestId: facts.requestId,
            userId: caller.user.id,
            sessionId: caller.sessionId,
            orgId: caller.activeOrgId,
            deviceId: caller.deviceId,
            attributes: { connection_id: params.id },
          });
        });
        return { data: { connection_id: params.id, closed: true } };
      },
      { user: "admin" },
    );
};

/** Where news of other nodes come from (R). */
function hooks(node: KhalaNode) {
  const { mode, connected } = node.wakes();
  const notifications =
    mode === "local"
      ? { status: "not_configured", note: "one process: commits are handed over inside it" }
      : { status: "active", note: connected ? "listening" : "cut off: events of other nodes come by sweeps" };
  return [
    { backend: "nats", status: "not_configured", note: "OA_KHALA_NATS_URL is not set" },
    { backend: "redis", status: "not_configured", note: "not used" },
    { backend: "postgres_notify", ...notifications },
  ];
}

/** Declares Khala's jobs; before the runner starts. */
export function khalaJobs({ jobs, store }: Context, node: KhalaNode): void {
  jobs.define<null>({
    kind: "khala.prune",
    tries: 3,
    backoffSeconds: 60,
    concurrency: 1,
    run: async (_payload, { signal }) => {
      await compact(store, node, { signal });
      await measureFloors(store, node.metrics);
    },
  });
  jobs.every("*/5 * * * *", "khala.prune");
  jobs.define<{ user_id: number }>({
    kind: "khala.forget",
    tries: 10,
    backoffSeconds: 60,
    run: ({ user_id: userId }, { signal }) => forgetUser(store, userId, signal),
  });
}
