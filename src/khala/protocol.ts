import type { Ref } from "./frames";
import type { Resume } from "./start";

/** One client message: `[join_ref, ref, topic, event, payload]` (khala 2.2). */
export interface Message {
  joinRef: Ref;
  ref: Ref;
  topic: string;
  event: string;
  payload: Record<string, unknown>;
}

const DEEPEST = 16;
const MOST_TOPICS = 100;
const LONGEST_NAME = 200;

const isRef = (value: unknown): value is Ref =>
  value === null || typeof value === "string" || typeof value === "number";

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function deeper(value: unknown, left: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (left === 0) return true;
  const members = Array.isArray(value) ? value : Object.values(value);
  return members.some((member) => deeper(member, left - 1));
}

/** The message in a text frame, or null for a bad frame. Never throws. */
export function parseMessage(text: string): Message | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!Array.isArray(value) || value.length !== 5 || deeper(value, DEEPEST)) return null;
  const [joinRef, ref, topic, event, payload] = value as unknown[];
  if (!isRef(joinRef) || !isRef(ref) || typeof topic !== "string" || typeof event !== "string") return null;
  return isObject(payload) ? { joinRef, ref, topic, event, payload } : null;
}

export type BadSubscription = "topics" | "resume_after" | "too_many_topics";

export interface Wanted {
  topics: string[];
  /** Entries for topics that are asked for; a topic without one is absent. */
  resume: Map<string, Resume>;
  batch: number;
}

/** `topics` of a subscribe or unsubscribe: trimmed, without blanks and duplicates; null when malformed or empty. */
export function parseTopics(value: unknown): string[] | null {
  if (!Array.isArray(value)) return null;
  const names = value.flatMap((item) => (typeof item === "string" && item.trim() ? [item.trim()] : []));
  const topics = [...new Set(names)];
  return topics.length && topics.every((name) => name.length <= LONGEST_NAME) ? topics : null;
}

const isResume = (value: unknown): value is number | "head" =>
  value === "head" || (typeof value === "number" && Number.isSafeInteger(value) && value >= 0);

function parseResume(value: unknown): Map<string, Resume> | null {
  if (value === undefined || value === null) return new Map();
  if (Array.isArray(value)) {
    const entries: [string, Resume][] = [];
    for (const item of value) {
      if (!isObject(item) || typeof item.topic !== "string" || !isResume(item.watermark)) return null;
      entries.push([item.topic.trim(), item.watermark]);
    }
    return new Map(entries);
  }
  if (!isObject(value)) return null;
  const entries = Object.entries(value).map(([topic, n]) => [topic.trim(), n] as const);
  return entries.every((entry): entry is readonly [string, number | "head"] => isResume(entry[1]))
    ? new Map(entries)
    : null;
}

/** What a `sync:subscribe` asks for, or which member is wrong (khala 2.4). */
export function parseSubscribe(payload: Record<string, unknown>): Wanted | { bad: BadSubscription } {
  const topics = parseTopics(payload.topics);
  if (!topics) return { bad: "topics" };
  if (topics.length > MOST_TOPICS) return { bad: "too_many_topics" };
  const resume = parseResume(payload.resume_after);
  if (!resume) return { bad: "resume_after" };
  const size = payload.replay_batch_size;
  const valid = typeof size === "number" && Number.isSafeInteger(size) && size >= 1;
  return { topics, resume, batch: valid ? Math.min(size, 1000) : 200 };
}

/** Watermarks a client says it has applied; what is malformed is left out. */
export function parseAcknowledged(value: unknown): [string, number][] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((item): [string, number][] =>
    isObject(item) && typeof item.topic === "string" && Number.isSafeInteger(item.watermark)
      ? [[item.topic, item.watermark as number]]
      : [],
  );
}
