import type { Access } from "./access";
import { type Closing, reauthRequired } from "./closing";
import { clientFacts, incompatibility, type Window } from "./compatibility";
import { answer, type Connection, tell, tellClosed, watermarks } from "./connection";
import { CHANNEL } from "./frames";
import type { KhalaNode } from "./node";
import { type Message, parseAcknowledged } from "./protocol";
import { internalError } from "./subscribing";
import { resolveTopics, scopeTopics } from "./topics";

export const badTopic = { code: "bad_topic", message: "unknown channel", reason: "unmatched topic" };

export interface Joining {
  join(connection: Connection, message: Message): Promise<void>;
  leave(connection: Connection, message: Message): void;
  heartbeat(connection: Connection, message: Message): void;
  reauth(connection: Connection, message: Message): Promise<void>;
}

export interface JoiningDeps {
  node: KhalaNode;
  access: Access;
  closing: Closing;
  window: Window;
  /** Told of a client that the gate turned away. */
  onIncompatible(connection: Connection, code: string, facts: { client: string; buildId: string }): void;
}

const subscriptionId = () => `sub_${Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex")}`;

export function createJoining({ node, access, closing, window, onIncompatible }: JoiningDeps): Joining {
  const { config, clock, metrics, hub } = node;

  function fail(connection: Connection, message: Message, error: { code: string }, code: number, reason: string) {
    metrics.count("khala_joins_total", { result: error.code });
    answer(connection, message, "error", error);
    closing.close(connection, code, reason);
  }

  async function join(connection: Connection, message: Message): Promise<void> {
    if (message.topic !== CHANNEL) return answer(connection, message, "error", badTopic);
    if (connection.joined) end(connection);
    const { claims } = connection;
    const facts = clientFacts(message.payload, connection.query, claims.claims);
    const frames = message.payload.frames;
    if (frames === "both" || frames === "batch" || frames === "frame") connection.seat.line.frames = frames;
    let standing: Awaited<ReturnType<Access["standings"]>>;
    try {
      standing = await access.standings([claims.sessionId]);
    } catch {
      return fail(connection, message, internalError, 1013, "try_again_later");
    }
    if (!connection.seat.line.open()) return;
    const found = standing.get(claims.sessionId);
    const ended = found ? (found.userId === claims.userId ? found.ended : "user_requested") : "user_requested";
    if (ended !== null) return fail(connection, message, reauthRequired(ended), 4401, "reauth_required");
    const unfit = incompatibility(facts, window);
    if (unfit) {
      onIncompatible(connection, unfit.code, facts);
      return fail(connection, message, unfit, 4426, unfit.code);
    }
    connection.client = facts;
    connection.endsAt = found?.endsAt?.getTime() ?? null;
    connection.principal = { ...connection.principal, workerId: found?.workerId ?? null };
    const id = subscriptionId();
    const nextBeat = clock.now() + config.OA_KHALA_HEARTBEAT_INTERVAL_MS;
    connection.joined = { ref: message.ref, subscriptionId: id, nextBeat };
    metrics.count("khala_joins_total", { result: "ok" });
    answer(connection, message, "ok", {
      subscription_id: id,
      allowed_topics: connection.principal.scopes.filter((scope) => scopeTopics.has(scope)),
      current_watermarks: [],
      protocol_version: window.protocol,
      schema_version: window.maxSchema,
      heartbeat_interval_ms: config.OA_KHALA_HEARTBEAT_INTERVAL_MS,
      heartbeat_timeout_ms: config.OA_KHALA_HEARTBEAT_TIMEOUT_MS,
      max_frame_bytes: 65_536,
      frames: connection.seat.line.frames,
      node: node.id,
      server_time: new Date(clock.now()).toISOString(),
    });
  }

  /** All subscriptions end, and the client is told which join did. */
  function end(connection: Connection): void {
    const { joined } = connection;
    connection.joined = null;
    connection.idleSince = clock.now();
    closing.endSubs(connection);
    if (joined) tellClosed(connection, joined);
  }

  function leave(connection: Connection, message: Message): void {
    answer(connection, message, "ok", {});
    end(connection);
  }

  function heartbeat(connection: Connection, message: Message): void {
    for (const [topic, watermark] of parseAcknowledged(message.payload.watermarks)) {
      const sub = connection.seat.subs.get(topic);
      if (!sub) continue;
      sub.acknowledged = watermark;
      const lag = Math.max(sub.channel.stream.published - watermark, 0);
      metrics.observe("khala_lag_events", lag, {}, [0, 1, 10, 50, 250, 1000, 5000]);
    }
    const now = watermarks(connection);
    tell(connection, "sync:heartbeat", { watermarks: now });
    answer(connection, message, "ok", { subscription_id: connection.joined?.subscriptionId, watermarks: now });
  }

  async function reauth(connection: Connection, message: Message): Promise<void> {
    const { joined, claims } = connection;
    const refuse = (reason: string) =>
      answer(connection, message, "error", {
        code: "unauthorized",
        message: "khala sync authorization failed",
        reason_code: reason,
      });
    const { token } = message.payload;
    if (typeof token !== "string" || !token) return refuse("missing_authorization");
    try {
      const fresh = await access.verify(token);
      if (connection.joined !== joined) return;
      if ("denied" in fresh) return refuse(fresh.denied);
      const same = fresh.subject === claims.subject && fresh.sessionId === claims.sessionId;
      if (!same) return refuse("session_mismatch");
      const principal = { ...connection.principal, scopes: fresh.scopes };
      const asks = [...connection.seat.subs.keys()].map((topic) => ({ topic, principal }));
      const resolutions = await resolveTopics(access, asks);
      if (connection.joined !== joined) return;
      connection.claims = fresh;
      connection.principal = principal;
      const removed = resolutions.filter((one) => "denied" in one).map(({ topic }) => topic);
      for (const topic of removed) {
        const sub = connection.seat.subs.get(topic);
        if (sub) hub.detach(sub);
      }
      answer(connection, message, "ok", {
        expires_at: new Date(fresh.expiresAt * 1000).toISOString(),
        scopes: fresh.scopes,
        removed_topics: removed,
      });
    } catch {
      if (connection.joined === joined) answer(connection, message, "error", internalError);
    }
  }

  return { join, leave, heartbeat, reauth };
}
