import { signal } from "@preact/signals";
import { control } from "../../composer/control";
import type { Conversation } from "./conversation";
import { showChatError } from "./error-banner";

/** Turns whose stop was asked for here and has not come back. */
const asked = signal<ReadonlySet<string>>(new Set());

const without = (id: string) => {
  asked.value = new Set([...asked.peek()].filter((other) => other !== id));
};

/** Whether the running turn is being stopped, from here or from another device. */
export function stopping(talk: Conversation): boolean {
  const turn = talk.head.value.running ?? talk.head.value.queued;
  return turn !== null && (turn.stopping || asked.value.has(turn.id));
}

/** Asks for the end of the running turn, once; the turn's own end is what takes `Stopping…` away. */
export async function stop(talk: Conversation): Promise<void> {
  const { running, queued, workerId } = talk.head.peek();
  const turn = running ?? queued;
  const worker = turn?.workerId ?? workerId;
  if (!turn || !worker || turn.stopping || asked.peek().has(turn.id)) return;
  asked.value = new Set([...asked.peek(), turn.id]);
  const { failure } = await control({
    workerId: worker,
    method: "turn/interrupt",
    threadId: talk.threadId,
    params: { turn_id: turn.id },
  });
  if (!failure) return;
  without(turn.id);
  // It ended by itself in the meantime: that is what was wanted.
  if (failure.kind === "conflict") void talk.load();
  else showChatError(talk.threadId, failure, "Stop failed: ");
}
