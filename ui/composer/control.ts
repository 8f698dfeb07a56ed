import { type Answer, api, path } from "../api";
import { freshId, world } from "../world";

/** What `/requests` says: accepted and stored; how far the machine got comes with the events (codex-chat 2.5). */
export interface Envelope {
  worker_id: string;
  request_id: string;
  ok: boolean;
  method: string;
  idempotent_replay: boolean;
  response: Record<string, unknown>;
  state?: "queued" | "dispatched" | "succeeded" | "failed";
}

export interface Control {
  workerId: string;
  method: "turn/interrupt" | "serverRequest/respond";
  threadId: string;
  params: Record<string, unknown>;
  /** One per action of the person, the same for each attempt. */
  requestId?: string;
}

/** Sends one control request on its way to the machine. */
export function control({
  workerId,
  method,
  threadId,
  params,
  requestId,
}: Control): Promise<Answer<{ data: Envelope }>> {
  return api.post(path`/api/runtime/codex/workers/${workerId}/requests`, {
    request: {
      request_id: requestId ?? freshId("web_"),
      method,
      params: { thread_id: threadId, ...params },
      thread_id: threadId,
      request_version: "v1",
      sent_at: new Date(world.now()).toISOString(),
      source: "openagents-web",
    },
  });
}
