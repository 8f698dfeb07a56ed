import { type Executor, loadThread, type Request, turnsOf } from "./execute";
import { type Names, payloadOf } from "./payload";

type Json = Record<string, unknown>;

interface Deps {
  executor: Executor;
  names: Names;
  event(type: string, payload: Json, taken?: () => void): void;
}

/** Tells again what Codex keeps of a turn that an earlier process ran: its items and its end. */
export function retell({ executor, names, event }: Deps, codexThreadId: string, turn: Json): void {
  const told = (method: string, params: Json, taken?: () => void) =>
    event("worker.event", payloadOf({ method, params: { threadId: codexThreadId, ...params } }, names), taken);
  const turnId = String(turn.id);
  for (const item of (Array.isArray(turn.items) ? turn.items : []) as Json[]) {
    told("item/completed", { item, turnId, completedAtMs: item.completedAtMs ?? Date.now() });
  }
  // No process runs it any more, whatever was last written down.
  const status = turn.status === "inProgress" ? "interrupted" : turn.status;
  told("turn/completed", { turn: { ...turn, items: [], status } }, () => executor.journal.closeTurn(turnId));
}

/** A killed bridge may not have sent the end of its turns: Codex has it. */
export async function retellCrashed(deps: Deps, pending: Request[]): Promise<void> {
  const { executor } = deps;
  for (const [codexTurnId, { codex_thread_id: threadId, turn_id: turnId }] of executor.journal.crashed?.turns ?? []) {
    if (turnId) executor.turns.set(codexTurnId, turnId);
    const codex = executor.codex();
    // Its receipt is still missing and brings all of it.
    if (!codex || pending.some((request) => request.turn_id !== null && request.turn_id === turnId)) continue;
    await loadThread(executor, codex, threadId).catch(() => null);
    const turns = await turnsOf(codex, threadId, 20).catch((): Json[] => []);
    const turn = turns.find(({ id }) => id === codexTurnId);
    if (turn) retell(deps, threadId, turn);
  }
}
