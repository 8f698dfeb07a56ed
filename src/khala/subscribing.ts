import type { Access } from "./access";
import { answer, type Connection, tellError, watermarks } from "./connection";
import type { KhalaNode } from "./node";
import { type Message, parseSubscribe, parseTopics, type Wanted } from "./protocol";
import { type StaleTopic, staleCursor } from "./stale";
import { type StaleReason, type StartReason, startOf } from "./start";
import { ruleOf } from "./streams";
import { handed, type Place, type Stream, type Sub } from "./sub";
import { type Denial, type Resolved, resolveTopics } from "./topics";

const MOST_TOPICS = 100;

export const internalError = { code: "internal", message: "temporarily unavailable", retry_after_ms: 1000 };

const badSubscription = (reason: string) => ({
  code: "bad_subscription",
  message: "subscription payload is invalid",
  reason,
});

export const forbiddenTopics = (denied: { topic: string; denied: Denial }[]) => ({
  code: "forbidden_topic",
  message: "topic subscription is not authorized",
  forbidden_topics: denied.map(({ topic }) => topic),
  reasons: Object.fromEntries(denied.map(({ topic, denied: reason }) => [topic, reason])),
});

interface Planned {
  resolved: Resolved;
  stream: Stream;
  at: number;
  reason: StartReason;
}

interface Plan {
  starts: Planned[];
  /** Already subscribed and asked for without a cursor: they go on. */
  kept: string[];
  stale: StaleTopic[];
}

export interface Subscribing {
  subscribe(connection: Connection, message: Message): Promise<void>;
  unsubscribe(connection: Connection, message: Message): void;
}

