import { and, desc, eq, inArray, isNull, or } from "drizzle-orm";
import type { Database } from "../../db/database";
import { codexServerRequests, codexThreadMessages, codexThreads, codexTurns } from "../../db/schema/codex";
import type { Context, Unit } from "../context";
import type { Caller } from "../http/caller";
import { conflict, forbidden, invalid, notFound } from "../refusal";
import type { ControlMethod } from "./contract";
import { newMessageId, newThreadId, newTurnId } from "./ids";
import { codePoints, cut, firstText, type Json } from "./json";
import { messagesView } from "./messages";
import { effortOf, messageText, textProblem, threadIdOf, turnIdOf } from "./methods";
import { failRequests, unfinishedRequests } from "./receipts";
import type { Command, Submitting } from "./requests";
import { countMessage, lockOrStartThread, lockThread, type ThreadRow, threadPage, unknownThread } from "./threads";
import { readTurns } from "./turn-page";
import type { WorkerLog } from "./worker-log";

/** What a command does besides being sent: rows it makes, and what the caller is told. */
export interface Effect {
  response: Json;
  threadId: string | null;
  codexThreadId?: string | null;
  turnId?: string | null;
  codexTurnId?: string | null;
  messageId?: string | null;
  /** The read-model's answer is the whole answer when no bridge is there. */
  answered?: boolean;
  /** The command only took back one that waited; run once its own request is stored. */
  cancelled?: () => Promise<void>;
}

interface Situation {
  ctx: Context;
  unit: Unit;
  caller: Caller;
  command: Command;
  log: WorkerLog;
  live: boolean;
  how: Submitting;
}

type Act = (situation: Situation) => Promise<Effect>;

const idTooLong = "Value may not be greater than 160 characters.";

function requireThreadId({ threadId, params }: Command): string {
  const id = threadIdOf(threadId, params);
  if (id === null) throw invalid("request.params.thread_id", "Thread id is required.");
  if (codePoints(id) > 160) throw invalid("request.params.thread_id", idTooLong);
  return id;
}

/** The named thread of the caller, made when it is new. */
const openThread = ({ unit, caller, log }: Situation, threadId: string): Promise<ThreadRow> =>
  lockOrStartThread(unit.db, log.now, {
    threadId,
    userId: caller.user.id,
    orgId: caller.activeOrgId,
    workerPk: log.worker.id,
  });

async function knownThread({ unit, caller, command }: Situation): Promise<ThreadRow> {
  const thread = await lockThread(unit.db, caller.user.id, requireThreadId(command));
  if (!thread) throw unknownThread();
  return thread;
}

const previewLength = 500;

/** A turn that waits for Codex, with the message that starts it (codex-chat 3.5). */
async function startTurn(situation: Situation, thread: ThreadRow, text: string): Promise<Effect> {
  const { unit, caller, command, log, how } = situation;
  const { threadId, codexThreadId } = thread;
  const turnId = newTurnId();
  const messageId = newMessageId();
  await unit.db.insert(codexTurns).values({
    id: turnId,
    threadId,
    requestId: command.requestId,
    status: "queued",
    model: firstText(command.params.model),
    effort: effortOf(command.params),
    createdAt: log.now,
    updatedAt: log.now,
  });
  await unit.db.insert(codexThreadMessages).values({
    messageId,
    threadId,
    userId: caller.user.id,
    role: "user",
    text,
    turnId,
    requestId: command.requestId,
    createdAt: log.now,
    updatedAt: log.now,
  });
  await countMessage(unit.db, threadId, log.now, cut(text, previewLength), {
    workerPk: log.worker.id,
    archivedAt: null,
    ...(how.moveThread ? { orgId: caller.activeOrgId } : {}),
  });
  return {
    response: {
      thread_id: threadId,
      turn: { id: turnId },
      message: { id: messageId, thread_id: threadId, role: "user", text },
      status: "accepted",
      method: command.method,
    },
    threadId,
    codexThreadId,
    turnId,
    messageId,
  };
}

const threadStart: Act = async (situation) => {
  const { command } = situation;
  const named = threadIdOf(command.threadId, command.params);
  if (named !== null && codePoints(named) > 160) throw invalid("request.params.thread_id", idTooLong);
  const text = messageText(command.params);
  const problem = text === null ? null : textProblem(text);
  if (problem) throw invalid("request.params.text", problem);
  const thread = await openThread(situation, named ?? newThreadId());
  if (text !== null) return startTurn(situation, thread, text);
  const { threadId, codexThreadId } = thread;
  return { response: { thread_id: threadId }, threadId, codexThreadId, answered: true };
};

const threadResume: Act = async (situation) => {
  const { threadId, codexThreadId } = await knownThread(situation);
  return { response: { thread_id: threadId }, threadId, codexThreadId, answered: true };
};

const wholeNumber = (value: unknown, max: number, fallback: number) => {
  const number = Number(value);
  return Number.isInteger(number) && number >= 1 ? Math.min(number, max) : fallback;
};

const threadList: Act = async ({ unit, caller, command: { params } }) => {
  const page = await threadPage(unit.db, caller.user.id, caller.activeOrgId, {
    limit: wholeNumber(params.limit, 200, 200),
    cursor: firstText(params.cursor),
    search: firstText(params.search_term, params.searchTerm),
    archived: params.archived === true,
  });
  return { response: page, threadId: null, answered: true };
};

