import { and, eq, inArray, sql } from "drizzle-orm";
import type { Database } from "../../db/database";
import { codexControlRequests, codexWorkerEvents, codexWorkers } from "../../db/schema/codex";
import type { Context, Unit } from "../context";
import type { Caller } from "../http/caller";
import type { Lane, Outcome } from "../khala/lanes";
import { conflict, invalid, Refusal } from "../refusal";
import { type Book, fillBook, nothingWanted, openBook, type Wanted } from "./book";
import { saveBook } from "./book-save";
import { authState, type IncomingEvent, isHandshake, isReceipt } from "./events";
import { asJson, firstText, isJson, type Json } from "./json";
import { type Notification, readNotification } from "./notification";
import { closeWork, project, want } from "./projection";
import { projectReceipt, type Receipt, type RequestRow, wantReceipt } from "./projection-receipts";
import { type Finished, filledReceipt, finish, writeReceipts } from "./receipts";
import { foreignThread } from "./threads";
import { wholeSeconds } from "./times";
import { closeLog, type Entry, openLog, record, type WorkerLog } from "./worker-log";
import { isRunnable, mayMove } from "./worker-state";
import { lockOrProvision, stoppedWorker } from "./workers";

/** Events of one caller for one worker, stored whole or not at all. */
export interface Input {
  caller: Caller;
  workerId: string;
  events: IncomingEvent[];
}

/** What became of an event: where it is in the log, and whether it was there before. */
export interface Stored {
  entry: Entry;
  replay: boolean;
}

/** What became of an input, and the worker's last number with it. */
export interface Ingested {
  stored: Stored[];
  latestSeq: number;
}

/** An event with what its kind means, worked out once. */
interface Reading {
  event: IncomingEvent;
  notification: Notification | null;
}

/** What the database knows about the events of a batch before any is applied. */
interface Known {
  /** Events that were stored before, by their event id. */
  byEventId: Map<string, Entry>;
  requests: Map<string, RequestRow>;
  /** Receipts stored before, by sequence. */
  bySeq: Map<number, Entry>;
  acknowledged: Set<string>;
}

/**
 * Applies what waits for some workers in one transaction: their logs, receipts and read-models (codex-chat 3.6). The cost
 * depends on the number of workers, not of events. A refusal concerns one input and leaves no trace of it.
 */
export async function applyLanes(ctx: Context, unit: Unit, lanes: Lane<Input>[]): Promise<Outcome<Ingested>[][]> {
  const now = ctx.now();
  const outcomes: Outcome<Ingested>[][] = new Array(lanes.length);
  // Workers are locked before any thread and in one order, so that nobody waits for another in a circle.
  const order = lanes.map((lane, i) => ({ lane, i })).sort((a, b) => (a.lane.key < b.lane.key ? -1 : 1));
  const held: (Held & { i: number; inputs: Input[] })[] = [];
  for (const { lane, i } of order) {
    const { caller, workerId } = lane.inputs[0] as Input;
    try {
      held.push({ i, inputs: lane.inputs, ...(await lockOrProvision(unit.db, caller, workerId, now)) });
    } catch (refusal) {
      // Somebody else's worker is no reason to fail the neighbours.
      if (!(refusal instanceof Refusal)) throw refusal;
      outcomes[i] = lane.inputs.map(() => ({ refusal }));
    }
  }
  for (const { i, inputs, ...worker } of held) outcomes[i] = await applyLane(ctx, unit, worker, inputs, now);
  return outcomes;
}

type Held = Awaited<ReturnType<typeof lockOrProvision>>;

async function applyLane(
  ctx: Context,
  unit: Unit,
  { worker, created }: Held,
  inputs: Input[],
  now: Date,
): Promise<Outcome<Ingested>[]> {
  const { db } = unit;
  const log = openLog(worker, now);
  const readings = inputs.map((input) => input.events.map(read));
  const all = readings.flat();
  const known = await recall(db, log, all);
  const wanted = wantedBy(all, known);
  const book = await openBook(db, worker, now, wanted);
  await fillBook(ctx, db, book, wanted);
  const lane: LaneWork = { log, book, known, finished: [] };
  const outcomes = readings.map((events): Outcome<Ingested> => {
    const refusal = refuse(lane, events);
    if (refusal) return { refusal };
    const stored = events.map((reading) => apply(lane, reading));
    return { value: { stored, latestSeq: log.worker.latestSeq } };
  });
  if (log.entries.length) {
    const receipts = writeReceipts(db, worker.id, lane.finished);
    await Promise.all([saveBook(db, book), receipts.then(() => closeLog(ctx, unit, log))]);
  } else if (created) {
    await db.delete(codexWorkers).where(eq(codexWorkers.id, worker.id));
  }
  return outcomes;
}

