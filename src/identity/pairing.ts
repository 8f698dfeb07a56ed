import { and, eq, gt, lt, ne, or, sql } from "drizzle-orm";
import type { Database } from "../../db/database";
import { type PairingRequest, pairingCodes, personalAccessTokens } from "../../db/schema/identity";
import type { Context, Unit } from "../context";
import type { Caller } from "../http/caller";
import { secondsLeft } from "../http/throttle";
import { randomLetters } from "../letters";
import { conflict, notFound, Refusal, tooMany } from "../refusal";
import { deviceCode, sha256 } from "./credentials";
import { handleBase, numbered } from "./names";
import { type Visit, whoOf } from "./sessions";
import { later, wholeSecond } from "./times";
import { deleteTokens, mintToken, workerAbility } from "./tokens";
import { findUser } from "./users";

/** Pairing of a machine: the device grant of RFC 8628 (remote-control.md 2). */

const letters = "BCDFGHJKLMNPQRSTVWXZ";
const pollSeconds = 2;
const slowerBySeconds = 5;

type PairingRow = typeof pairingCodes.$inferSelect;

/** Whether somebody else's worker has this id; the Codex domain knows. */
export type ForeignWorker = (db: Database, userId: number, workerId: string) => Promise<boolean>;

export interface StartedPairing {
  deviceCode: string;
  /** With its hyphen. */
  userCode: string;
  expiresIn: number;
  interval: number;
}

const shown = (code: string): string => `${code.slice(0, 4)}-${code.slice(4)}`;

/** A code as it is compared: without case, hyphens and blanks; null when it cannot be one. */
export function foldUserCode(given: string): string | null {
  const code = given.toUpperCase().replace(/[\s-]/g, "");
  return /^[BCDFGHJKLMNPQRSTVWXZ]{8}$/.test(code) ? code : null;
}

/** Starts a pairing: the machine gets a secret to poll with, its person a code to type. */
export async function startPairing(ctx: Context, request: PairingRequest): Promise<StartedPairing> {
  const now = wholeSecond(ctx.now());
  const expiresIn = ctx.config.OA_PAIRING_TTL_SECONDS;
  for (let round = 0; round < 20; round++) {
    const [device, code] = [deviceCode(), randomLetters(8, letters)];
    const [row] = await ctx.db
      .insert(pairingCodes)
      .values({
        deviceCodeHash: sha256(device),
        userCodeHash: sha256(code),
        request,
        status: "pending",
        intervalS: pollSeconds,
        expiresAt: later(now, expiresIn),
        createdAt: now,
      })
      .onConflictDoNothing()
      .returning({ status: pairingCodes.status });
    if (row) return { deviceCode: device, userCode: shown(code), expiresIn, interval: pollSeconds };
  }
  throw new Error("no free pairing code was found");
}

export type PollError = "authorization_pending" | "slow_down" | "access_denied" | "expired_token";

export interface PairedMachine {
  accessToken: string;
  workerId: string;
  user: { id: number; name: string };
}

/** One poll of the machine. The token is handed out exactly once; afterwards the code is as good as expired. */
export const pollPairing = (
  ctx: Context,
  device: string,
  visit: Visit,
): Promise<PairedMachine | { error: PollError }> =>
  ctx.commit(async (unit) => {
    const { db } = unit;
    const hash = sha256(device);
    const [row] = await db.select().from(pairingCodes).where(eq(pairingCodes.deviceCodeHash, hash)).for("update");
    const now = ctx.now();
    if (!row || row.expiresAt <= now || row.status === "used") return { error: "expired_token" };
    if (row.status === "denied") return { error: "access_denied" };
    if (row.status === "pending") {
      const early = row.lastPolledAt !== null && now.getTime() - row.lastPolledAt.getTime() < row.intervalS * 1000 - 50;
      await db
        .update(pairingCodes)
        .set({ lastPolledAt: now, ...(early ? { intervalS: row.intervalS + slowerBySeconds } : {}) })
        .where(eq(pairingCodes.deviceCodeHash, hash));
      return { error: early ? "slow_down" : "authorization_pending" };
    }
    return handOut(ctx, unit, row, visit);
  });

