import { isForwarded } from "./asks";
import type { Executor } from "./execute";
import type { Forward } from "./forward";
import { mergeKey, type Names, payloadOf } from "./payload";
import type { Codex, CodexMessage } from "./rpc";
import type { TurnLines } from "./turn-lines";

type Json = Record<string, unknown>;

/** Names and numbers of this session, and what `fromCodex` learns of its turns. */
interface Known extends Names {
  usages: Map<string, unknown>;
}

interface Deps {
  executor: Executor;
  names: Known;
  forward: Forward;
  lines: TurnLines;
  accountChanged(): void;
}

const object = (value: unknown): Json => (typeof value === "object" && value !== null ? (value as Json) : {});
const text = (value: unknown): string | null => (typeof value === "string" && value ? value : null);

export function namesOf({ sessionId, journal, turns, models }: Executor): Known {
  const usages = new Map<string, unknown>();
  return {
    sessionId,
    usages,
    ourThread: (id) => journal.ourThread(id),
    ourTurn: (id) => turns.get(id),
    usage: (id) => usages.get(id),
    model: (id) => models.get(id),
  };
}

/** Takes what Codex says by itself: notifications go on to the server, questions wait for a person (codex-chat 3.10 step 8, 3.12). */
export function fromCodex({ executor, names, forward, lines, accountChanged }: Deps) {
  const { sessionId, journal, active, asks, turns } = executor;

  const turnStarted = (turnId: string, threadId: string) => {
    active.set(turnId, threadId);
    journal.openTurn(turnId, { codex_thread_id: threadId, turn_id: turns.get(turnId) ?? null });
    lines.started(turnId);
  };

  const turnEnded = (turnId: string, turn: Json) => {
    active.delete(turnId);
    names.usages.delete(turnId);
    lines.ended(turnId, turn);
  };

  const notification = (message: CodexMessage): void => {
    const { method, params = {} } = message;
    const merge = mergeKey(message);
    if (merge && typeof params.delta === "string" && forward.extend(merge, params.delta)) return;
    const turn = object(params.turn);
    const turnId = text(turn.id);
    const threadId = text(params.threadId);
    if (method === "thread/tokenUsage/updated") names.usages.set(String(params.turnId), object(params.tokenUsage).last);
    if (method === "turn/started" && turnId && threadId) turnStarted(turnId, threadId);
    if (method === "account/updated") accountChanged();
    const payload = payloadOf(message, names);
    if (method === "serverRequest/resolved") {
      payload.server_request_id = `${sessionId}:${String(params.requestId)}`;
      asks.delete(payload.server_request_id as string);
    }
    const ended = method === "turn/completed" ? turnId : null;
    if (ended) turnEnded(ended, turn);
    const taken = ended ? () => journal.closeTurn(ended) : undefined;
    forward.push({ event_type: "worker.event", payload }, merge, taken);
  };

  const question = (own: Codex, id: string | number, message: CodexMessage): void => {
    const { method = "", params = {} } = message;
    if (!isForwarded(method)) {
      own.answer(id, { error: { code: -32601, message: `${method} is not supported` } });
      return;
    }
    const serverRequestId = `${sessionId}:${String(id)}`;
    asks.set(serverRequestId, { id, method, params });
    lines.asked(method, params);
    const payload = {
      ...payloadOf(message, names),
      server_request_id: serverRequestId,
      available_decisions: params.availableDecisions ?? null,
    };
    forward.push({ event_type: "worker.event", payload });
  };

  return (own: Codex, message: CodexMessage): void => {
    if (message.id !== undefined) question(own, message.id, message);
    else notification(message);
  };
}
