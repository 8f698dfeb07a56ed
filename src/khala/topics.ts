import type { Access } from "./access";
import type { Row } from "./khala";
import { streams } from "./streams";

/** Who subscribes, as far as topics go. */
export interface Principal {
  userId: number;
  sessionId: string;
  scopes: readonly string[];
  /** The only worker a restricted token reaches, else null. */
  workerId: string | null;
}

export type Denial = "forbidden_topic" | "missing_scope" | "owner_mismatch";

export interface Resolved {
  topic: string;
  stream: string;
  owner: number | null;
  filter: ((row: Row) => boolean) | null;
}

export type Resolution = Resolved | { topic: string; denied: Denial };

/** What must still be asked of another domain. */
type Question = { orgIds: string[] } | { workerId: string } | { runId: string };

interface Asked {
  topic: string;
  stream: string;
  question: Question | null;
}

const EVENTS = "runtime.codex_worker_events";
const SUMMARIES = "runtime.codex_worker_summaries";
const LIFECYCLE = "runtime.worker_lifecycle_events";
const RUN_SUMMARIES = "runtime.run_summaries";
const RUN_EVENTS = "runtime.run_events";
const NOTIFICATIONS = "runtime.notifications";

/** Topics that are named after a scope, in no order: those a join lists. */
export const scopeTopics: ReadonlySet<string> = new Set([EVENTS, SUMMARIES, RUN_SUMMARIES, NOTIFICATIONS]);

const eventKey = "runtime/codex_worker_event:";
const summaryKey = "runtime/codex_worker_summary:";

/** The worker that a row of a codex stream is about. */
function workerOf({ docKey }: Row): string | null {
  if (docKey.startsWith(eventKey)) return docKey.slice(eventKey.length, docKey.lastIndexOf(":"));
  return docKey.startsWith(summaryKey) ? docKey.slice(summaryKey.length) : null;
}

/** The middle of a name between a known prefix and suffix; it may hold colons itself. */
function between(topic: string, prefix: string, suffix: string): string | null {
  const long = topic.length > prefix.length + suffix.length;
  return long && topic.startsWith(prefix) && topic.endsWith(suffix) ? topic.slice(prefix.length, -suffix.length) : null;
}

/** Name and scopes, without asking anybody: the stream it would be, or why not (khala 3.1). */
function read(topic: string, { userId, scopes, sessionId }: Principal): Asked | { topic: string; denied: Denial } {
  const own = String(userId);
  const browser = sessionId.startsWith("sess_");
  const give = (stream: string, allowed: boolean, question: Question | null = null) =>
    allowed ? { topic, stream, question } : { topic, denied: "missing_scope" as const };
  const has = (...some: string[]) => some.some((scope) => scopes.includes(scope));
  const forbidden = { topic, denied: "forbidden_topic" as const };

  if (topic === EVENTS) return give(streams.codexEvents(userId), has(EVENTS));
  if (topic === SUMMARIES) return give(streams.codexSummaries(userId), has(SUMMARIES));
  if (topic === RUN_SUMMARIES) return give(streams.runs(userId), has(RUN_SUMMARIES));
  if (topic === NOTIFICATIONS) return give(streams.notifications(userId), browser || has(NOTIFICATIONS));
  if (topic === streams.shouts) return give(streams.shouts, true);

  const orgEvents = between(topic, "org:", ":worker_events");
  if (orgEvents) return give(streams.codexEvents(userId), has(EVENTS), orgQuestion(orgEvents, own));
  const orgWorkers = between(topic, "org:", ":workers");
  if (orgWorkers) return give(streams.codexSummaries(userId), has(SUMMARIES), orgQuestion(orgWorkers, own));
  const workerId = between(topic, "worker:", ":lifecycle");
  if (workerId) return give("", has(LIFECYCLE, EVENTS), { workerId });
  const runId = between(topic, "run:", ":events");
  if (runId) return give(streams.run(runId), has(RUN_EVENTS), { runId });
  if (between(topic, "fleet:user:", ":workers") === own) {
    return give(streams.codexSummaries(userId), has(SUMMARIES, EVENTS));
  }
  if (topic === `user:${own}:runs`) return give(streams.runs(userId), has(RUN_SUMMARIES));
  if (topic === `user:${own}:notifications`) {
    return give(streams.notifications(userId), browser || has(NOTIFICATIONS));
  }
  if (topic === `user:${own}:payments`) return give(streams.payments(userId), browser || has(RUN_EVENTS));
  return forbidden;
}

/** The personal organisation needs no look-up. A name stands for the organisation with and without `org:` before it. */
const orgQuestion = (org: string, own: string): Question | null =>
  org === `user:${own}` ? null : { orgIds: [`org:${org}`, org] };

interface Ask {
  principal: Principal;
  topic: string;
}

/**
 * Resolves names to streams for the principals that ask, each name to exactly one stream (khala 3.1). The stream of a topic
 * belongs to the principal or is public, whatever the topic is called.
 */
export async function resolveTopics(access: Access, asks: Ask[]): Promise<Resolution[]> {
  const readings = asks.map(({ topic, principal }) => read(topic, principal));
  const orgs: { userId: number; orgId: string; at: number }[] = [];
  const workers: { userId: number; workerId: string; at: number }[] = [];
  const runs: { userId: number; runId: string; at: number }[] = [];
  readings.forEach((reading, at) => {
    if ("denied" in reading || !reading.question) return;
    const { userId } = (asks[at] as Ask).principal;
    const { question } = reading;
    if ("orgIds" in question) for (const orgId of question.orgIds) orgs.push({ userId, orgId, at });
    else if ("workerId" in question) workers.push({ userId, workerId: question.workerId, at });
    else runs.push({ userId, runId: question.runId, at });
  });
  const [members, keys, owned] = await Promise.all([
    orgs.length ? access.members(orgs) : [],
    workers.length ? access.workers(workers) : [],
    runs.length ? access.runs(runs) : [],
  ]);
  const answered = new Map<number, string>();
  orgs.forEach(({ at }, i) => {
    if (members[i]) answered.set(at, (readings[at] as Asked).stream);
  });
  workers.forEach(({ at }, i) => {
    const key = keys[i];
    if (key) answered.set(at, streams.workerLifecycle(key));
  });
  runs.forEach(({ at }, i) => {
    if (owned[i]) answered.set(at, (readings[at] as Asked).stream);
  });
  return readings.map((reading, at): Resolution => {
    if ("denied" in reading) return reading;
    const { topic, question } = reading;
    const stream = question ? answered.get(at) : reading.stream;
    if (!stream) return { topic, denied: "owner_mismatch" };
    return restrict(topic, stream, (asks[at] as Ask).principal, question);
  });
}

/** A token for one worker sees that worker's updates only. */
function restrict(topic: string, stream: string, principal: Principal, question: Question | null): Resolution {
  const { workerId, userId } = principal;
  const owner = stream === streams.shouts ? null : userId;
  if (workerId === null) return { topic, stream, owner, filter: null };
  if (question && "workerId" in question && question.workerId !== workerId) return { topic, denied: "owner_mismatch" };
  const codex = stream === streams.codexEvents(userId) || stream === streams.codexSummaries(userId);
  return { topic, stream, owner, filter: codex ? (row) => workerOf(row) === workerId : null };
}