async function handOut(ctx: Context, { db, audit }: Unit, row: PairingRow, visit: Visit) {
  const user = row.userId === null ? undefined : await findUser(db, row.userId);
  if (!user || row.workerId === null) return { error: "expired_token" as const };
  const { row: token, bearer } = await mintToken(ctx, db, {
    userId: user.id,
    name: `worker:${row.name ?? row.request.name}`,
    abilities: [workerAbility],
    workerId: row.workerId,
  });
  await db
    .update(pairingCodes)
    .set({ status: "used", tokenId: token.id })
    .where(eq(pairingCodes.deviceCodeHash, row.deviceCodeHash));
  audit({
    event: "token.created",
    requestId: visit.requestId,
    userId: user.id,
    deviceId: `pat:${token.id}`,
    attributes: { token_id: String(token.id), worker_id: row.workerId },
  });
  return { accessToken: bearer, workerId: row.workerId, user: { id: user.id, name: user.name } };
}

export interface ShownPairing {
  userCode: string;
  request: PairingRequest;
  requestedAt: Date;
  expiresAt: Date;
  workerId: string;
}

const unknownCode = () => notFound("This code is not valid. Check it, or start again on the machine.");

const wrongLimit = 5;
const wrongSeconds = 600;

/** Runs `work` unless the user has typed five wrong codes in ten minutes (429, remote-control.md 2); a 404 counts as one. */
async function guessing<T>(ctx: Context, caller: Caller, work: () => Promise<T>): Promise<T> {
  const hit = (by: number) => ctx.throttle.hit("pair.wrong", `user:${caller.user.id}`, wrongLimit, wrongSeconds, by);
  const window = await hit(0);
  if (window.remaining === 0) {
    const wait = secondsLeft(window.endsAt, ctx.now().getTime());
    throw tooMany(`Too many requests. Retry in ${wait}s.`, wait);
  }
  try {
    return await work();
  } catch (error) {
    if (error instanceof Refusal && error.kind === "missing") await hit(1);
    throw error;
  }
}

/** The living pairing of a typed code. Throws 404, also for one that somebody else has decided. */
async function livePairing(
  ctx: Context,
  db: Database,
  caller: Caller,
  given: string,
  lock: boolean,
): Promise<PairingRow> {
  const code = foldUserCode(given);
  const query = db
    .select()
    .from(pairingCodes)
    .where(
      and(
        eq(pairingCodes.userCodeHash, sha256(code ?? "")),
        gt(pairingCodes.expiresAt, ctx.now()),
        or(sql`${pairingCodes.userId} is null`, eq(pairingCodes.userId, caller.user.id)),
      ),
    );
  const [row] = code === null ? [] : await (lock ? query.for("update") : query);
  if (!row) throw unknownCode();
  return row;
}

/** What a machine said of itself, for the person who is asked (remote-control.md 2). */
export const showPairing = (
  ctx: Context,
  caller: Caller,
  given: string,
  foreign: ForeignWorker,
): Promise<ShownPairing> =>
  guessing(ctx, caller, async () => {
    const row = await livePairing(ctx, ctx.db, caller, given, false);
    return {
      userCode: shown(foldUserCode(given) as string),
      request: row.request,
      requestedAt: row.createdAt,
      expiresAt: row.expiresAt,
      workerId: row.workerId ?? (await freeWorkerId(ctx.db, caller.user.id, row.request, foreign)),
    };
  });

const decided = () => conflict("This code has been decided already.");

/** Lets the machine in: its next poll gets a token that only runs a worker. Returns the worker's id. */
export const approvePairing = (
  ctx: Context,
  caller: Caller,
  given: string,
  name: string | null,
  foreign: ForeignWorker,
  visit: Visit,
): Promise<string> =>
  decide(ctx, caller, given, async ({ db, audit }, row) => {
    const workerId = await freeWorkerId(db, caller.user.id, row.request, foreign);
    await db
      .update(pairingCodes)
      .set({ status: "approved", userId: caller.user.id, workerId, name: name ?? row.request.name })
      .where(eq(pairingCodes.deviceCodeHash, row.deviceCodeHash));
    audit({
      event: "pairing.approved",
      requestId: visit.requestId,
      ...whoOf(caller),
      attributes: { worker_id: workerId },
    });
    return workerId;
  });

