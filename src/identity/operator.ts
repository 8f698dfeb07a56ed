/** What operator commands do with people and tokens (ops-data 2.9). */
import { and, count, desc, eq, gte, ilike, inArray, lt, max, ne, or, sql } from "drizzle-orm";
import { authSessions, orgMemberships, personalAccessTokens, users } from "../../db/schema/identity";
import type { Context, Unit } from "../context";
import { invalid, notFound, Refusal } from "../refusal";
import { gravatar, sha256 } from "./credentials";
import { foldEmail, nameFromEmail } from "./names";
import { providerOf } from "./providers";
import { wholeSecond } from "./times";
import { abilitiesOf, deleteTokens, type MintedToken, mintToken } from "./tokens";
import { createUser, findUserByEmail, isListedAdmin, localId, type UserRow } from "./users";

export interface ListedUser {
  id: number;
  email: string;
  name: string;
  handle: string | null;
  isAdmin: boolean;
  createdAt: Date | null;
  /** Last use of a session or token. */
  lastSeenAt: Date | null;
}

interface UserQuery {
  email: string | null;
  admins: boolean;
  since: Date | null;
  before: number | null;
  limit: number;
}

const later = (a: Date | null, b: Date | null): Date | null => (a && b ? (a > b ? a : b) : (a ?? b));

/** Users, newest first; one more than the limit, so that the caller knows whether there are further ones. */
export async function operatorUsers(
  ctx: Context,
  { email, admins, since, before, limit }: UserQuery,
): Promise<ListedUser[]> {
  const listed = ctx.config.ADMIN_EMAILS.map(foldEmail);
  const isAdmin = or(users.isAdmin, listed.length ? inArray(sql`lower(${users.email})`, listed) : undefined);
  const rows = await ctx.db
    .select()
    .from(users)
    .where(
      and(
        email ? ilike(users.email, `%${email.replace(/[\\%_]/g, "\\$&")}%`) : undefined,
        admins ? isAdmin : undefined,
        since ? gte(users.createdAt, since) : undefined,
        before === null ? undefined : lt(users.id, before),
      ),
    )
    .orderBy(desc(users.id))
    .limit(limit + 1);
  const seen = await lastSeen(
    ctx,
    rows.map(({ id }) => id),
  );
  return rows.map((row) => listedUser(ctx, row, seen.get(row.id) ?? null));
}

const listedUser = (ctx: Context, row: UserRow, lastSeenAt: Date | null): ListedUser => ({
  id: row.id,
  email: row.email,
  name: row.name,
  handle: row.handle,
  isAdmin: row.isAdmin || isListedAdmin(ctx.config, row.email),
  createdAt: row.createdAt,
  lastSeenAt,
});

async function lastSeen({ db }: Context, ids: number[]): Promise<Map<number, Date | null>> {
  if (!ids.length) return new Map();
  const sessions = await db
    .select({ id: authSessions.userId, at: max(authSessions.lastUsedAt) })
    .from(authSessions)
    .where(inArray(authSessions.userId, ids))
    .groupBy(authSessions.userId);
  const tokens = await db
    .select({ id: personalAccessTokens.tokenableId, at: max(personalAccessTokens.lastUsedAt) })
    .from(personalAccessTokens)
    .where(inArray(personalAccessTokens.tokenableId, ids))
    .groupBy(personalAccessTokens.tokenableId);
  const seen = new Map<number, Date | null>();
  for (const { id, at } of [...sessions, ...tokens]) seen.set(id, later(seen.get(id) ?? null, at));
  return seen;
}

/** A user by id, e-mail or handle. */
export async function operatorUser(ctx: Context, given: string): Promise<UserRow | null> {
  const text = given.trim();
  if (text.includes("@")) return (await findUserByEmail(ctx.db, text)) ?? null;
  const byId = /^\d{1,15}$/.test(text) ? eq(users.id, Number(text)) : undefined;
  const [row] = await ctx.db
    .select()
    .from(users)
    .where(or(byId, eq(users.handle, text)))
    .orderBy(desc(eq(users.id, Number(text) || 0)))
    .limit(1);
  return row ?? null;
}

/** All that identity knows of a user, without secrets. */
export async function userRecord(ctx: Context, row: UserRow) {
  const [seen, sessions, tokens, memberships] = [
    await lastSeen(ctx, [row.id]),
    await ctx.db
      .select()
      .from(authSessions)
      .where(eq(authSessions.userId, row.id))
      .orderBy(desc(authSessions.issuedAt))
      .limit(100),
    await operatorTokens(ctx, { userId: row.id, before: null, limit: 100 }),
    await ctx.db.select().from(orgMemberships).where(eq(orgMemberships.userId, row.id)),
  ];
  return { user: listedUser(ctx, row, seen.get(row.id) ?? null), sessions, tokens, memberships };
}

export interface ListedToken {
  id: number;
  userId: number;
  email: string;
  name: string;
  abilities: string[];
  workerId: string | null;
  createdAt: Date | null;
  lastUsedAt: Date | null;
  expiresAt: Date | null;
}

