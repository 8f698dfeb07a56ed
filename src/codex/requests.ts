import { and, eq } from "drizzle-orm";
import type { Database } from "../../db/database";
import { codexControlRequests, codexWorkerEvents } from "../../db/schema/codex";
import type { Context, Unit } from "../context";
import type { Caller } from "../http/caller";
import { conflict } from "../refusal";
import { reattach } from "./attach";
import type { ControlMethod, ControlReply, Receipt as ReceiptView } from "./contract";
import { deadlineJob } from "./deadlines";
import { type Effect, effects } from "./effects";
import { fingerprint } from "./fingerprint";
import type { Json } from "./json";
import { requireAccount } from "./policy";
import type { RequestRow } from "./projection-receipts";
import { finish, responseReceipt, writeReceipts } from "./receipts";
import { wholeSeconds, wholeSecondsOrNull } from "./times";
import { closeLog, openLog, record, type WorkerLog } from "./worker-log";
import { isLive, isRunnable } from "./worker-state";
import { lockOrProvision, stoppedWorker } from "./workers";

/** A command for a worker, as every entry hands it in. */
export interface Command {
  workerId: string;
  requestId: string;
  method: ControlMethod;
  params: Json;
  sessionId: string | null;
  threadId: string | null;
  source: string | null;
  requestVersion: string | null;
  sentAt: Date | null;
}

export interface Submitting {
  /** For the audit trail. */
  httpRequestId: string;
  /** The server chose the worker: a stopped one is taken up again, so that the message is queued instead of lost. */
  chosen?: boolean;
  /** Whether the thread moves to the caller's active organisation. */
  moveThread?: boolean;
}

/**
 * Takes a command: the one way in which anything is asked of a worker (codex-chat 2.5). Replay, ownership, runnable, account
 * policy and parameters are checked in that order; then request, thread, turn, message and event are stored together.
 * The same `request_id` never acts twice, also not when both arrive at once: the worker's row decides.
 */
export const submit = (ctx: Context, caller: Caller, command: Command, how: Submitting): Promise<ControlReply> =>
  ctx.commit((unit) => submitIn(ctx, unit, caller, command, how));

/** The same inside a transaction of the caller's. */
export async function submitIn(
  ctx: Context,
  unit: Unit,
  caller: Caller,
  command: Command,
  how: Submitting,
): Promise<ControlReply> {
  const now = ctx.now();
  const { worker, created } = await lockOrProvision(unit.db, caller, command.workerId, now);
  const print = fingerprint({
    method: command.method,
    params: command.params,
    session_id: command.sessionId,
    thread_id: command.threadId,
  });
  const before = created ? null : await findRequest(unit.db, worker.id, command.requestId);
  if (before) {
    if (before.fingerprint !== print) throw conflict("request_id payload mismatch for existing control request");
    noteAccepted(unit, caller, command, how, true);
    return reply(before, command.workerId, true, await receiptOf(unit.db, before));
  }
  const log = openLog(worker, now);
  if (!isRunnable(worker)) {
    if (!how.chosen) throw stoppedWorker();
    reattach(log, "auto");
  }
  if (command.method === "thread/start" || command.method === "thread/resume" || command.method === "turn/start") {
    requireAccount(ctx, worker);
  }
  const live = isLive(log.worker, now, ctx.config.OA_CODEX_HEARTBEAT_STALE_AFTER_MS);
  const effect = await effects[command.method]({ ctx, unit, caller, command, log, live, how });
  const request = await store(ctx, unit, caller, command, { log, live, effect, print });
  const receipt = await answerAtOnce(unit, log, request, effect);
  await closeLog(ctx, unit, log);
  noteAccepted(unit, caller, command, how, false);
  return reply(request, command.workerId, false, receipt);
}

interface Decided {
  log: WorkerLog;
  live: boolean;
  effect: Effect;
  print: string;
}

