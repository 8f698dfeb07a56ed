import { and, eq, inArray, isNull, sql } from "drizzle-orm";
import type { Database } from "../../db/database";
import { codexControlRequests } from "../../db/schema/codex";
import type { Context } from "../context";
import { fillBook, nothingWanted, openBook } from "./book";
import { saveBook } from "./book-save";
import type { Json } from "./json";
import { projectReceipt, type Receipt, type RequestRow, wantReceipt } from "./projection-receipts";
import { wholeSeconds } from "./times";
import { type Entry, record, type WorkerLog } from "./worker-log";

/** Why a request failed (codex-chat 3.5). */
export interface Failure {
  code: "conflict" | "timeout" | "worker_unavailable";
  message: string;
  retryable: boolean;
}

/** The receipt of a request that the server answers from the read-model. */
export const responseReceipt = (
  request: Pick<RequestRow, "requestId" | "method">,
  response: Json,
  now: Date,
): Receipt => ({
  type: "worker.response",
  payload: {
    request_id: request.requestId,
    method: request.method,
    ok: true,
    response,
    occurred_at: wholeSeconds(now),
  },
});

/** The receipt of a request that the server gives up. */
export const errorReceipt = (
  request: Pick<RequestRow, "requestId" | "method">,
  failure: Failure,
  now: Date,
): Receipt => ({
  type: "worker.error",
  payload: { request_id: request.requestId, method: request.method, ...failure, occurred_at: wholeSeconds(now) },
});

/** A receipt as a bridge sent it, with what it left out (codex-chat 3.5). */
export function filledReceipt(type: Receipt["type"], payload: Json, method: string, now: Date): Json {
  const filled: Json = { ...payload };
  filled.method ??= method;
  filled.occurred_at ??= wholeSeconds(now);
  if (type === "worker.response") filled.ok ??= true;
  else filled.retryable ??= false;
  return filled;
}

export interface Finished {
  request: RequestRow;
  receipt: Receipt;
  entry: Entry;
}

/** Puts the receipt of an unfinished request into the log. `writeReceipts` stores that the request is finished. */
export function finish(log: WorkerLog, request: RequestRow, receipt: Receipt, eventId: string | null = null): Finished {
  const entry = record(log, receipt.type, receipt.payload, eventId);
  request.state = receipt.type === "worker.response" ? "succeeded" : "failed";
  request.receiptSeq = entry.seq;
  request.finishedAt = log.now;
  return { request, receipt, entry };
}

/** Stores the end of requests of one worker, in one statement. */
export async function writeReceipts(db: Database, workerPk: string, finished: Finished[]): Promise<void> {
  if (!finished.length) return;
  const rows = finished.map(({ request }) => ({
    id: request.requestId,
    state: request.state,
    seq: request.receiptSeq,
    at: request.finishedAt,
  }));
  await db.execute(sql`
    update codex_control_requests r set state = v.state, receipt_seq = v.seq, finished_at = v.at
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as v(id text, state text, seq bigint, at timestamptz)
    where r.worker_pk = ${workerPk}::uuid and r.request_id = v.id`);
}

/** Gives up unfinished requests of a locked worker: receipts, their projection, their end. */
export async function failRequests(
  ctx: Context,
  db: Database,
  log: WorkerLog,
  requests: RequestRow[],
  failureOf: (request: RequestRow) => Failure,
): Promise<void> {
  if (!requests.length) return;
  const wanted = nothingWanted();
  const finished = requests.map((request) => finish(log, request, errorReceipt(request, failureOf(request), log.now)));
  for (const { request, receipt } of finished) wantReceipt(wanted, request, receipt);
  const book = await openBook(db, log.worker, log.now, wanted);
  await fillBook(ctx, db, book, wanted);
  for (const { request, receipt } of finished) projectReceipt(book, request, receipt);
  await saveBook(db, book);
  await writeReceipts(db, log.worker.id, finished);
}

/** Requests of a worker without a receipt, in the order they came; those named, or all. */
export const unfinishedRequests = (db: Database, workerPk: string, ids?: string[]): Promise<RequestRow[]> =>
  db
    .select()
    .from(codexControlRequests)
    .where(
      and(
        eq(codexControlRequests.workerPk, workerPk),
        isNull(codexControlRequests.finishedAt),
        ids ? inArray(codexControlRequests.requestId, ids) : undefined,
      ),
    )
    .orderBy(codexControlRequests.requestSeq);
