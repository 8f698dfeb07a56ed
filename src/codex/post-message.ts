import type { Context } from "../context";
import type { Caller } from "../http/caller";
import type { Facts } from "../http/facts";
import { invalid } from "../refusal";
import type { AcceptedMessage, NewMessage } from "./contract";
import { newThreadMessageRequestId } from "./ids";
import { codePoints, type Json } from "./json";
import { writtenAt } from "./messages";
import { submitIn } from "./requests";
import { requireThread, threadView } from "./threads";
import { milliseconds } from "./times";
import { admitWorker, chooseWorkerId } from "./workers";

/** The thread id of a path: trimmed, not blank, at most 160 characters. */
export function threadIdOfPath(id: string): string {
  const threadId = id.trim();
  if (!threadId) throw invalid("thread_id", "Thread id is required.");
  if (codePoints(threadId) > 160) throw invalid("thread_id", "Value may not be greater than 160 characters.");
  return threadId;
}

/**
 * Stores what a person wrote and asks Codex for a turn, in one transaction (codex-chat 2.11). The thread is made on first use
 * and moves to the caller's active organisation. Without a worker named, the preferred one gets it.
 */
export async function postMessage(
  ctx: Context,
  caller: Caller,
  facts: Facts,
  threadId: string,
  wanted: NewMessage,
): Promise<AcceptedMessage> {
  const workerId = wanted.worker_id ?? (await chooseWorkerId(ctx, caller.user.id));
  admitWorker(caller, workerId);
  const requestId = wanted.request_id ?? newThreadMessageRequestId();
  const params: Json = {
    thread_id: threadId,
    text: wanted.text,
    ...(wanted.model ? { model: wanted.model } : {}),
    ...(wanted.effort ? { effort: wanted.effort } : {}),
  };
  return ctx.commit(async (unit) => {
    const reply = await submitIn(
      ctx,
      unit,
      caller,
      {
        workerId,
        requestId,
        method: "turn/start",
        params,
        sessionId: null,
        threadId,
        source: "thread_message",
        requestVersion: null,
        sentAt: null,
      },
      { httpRequestId: facts.requestId, chosen: !wanted.worker_id, moveThread: true },
    );
    const { message, turn } = reply.response as { message: AcceptedMessage["message"]; turn: AcceptedMessage["turn"] };
    const found = await requireThread(unit.db, caller.user.id, threadId);
    const written = await writtenAt(unit.db, message.id);
    unit.audit({
      event: "runtime.thread.message.accepted",
      requestId: facts.requestId,
      userId: caller.user.id,
      sessionId: caller.sessionId,
      orgId: caller.activeOrgId,
      deviceId: caller.deviceId,
      attributes: { thread_id: threadId, message_id: message.id },
    });
    return {
      accepted: true,
      thread: threadView(found.thread, found.workerId),
      message: { ...message, accepted_at: milliseconds(written ?? ctx.now()) },
      turn,
      control: { method: "turn/start", worker_id: workerId, request_id: requestId },
    };
  });
}
