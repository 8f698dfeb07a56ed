import { onSignedOut } from "../../session";
import { Conversation } from "./conversation";

/** The conversations this tab keeps live: switching between a few loses no delta and loads nothing (web-ui 16.2). */
const KEPT = 5;
const open = new Map<string, Conversation>();

/** The live conversation of a thread; `fresh` for one that the first message will make. */
export function conversation(threadId: string, { fresh = false } = {}): Conversation {
  const known = open.get(threadId);
  if (known) {
    open.delete(threadId);
    open.set(threadId, known);
    if (known.phase.peek().kind === "failed") void known.load();
    return known;
  }
  const made = new Conversation(threadId, fresh);
  open.set(threadId, made);
  for (const [id, old] of open) {
    if (open.size <= KEPT) break;
    old.close();
    open.delete(id);
  }
  return made;
}

/** A thread id as the web app chooses them (codex-chat 2.11). */
export const newThreadId = (now: number, random: number): string =>
  `thread_web_${now}_${String(Math.floor(random * 1_000_000)).padStart(6, "0")}`;

onSignedOut.push(() => {
  for (const one of open.values()) one.close();
  open.clear();
});
