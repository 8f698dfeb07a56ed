import { and, desc, eq } from "drizzle-orm";
import type { Database } from "../../db/database";
import { personalAccessTokens } from "../../db/schema/identity";
import { markWorkerOffline } from "../codex/exports";
import type { Context, Unit } from "../context";
import { type Caller, can } from "../http/caller";
import { forbidden, notFound } from "../refusal";
import { patSecret, sha256 } from "./credentials";
import { announceRevocation, type RevocationReason } from "./revocations";
import { type Visit, whoOf } from "./sessions";
import { wholeSecond } from "./times";

export type TokenRow = typeof personalAccessTokens.$inferSelect;

/** A worker token's only ability (remote-control.md 2). */
export const workerAbility = "codex:worker";

/** `["*"]` when the column is null, as for rows of the baseline. */
export function abilitiesOf(stored: string | null): string[] {
  if (stored === null) return ["*"];
  try {
    const parsed: unknown = JSON.parse(stored);
    return Array.isArray(parsed) ? parsed.filter((item): item is string => typeof item === "string") : [];
  } catch {
    return [];
  }
}

export interface NewToken {
  userId: number;
  name: string;
  abilities: string[];
  expiresAt?: Date | null;
  workerId?: string | null;
}

export interface MintedToken {
  row: TokenRow;
  /** `{id}|{secret}`: seen only here. */
  bearer: string;
}

/** Makes a personal access token inside the caller's transaction (auth.md 3.4). */
export async function mintToken(ctx: Context, db: Database, wanted: NewToken): Promise<MintedToken> {
  const now = wholeSecond(ctx.now());
  const secret = patSecret(ctx.config.SANCTUM_TOKEN_PREFIX);
  const [row] = await db
    .insert(personalAccessTokens)
    .values({
      tokenableId: wanted.userId,
      name: wanted.name,
      token: sha256(secret),
      abilities: JSON.stringify(wanted.abilities),
      workerId: wanted.workerId ?? null,
      expiresAt: wanted.expiresAt ?? null,
      createdAt: now,
      updatedAt: now,
    })
    .returning();
  return { row: row as TokenRow, bearer: `${(row as TokenRow).id}|${secret}` };
}

const ownTokens = (userId: number) =>
  and(eq(personalAccessTokens.tokenableType, "App\\Models\\User"), eq(personalAccessTokens.tokenableId, userId));

/** Own tokens, newest first; the one in use shows this very use (auth.md 3.4). */
export async function listTokens(ctx: Context, caller: Caller): Promise<TokenRow[]> {
  if (caller.tokenId !== null) {
    await ctx.db
      .update(personalAccessTokens)
      .set({ lastUsedAt: wholeSecond(ctx.now()) })
      .where(eq(personalAccessTokens.id, caller.tokenId));
  }
  return ctx.db
    .select()
    .from(personalAccessTokens)
    .where(ownTokens(caller.user.id))
    .orderBy(desc(personalAccessTokens.id));
}

/** A token for the caller; without `*` he may pass on only what he has (auth.md 2.6). */
export async function createToken(
  ctx: Context,
  caller: Caller,
  wanted: { name: string; abilities: string[]; expiresAt: Date | null },
  visit: Visit,
): Promise<MintedToken> {
  const abilities = wanted.abilities.length ? wanted.abilities : ["*"];
  if (!abilities.every((ability) => (ability === "*" ? caller.abilities.includes("*") : can(caller, ability))))
    throw forbidden();
  return ctx.commit(async ({ db, audit }) => {
    const minted = await mintToken(ctx, db, { ...wanted, userId: caller.user.id, abilities });
    audit({
      event: "token.created",
      requestId: visit.requestId,
      ...whoOf(caller),
      attributes: { token_id: String(minted.row.id) },
    });
    return minted;
  });
}

interface Deletion {
  userId: number;
  /** Null = all of the user. */
  tokenId: number | null;
  reason: RevocationReason;
  requestId: string;
  /** Who deletes, for the audit rows. */
  who?: ReturnType<typeof whoOf>;
}

/** Deletes tokens of a user inside the caller's transaction and queues the end of their sockets. Returns their ids. */
export async function deleteTokens(
  unit: Unit,
  { userId, tokenId, reason, requestId, who }: Deletion,
): Promise<number[]> {
  const gone = await unit.db
    .delete(personalAccessTokens)
    .where(and(ownTokens(userId), tokenId === null ? undefined : eq(personalAccessTokens.id, tokenId)))
    .returning({ id: personalAccessTokens.id, workerId: personalAccessTokens.workerId });
  // A machine whose access was taken away counts as offline at once (remote-control 2).
  for (const { workerId } of gone) if (workerId) await markWorkerOffline(unit, userId, workerId);
  const ids = gone.map((row) => row.id).sort((a, b) => a - b);
  announceRevocation(unit, { userId, ids: ids.map((id) => `pat:${id}`), reason, devices: [], requestId });
  for (const id of ids) {
    unit.audit({ event: "token.deleted", requestId, ...(who ?? { userId }), attributes: { token_id: String(id) } });
  }
  return ids;
}

const deletion = (caller: Caller, tokenId: number | null, visit: Visit): Deletion => ({
  userId: caller.user.id,
  tokenId,
  reason: "user_requested",
  requestId: visit.requestId,
  who: whoOf(caller),
});

/** Deletes one own token. Throws 404 for anybody else's. */
export async function deleteToken(ctx: Context, caller: Caller, tokenId: number, visit: Visit): Promise<void> {
  const ids = await ctx.commit((unit) => deleteTokens(unit, deletion(caller, tokenId, visit)));
  if (!ids.length) throw notFound();
}

/** Deletes the token of this request; false for a session. */
export async function deleteCurrentToken(ctx: Context, caller: Caller, visit: Visit): Promise<boolean> {
  const { tokenId } = caller;
  if (tokenId === null) return false;
  const ids = await ctx.commit((unit) => deleteTokens(unit, deletion(caller, tokenId, visit)));
  return ids.length > 0;
}

/** Deletes all own tokens, the one in use too. Returns how many. */
export const deleteAllTokens = async (ctx: Context, caller: Caller, visit: Visit): Promise<number> =>
  (await ctx.commit((unit) => deleteTokens(unit, deletion(caller, null, visit)))).length;
