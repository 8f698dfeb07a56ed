import { codexThreadOf, type Executor, execute, Failed, loadThread, type Request, startTurn, turnsOf } from "./execute";

type Json = Record<string, unknown>;

export interface Requests {
  /** Runs a request after those before it; one that was taken or has its receipt is passed over. */
  take(request: Request): void;
  /** Requests that the server holds to be without receipt: run again unless this process did. */
  takePending(requests: Request[]): void;
  /** Work that asks for no receipt, in its turn. */
  run(work: () => Promise<unknown>): void;
  stop(): void;
}

interface Deps {
  executor: Executor;
  /** The server's clock in ms. */
  now(): number;
  /** Puts the receipt behind the other events; `taken` is called when the server has it. */
  receipt(type: "worker.response" | "worker.error", payload: Json, taken: () => void): void;
  /** Tells a turn of Codex's anew: its items and its end. */
  retell(codexThreadId: string, turn: Json): void;
  started(request: Request): void;
  failed(request: Request, failed: Failed): void;
}

const readsOnly = new Set(["thread/list", "thread/read"]);
const remembered = 5000;
/** The server closes a late request itself; running it nevertheless would be a surprise. */
const graceMs = 1000;

/** Control requests, one at a time in the order they were accepted, never waiting for a turn to finish (codex-chat 3.10 step 7). */
export function createRequests(deps: Deps): Requests {
  const { executor } = deps;
  const { journal } = executor;
  const seen = new Set<string>();
  let stopped = false;
  let chain: Promise<void> = Promise.resolve();

  const queue = (request: Request) => {
    if (stopped || seen.has(request.request_id)) return;
    seen.add(request.request_id);
    if (seen.size > remembered) seen.delete(seen.values().next().value as string);
    chain = chain.then(() => perform(request));
  };

  const perform = async (request: Request): Promise<void> => {
    if (stopped || (request.deadline_at && Date.parse(request.deadline_at) < deps.now() - graceMs)) return;
    const { request_id, method } = request;
    const tracked = !readsOnly.has(method);
    const done = () => {
      if (tracked) journal.setMark(request_id, "done");
    };
    const base = { request_id, method };
    try {
      const earlier = tracked && journal.mark(request_id) ? await alreadyRun(request) : null;
      if (tracked && !earlier) journal.setMark(request_id, "executing");
      const response = earlier?.response ?? (await execute(executor, request));
      if (method === "turn/start") deps.started(request);
      deps.receipt("worker.response", { ...base, ok: true, response, occurred_at: new Date().toISOString() }, done);
      earlier?.after();
    } catch (error) {
      const failed = error instanceof Failed ? error : new Failed("internal_error", String(error).slice(0, 500));
      const { code, message, retryable, details } = failed;
      deps.failed(request, failed);
      const payload = { ...base, code, message, retryable, ...(details ? { details } : {}) };
      deps.receipt("worker.error", { ...payload, occurred_at: new Date().toISOString() }, done);
    }
  };

  /** After a crash between the call and its receipt: the turn is there when its message carries our id, and is not run again. */
  const alreadyRun = async (request: Request): Promise<{ response: Json; after(): void } | null> => {
    const { thread_id, message_id, turn_id, method } = request;
    const codex = executor.codex();
    const codexThreadId = codexThreadOf(executor, request);
    if ((method !== "turn/start" && method !== "thread/start") || !codex || !codexThreadId) return null;
    const loaded = await loadThread(executor, codex, codexThreadId).catch((): Json => ({}));
    const base = { thread_id, codex_thread_id: codexThreadId };
    if (!message_id) return loaded.thread ? { response: { ...base, thread: loaded.thread }, after() {} } : null;
    const turns = await turnsOf(codex, codexThreadId, 20).catch((): Json[] => []);
    const turn = turns.find(({ items }) => (items as Json[]).some(({ clientId }) => clientId === message_id));
    if (turn) {
      const codexTurnId = String(turn.id);
      if (turn_id) {
        executor.turns.set(codexTurnId, turn_id);
        executor.codexTurns.set(turn_id, codexTurnId);
      }
      const response = { ...base, turn: { id: turn_id }, codex_turn_id: codexTurnId, steered: false };
      // It ended with the process that ran it.
      return { response, after: () => deps.retell(codexThreadId, turn) };
    }
    // The thread was made and the turn was not: a second thread would be one too many.
    if (method !== "thread/start") return null;
    return { response: { ...base, ...(await startTurn(executor, codex, request, codexThreadId)) }, after() {} };
  };

  return {
    take(request) {
      if (journal.mark(request.request_id) !== "done") queue(request);
    },
    takePending(requests) {
      for (const request of requests) queue(request);
    },
    run(work) {
      chain = chain.then(async () => {
        if (!stopped) await work();
      });
    },
    stop() {
      stopped = true;
    },
  };
}