async function store(
  ctx: Context,
  unit: Unit,
  caller: Caller,
  command: Command,
  { log, live, effect, print }: Decided,
): Promise<RequestRow> {
  const { config } = ctx;
  const { worker, now } = log;
  const wait = live ? config.OA_CODEX_RECEIPT_TIMEOUT_SECONDS : config.OA_CODEX_REQUEST_QUEUE_TTL_SECONDS;
  const deadlineAt = new Date(now.getTime() + wait * 1000);
  const entry = record(log, "worker.request", {
    request_id: command.requestId,
    method: command.method,
    params: command.params,
    request_version: command.requestVersion ?? "v1",
    source: command.source,
    sent_at: wholeSecondsOrNull(command.sentAt),
    session_id: command.sessionId,
    thread_id: effect.threadId,
    codex_thread_id: effect.codexThreadId ?? null,
    turn_id: effect.turnId ?? null,
    codex_turn_id: effect.codexTurnId ?? null,
    message_id: effect.messageId ?? null,
    deadline_at: wholeSeconds(deadlineAt),
  });
  const [row] = await unit.db
    .insert(codexControlRequests)
    .values({
      workerPk: worker.id,
      requestId: command.requestId,
      userId: caller.user.id,
      method: command.method,
      params: command.params,
      fingerprint: print,
      envelope: effect.response,
      state: live ? "dispatched" : "queued",
      threadId: effect.threadId,
      turnId: effect.turnId ?? null,
      messageId: effect.messageId ?? null,
      source: command.source,
      requestVersion: command.requestVersion,
      sessionId: command.sessionId,
      requestSeq: entry.seq,
      sentAt: command.sentAt,
      deadlineAt,
      createdAt: now,
    })
    .returning();
  if (!(effect.answered && !live) && !effect.cancelled) deadlineJob(unit, deadlineAt);
  return row as RequestRow;
}

/** What the server can say itself it says at once: from the read-model without a bridge, or by cancelling what waits. */
async function answerAtOnce(
  unit: Unit,
  log: WorkerLog,
  request: RequestRow,
  effect: Effect,
): Promise<ReceiptView | undefined> {
  await effect.cancelled?.();
  if (!effect.cancelled && !(effect.answered && request.state === "queued")) return undefined;
  const done = finish(log, request, responseReceipt(request, effect.response, log.now));
  await writeReceipts(unit.db, log.worker.id, [done]);
  return { event_type: done.receipt.type, seq: done.entry.seq, payload: done.receipt.payload };
}

async function findRequest(db: Database, workerPk: string, requestId: string): Promise<RequestRow | null> {
  const [row] = await db
    .select()
    .from(codexControlRequests)
    .where(and(eq(codexControlRequests.workerPk, workerPk), eq(codexControlRequests.requestId, requestId)));
  return row ?? null;
}

async function receiptOf(db: Database, { workerPk, receiptSeq }: RequestRow): Promise<ReceiptView | undefined> {
  if (receiptSeq === null) return undefined;
  const [event] = await db
    .select({ event_type: codexWorkerEvents.eventType, seq: codexWorkerEvents.seq, payload: codexWorkerEvents.payload })
    .from(codexWorkerEvents)
    .where(and(eq(codexWorkerEvents.workerPk, workerPk), eq(codexWorkerEvents.seq, receiptSeq)));
  return event;
}

const reply = (
  { requestId, method, envelope, source, requestVersion, sessionId, state }: RequestRow,
  workerId: string,
  replay: boolean,
  receipt: ReceiptView | undefined,
): ControlReply => ({
  worker_id: workerId,
  request_id: requestId,
  ok: true,
  method,
  idempotent_replay: replay,
  response: envelope,
  ...(source === null ? {} : { source }),
  ...(requestVersion === null ? {} : { request_version: requestVersion }),
  ...(sessionId === null ? {} : { session_id: sessionId }),
  state,
  ...(receipt ? { receipt } : {}),
});

function noteAccepted(unit: Unit, caller: Caller, command: Command, how: Submitting, replay: boolean): void {
  unit.audit({
    event: "runtime.codex.control.request.accepted",
    requestId: how.httpRequestId,
    userId: caller.user.id,
    sessionId: caller.sessionId,
    orgId: caller.activeOrgId,
    deviceId: caller.deviceId,
    attributes: {
      worker_id: command.workerId,
      control_request_id: command.requestId,
      method: command.method,
      idempotent_replay: String(replay),
    },
  });
}