/** Turns the machine away. */
export const denyPairing = (ctx: Context, caller: Caller, given: string, visit: Visit): Promise<void> =>
  decide(ctx, caller, given, async ({ db, audit }, row) => {
    await db
      .update(pairingCodes)
      .set({ status: "denied", userId: caller.user.id })
      .where(eq(pairingCodes.deviceCodeHash, row.deviceCodeHash));
    audit({ event: "pairing.denied", requestId: visit.requestId, ...whoOf(caller) });
  });

/** Decides a pairing under its row lock, so that the first of two answers holds and the other is told (409). */
const decide = <T>(
  ctx: Context,
  caller: Caller,
  given: string,
  how: (unit: Unit, row: PairingRow) => Promise<T>,
): Promise<T> =>
  guessing(ctx, caller, () =>
    ctx.commit(async (unit) => {
      const row = await livePairing(ctx, unit.db, caller, given, true);
      if (row.status !== "pending") throw decided();
      return how(unit, row);
    }),
  );

/**
 * The id that a machine's worker gets: the requested one, else one from its host name; `-2`, `-3`, … when another machine of
 * the user, or anybody else, has it. A machine that asks for its own id again gets it again.
 */
async function freeWorkerId(
  db: Database,
  userId: number,
  request: PairingRequest,
  foreign: ForeignWorker,
): Promise<string> {
  const base = request.workerId ?? `desktopw:${handleBase(request.hostname, "machine")}`;
  for (let n = 0; ; n++) {
    const workerId = numbered(base, n === 0 ? 0 : n + 1, 160);
    if (!(await isTaken(db, userId, workerId, request)) && !(await foreign(db, userId, workerId))) return workerId;
  }
}

async function isTaken(db: Database, userId: number, workerId: string, request: PairingRequest): Promise<boolean> {
  const holders = await db
    .select({ userId: personalAccessTokens.tokenableId, request: pairingCodes.request })
    .from(personalAccessTokens)
    .leftJoin(pairingCodes, eq(pairingCodes.tokenId, personalAccessTokens.id))
    .where(and(eq(personalAccessTokens.workerId, workerId), ne(personalAccessTokens.name, bridgeTokenName)));
  const same = (holder: (typeof holders)[number]) =>
    holder.userId === userId && request.workerId !== null && holder.request?.hostname === request.hostname;
  if (workerId.endsWith(":shared")) return holders.some((holder) => holder.userId === userId && !same(holder));
  return holders.some((holder) => !same(holder));
}

const bridgeTokenName = "worker:this server";

export interface BridgeToken {
  token: string;
  /** Deletes the token; its sockets close. */
  revoke(): Promise<void>;
}

/** A worker token for the bridge inside `serve --worker`: known to this process alone, gone when it ends. */
export async function mintBridgeToken(ctx: Context, userId: number, workerId: string): Promise<BridgeToken> {
  const remove = (unit: Unit, tokenId: number) =>
    deleteTokens(unit, { userId, tokenId, reason: "user_requested", requestId: `bridge:${workerId}` });
  const minted = await ctx.commit(async (unit) => {
    const left = await unit.db
      .select({ id: personalAccessTokens.id })
      .from(personalAccessTokens)
      .where(
        and(
          eq(personalAccessTokens.tokenableId, userId),
          eq(personalAccessTokens.workerId, workerId),
          eq(personalAccessTokens.name, bridgeTokenName),
        ),
      );
    for (const { id } of left) await remove(unit, id);
    return mintToken(ctx, unit.db, { userId, name: bridgeTokenName, abilities: [workerAbility], workerId });
  });
  return {
    token: minted.bearer,
    async revoke() {
      await ctx.commit((unit) => remove(unit, minted.row.id));
    },
  };
}

/** Deletes a batch of dead codes; used ones stay as the record of a machine while its token lives. Returns how many. */
export async function prunePairings(ctx: Context, db: Database, batch: number): Promise<number> {
  const before = later(wholeSecond(ctx.now()), -86_400);
  const dead = db
    .select({ hash: pairingCodes.deviceCodeHash })
    .from(pairingCodes)
    .where(
      and(
        lt(pairingCodes.expiresAt, before),
        sql`not exists (select 1 from ${personalAccessTokens} where ${personalAccessTokens.id} = ${pairingCodes.tokenId})`,
      ),
    )
    .limit(batch);
  const gone = await db
    .delete(pairingCodes)
    .where(sql`${pairingCodes.deviceCodeHash} in ${dead}`)
    .returning({ hash: pairingCodes.deviceCodeHash });
  return gone.length;
}
