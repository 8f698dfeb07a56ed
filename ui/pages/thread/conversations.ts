import { onSignedOut } from "../../session";
import { Conversation } from "./conversation";

/** The conversations this tab keeps live: switching between a few loses no delta and loads nothing (web-ui 16.2). */
const KEPT = 5;
const open = new Map<string, Conversation>();
/** Fetched because it will probably be opened next; not one of the kept ones until it is. */
let expected: Conversation | null = null;

/** The live conversation of a thread; `fresh` for one that the first message will make. */
export function conversation(threadId: string, { fresh = false } = {}): Conversation {
  const known = open.get(threadId);
  if (known) {
    open.delete(threadId);
    open.set(threadId, known);
    if (known.phase.peek().kind === "failed") void known.load();
    return known;
  }
  const made = adopt(threadId) ?? new Conversation(threadId, fresh);
  open.set(threadId, made);
  for (const [id, old] of open) {
    if (open.size <= KEPT) break;
    old.close();
    open.delete(id);
  }
  return made;
}

function adopt(threadId: string): Conversation | null {
  if (expected?.threadId !== threadId) return null;
  const made = expected;
  expected = null;
  return made;
}

/** Loads a thread ahead of its opening and keeps it live; one at a time, the next takes its place (web-ui 16.1). */
export function preload(threadId: string) {
  if (open.has(threadId) || expected?.threadId === threadId) return;
  expected?.close();
  expected = new Conversation(threadId, false);
}

/** A thread id as the web app chooses them (codex-chat 2.11). */
export const newThreadId = (now: number, random: number): string =>
  `thread_web_${now}_${String(Math.floor(random * 1_000_000)).padStart(6, "0")}`;

onSignedOut.push(() => {
  expected?.close();
  expected = null;
  for (const one of open.values()) one.close();
  open.clear();
});
