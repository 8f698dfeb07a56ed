import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { and, asc, eq, gt, isNull } from "drizzle-orm";
import type { Database } from "../../db/database";
import { authLoginLinks, users } from "../../db/schema/identity";
import type { Context, Unit } from "../context";
import { notFound } from "../refusal";
import { loginLinkToken, sha256 } from "./credentials";
import { inviteMail, mailPayload } from "./mail";
import { emailDomain, foldEmail, nameFromEmail } from "./names";
import { mailIsConfigured, providerOf } from "./providers";
import type { Visit } from "./sessions";
import { openFor, type SignedIn } from "./sign-in";
import { later, wholeSecond } from "./times";
import { anyUser, createUser, findUser, findUserByEmail, localId, type UserRow } from "./users";

type LinkRow = typeof authLoginLinks.$inferSelect;

export interface LoginLink {
  url: string;
  /** Null for the owner link. */
  email: string | null;
  expiresAt: Date;
}

const inviteSeconds = 7 * 86_400;

/** Login name of this process; the runtime knows it only where the environment says it. */
function osUser(): string {
  const said = process.env.USER || process.env.LOGNAME;
  if (said) return said;
  try {
    const entries = readFileSync("/etc/passwd", "utf8").split("\n");
    const mine = entries.find((entry) => entry.split(":")[2] === String(userInfo().uid));
    return mine?.split(":")[0] || "owner";
  } catch {
    return "owner";
  }
}

/** `{os user}@localhost`: who the owner link makes (auth.md 3.16). */
function owner(): { email: string; name: string } {
  const name = osUser();
  return { email: foldEmail(`${name.replace(/[^A-Za-z0-9._-]/g, "-")}@localhost`), name };
}

interface NewLink {
  userId: number | null;
  email: string | null;
  name: string | null;
  isAdmin: boolean;
  seconds: number;
}

async function insertLink(ctx: Context, { db }: Unit, wanted: NewLink): Promise<LoginLink> {
  const token = loginLinkToken();
  const now = wholeSecond(ctx.now());
  const expiresAt = later(now, wanted.seconds);
  const { userId, email, name, isAdmin } = wanted;
  await db
    .insert(authLoginLinks)
    .values({ tokenHash: sha256(token), userId, email, name, isAdmin, expiresAt, createdAt: now });
  return { url: `${ctx.appUrl()}/login/link/${token}`, email, expiresAt };
}

/**
 * A fresh owner link while there are no users, voiding the one before; null when there are users or another provider signs
 * people in. `serve` prints it.
 */
export async function mintOwnerLink(ctx: Context): Promise<LoginLink | null> {
  if (providerOf(ctx.config) !== "local") return null;
  return ctx.commit(async (unit) => {
    if (await anyUser(unit.db)) return null;
    await unit.db.delete(authLoginLinks).where(and(isNull(authLoginLinks.userId), isNull(authLoginLinks.email)));
    return insertLink(ctx, unit, { userId: null, email: null, name: null, isAdmin: true, seconds: 900 });
  });
}

export interface OperatorLink {
  /** Null: the owner's. */
  email: string | null;
  name: string | null;
  isAdmin: boolean;
  minutes: number;
  requestId: string;
}

/**
 * A sign-in link for an existing or new user, minted by an operator (`ops login-link`). Without an address it is for the
 * first administrator there is, else for the owner-to-be. The provider must be `local`.
 */
export const mintLoginLink = (ctx: Context, wanted: OperatorLink): Promise<LoginLink> =>
  ctx.commit(async (unit) => {
    const user = await (wanted.email === null ? firstAdmin(unit.db) : findUserByEmail(unit.db, wanted.email));
    const fresh = !user && wanted.email === null;
    const email = user?.email ?? foldEmail(wanted.email ?? owner().email);
    unit.audit({
      event: "auth.login_link.created",
      requestId: wanted.requestId,
      ...(user ? { userId: user.id } : {}),
      attributes: { email_domain: emailDomain(email), admin: String(wanted.isAdmin || fresh) },
    });
    return insertLink(ctx, unit, {
      userId: user?.id ?? null,
      email,
      name: wanted.name ?? (fresh ? owner().name : null),
      isAdmin: wanted.isAdmin || fresh,
      seconds: wanted.minutes * 60,
    });
  });