interface LaneWork {
  log: WorkerLog;
  book: Book;
  known: Known;
  finished: Finished[];
}

const read = (event: IncomingEvent): Reading => ({
  event,
  notification: event.type === "worker.event" ? readNotification(event.payload) : null,
});

const requestIdOf = ({ type, payload }: IncomingEvent) => (isReceipt(type) ? firstText(payload.request_id) : null);

const handshakeOf = ({ type, payload }: IncomingEvent) =>
  isHandshake(type, payload) ? firstText(payload.handshake_id) : null;

const texts = (values: (string | null)[]) => [...new Set(values.filter((value) => value !== null))];

/** Looks up event ids, receipts' requests and handshakes; nothing is read that the batch does not name. */
async function recall(db: Database, log: WorkerLog, readings: Reading[]): Promise<Known> {
  const pk = log.worker.id;
  const known: Known = { byEventId: new Map(), requests: new Map(), bySeq: new Map(), acknowledged: new Set() };
  if (log.worker.latestSeq === 0) return known;
  const eventIds = texts(readings.map(({ event }) => event.eventId));
  const requestIds = texts(readings.map(({ event }) => requestIdOf(event)));
  const handshakes = texts(readings.map(({ event }) => handshakeOf(event)));
  if (eventIds.length) {
    for (const entry of await entries(db, pk, inArray(codexWorkerEvents.eventId, eventIds))) {
      if (entry.eventId !== null) known.byEventId.set(entry.eventId, entry);
    }
  }
  if (requestIds.length) {
    const rows = await db
      .select()
      .from(codexControlRequests)
      .where(and(eq(codexControlRequests.workerPk, pk), inArray(codexControlRequests.requestId, requestIds)));
    for (const row of rows) known.requests.set(row.requestId, row);
    const seqs = rows.map(({ receiptSeq }) => receiptSeq).filter((seq) => seq !== null);
    if (seqs.length) {
      for (const entry of await entries(db, pk, inArray(codexWorkerEvents.seq, seqs)))
        known.bySeq.set(entry.seq, entry);
    }
  }
  if (handshakes.length) {
    const id = sql<string>`payload ->> 'handshake_id'`;
    const rows = await db
      .select({ id })
      .from(codexWorkerEvents)
      .where(
        and(
          eq(codexWorkerEvents.workerPk, pk),
          sql`payload ->> 'method' = 'desktop/handshake_ack'`,
          inArray(id, handshakes),
        ),
      );
    for (const row of rows) known.acknowledged.add(row.id);
  }
  return known;
}

async function entries(db: Database, pk: string, which: ReturnType<typeof inArray>): Promise<Entry[]> {
  const rows = await db
    .select({
      seq: codexWorkerEvents.seq,
      type: codexWorkerEvents.eventType,
      eventId: codexWorkerEvents.eventId,
      payload: codexWorkerEvents.payload,
      occurredAt: codexWorkerEvents.occurredAt,
    })
    .from(codexWorkerEvents)
    .where(and(eq(codexWorkerEvents.workerPk, pk), which));
  return rows;
}

function wantedBy(readings: Reading[], known: Known): Wanted {
  const wanted = nothingWanted();
  for (const { event, notification } of readings) {
    if (notification) want(wanted, notification);
    if (event.type === "worker.stopped" || event.type === "worker.failed") wanted.exits = true;
    const request = known.requests.get(requestIdOf(event) ?? "");
    if (request && !request.finishedAt) wantReceipt(wanted, request, event as Receipt);
  }
  return wanted;
}