const threadRead: Act = async (situation) => {
  const { unit, command } = situation;
  const { threadId, codexThreadId } = await knownThread(situation);
  const { limit } = command.params;
  const { messages } = await messagesView(unit.db, threadId, { limit: wholeNumber(limit, 500, 500) });
  const { turns } = await readTurns(unit.db, threadId, { limit: wholeNumber(limit, 100, 20) });
  return { response: { thread_id: threadId, messages, turns }, threadId, codexThreadId, answered: true };
};

const turnStart: Act = async (situation) => {
  const { command } = situation;
  const threadId = requireThreadId(command);
  const text = messageText(command.params);
  const problem = textProblem(text);
  if (problem || text === null) throw invalid("request.params.text", problem ?? "");
  return startTurn(situation, await openThread(situation, threadId), text);
};

const noTurn = () => conflict("no active turn to interrupt");

const turnInterrupt: Act = async (situation) => {
  const { ctx, unit, caller, command, log } = situation;
  const threadId = requireThreadId(command);
  const named = turnIdOf(command.params);
  const thread = await lockThread(unit.db, caller.user.id, threadId);
  if (!thread) {
    if (named === null) throw noTurn();
    const response = { thread_id: threadId, turn_id: named, status: "interrupted" };
    return { response, threadId, turnId: named.length <= 64 ? named : null };
  }
  const turn = await openTurn(unit.db, thread, named);
  if (!turn) throw noTurn();
  await unit.db
    .update(codexTurns)
    .set({ interruptRequestedAt: log.now, updatedAt: log.now })
    .where(eq(codexTurns.id, turn.id));
  const effect: Effect = {
    response: { thread_id: threadId, turn_id: turn.id, status: "interrupted" },
    threadId,
    codexThreadId: thread.codexThreadId,
    turnId: turn.id,
    codexTurnId: turn.codexTurnId,
  };
  if (turn.status !== "queued" || turn.requestId === null) return effect;
  const [waiting] = await unfinishedRequests(unit.db, log.worker.id, [turn.requestId]);
  if (waiting?.state !== "queued") return effect;
  const cancelled = async () => {
    await failRequests(ctx, unit.db, log, [waiting], () => ({
      code: "conflict",
      message: "turn interrupted before dispatch",
      retryable: false,
    }));
    // The person stopped it: that is no failure.
    await unit.db.update(codexTurns).set({ status: "interrupted" }).where(eq(codexTurns.id, turn.id));
  };
  return { ...effect, cancelled };
};

/** The turn that an interrupt means: the named one, else the active one, else the newest that waits. */
async function openTurn(db: Database, thread: ThreadRow, named: string | null) {
  const own = eq(codexTurns.threadId, thread.threadId);
  const open = inArray(codexTurns.status, ["queued", "in_progress"]);
  if (named === null) {
    const turns = await db.select().from(codexTurns).where(and(own, open)).orderBy(desc(codexTurns.createdAt));
    return turns.find(({ id }) => id === thread.activeTurnId) ?? turns.find(isRunning) ?? turns[0];
  }
  const [turn] = await db
    .select()
    .from(codexTurns)
    .where(and(own, or(eq(codexTurns.id, named), eq(codexTurns.codexTurnId, named))));
  if (turn?.status !== "steered") return turn && ["queued", "in_progress"].includes(turn.status) ? turn : undefined;
  const [target] = await db
    .select()
    .from(codexTurns)
    .where(and(own, open, eq(codexTurns.id, turn.mergedIntoTurnId ?? "")));
  return target;
}

const isRunning = ({ status }: { status: string }) => status === "in_progress";

const serverRequestRespond: Act = async ({ unit, caller, command: { params }, log }) => {
  const id = firstText(params.server_request_id, params.serverRequestId);
  if (id === null) throw invalid("request.params.server_request_id", "Server request id is required.");
  if (id.startsWith("oa:") && caller.workerId !== null) {
    throw forbidden("This token may not answer approvals of the server.");
  }
  const answer = params.decision ?? params.response;
  if (answer === undefined || answer === null) {
    throw invalid(
      "request.params.decision",
      "The request.params.decision field is required when request.params.response is not present.",
    );
  }
  const [asked] = await unit.db
    .select()
    .from(codexServerRequests)
    .where(and(eq(codexServerRequests.serverRequestId, id), eq(codexServerRequests.workerPk, log.worker.id)))
    .for("update");
  if (!asked) throw notFound();
  const session = log.worker.executorSessionId;
  if (session !== null && asked.sessionId !== session && !id.startsWith("oa:")) {
    throw conflict("stale attachment: worker is attached to another session", { current_session_id: session });
  }
  if (asked.status !== "pending" || asked.decision !== null) throw conflict("server request is already resolved");
  await unit.db
    .update(codexServerRequests)
    .set({ decision: answer })
    .where(and(eq(codexServerRequests.serverRequestId, id), isNull(codexServerRequests.decision)));
  const [thread] = await unit.db
    .select({ codexThreadId: codexThreads.codexThreadId })
    .from(codexThreads)
    .where(eq(codexThreads.threadId, asked.threadId));
  return {
    response: { thread_id: asked.threadId, server_request_id: id, status: "accepted" },
    threadId: asked.threadId,
    codexThreadId: thread?.codexThreadId ?? null,
    turnId: asked.turnId,
  };
};

/** What each control method does (codex-chat 3.5). */
export const effects: Record<ControlMethod, Act> = {
  "thread/start": threadStart,
  "thread/resume": threadResume,
  "thread/list": threadList,
  "thread/read": threadRead,
  "turn/start": turnStart,
  "turn/interrupt": turnInterrupt,
  "serverRequest/respond": serverRequestRespond,
};