export function createSubscribing(node: KhalaNode, access: Access): Subscribing {
  const { hub, metrics, rules, clock } = node;

  /** Everything that may fail or wait; nothing is changed yet. */
  async function plan(connection: Connection, wanted: Wanted, resolved: Resolved[]): Promise<Plan> {
    const { subs } = connection.seat;
    const kept = resolved.filter(({ topic }) => subs.has(topic) && !wanted.resume.has(topic)).map(({ topic }) => topic);
    const fresh = resolved.filter(({ topic }) => !kept.includes(topic));
    const ids = await node.ensure(fresh.map(({ stream, owner }) => ({ name: stream, owner })));
    const opened = await Promise.all(fresh.map(({ stream }) => hub.open(ids.get(stream) as number, stream)));
    const places = new Map((await node.reader.heads([...new Set(ids.values())])).map((place) => [place.id, place]));
    const starts: Planned[] = [];
    const stale: StaleTopic[] = [];
    for (const [i, one] of fresh.entries()) {
      const stream = opened[i] as Stream;
      const place: Place = places.get(stream.id) ?? { floor: 0, head: 0 };
      const resume = wanted.resume.get(one.topic);
      const start = startOf(resume, place.floor, place.head, stream.rule.budget);
      if ("stale" in start) stale.push(staleTopic(one.topic, one.stream, start.stale, Number(resume), place));
      else starts.push({ resolved: one, stream, ...start });
    }
    if (stale.length) return { starts, kept, stale };
    for (const { stream, at } of starts) {
      if (!(await hub.reach(stream, at))) throw new Error(`stream ${stream.name} does not reach ${at}`);
    }
    return { starts, kept, stale };
  }

  const staleTopic = (
    topic: string,
    stream: string,
    reason: StaleReason,
    resumeAfter: number,
    place: Place,
  ): StaleTopic => ({ topic, stream, rule: ruleOf(rules, stream), reason, resumeAfter, place });

  function tellStale(connection: Connection, topics: StaleTopic[]) {
    for (const { stream, reason, rule } of topics) {
      metrics.count("khala_stale_cursor_total", { reason, class: rule.class });
      node.violations.note(stream, reason);
    }
    const error = staleCursor(topics);
    node.noteError(error.code);
    tellError(connection, topics[0]?.topic as string, error);
    return error;
  }

  /** Unasked: retention overtook the reader, or the log was reset. The topic is unsubscribed already. */
  function overtaken(connection: Connection, sub: Sub, place: Place): void {
    const { cursor, channel } = sub;
    const reason = cursor > place.head ? "cursor_ahead_of_head" : "retention_floor_breach";
    if (connection.seat.line.open()) {
      tellStale(connection, [staleTopic(channel.name, channel.stream.name, reason, cursor, place)]);
    }
  }

  async function subscribe(connection: Connection, message: Message): Promise<void> {
    const { joined, seat } = connection;
    const wanted = parseSubscribe(message.payload);
    if ("bad" in wanted) return answer(connection, message, "error", badSubscription(wanted.bad));
    if (new Set([...seat.subs.keys(), ...wanted.topics]).size > MOST_TOPICS) {
      return answer(connection, message, "error", badSubscription("too_many_topics"));
    }
    const since = clock.now();
    let planned: Plan;
    try {
      const { principal } = connection;
      const resolutions = await resolveTopics(
        access,
        wanted.topics.map((topic) => ({ topic, principal })),
      );
      const denied = resolutions.filter((one) => "denied" in one);
      if (denied.length) return refuse(connection, message, denied);
      planned = await plan(
        connection,
        wanted,
        resolutions.filter((one): one is Resolved => "stream" in one),
      );
    } catch (error) {
      node.log.warn("khala", "khala log could not be read", { error: String(error) });
      if (connection.joined === joined) answer(connection, message, "error", internalError);
      return;
    }
    if (connection.joined !== joined || !seat.line.open()) return;
    if (planned.stale.length) return answer(connection, message, "error", tellStale(connection, planned.stale));
    if (planned.starts.some(({ stream }) => stream.state !== "open")) {
      return answer(connection, message, "error", internalError);
    }
    apply(connection, message, wanted, planned, since);
  }

  function refuse(connection: Connection, message: Message, denied: { topic: string; denied: Denial }[]): void {
    const { userId, sessionId } = connection.principal;
    for (const { topic, denied: reason } of denied.slice(0, 5)) {
      node.deny("khala topic denied", {
        reason_code: reason,
        user_id: userId,
        session_id: sessionId,
        topic,
      });
    }
    node.noteError("forbidden_topic");
    answer(connection, message, "error", forbiddenTopics(denied));
  }

  /** Without an await: all topics at once, then one reply when the last of them has caught up. */
  function apply(
    connection: Connection,
    message: Message,
    wanted: Wanted,
    { starts, kept }: Plan,
    since: number,
  ): void {
    const { joined, seat } = connection;
    const from = new Map<string, { watermark: number; reason: string }>();
    let waiting = starts.length + kept.length;
    const caughtUp = () => {
      if (--waiting === 0) finish();
    };
    const finish = () => {
      if (connection.joined !== joined || !seat.line.open()) return;
      const topics = wanted.topics.filter((topic) => seat.subs.has(topic));
      metrics.observe("khala_replay_seconds", (clock.now() - since) / 1000, { status: "ok" });
      answer(connection, message, "ok", {
        subscription_id: joined?.subscriptionId,
        topics,
        current_watermarks: topics.map((topic) => ({ topic, watermark: handed(seat.subs.get(topic) as Sub) })),
        replay_from: topics.map((topic) => ({ topic, ...from.get(topic) })),
      });
    };
    for (const { resolved, stream, at, reason } of starts) {
      from.set(resolved.topic, { watermark: at, reason });
      metrics.observe("khala_replay_events", stream.published - at, {}, [0, 1, 10, 100, 1000, 10_000]);
      const sub: Sub = hub.attach(seat, stream, resolved.topic, at, {
        batch: wanted.batch,
        filter: resolved.filter,
        onCaughtUp: caughtUp,
        onStale: (place) => overtaken(connection, sub, place),
      });
    }
    for (const topic of kept) {
      const sub = seat.subs.get(topic);
      if (!sub) {
        caughtUp();
        continue;
      }
      from.set(topic, { watermark: handed(sub), reason: "resume" });
      hub.whenCaughtUp(sub, caughtUp);
    }
  }

  function unsubscribe(connection: Connection, message: Message) {
    const topics = parseTopics(message.payload.topics);
    if (!topics) return answer(connection, message, "error", badSubscription("topics"));
    const { seat, joined } = connection;
    for (const topic of topics) {
      const sub = seat.subs.get(topic);
      if (sub) hub.detach(sub);
    }
    const left = watermarks(connection).map(({ topic }) => topic);
    answer(connection, message, "ok", { subscription_id: joined?.subscriptionId, topics: left });
  }

  return { subscribe, unsubscribe };
}