const moves = new Map([
  ["worker.stopping", "stopping"],
  ["worker.stopped", "stopped"],
  ["worker.failed", "failed"],
] as const);
type Move = "worker.stopping" | "worker.stopped" | "worker.failed";

/** Why the events of one input cannot be stored, if so. Looks at all before any is applied. */
function refuse({ log, book, known }: LaneWork, readings: Reading[]): Refusal | null {
  const { worker } = log;
  let status = worker.status;
  const acknowledged = new Set<string>();
  for (const { event, notification } of readings) {
    if (event.eventId !== null && known.byEventId.has(event.eventId)) continue;
    const to = moves.get(event.type as Move);
    if (!isRunnable({ status }) && !(to && status === "stopping")) return stoppedWorker();
    if (to && !mayMove(status, to)) return conflict(`invalid worker transition from ${status} to ${to}`);
    if (to) status = to;
    const session = firstText(event.payload.session_id);
    const executor = worker.executorSessionId;
    if (session !== null && executor !== null && session !== executor) {
      return conflict("stale attachment: worker is attached to another session", { current_session_id: executor });
    }
    if (isReceipt(event.type) && requestIdOf(event) === null) {
      return invalid("event.payload", "Receipt payload is missing request_id.");
    }
    const handshake = handshakeOf(event);
    if (handshake !== null) {
      if (known.acknowledged.has(handshake) || acknowledged.has(handshake))
        return conflict("handshake already acknowledged");
      if (event.payload.method === "desktop/handshake_ack") acknowledged.add(handshake);
    }
    if (notification?.thread && book.foreign.has(notification.thread)) return foreignThread();
  }
  for (const handshake of acknowledged) known.acknowledged.add(handshake);
  return null;
}

/** Stores one event and projects it; one that is known already stays as it is. */
function apply(work: LaneWork, { event, notification }: Reading): Stored {
  const { log, book, known } = work;
  const before = event.eventId === null ? undefined : known.byEventId.get(event.eventId);
  if (before) return { entry: before, replay: true };
  const stored = isReceipt(event.type)
    ? applyReceipt(work, event, event.type)
    : { entry: record(log, event.type, event.payload, event.eventId), replay: false };
  if (event.eventId !== null && !stored.replay) known.byEventId.set(event.eventId, stored.entry);
  if (notification) {
    project(book, notification);
    const { method } = notification;
    if (method === "codex/auth_state" || method === "account/updated") {
      log.worker.authState = authState(log.worker.authState, event.payload, wholeSeconds(log.now));
    }
  }
  applyToWorker(work, event);
  return stored;
}

/** The first receipt of a request counts, a later one is answered with it (codex-chat 3.5). */
function applyReceipt(work: LaneWork, event: IncomingEvent, type: Receipt["type"]): Stored {
  const { log, known, book, finished } = work;
  const request = known.requests.get(requestIdOf(event) ?? "");
  if (!request) return { entry: record(log, type, event.payload, event.eventId), replay: false };
  if (request.receiptSeq !== null) {
    const first = known.bySeq.get(request.receiptSeq);
    const gone = { seq: request.receiptSeq, type, eventId: null, payload: event.payload, occurredAt: log.now };
    return { entry: first ?? gone, replay: true };
  }
  const receipt: Receipt = { type, payload: filledReceipt(type, event.payload, request.method, log.now) };
  const done = finish(log, request, receipt, event.eventId);
  finished.push(done);
  known.bySeq.set(done.entry.seq, done.entry);
  projectReceipt(book, request, receipt);
  return { entry: done.entry, replay: false };
}

function applyToWorker({ log, book }: LaneWork, { type, payload }: IncomingEvent): void {
  const { worker, now } = log;
  if (type === "worker.heartbeat") {
    worker.lastHeartbeatAt = now;
    if (isJson(payload.metadata_patch)) worker.metadata = { ...worker.metadata, ...asJson(payload.metadata_patch) };
    return;
  }
  const to = moves.get(type as Move);
  if (!to) return;
  worker.status = to;
  if (to === "stopping") return;
  worker.stoppedAt = now;
  closeWork(book, to === "failed" ? "failed" : "interrupted", to === "failed" ? failureText(payload) : null);
}

const failureText = (payload: Json) => firstText(payload.message, payload.reason) ?? "worker failed";
