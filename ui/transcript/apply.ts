import { exited, notification } from "./codex";
import { failure, messageBy, request, response } from "./control";
import { subjectOf, type WorkerEvent } from "./event";
import { fields, text } from "./fields";
import { type Changes, noChanges, type Transcript } from "./transcript";
import { turnBy } from "./turns";

/**
 * Applies one worker event. An event that was applied before changes nothing; one that skips a number marks a gap, after
 * which the snapshot has to be read again. Events of other threads only count.
 */
export function apply(transcript: Transcript, event: WorkerEvent, changes: Changes = noChanges()): Changes {
  const last = transcript.applied.get(event.workerId);
  if (last !== undefined && event.seq <= last) return changes;
  if (last !== undefined && event.seq > last + 1) transcript.gap = true;
  transcript.applied.set(event.workerId, event.seq);
  switch (event.type) {
    case "worker.request":
      if (concerns(transcript, event)) request(transcript, event, changes);
      break;
    case "worker.response":
      if (answers(transcript, event)) response(transcript, event, changes);
      break;
    case "worker.error":
      if (answers(transcript, event)) failure(transcript, event, changes);
      break;
    case "worker.event":
      if (everyThread.has(text(event.payload, "method") ?? "") || concerns(transcript, event)) {
        notification(transcript, event, changes);
      }
      break;
    case "worker.stopped":
      exited(transcript, event, null, changes);
      break;
  }
  return changes;
}

/** Told of a machine or an account, not of one thread. */
const everyThread = new Set(["codex/exited", "account/rateLimits/updated"]);

function concerns(transcript: Transcript, event: WorkerEvent): boolean {
  const subject = subjectOf(event.payload);
  if (event.type === "worker.event" && event.payload.method === "serverRequest/resolved" && !subject.thread) {
    return true; // recognised by the id of what was asked
  }
  const ours = subject.thread;
  if (ours) return ours === transcript.threadId || ours === transcript.codexThreadId;
  const params = fields(event.payload.params);
  if (text(params, "server_request_id")) return transcript.asks.has(text(params, "server_request_id") ?? "");
  const theirs = subject.codexThread;
  return theirs !== null && (theirs === transcript.codexThreadId || theirs === transcript.threadId);
}

/** A receipt is ours when its request is; request ids count per worker. */
function answers(transcript: Transcript, event: WorkerEvent): boolean {
  const body = fields(event.payload.response);
  if (text(body, "thread_id") === transcript.threadId) return true;
  const requestId = text(event.payload, "request_id");
  if (!requestId) return false;
  const message = messageBy(transcript, { requestId });
  if (message) {
    const worker = turnBy(transcript, message.turnId)?.workerId;
    if (!worker || worker === event.workerId) return true;
  }
  for (const ask of transcript.asks.values()) {
    if (ask.answerId === requestId && (!ask.workerId || ask.workerId === event.workerId)) return true;
  }
  return text(event.payload, "thread_id") === transcript.threadId;
}
