import type { Facts } from "../http/facts";
import { gone, Refusal, tooMany } from "../refusal";
import type { Access, SyncClaims } from "./access";
import { authorize, originText, unauthorizedText } from "./handshake";
import type { KhalaNode } from "./node";
import { startOf } from "./start";
import { resolveTopics } from "./topics";

export interface PollStats {
  total_polls: number;
  throttled_polls: number;
  limited_polls: number;
  fairness_limited_polls: number;
  served_messages: number;
}

export interface Poll {
  /** The body of khala 2.9; throws refusals. */
  messages(request: Request, facts: Facts, topic: string, asked: { after: number; limit?: number }): Promise<object>;
  stats(): PollStats & { active_consumers: number };
}

const ACTIVE_MS = 60_000;

/** Fallback and tests: one read of the log, never the primary lane (khala 2.9). */
export function createPoll(
  node: KhalaNode,
  access: Access,
  originAllowed: (request: Request, facts: Facts) => boolean,
): Poll {
  const { config, clock } = node;
  /** When each principal polled each topic last. */
  const consumers = new Map<string, Map<string, number>>();
  const counted: PollStats = {
    total_polls: 0,
    throttled_polls: 0,
    limited_polls: 0,
    fairness_limited_polls: 0,
    served_messages: 0,
  };

  async function admit(request: Request, facts: Facts): Promise<{ claims: SyncClaims; workerId: string | null }> {
    if (!originAllowed(request, facts)) {
      node.deny("khala origin denied by policy", { reason_code: "origin_not_allowed", client_ip: facts.ip });
      throw new Refusal("forbidden", originText, {
        code: "forbidden_origin",
        body: { reason_code: "origin_not_allowed" },
      });
    }
    const denied = (reason: string) => {
      node.deny("khala auth denied", { reason_code: reason, client_ip: facts.ip });
      return new Refusal("unauthorized", unauthorizedText, { body: { reason_code: reason }, headers: noStore });
    };
    const claims = await authorize(access, request);
    if ("denied" in claims) throw denied(claims.denied);
    const standing = (await access.standings([claims.sessionId])).get(claims.sessionId);
    if (!standing || standing.ended !== null || standing.userId !== claims.userId) throw denied("token_revoked");
    return { claims, workerId: standing.workerId ?? null };
  }

  /** Topics that this principal polled lately, before this poll. Throws when it polls this one too often. */
  function guardInterval(principal: string, topic: string): number {
    const now = clock.now();
    if (consumers.size > 10_000) forget(now);
    const polled = consumers.get(principal) ?? new Map<string, number>();
    consumers.set(principal, polled);
    for (const [name, at] of polled) if (now - at > ACTIVE_MS) polled.delete(name);
    const wait = (polled.get(topic) ?? 0) + config.RUNTIME_KHALA_POLL_MIN_INTERVAL_MS - now;
    if (wait > 0) {
      counted.throttled_polls++;
      throw tooMany("poll interval guard triggered", 1, "rate_limited", {
        reason_code: "poll_interval_guard",
        retry_after_ms: wait,
      });
    }
    const before = polled.size;
    polled.set(topic, now);
    return before;
  }

  function forget(now: number): void {
    for (const [name, polled] of consumers) {
      if ([...polled.values()].every((at) => now - at > ACTIVE_MS)) consumers.delete(name);
    }
  }

  function limitOf(asked: number | undefined, fair: boolean) {
    const most = Math.min(config.RUNTIME_KHALA_POLL_MAX_LIMIT, config.RUNTIME_KHALA_OUTBOUND_QUEUE_LIMIT);
    const wanted = asked ?? config.RUNTIME_KHALA_POLL_DEFAULT_LIMIT;
    const capped = Math.min(wanted, most);
    const limit = fair ? Math.min(capped, config.RUNTIME_KHALA_FAIR_TOPIC_SLICE_LIMIT) : capped;
    if (capped < wanted) counted.limited_polls++;
    if (limit < capped) counted.fairness_limited_polls++;
    return { limit, capped: capped < wanted, fair: limit < capped };
  }

  async function messages(
    request: Request,
    facts: Facts,
    topic: string,
    { after, limit: asked }: { after: number; limit?: number },
  ) {
    counted.total_polls++;
    const { claims, workerId } = await admit(request, facts);
    const { userId, sessionId, scopes, orgId, deviceId } = claims;
    const [found] = await resolveTopics(access, [{ topic, principal: { userId, sessionId, scopes, workerId } }]);
    if (!found || "denied" in found) {
      const reason = found?.denied ?? "forbidden_topic";
      node.deny("khala topic denied", { reason_code: reason, user_id: userId, session_id: sessionId, topic });
      throw new Refusal("forbidden", "topic subscription is not authorized", {
        code: "forbidden_topic",
        body: { reason_code: reason },
        headers: noStore,
      });
    }
    const principal = `${userId}|${orgId}|${deviceId}`;
    const before = guardInterval(principal, topic);
    const { limit, capped, fair } = limitOf(asked, others(principal, topic));
    const ids = await node.ensure([{ name: found.stream, owner: found.owner }]);
    const { floor, head, rows } = await node.reader.read(ids.get(found.stream) as number, after, limit);
    checkCursor(found.stream, topic, after, floor, head);
    const last = rows[rows.length - 1]?.seq ?? after;
    const shown = found.filter ? rows.filter(found.filter) : rows;
    counted.served_messages += shown.length;
    const spread = Number(
      Bun.hash(`${principal} ${topic} ${after}`) % BigInt(config.RUNTIME_KHALA_RECONNECT_JITTER_MS + 1),
    );
    return {
      topic,
      driver: "postgres",
      messages: shown.map(({ seq, kind, payload, recordedAt }) => ({
        topic,
        sequence: seq,
        kind,
        payload: payload === null ? null : JSON.parse(payload),
        published_at: recordedAt.toISOString(),
      })),
      oldest_available_cursor: floor,
      head_cursor: head,
      queue_depth: head - floor,
      dropped_messages: floor,
      next_cursor: last,
      replay_complete: last >= head,
      limit_applied: limit,
      limit_capped: capped,
      fairness_applied: fair,
      active_topic_count: before,
      outbound_queue_limit: config.RUNTIME_KHALA_OUTBOUND_QUEUE_LIMIT,
      consumer_lag: Math.max(head - after, 0),
      slow_consumer_strikes: 0,
      slow_consumer_max_strikes: 3,
      recommended_reconnect_backoff_ms: config.RUNTIME_KHALA_RECONNECT_BASE_BACKOFF_MS + spread,
    };
  }

  const others = (principal: string, topic: string) =>
    [...(consumers.get(principal)?.keys() ?? [])].some((name) => name !== topic);

  /** Unlike a socket's, a poll's cursor 0 is no bootstrap. */
  function checkCursor(stream: string, topic: string, after: number, floor: number, head: number): void {
    const { budget, tier } = node.ruleOf(stream);
    const start = after === 0 ? null : startOf(after, floor, head, budget);
    const zero = floor > 0 ? "retention_floor_breach" : head > budget ? "replay_budget_exceeded" : null;
    const reason = start ? ("stale" in start ? start.stale : null) : zero;
    if (reason === null || reason === "cursor_ahead_of_head") return;
    throw gone("stale_cursor", "cursor cannot be resumed from retained stream window", {
      details: {
        topic,
        requested_cursor: after,
        oldest_available_cursor: floor,
        head_cursor: head,
        reason_codes: [reason],
        replay_lag: Math.max(head - after, 0),
        replay_budget_events: budget,
        qos_tier: tier,
        recovery: "reset_local_watermark_and_replay_bootstrap",
      },
    });
  }

  return { messages, stats: () => ({ ...counted, active_consumers: consumers.size }) };
}

const noStore = { "cache-control": "no-store" };
