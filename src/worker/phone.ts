import { type Executor, execute } from "./execute";
import type { Requests } from "./requests";

type Json = Record<string, unknown>;

interface Deps {
  executor: Executor;
  requests: Requests;
  event(type: string, payload: Json): void;
  debug(line: string): void;
}

const text = (value: unknown): string | null => (typeof value === "string" && value ? value : null);
const object = (value: unknown): Json => (typeof value === "object" && value !== null ? (value as Json) : {});

/** Answers what older phones put on a worker's log: `ios/handshake` and `ios/user_message`, each once (codex-chat 3.11). */
export function phoneEvents({ executor, requests, event, debug }: Deps): (payload: Json) => void {
  const { journal, sessionId } = executor;

  const once = (key: string): boolean => {
    if (journal.mark(key)) return false;
    journal.setMark(key, "done");
    return true;
  };

  const handshake = (payload: Json) => {
    const id = text(payload.handshake_id);
    if (!id || !once(`ios/handshake:${id}`)) return;
    event("worker.event", {
      source: "autopilot-desktop",
      method: "desktop/handshake_ack",
      handshake_id: id,
      desktop_session_id: sessionId,
      occurred_at: new Date().toISOString(),
    });
  };

  const message = (payload: Json) => {
    const params = object(payload.params);
    const of = (...names: string[]) =>
      names.map((name) => text(payload[name]) ?? text(params[name])).find(Boolean) ?? null;
    const id = of("message_id");
    const words = of("text", "message");
    const thread = of("thread_id", "threadId");
    if (!id || !words || !thread || !once(`ios/user_message:${id}`)) return;
    const model = of("model");
    const effort = of("reasoning", "reasoning_effort");
    requests.run(() =>
      execute(executor, {
        request_id: id,
        method: "turn/start",
        params: { text: words, ...(model ? { model } : {}), ...(effort ? { reasoning: effort } : {}) },
        session_id: null,
        thread_id: thread,
        codex_thread_id: text(payload.codex_thread_id),
        turn_id: null,
        codex_turn_id: null,
        message_id: id,
        deadline_at: null,
      }).catch((error: unknown) => debug(`ios/user_message ${id}: ${String(error)}`)),
    );
  };

  return (payload) => {
    if (payload.method === "ios/handshake") handshake(payload);
    else if (payload.method === "ios/user_message") message(payload);
  };
}