/** Tokens, newest first, of one user or all; one more than the limit. */
export async function operatorTokens(
  ctx: Context,
  { userId, before, limit }: { userId: number | null; before: number | null; limit: number },
): Promise<ListedToken[]> {
  const rows = await ctx.db
    .select({ token: personalAccessTokens, email: users.email })
    .from(personalAccessTokens)
    .innerJoin(users, eq(users.id, personalAccessTokens.tokenableId))
    .where(
      and(
        userId === null ? undefined : eq(personalAccessTokens.tokenableId, userId),
        before === null ? undefined : lt(personalAccessTokens.id, before),
      ),
    )
    .orderBy(desc(personalAccessTokens.id))
    .limit(limit + 1);
  return rows.map(({ token, email }) => ({
    id: token.id,
    userId: token.tokenableId,
    email,
    name: token.name,
    abilities: abilitiesOf(token.abilities),
    workerId: token.workerId,
    createdAt: token.createdAt,
    lastUsedAt: token.lastUsedAt,
    expiresAt: token.expiresAt,
  }));
}

/** Makes the row of somebody who has not signed in yet; null when the e-mail has one already. */
export async function createByOperator(
  ctx: Context,
  unit: Unit,
  wanted: { email: string; name: string | null; workosId: string | null },
): Promise<UserRow | null> {
  const email = foldEmail(wanted.email);
  if (await findUserByEmail(unit.db, email)) return null;
  const own = providerOf(ctx.config) === "local" ? localId() : `api_bootstrap_${sha256(email).slice(0, 32)}`;
  const created = await createUser(unit.db, {
    name: wanted.name?.trim() || nameFromEmail(email),
    email,
    workosId: wanted.workosId ?? own,
    avatar: gravatar(email),
    verifiedAt: null,
    now: wholeSecond(ctx.now()),
  });
  if (!created) throw invalid("email", "This e-mail or WorkOS id belongs to another user.");
  return created;
}

/** Makes a user an administrator, or takes that away. Returns whether anything changed. Throws 409 for the last one. */
export async function setAdmin(
  ctx: Context,
  unit: Unit,
  email: string,
  isAdmin: boolean,
): Promise<{ user: UserRow; changed: boolean }> {
  const found = await findUserByEmail(unit.db, email);
  if (!found) throw notFound(`User not found for email: ${foldEmail(email)}`);
  if (found.isAdmin === isAdmin) return { user: found, changed: false };
  if (!isAdmin) await refuseLastAdmin(ctx, unit, found);
  const [user] = await unit.db
    .update(users)
    .set({ isAdmin, updatedAt: wholeSecond(ctx.now()) })
    .where(eq(users.id, found.id))
    .returning();
  return { user: user ?? found, changed: true };
}

/** The rows are locked, so that two commands cannot each take away the last but one. */
async function refuseLastAdmin(ctx: Context, { db }: Unit, user: UserRow): Promise<void> {
  if (isListedAdmin(ctx.config, user.email)) return;
  const admins = await db.select({ id: users.id }).from(users).where(eq(users.isAdmin, true)).for("update");
  if (admins.some(({ id }) => id !== user.id)) return;
  const listed = ctx.config.ADMIN_EMAILS.map(foldEmail);
  const [others] = listed.length
    ? await db
        .select({ n: count() })
        .from(users)
        .where(and(inArray(sql`lower(${users.email})`, listed), ne(users.id, user.id)))
    : [];
  if (others?.n) return;
  throw new Refusal("conflict", `${user.email} is the last administrator.`);
}

/** A token for somebody, made by an operator. */
export async function mintByOperator(
  ctx: Context,
  unit: Unit,
  wanted: { userId: number; name: string; abilities: string[]; expiresAt: Date | null; requestId: string },
): Promise<MintedToken> {
  const minted = await mintToken(ctx, unit.db, wanted);
  unit.audit({
    event: "token.created",
    requestId: wanted.requestId,
    userId: wanted.userId,
    attributes: { token_id: String(minted.row.id), actor: "ops" },
  });
  return minted;
}

/** Deletes one token, or all of a user; sockets minted through them close. Returns the ids. */
export async function revokeByOperator(
  unit: Unit,
  which: { tokenId: number } | { userId: number },
  requestId: string,
): Promise<number[]> {
  if ("userId" in which)
    return deleteTokens(unit, { userId: which.userId, tokenId: null, reason: "admin_revoked", requestId });
  const [row] = await unit.db
    .select({ userId: personalAccessTokens.tokenableId })
    .from(personalAccessTokens)
    .where(eq(personalAccessTokens.id, which.tokenId));
  if (!row) return [];
  return deleteTokens(unit, { userId: row.userId, tokenId: which.tokenId, reason: "admin_revoked", requestId });
}

/** The owner of this server: its first administrator, or null while nobody has signed in (auth.md 3.16). */
export async function ownerOf(ctx: Context): Promise<number | null> {
  const [owner] = await ctx.db
    .select({ id: users.id })
    .from(users)
    .where(eq(users.isAdmin, true))
    .orderBy(users.id)
    .limit(1);
  return owner?.id ?? null;
}