async function firstAdmin(db: Database): Promise<UserRow | undefined> {
  const [row] = await db.select().from(users).where(eq(users.isAdmin, true)).orderBy(asc(users.id)).limit(1);
  return row;
}

/** Invites an address (auth.md 3.16): a link for 7 days, mailed too when mail is configured. 404 unless the provider is `local`. */
export async function invite(
  ctx: Context,
  inviter: { id: number; name: string },
  wanted: { email: string; name: string | null; isAdmin: boolean },
  visit: Visit,
): Promise<LoginLink> {
  if (providerOf(ctx.config) !== "local") throw notFound();
  return ctx.commit(async (unit) => {
    const email = foldEmail(wanted.email);
    const user = await findUserByEmail(unit.db, email);
    const link = await insertLink(ctx, unit, {
      userId: user?.id ?? null,
      email,
      name: wanted.name,
      isAdmin: wanted.isAdmin,
      seconds: inviteSeconds,
    });
    if (mailIsConfigured(ctx.config)) {
      unit.enqueue(...mailPayload(ctx, inviteMail(ctx.config.APP_NAME, email, link.url, inviter.name)));
    }
    unit.audit({
      event: "auth.invite.created",
      requestId: visit.requestId,
      userId: inviter.id,
      attributes: { admin: String(wanted.isAdmin), email_domain: emailDomain(email) },
    });
    return link;
  });
}

export interface LinkSignIn {
  deviceId: string;
  tokenName: string;
  client: string | null;
  visit: Visit;
}

/** Uses a sign-in link up. Null when it is unknown, used or expired; of two at once one gets it (`DELETE … RETURNING`). */
export const useLoginLink = (ctx: Context, token: string, how: LinkSignIn): Promise<SignedIn | null> =>
  ctx.commit(async (unit) => {
    const [link] = await unit.db
      .delete(authLoginLinks)
      .where(and(eq(authLoginLinks.tokenHash, sha256(token)), gt(authLoginLinks.expiresAt, ctx.now())))
      .returning();
    if (!link) return null;
    const { user, created } = await userOf(ctx, unit, link);
    return openFor(ctx, unit, user, created, { ...how, lane: "cookie", door: "web", provider: "local" });
  });

async function userOf(ctx: Context, unit: Unit, link: LinkRow): Promise<{ user: UserRow; created: boolean }> {
  const { db } = unit;
  const fallback = owner();
  const email = link.email ?? fallback.email;
  const found =
    (link.userId === null ? undefined : await findUser(db, link.userId)) ?? (await findUserByEmail(db, email));
  if (found) return { user: await promoted(ctx, unit, found, link), created: false };
  const now = wholeSecond(ctx.now());
  const created = await createUser(db, {
    name: link.name ?? (link.email === null ? fallback.name : nameFromEmail(email)),
    email,
    workosId: localId(),
    avatar: "",
    isAdmin: link.isAdmin,
    verifiedAt: now,
    now,
  });
  if (created) return { user: created, created: true };
  const raced = await findUserByEmail(db, email);
  if (!raced) throw new Error("the user of a sign-in link could be neither made nor found");
  return { user: await promoted(ctx, unit, raced, link), created: false };
}

async function promoted(ctx: Context, { db }: Unit, user: UserRow, link: LinkRow): Promise<UserRow> {
  if (!link.isAdmin || user.isAdmin) return user;
  const [row] = await db
    .update(users)
    .set({ isAdmin: true, updatedAt: wholeSecond(ctx.now()) })
    .where(eq(users.id, user.id))
    .returning();
  return row ?? user;
}
